//! What range functions get.

use super::build::{Builder, bare, unexpected};
use super::{RangeInput, RangeSource, Selector, VectorPlan};
use crate::ast::{self, Expr, ExprKind, RangeMode, Span};
use crate::engine::QueryError;

/// They take what lies before the range into account.
const ANCHORED: &[&str] = &["changes", "delta", "increase", "rate", "resets"];
/// They interpolate at both ends of the range.
const SMOOTHED: &[&str] = &["delta", "increase", "rate"];

impl Builder<'_> {
    /// `function` is the one above; none for a range on its own.
    pub(super) fn range(self, expr: &Expr, function: Option<&'static str>) -> Result<RangeInput, QueryError> {
        match &bare(expr).kind {
            ExprKind::Matrix(selector) => {
                let range_ms = self.length_ms(&selector.range)?;
                let selector = self.selector(&selector.vector, selector.vector_span, function)?;
                if let Some(function) = function {
                    check_mode(&selector, function)?;
                }
                let place = selector.place;
                Ok(RangeInput { source: RangeSource::Selector(selector), range_ms, place })
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery),
            _ => Err(unexpected("a range vector")),
        }
    }

    fn subquery(self, subquery: &ast::Subquery) -> Result<RangeInput, QueryError> {
        let range_ms = self.length_ms(&subquery.range)?;
        let step_ms = match &subquery.step {
            Some(step) => self.length_ms(step)?,
            None => self.options.subquery_step_ms,
        };
        // It has steps of its own, and buckets are needed to find counter resets between them.
        let inner = Self { invariant: false, statistics_only: false, ..self };
        let input = Box::new(inner.vector_or_scalar(&subquery.expr)?);
        Ok(RangeInput {
            source: RangeSource::Subquery { input, step_ms: step_ms.max(1) },
            range_ms,
            place: self.place(&subquery.place)?,
        })
    }

    /// Subqueries run over vectors; a scalar becomes one without labels.
    fn vector_or_scalar(self, expr: &Expr) -> Result<VectorPlan, QueryError> {
        match super::build::value_type(expr) {
            ast::ValueType::Scalar => Ok(VectorPlan::FromScalar(self.scalar(expr)?)),
            _ => self.vector(expr),
        }
    }

    pub(super) fn instant(
        self,
        selector: &ast::VectorSelector,
        span: Span,
        function: Option<&'static str>,
    ) -> Result<VectorPlan, QueryError> {
        let selector = self.selector(selector, span, function)?;
        match selector.mode {
            None => Ok(VectorPlan::Select(selector)),
            Some(RangeMode::Smoothed) => Ok(VectorPlan::Smoothed(selector)),
            Some(RangeMode::Anchored) => {
                Err(QueryError::Invalid("anchored modifier can only be used with a range".into()))
            }
        }
    }
}

fn check_mode(selector: &Selector, function: &str) -> Result<(), QueryError> {
    let (mode, allowed) = match selector.mode {
        None => return Ok(()),
        Some(RangeMode::Anchored) => ("anchored", ANCHORED),
        Some(RangeMode::Smoothed) => ("smoothed", SMOOTHED),
    };
    if allowed.contains(&function) {
        return Ok(());
    }
    let allowed = allowed.join(", ");
    let text = format!("{mode} modifier can only be used with: {allowed} - not with {function}");
    Err(QueryError::Execution(text))
}
