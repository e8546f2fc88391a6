//! `sum by (a) (…)` and `sum (…) by (a)`, and the lists of labels.

use super::expression::Parser;
use super::token::{Kind, Token};
use super::{Fault, Parsed, escape};
use crate::ast::{Aggregate, AggregateOp, Expr, ExprKind, Span};

/// Labels, and whether they are those of `without`.
type Grouping = (Vec<String>, bool);

impl Parser<'_> {
    /// From behind the operator on.
    pub(super) fn aggregate(&mut self, op: AggregateOp, name: Token) -> Parsed<Box<Expr>> {
        self.aggregations += 1;
        let before = self.grouping_modifier()?;
        let args = self.arguments()?;
        self.aggregations -= 1;
        self.aggregate_of(op, name, before, args)
    }

    /// From behind the arguments on. Apart from what recurses, for the sake of the stack.
    fn aggregate_of(
        &mut self,
        op: AggregateOp,
        name: Token,
        before: Option<(Grouping, usize)>,
        (args, mut end): (Vec<Expr>, usize),
    ) -> Parsed<Box<Expr>> {
        let after = if before.is_none() {
            self.aggregations += 1;
            let after = self.grouping_modifier()?;
            self.aggregations -= 1;
            after
        } else {
            None
        };
        if let Some((_, close)) = after {
            end = close;
        }
        if self.token.kind == Kind::Error && before.is_none() && after.is_none() {
            // Whether a modifier follows has to be known before anything else is said.
            return Err(self.unexpected());
        }
        let (grouping, without) = before.or(after).map(|(grouping, _)| grouping).unwrap_or_default();
        let span = Span { start: name.span.start, end };
        let (param, expr) = self.operands(op, args, span)?;
        let aggregate = Aggregate { op, expr, param, grouping, without };
        Ok(Box::new(Expr { kind: ExprKind::Aggregate(Box::new(aggregate)), span }))
    }

    fn operands(&self, op: AggregateOp, mut args: Vec<Expr>, span: Span) -> Parsed<(Option<Expr>, Expr)> {
        if args.is_empty() {
            return Err(Fault::new(span, "no arguments for aggregate expression provided"));
        }
        let experimental = matches!(op, AggregateOp::Limitk | AggregateOp::LimitRatio);
        if experimental && !self.options.experimental_functions {
            let message = format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                op.as_str()
            );
            return Err(Fault::new(span, message));
        }
        let expected = if op.takes_parameter() { 2 } else { 1 };
        let got = args.len();
        match (args.pop(), args.pop(), expected == got) {
            (Some(expr), param, true) => Ok((param, expr)),
            _ => {
                let message = format!(
                    "wrong number of arguments for aggregate expression provided, expected {expected}, got {got}"
                );
                Err(Fault::new(span, message))
            }
        }
    }

    /// `by (…)` or `without (…)`, and where it ends.
    fn grouping_modifier(&mut self) -> Parsed<Option<(Grouping, usize)>> {
        if !matches!(self.token.kind, Kind::By | Kind::Without) {
            return Ok(None);
        }
        let without = self.advance().kind == Kind::Without;
        let (labels, end) = self.labels()?;
        Ok(Some(((labels, without), end)))
    }

    /// Labels in parentheses.
    pub(super) fn grouping(&mut self) -> Parsed<Vec<String>> {
        self.labels().map(|(labels, _)| labels)
    }

    fn labels(&mut self) -> Parsed<(Vec<String>, usize)> {
        const CONTEXT: &str = "grouping opts";
        if self.accept(Kind::LeftParen).is_none() {
            return Err(self.unexpected_in(CONTEXT, "\"(\""));
        }
        let mut labels = Vec::new();
        loop {
            if let Some(close) = self.accept(Kind::RightParen) {
                return Ok((labels, close.span.end));
            }
            labels.push(self.label(CONTEXT)?);
            if self.accept(Kind::Comma).is_none() && self.token.kind != Kind::RightParen {
                return Err(self.unexpected_in(CONTEXT, "\",\" or \")\""));
            }
        }
    }

    fn label(&mut self, context: &str) -> Parsed<String> {
        let kind = self.token.kind;
        if kind != Kind::String && !kind.names_label() {
            return Err(self.unexpected_in(context, "label"));
        }
        let token = self.advance();
        let text = self.text_of(token);
        let label = if kind == Kind::String { escape::unquote(text) } else { text.to_owned() };
        if label.is_empty() {
            let message = format!("invalid label name for grouping: {}", escape::quote(&label));
            return Err(Fault::new(token.span, message));
        }
        Ok(label)
    }
}
