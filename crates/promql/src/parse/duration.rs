//! What stands in brackets and behind `offset`: numbers, durations and arithmetic over them.

use super::expression::{LOWEST, POWER, Parser, precedence};
use super::token::{Kind, Token};
use super::{Fault, Parsed};
use crate::ast::{BinaryOp, DurationExpr, DurationKind, Span, UnaryOp};

/// Context and expectation of what is unexpected.
pub(super) type Wanted = (&'static str, &'static str);

pub(super) const RANGE: Wanted = ("subquery or range selector", "number, duration, step(), or range()");
pub(super) const STEP: Wanted = ("subquery selector", "number, duration, step(), range(), or \"]\"");
const OFFSET: Wanted = ("offset", "number, duration, step(), or range()");

/// Seconds that are too many for nanoseconds in 64 bits.
const SECONDS_MAX: f64 = 9_223_372_036.854_776;

impl Parser<'_> {
    /// A range or a step.
    pub(super) fn positive_duration(&mut self, wanted: Wanted) -> Parsed<DurationExpr> {
        let duration = self.duration(LOWEST, wanted)?;
        match duration.kind {
            DurationKind::Literal { seconds, .. } if seconds <= 0.0 => {
                Err(Fault::new(duration.span, "duration must be greater than 0"))
            }
            _ => Ok(duration),
        }
    }

    /// What follows `offset`. Without parentheses it ends with the first number or call: in
    /// `m offset 5m * 2` the operator belongs to the query.
    pub(super) fn offset_duration(&mut self) -> Parsed<DurationExpr> {
        self.height = 1;
        if let Some((op, sign)) = self.sign() {
            let operand = match self.token.kind {
                Kind::LeftParen => self.duration_in_parentheses(OFFSET)?,
                _ => self.duration_operand(OFFSET)?,
            };
            return with_sign(op, sign, operand);
        }
        match self.token.kind {
            Kind::LeftParen => self.duration(LOWEST, OFFSET),
            _ => self.duration_operand(OFFSET),
        }
    }

    fn sign(&mut self) -> Option<(UnaryOp, Token)> {
        let op = match self.token.kind {
            Kind::Operator(BinaryOp::Add) => UnaryOp::Plus,
            Kind::Operator(BinaryOp::Sub) => UnaryOp::Minus,
            _ => return None,
        };
        Some((op, self.advance()))
    }

    fn duration(&mut self, level: u8, wanted: Wanted) -> Parsed<DurationExpr> {
        self.enter()?;
        self.height = 1;
        let mut left = match self.sign() {
            Some((op, sign)) => {
                let operand = self.duration(POWER, wanted)?;
                self.grow_over(0)?;
                with_sign(op, sign, operand)?
            }
            None if self.token.kind == Kind::LeftParen => self.duration_in_parentheses(wanted)?,
            None => self.duration_operand(wanted)?,
        };
        while let Kind::Operator(op) = self.token.kind {
            let own = precedence(op);
            let arithmetic = own >= precedence(BinaryOp::Add) && op != BinaryOp::Atan2;
            if !arithmetic || own < level {
                break;
            }
            let operator = self.advance();
            self.experimental(left.span)?;
            let height = self.height;
            let right = self.duration(if own == POWER { own } else { own + 1 }, wanted)?;
            self.grow_over(height)?;
            match op {
                BinaryOp::Div if is_zero(&right) => {
                    return Err(Fault::new(operator.span, "division by zero"));
                }
                BinaryOp::Mod if is_zero(&right) => return Err(Fault::new(operator.span, "modulo by zero")),
                _ => {}
            }
            let span = Span { start: left.span.start, end: right.span.end };
            let kind = DurationKind::Binary { op, left: Box::new(left), right: Box::new(right) };
            left = DurationExpr { kind, span };
        }
        self.leave();
        Ok(left)
    }

    fn duration_in_parentheses(&mut self, wanted: Wanted) -> Parsed<DurationExpr> {
        let open = self.advance();
        let inner = self.duration(LOWEST, wanted)?;
        let close = self.expect_in(Kind::RightParen, wanted)?;
        self.experimental(inner.span)?;
        self.grow_over(0)?;
        let span = Span { start: open.span.start, end: close.span.end };
        Ok(DurationExpr { kind: DurationKind::Paren(Box::new(inner)), span })
    }

    /// A number, or a call.
    fn duration_operand(&mut self, wanted: Wanted) -> Parsed<DurationExpr> {
        let kind = self.token.kind;
        match kind {
            Kind::Number | Kind::Duration => {
                let token = self.advance();
                let (seconds, duration) = self.number(token)?;
                if !(-SECONDS_MAX..=SECONDS_MAX).contains(&seconds) {
                    return Err(Fault::new(token.span, "duration out of range"));
                }
                Ok(DurationExpr { kind: DurationKind::Literal { seconds, duration }, span: token.span })
            }
            Kind::Step | Kind::Range => {
                let start = self.advance().span.start;
                self.expect_in(Kind::LeftParen, wanted)?;
                let end = self.expect_in(Kind::RightParen, wanted)?.span.end;
                let span = Span { start, end };
                self.experimental(span)?;
                let kind = if kind == Kind::Step { DurationKind::Step } else { DurationKind::Range };
                Ok(DurationExpr { kind, span })
            }
            Kind::MinOf | Kind::MaxOf => self.extreme(wanted),
            _ => Err(self.unexpected_in(wanted.0, wanted.1)),
        }
    }

    /// `min_of(a, b)` and `max_of(a, b)`.
    fn extreme(&mut self, wanted: Wanted) -> Parsed<DurationExpr> {
        let name = self.advance();
        self.expect_in(Kind::LeftParen, wanted)?;
        let left = Box::new(self.duration(LOWEST, wanted)?);
        let height = self.height;
        self.expect_in(Kind::Comma, wanted)?;
        let right = Box::new(self.duration(LOWEST, wanted)?);
        let close = self.expect_in(Kind::RightParen, wanted)?;
        self.grow_over(height)?;
        let span = Span { start: name.span.start, end: close.span.end };
        self.experimental(span)?;
        let kind = match name.kind {
            Kind::MinOf => DurationKind::Min(left, right),
            _ => DurationKind::Max(left, right),
        };
        Ok(DurationExpr { kind, span })
    }

    fn expect_in(&mut self, kind: Kind, wanted: Wanted) -> Parsed<Token> {
        self.accept(kind).ok_or_else(|| self.unexpected_in(wanted.0, wanted.1))
    }

    fn experimental(&self, span: Span) -> Parsed<()> {
        if self.options.duration_expressions {
            return Ok(());
        }
        Err(Fault::new(span, "experimental duration expression is not enabled"))
    }
}

/// Numbers take the sign themselves.
fn with_sign(op: UnaryOp, sign: Token, mut operand: DurationExpr) -> Parsed<DurationExpr> {
    let start = sign.span.start;
    match (&mut operand.kind, op) {
        (DurationKind::Literal { seconds, .. }, op) => {
            if op == UnaryOp::Minus {
                *seconds = -*seconds;
            }
            operand.span.start = start;
            Ok(operand)
        }
        (_, UnaryOp::Plus) => Ok(operand),
        (_, UnaryOp::Minus) => {
            let span = Span { start, end: operand.span.end };
            Ok(DurationExpr { kind: DurationKind::Unary { op, expr: Box::new(operand) }, span })
        }
    }
}

/// Written as 0: Prometheus cannot tell such an offset from none.
pub(super) fn is_zero(duration: &DurationExpr) -> bool {
    matches!(duration.kind, DurationKind::Literal { seconds, .. } if seconds == 0.0)
}
