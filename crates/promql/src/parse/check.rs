//! Do the types fit? In Prometheus' order, so that the same complaint comes first.

use std::collections::HashSet;

use super::escape::quote;
use super::lex::is_space;
use super::{Fault, Parsed};
use crate::ast::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ExprKind, MatchOp, Matcher, Span, ValueType,
    VectorSelector,
};
use crate::labels::METRIC_NAME;

/// Also settles what follows from types: which operators match vectors, and how.
pub(super) fn check(expr: &mut Expr, text: &str) -> Parsed<()> {
    expr_type(expr, text).map(|_| ())
}

fn expr_type(expr: &mut Expr, text: &str) -> Parsed<ValueType> {
    let span = expr.span;
    match &mut expr.kind {
        ExprKind::Number { .. } => Ok(ValueType::Scalar),
        ExprKind::String(_) => Ok(ValueType::String),
        ExprKind::Vector(vector) => selector(vector, span, false).map(|()| ValueType::Vector),
        ExprKind::Matrix(matrix) => {
            selector(&matrix.vector, matrix.vector_span, false)?;
            Ok(ValueType::Matrix)
        }
        ExprKind::Subquery(subquery) => match expr_type(&mut subquery.expr, text)? {
            ValueType::Vector => Ok(ValueType::Matrix),
            other => {
                let other = other.short_name();
                Err(Fault::new(
                    span,
                    format!("subquery is only allowed on instant vector, got {other} instead"),
                ))
            }
        },
        ExprKind::Call(call) => arguments(call, span, text).map(|()| call.function.returns),
        ExprKind::Aggregate(aggregate) => operands(aggregate, text).map(|()| ValueType::Vector),
        ExprKind::Binary(binary) => sides(binary, span, text),
        ExprKind::Unary { expr, .. } => match expr_type(expr, text)? {
            fits @ (ValueType::Scalar | ValueType::Vector) => Ok(fits),
            other => {
                let got = quote(other.as_str());
                let message = format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got {got}"
                );
                Err(Fault::new(span, message))
            }
        },
        ExprKind::Paren(inner) => expr_type(inner, text),
    }
}

fn expect(expr: &mut Expr, wanted: ValueType, context: &str, text: &str) -> Parsed<()> {
    let got = expr_type(expr, text)?;
    if got == wanted { Ok(()) } else { Err(mismatch(expr.span, wanted, context, got)) }
}

fn mismatch(span: Span, wanted: ValueType, context: &str, got: ValueType) -> Fault {
    Fault::new(span, format!("expected type {} in {context}, got {}", wanted.as_str(), got.as_str()))
}

fn operands(aggregate: &mut Aggregate, text: &str) -> Parsed<()> {
    expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression", text)?;
    let Some(parameter) = &mut aggregate.param else { return Ok(()) };
    let wanted = match aggregate.op {
        AggregateOp::CountValues => ValueType::String,
        _ => ValueType::Scalar,
    };
    expect(parameter, wanted, "aggregation parameter", text)
}

fn arguments(call: &mut Call, span: Span, text: &str) -> Parsed<()> {
    let (function, name) = (call.function, quote(call.function.name));
    let (got, all) = (call.args.len(), function.args.len());
    let wrong = |expected: String| {
        Err(Fault::new(span, format!("expected {expected} argument(s) in call to {name}, got {got}")))
    };
    if function.variadic == 0 {
        if got != all {
            return wrong(all.to_string());
        }
    } else {
        let fewest = all - 1;
        if got < fewest {
            return wrong(format!("at least {fewest}"));
        }
        if let Ok(more @ 1..) = usize::try_from(function.variadic)
            && got > fewest + more
        {
            return wrong(format!("at most {}", fewest + more));
        }
    }
    let context = format!("call to function {name}");
    let info = function.name == "info";
    if info && let Some(labels) = call.args.get(1) {
        info_labels(labels, span, &context)?;
    }
    for (at, arg) in call.args.iter_mut().enumerate() {
        let Some(&wanted) = function.args.get(at).or(function.args.last()) else { break };
        match &arg.kind {
            // Labels of `info` may be any.
            ExprKind::Vector(vector) if info && at == 1 => selector(vector, arg.span, true)?,
            _ => expect(arg, wanted, &context, text)?,
        }
    }
    Ok(())
}

/// The second argument of `info` is a selector without a name.
fn info_labels(labels: &Expr, call: Span, context: &str) -> Parsed<()> {
    let got = labels.value_type();
    if got != ValueType::Vector {
        return Err(mismatch(call, ValueType::Vector, context, got));
    }
    match &labels.kind {
        ExprKind::Vector(VectorSelector { name: None, .. }) => Ok(()),
        ExprKind::Vector(_) => {
            Err(Fault::new(labels.span, "expected label selectors only, got vector selector instead"))
        }
        _ => Err(Fault::new(labels.span, "expected label selectors only")),
    }
}

fn sides(binary: &mut Binary, span: Span, text: &str) -> Parsed<ValueType> {
    let left = expr_type(&mut binary.left, text)?;
    let right = expr_type(&mut binary.right, text)?;
    let op = binary.op;
    let scalars = (left, right) == (ValueType::Scalar, ValueType::Scalar);
    let operator = || operator_span(binary, text);
    if binary.return_bool && !op.is_comparison() {
        return Err(Fault::new(operator(), "bool modifier can only be used on comparison operators"));
    }
    if op.is_comparison() && !binary.return_bool && scalars {
        return Err(Fault::new(operator(), "comparisons between scalars must use BOOL modifier"));
    }
    if let Some(matching) = binary.matching.as_ref().filter(|matching| matching.on) {
        let include: HashSet<&String> = matching.include.iter().collect();
        let twice = matching.labels.iter().find(|label| include.contains(label));
        if let Some(label) = twice {
            let message = format!("label {} must not occur in ON and GROUP clause at once", quote(label));
            return Err(Fault::new(operator(), message));
        }
    }
    for (side, got) in [(&binary.left, left), (&binary.right, right)] {
        if !matches!(got, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(Fault::new(side.span, message));
        }
    }
    let vectors = (left, right) == (ValueType::Vector, ValueType::Vector);
    matching(binary, vectors, span)?;
    if !vectors && op.is_set() {
        let message = format!("set operator {} not allowed in binary scalar expression", quote(op.as_str()));
        return Err(Fault::new(span, message));
    }
    Ok(if scalars { ValueType::Scalar } else { ValueType::Vector })
}

/// Matching is for two vectors, and `and`, `or` and `unless` have a way of their own.
fn matching(binary: &mut Binary, vectors: bool, span: Span) -> Parsed<()> {
    let Some(matching) = &mut binary.matching else { return Ok(()) };
    let fills = matching.fill_left.or(matching.fill_right).is_some();
    let fault = |message: String| Err(Fault::new(span, message));
    if !vectors {
        if !matching.labels.is_empty() {
            return fault("vector matching only allowed between instant vectors".into());
        }
        if fills {
            return fault("filling in missing series only allowed between instant vectors".into());
        }
        binary.matching = None;
    } else if binary.op.is_set() {
        if matching.cardinality != Cardinality::OneToOne {
            return fault(format!("no grouping allowed for {} operation", quote(binary.op.as_str())));
        }
        if fills {
            return fault("filling in missing series not allowed for set operators".into());
        }
        matching.cardinality = Cardinality::ManyToMany;
    }
    Ok(())
}

/// The operator and its modifiers.
fn operator_span(binary: &Binary, text: &str) -> Span {
    let (start, end) = (binary.left.span.end, binary.right.span.start);
    let between = text.get(start..end).unwrap_or_default();
    let leading = between.len() - between.trim_start_matches(is_space).len();
    Span { start: start + leading, end: end - (between.len() - between.trim_end_matches(is_space).len()) }
}

fn selector(vector: &VectorSelector, span: Span, may_be_empty: bool) -> Parsed<()> {
    if let Some(name) = &vector.name {
        // The last one is the name itself.
        let others = vector.matchers.split_last().map_or(&[][..], |(_, others)| others);
        if let Some(other) = others.iter().find(|matcher| matcher.name == METRIC_NAME) {
            let (name, other) = (quote(name), quote(&other.value));
            return Err(Fault::new(span, format!("metric name must not be set twice: {name} or {other}")));
        }
        return Ok(());
    }
    if may_be_empty || vector.matchers.iter().any(|matcher| !matcher.matches("")) {
        return Ok(());
    }
    Err(Fault::new(span, "vector selector must contain at least one non-empty matcher"))
}

impl Matcher {
    /// Does a label of that value fit? A label that is missing is empty.
    pub fn matches(&self, value: &str) -> bool {
        let fits = |regex: &regex::Regex| regex.is_match(value);
        match self.op {
            MatchOp::Equal => self.value == value,
            MatchOp::NotEqual => self.value != value,
            MatchOp::Regex => self.regex.as_deref().is_some_and(fits),
            MatchOp::NotRegex => !self.regex.as_deref().is_some_and(fits),
        }
    }
}
