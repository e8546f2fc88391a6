//! A query on one line.

use std::fmt::{self, Display, Formatter};

use super::duration::{Outer, Seconds};
use super::number::{Plain, Short};
use crate::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, DurationKind, Expr, ExprKind, MatchOp, Matcher,
    MatrixSelector, Place, RangeMode, Subquery, VectorSelector,
};
use crate::labels::METRIC_NAME;
use crate::parse::quote;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number { value, duration: true } => Seconds(*value).fmt(f),
            ExprKind::Number { value, duration: false } => Plain(*value).fmt(f),
            ExprKind::String(text) => f.write_str(&quote(text)),
            ExprKind::Vector(vector) => {
                write!(f, "{}", Series(vector))?;
                at(&vector.place, f)?;
                range_mode(vector.range_mode, f)?;
                offset(&vector.place, f)
            }
            ExprKind::Matrix(matrix) => range(matrix, f),
            ExprKind::Subquery(subquery) => write!(f, "{}{}", subquery.expr, Suffix(subquery)),
            ExprKind::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                list(&call.args, f)?;
                f.write_str(")")
            }
            ExprKind::Aggregate(aggregate) => {
                write!(f, "{}(", Head(aggregate))?;
                if let Some(parameter) = &aggregate.param {
                    write!(f, "{parameter}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            ExprKind::Binary(binary) => {
                match binary.left.kind {
                    // Here the plus would be a sign of the whole power.
                    ExprKind::Number { value: f64::INFINITY, .. } if binary.op == BinaryOp::Pow => {
                        f.write_str("Inf")?;
                    }
                    _ => binary.left.fmt(f)?,
                }
                write!(f, " {} {}", Operator(binary), binary.right)
            }
            ExprKind::Unary { op, expr } => write!(f, "{}{expr}", op.as_str()),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

/// Anything, with commas between.
fn list<T: Display>(items: &[T], f: &mut Formatter<'_>) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

/// The name and the matchers, which are sorted as they are written.
struct Series<'a>(&'a VectorSelector);

impl Display for Series<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.0.name.as_deref().unwrap_or_default();
        f.write_str(name)?;
        let is_name = |matcher: &&Matcher| {
            matcher.name == METRIC_NAME
                && matcher.op == MatchOp::Equal
                && matcher.value == name
                && !name.is_empty()
        };
        let others = self.0.matchers.iter().filter(|matcher| !is_name(matcher));
        let mut others: Vec<String> = others.map(ToString::to_string).collect();
        // Where any series fits, braces have to be there: `info(a, {})`.
        if others.is_empty() && !name.is_empty() {
            return Ok(());
        }
        others.sort_unstable();
        write!(f, "{{{}}}", others.join(","))
    }
}

impl Display for Matcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", Label(&self.name), self.op.as_str(), quote(&self.value))
    }
}

/// In quotes where it has to be.
struct Label<'a>(&'a str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fits = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let plain = self.0.chars().all(fits) && !self.0.starts_with(|c: char| c.is_ascii_digit());
        if plain && !self.0.is_empty() { f.write_str(self.0) } else { f.write_str(&quote(self.0)) }
    }
}

fn labels(names: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    let names: Vec<Label<'_>> = names.iter().map(|name| Label(name)).collect();
    f.write_str(" (")?;
    list(&names, f)?;
    f.write_str(")")
}

fn range(matrix: &MatrixSelector, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{}[{}]", Series(&matrix.vector), Outer(&matrix.range))?;
    range_mode(matrix.vector.range_mode, f)?;
    at(&matrix.vector.place, f)?;
    offset(&matrix.vector.place, f)
}

fn range_mode(mode: Option<RangeMode>, f: &mut Formatter<'_>) -> fmt::Result {
    match mode {
        Some(RangeMode::Anchored) => f.write_str(" anchored"),
        Some(RangeMode::Smoothed) => f.write_str(" smoothed"),
        None => Ok(()),
    }
}

fn at(place: &Place, f: &mut Formatter<'_>) -> fmt::Result {
    match place.at {
        Some(At::Time(milliseconds)) => write!(f, " @ {:.3}", milliseconds as f64 / 1000.0),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn offset(place: &Place, f: &mut Formatter<'_>) -> fmt::Result {
    match &place.offset {
        None => Ok(()),
        Some(offset) if matches!(offset.kind, DurationKind::Literal { seconds: 0.0, .. }) => Ok(()),
        Some(offset) => write!(f, " offset {}", Outer(offset)),
    }
}

/// What follows the expression of a subquery.
pub(super) struct Suffix<'a>(pub(super) &'a Subquery);

impl Display for Suffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:", Outer(&self.0.range))?;
        if let Some(step) = &self.0.step {
            Outer(step).fmt(f)?;
        }
        f.write_str("]")?;
        at(&self.0.place, f)?;
        offset(&self.0.place, f)
    }
}

/// An aggregation up to its parenthesis.
pub(super) struct Head<'a>(pub(super) &'a Aggregate);

impl Display for Head<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.without || !self.0.grouping.is_empty() {
            f.write_str(if self.0.without { " without" } else { " by" })?;
            labels(&self.0.grouping, f)?;
            f.write_str(" ")?;
        }
        Ok(())
    }
}

/// An operator with its modifiers.
pub(super) struct Operator<'a>(pub(super) &'a Binary);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        let Some(matching) = &self.0.matching else { return Ok(()) };
        let group = match matching.cardinality {
            Cardinality::ManyToOne => Some(" group_left"),
            Cardinality::OneToMany => Some(" group_right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if matching.on || !matching.labels.is_empty() || group.is_some() {
            f.write_str(if matching.on { " on" } else { " ignoring" })?;
            labels(&matching.labels, f)?;
        }
        if let Some(group) = group {
            f.write_str(group)?;
            labels(&matching.include, f)?;
        }
        match (matching.fill_left, matching.fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
                write!(f, " fill ({})", Short(left))
            }
            (left, right) => {
                for (word, value) in [("fill_left", left), ("fill_right", right)] {
                    if let Some(value) = value {
                        write!(f, " {word} ({})", Short(value))?;
                    }
                }
                Ok(())
            }
        }
    }
}
