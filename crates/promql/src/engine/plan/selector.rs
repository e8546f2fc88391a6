//! Selectors and where in time they look.

use super::build::{Builder, check_time};
use super::{Place, Selector};
use crate::ast::{self, At, RangeMode, Span};
use crate::engine::QueryError;

impl Builder<'_> {
    pub(super) fn place(&self, place: &ast::Place) -> Result<Place, QueryError> {
        let offset_ms = match &place.offset {
            Some(offset) => self.offset_ms(offset)?,
            None => 0,
        };
        let at_ms = match place.at {
            Some(At::Time(time_ms)) => Some(check_time(time_ms)?),
            Some(At::Start) => Some(self.times.start_ms),
            Some(At::End) => Some(self.times.end_ms),
            None => None,
        };
        Ok(Place { at_ms, offset_ms })
    }

    pub(super) fn selector(
        &self,
        selector: &ast::VectorSelector,
        span: Span,
        function: Option<&'static str>,
    ) -> Result<Selector, QueryError> {
        if selector.range_mode.is_some() {
            self.require_experimental("the anchored and smoothed modifiers are experimental")?;
        }
        Ok(Selector {
            matchers: selector.matchers.clone(),
            place: self.place(&selector.place)?,
            mode: selector.range_mode,
            // Between samples only whole histograms can be interpolated.
            statistics_only: self.statistics_only && selector.range_mode != Some(RangeMode::Smoothed),
            function,
            span,
        })
    }
}
