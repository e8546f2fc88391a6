//! When `info` looks at info series: at the time that its argument's first selector looks at.

use super::build::{Builder, bare};
use super::{Info, Place, VectorPlan};
use crate::ast::{Expr, ExprKind};
use crate::engine::QueryError;

impl Builder<'_> {
    pub(super) fn info(self, args: &[Expr]) -> Result<VectorPlan, QueryError> {
        let input = args.first().ok_or_else(|| super::build::unexpected("an instant vector"))?;
        let matchers = match args.get(1).map(|arg| &bare(arg).kind) {
            Some(ExprKind::Vector(selector)) => Some(selector.matchers.clone()),
            Some(_) => return Err(super::build::unexpected("a label selector")),
            None => None,
        };
        let place = self.looked_at(input)?.unwrap_or_default();
        Ok(VectorPlan::Info(Box::new(Info { input: self.vector(input)?, matchers, place })))
    }

    /// Offsets add up on the way out to the first `@`, which fixes the time.
    fn looked_at(self, expr: &Expr) -> Result<Option<Place>, QueryError> {
        let this = self.deeper()?;
        let first = |exprs: &mut dyn Iterator<Item = &Expr>| {
            for expr in exprs {
                if let Some(place) = this.looked_at(expr)? {
                    return Ok(Some(place));
                }
            }
            Ok(None)
        };
        match &expr.kind {
            ExprKind::Number { .. } | ExprKind::String(_) => Ok(None),
            ExprKind::Vector(selector) => self.place(&selector.place).map(Some),
            ExprKind::Matrix(selector) => self.place(&selector.vector.place).map(Some),
            ExprKind::Paren(inner) | ExprKind::Unary { expr: inner, .. } => this.looked_at(inner),
            ExprKind::Call(call) => first(&mut call.args.iter()),
            ExprKind::Aggregate(aggregate) => {
                first(&mut std::iter::once(&aggregate.expr).chain(&aggregate.param))
            }
            ExprKind::Binary(binary) => first(&mut [&binary.left, &binary.right].into_iter()),
            ExprKind::Subquery(subquery) => {
                let Some(inner) = this.looked_at(&subquery.expr)? else { return Ok(None) };
                if inner.at_ms.is_some() {
                    return Ok(Some(inner));
                }
                let outer = self.place(&subquery.place)?;
                let offset_ms = inner.offset_ms.saturating_add(outer.offset_ms);
                Ok(Some(Place { at_ms: outer.at_ms, offset_ms }))
            }
        }
    }
}
