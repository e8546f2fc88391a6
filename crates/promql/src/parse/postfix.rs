//! What follows a selector: `[5m]`, `[1h:5m]`, `offset`, `@`, `anchored`, `smoothed`.

use super::duration::{RANGE, STEP, is_zero};
use super::expression::Parser;
use super::token::Kind;
use super::{Fault, Parsed};
use crate::ast::{
    At, DurationExpr, Expr, ExprKind, MatrixSelector, Place, RangeMode, Span, Subquery, VectorSelector,
};

impl Parser<'_> {
    /// As many as there are.
    pub(super) fn postfix(&mut self, mut expr: Box<Expr>) -> Parsed<Box<Expr>> {
        loop {
            match self.token.kind {
                Kind::LeftBracket => expr = self.bracket(*expr)?,
                Kind::Offset => self.offset(&mut expr)?,
                Kind::At => self.at(&mut expr)?,
                Kind::Anchored => self.range_mode(&mut expr, RangeMode::Anchored)?,
                Kind::Smoothed => self.range_mode(&mut expr, RangeMode::Smoothed)?,
                _ => return Ok(expr),
            }
        }
    }

    fn bracket(&mut self, expr: Expr) -> Parsed<Box<Expr>> {
        let open = self.advance().span.start;
        let height = self.height;
        let range = self.positive_duration(RANGE)?;
        self.grow_over(height)?;
        if self.accept(Kind::Colon).is_some() {
            return self.subquery(expr, range);
        }
        let Some(close) = self.accept(Kind::RightBracket) else {
            return Err(self.unexpected_in("subquery or range", "\":\" or \"]\""));
        };
        let brackets = Span { start: open, end: close.span.end };
        let Expr { kind: ExprKind::Vector(vector), span: vector_span } = expr else {
            return Err(Fault::new(brackets, "ranges only allowed for vector selectors"));
        };
        if vector.place.offset.as_ref().is_some_and(|offset| !is_zero(offset)) {
            return Err(Fault::new(brackets, "no offset modifiers allowed before range"));
        }
        if vector.place.at.is_some() {
            return Err(Fault::new(brackets, "no @ modifiers allowed before range"));
        }
        let span = Span { start: vector_span.start, end: brackets.end };
        let matrix = MatrixSelector { vector, vector_span, range };
        Ok(Box::new(Expr { kind: ExprKind::Matrix(matrix), span }))
    }

    /// From behind the colon on.
    fn subquery(&mut self, expr: Expr, range: DurationExpr) -> Parsed<Box<Expr>> {
        let height = self.height;
        let step = match self.token.kind {
            Kind::RightBracket => None,
            _ => Some(self.positive_duration(STEP)?),
        };
        let Some(close) = self.accept(Kind::RightBracket) else {
            return Err(self.unexpected_in("subquery selector", "\"]\""));
        };
        self.grow_over(height)?;
        let span = Span { start: expr.span.start, end: close.span.end };
        let subquery = Subquery { expr, range, step, place: Place::default() };
        Ok(Box::new(Expr { kind: ExprKind::Subquery(Box::new(subquery)), span }))
    }

    fn offset(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance();
        let height = self.height;
        let offset = self.offset_duration()?;
        self.grow_over(height)?;
        let span = expr.span;
        let Some(place) = place(expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(Fault::new(span, message));
        };
        if place.offset.as_ref().is_some_and(|offset| !is_zero(offset)) {
            return Err(Fault::new(span, "offset may not be set multiple times"));
        }
        let end = offset.span.end;
        place.offset = Some(offset);
        expr.span.end = end;
        Ok(())
    }

    fn at(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance();
        let (at, end) = self.timestamp(expr.span)?;
        let span = expr.span;
        let Some(place) = place(expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(Fault::new(span, message));
        };
        if place.at.is_some() {
            return Err(Fault::new(span, "@ <timestamp> may not be set multiple times"));
        }
        place.at = Some(at);
        expr.span.end = end;
        Ok(())
    }

    /// What follows `@`, and where it ends; complaints are about the selector in front of it.
    fn timestamp(&mut self, selector: Span) -> Parsed<(At, usize)> {
        const WANTED: (&str, &str) = ("@", "timestamp");
        if matches!(self.token.kind, Kind::Start | Kind::EndWord) {
            let at = if self.advance().kind == Kind::Start { At::Start } else { At::End };
            let open = self.accept(Kind::LeftParen);
            let close = open.and_then(|_| self.accept(Kind::RightParen));
            let close = close.ok_or_else(|| self.unexpected_in(WANTED.0, WANTED.1))?;
            return Ok((at, close.span.end));
        }
        let Some(seconds) = self.signed_number() else {
            return Err(self.unexpected_in(WANTED.0, WANTED.1));
        };
        let seconds = seconds?;
        if !seconds.is_finite() || seconds >= i64::MAX as f64 || seconds <= i64::MIN as f64 {
            let shown = match seconds {
                f64::INFINITY => "+Inf".to_owned(),
                f64::NEG_INFINITY => "-Inf".to_owned(),
                seconds => format!("{seconds:.6}"),
            };
            return Err(Fault::new(selector, format!("timestamp out of bounds for @ modifier: {shown}")));
        }
        Ok((At::Time((seconds * 1000.0).round() as i64), self.taken_end))
    }

    fn range_mode(&mut self, expr: &mut Expr, mode: RangeMode) -> Parsed<()> {
        let token = self.advance();
        let word = match mode {
            RangeMode::Anchored => "anchored",
            RangeMode::Smoothed => "smoothed",
        };
        let fault = |message: String| Err(Fault::new(expr.span, message));
        if !self.options.extended_range_selectors {
            return fault(format!("{word} modifier is experimental and not enabled"));
        }
        let vector = match &mut expr.kind {
            ExprKind::Vector(vector) => vector,
            ExprKind::Matrix(matrix) => &mut matrix.vector,
            ExprKind::Subquery(_) => {
                return fault(format!("{word} modifier is not supported for subqueries"));
            }
            _ => return fault(format!("{word} modifier not implemented")),
        };
        if vector.range_mode.is_some_and(|other| other != mode) {
            return fault("anchored and smoothed modifiers cannot be used together".into());
        }
        vector.range_mode = Some(mode);
        expr.span.end = token.span.end;
        Ok(())
    }
}

/// Where `offset` and `@` go, if the expression takes them.
fn place(expr: &mut Expr) -> Option<&mut Place> {
    match &mut expr.kind {
        ExprKind::Vector(VectorSelector { place, .. }) => Some(place),
        ExprKind::Matrix(matrix) => Some(&mut matrix.vector.place),
        ExprKind::Subquery(subquery) => Some(&mut subquery.place),
        _ => None,
    }
}
