//! Functions over ranges, series by series.
//!
//! Enters: the samples of a series. Leaves: a column. Must hold: a series without histograms takes
//! the short way, in which nothing is allocated for a step.

use std::ops::Range;
use std::sync::Arc;

use super::column::Column;
use super::function::over_time_histogram::{self, is_float_picked};
use super::function::rate::Kind;
use super::function::sliding::{self, Extreme};
use super::function::{extended, over_time, rate, rate_histogram, regression, resets};
use super::grid::Grid;
use super::plan::{RangeCall, RangeFunction};
use super::query::Query;
use super::scalar::{self, ScalarColumn};
use super::series::{Points, Series};
use super::windows::Windows;
use super::{Check, Interrupted, QueryError};
use crate::annotations::{Remark, Remarks};
use crate::histogram::Histogram;

/// What a worker carries from series to series.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) remarks: Remarks,
    /// Samples looked at.
    pub(super) read: u64,
    pub(super) series: Series,
    pub(super) chunk: crate::source::Chunk,
    pub(super) scratch: Vec<f64>,
    pub(super) places: Vec<usize>,
    pub(super) interrupted: Option<Interrupted>,
    /// The last name that is known not to look like a counter's.
    pub(super) no_counter: String,
}

/// Asks now and then whether to go on where a series takes long.
pub(super) struct Pulse<'c> {
    check: Check<'c>,
    /// Samples until it is asked again.
    left: usize,
    interrupted: Option<Interrupted>,
}

impl Pulse<'_> {
    const SAMPLES: usize = 1 << 20;

    /// Whether to go on, after so many more samples.
    #[inline]
    pub(super) fn beat(&mut self, samples: usize) -> bool {
        if self.left > samples {
            self.left -= samples;
            return self.interrupted.is_none();
        }
        self.left = Self::SAMPLES;
        if self.interrupted.is_none() {
            self.interrupted = (self.check)().err();
        }
        self.interrupted.is_none()
    }

    pub(super) fn end(self, work: &mut Work) {
        work.interrupted = work.interrupted.or(self.interrupted);
    }
}

/// A function with its arguments evaluated.
pub(super) struct RangeStage<'p> {
    pub(super) call: &'p RangeCall,
    pub(super) grid: Grid,
    pub(super) windows: Windows,
    pub(super) scalars: Vec<ScalarColumn>,
    check: Check<'p>,
}

/// What becomes of a step after its histograms were looked at.
pub(super) enum Patch {
    /// The value from the floats stands.
    Keep,
    Clear,
    Set(Histogram),
}

impl From<Option<Histogram>> for Patch {
    fn from(histogram: Option<Histogram>) -> Self {
        histogram.map_or(Self::Clear, Self::Set)
    }
}

impl<'p> RangeStage<'p> {
    pub(super) fn new(query: &Query<'p>, call: &'p RangeCall, grid: &Grid) -> Result<Self, QueryError> {
        let scalars: Vec<_> =
            call.scalars.iter().map(|plan| scalar::evaluate(query, plan, grid)).collect::<Result<_, _>>()?;
        let windows = Windows::new(grid, &call.input, query.options.lookback_ms);
        Ok(Self { call, grid: *grid, windows, scalars, check: query.check })
    }

    pub(super) fn pulse(&self) -> Pulse<'p> {
        Pulse { check: self.check, left: Pulse::SAMPLES, interrupted: None }
    }

    /// What kind of rate it is, if one.
    fn counter(&self) -> Option<Kind> {
        match self.call.function {
            RangeFunction::Rate => Some(Kind { counter: true, per_second: true }),
            RangeFunction::Increase => Some(Kind { counter: true, per_second: false }),
            RangeFunction::Delta => Some(Kind { counter: false, per_second: false }),
            _ => None,
        }
    }

    /// `name` is the metric's, for remarks.
    pub(super) fn evaluate(
        &self,
        name: &str,
        series: &Series,
        work: &mut Work,
    ) -> Result<Column, QueryError> {
        if self.call.function == RangeFunction::DoubleExponentialSmoothing
            && !(series.floats.is_empty() && series.histograms.is_empty())
        {
            regression::check_factors(&self.scalars, self.grid.steps)?;
        }
        self.remark_on_quantile(series, work);
        let mode = self.call.input.mode();
        let column = if let (Some(kind), Some(_)) = (self.counter(), mode) {
            self.extended(name, series, kind, work)
        } else if series.histograms.is_empty() && mode.is_none() {
            self.floats(name, &series.floats, work)
        } else {
            self.mixed(name, series, work)
        };
        self.remark_on_counter(name, &column, work);
        work.interrupted.take().map_or(Ok(column), |interrupted| Err(interrupted.into()))
    }

    fn remark_on_quantile(&self, series: &Series, work: &mut Work) {
        if self.call.function != RangeFunction::Quantile || series.floats.is_empty() {
            return;
        }
        let Some(scalar) = self.scalars.first() else { return };
        let mut last = None;
        self.windows.each(&series.floats.times, |step, _, _| {
            let q = scalar.get(step);
            if !(0.0..=1.0).contains(&q) && last != Some(q.to_bits()) {
                last = Some(q.to_bits());
                work.remarks.add(&Remark::InvalidQuantile(q), self.call.first_span);
            }
        });
    }

    fn remark_on_counter(&self, name: &str, column: &Column, work: &mut Work) {
        const SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
        let rate = matches!(self.call.function, RangeFunction::Rate | RangeFunction::Increase);
        if !rate || name.is_empty() || name == work.no_counter {
            return;
        }
        if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) || !has_floats(column) {
            return;
        }
        work.remarks.add(&Remark::PossibleNonCounter(name), self.call.first_span);
        name.clone_into(&mut work.no_counter);
    }

    /// The short way.
    fn floats(&self, name: &str, points: &Points<f64>, work: &mut Work) -> Column {
        let values = &points.values;
        let seconds = |place: usize| points.times[place] as f64 / 1000.0;
        match self.call.function {
            RangeFunction::Rate | RangeFunction::Increase | RangeFunction::Delta => {
                let kind = self.counter().unwrap_or(Kind { counter: false, per_second: false });
                rate::rate(self, points, kind, name, work)
            }
            RangeFunction::Irate => rate::instant_rate(self, points, true, work),
            RangeFunction::Idelta => rate::instant_rate(self, points, false, work),
            RangeFunction::Resets | RangeFunction::Changes => resets::floats(self, points, work),
            RangeFunction::Avg => sliding::sum(self, points, true, work),
            RangeFunction::Sum => sliding::sum(self, points, false, work),
            RangeFunction::Count => sliding::ends(self, points, |low, high| (high - low) as f64, work),
            RangeFunction::Min => sliding::extreme(self, points, Extreme { max: false, time: false }, work),
            RangeFunction::Max => sliding::extreme(self, points, Extreme { max: true, time: false }, work),
            RangeFunction::TimeOfMin => {
                sliding::extreme(self, points, Extreme { max: false, time: true }, work)
            }
            RangeFunction::TimeOfMax => {
                sliding::extreme(self, points, Extreme { max: true, time: true }, work)
            }
            RangeFunction::First => sliding::ends(self, points, |low, _| values[low], work),
            RangeFunction::Last => sliding::ends(self, points, |_, high| values[high - 1], work),
            RangeFunction::Present => sliding::ends(self, points, |_, _| 1.0, work),
            RangeFunction::TimeOfFirst => sliding::ends(self, points, |low, _| seconds(low), work),
            RangeFunction::TimeOfLast => sliding::ends(self, points, |_, high| seconds(high - 1), work),
            RangeFunction::Stddev => over_time::variance(self, points, true, work),
            RangeFunction::Stdvar => over_time::variance(self, points, false, work),
            RangeFunction::Mad => over_time::median_deviation(self, points, work),
            RangeFunction::Quantile => match self.scalars.first() {
                Some(q) => over_time::quantile(self, points, q, work),
                None => Column::none(self.windows.steps),
            },
            RangeFunction::Deriv => regression::slope(self, points, work),
            RangeFunction::PredictLinear => match self.scalars.first() {
                Some(ahead) => regression::predict(self, points, ahead, work),
                None => Column::none(self.windows.steps),
            },
            RangeFunction::DoubleExponentialSmoothing => {
                regression::smooth(self, points, &self.scalars, work)
            }
        }
    }

    /// With histograms: what the floats give is put right where a window has histograms.
    fn mixed(&self, name: &str, series: &Series, work: &mut Work) -> Column {
        if matches!(self.call.function, RangeFunction::Resets | RangeFunction::Changes) {
            return resets::walked(self, series, work);
        }
        let mut column = self.floats(name, &series.floats, work);
        let (float_times, histogram_times) = (&series.floats.times, &series.histograms.times);
        let mut pulse = self.pulse();
        self.windows.each_pair(float_times, histogram_times, |step, floats, histograms| {
            // A histogram is a hundred numbers or so.
            if histograms.is_empty() || !pulse.beat(100 * histograms.len()) {
                return;
            }
            let read: usize = series.histograms.values[histograms.clone()].iter().map(|h| h.samples()).sum();
            work.read += read as u64;
            self.patch(&mut column, name, series, (step, floats, histograms), work);
        });
        pulse.end(work);
        column
    }

    /// One step whose window has histograms.
    fn patch(
        &self,
        column: &mut Column,
        name: &str,
        series: &Series,
        (step, floats, histograms): (usize, Range<usize>, Range<usize>),
        work: &mut Work,
    ) {
        let function = self.call.function;
        let points = &series.histograms;
        let seconds = |times: &[i64], place: usize| times[place] as f64 / 1000.0;
        let patch = match function {
            RangeFunction::Count => return column.set(step, (floats.len() + histograms.len()) as f64),
            RangeFunction::Present => return column.set(step, 1.0),
            RangeFunction::First
            | RangeFunction::Last
            | RangeFunction::TimeOfFirst
            | RangeFunction::TimeOfLast => {
                let last = matches!(function, RangeFunction::Last | RangeFunction::TimeOfLast);
                if is_float_picked((&floats, &series.floats.times), (&histograms, &points.times), last) {
                    return;
                }
                let place = if last { histograms.end - 1 } else { histograms.start };
                if matches!(function, RangeFunction::TimeOfFirst | RangeFunction::TimeOfLast) {
                    return column.set(step, seconds(&points.times, place));
                }
                return column.set_histogram(step, Arc::clone(&points.values[place]));
            }
            RangeFunction::Irate | RangeFunction::Idelta => {
                let per_second = function == RangeFunction::Irate;
                rate_histogram::instant_rate(self, series, (floats, histograms), per_second, name, work)
            }
            RangeFunction::Rate
            | RangeFunction::Increase
            | RangeFunction::Delta
            | RangeFunction::Sum
            | RangeFunction::Avg
                if !floats.is_empty() =>
            {
                work.remarks.add(&Remark::MixedFloatsHistograms(name), self.call.first_span);
                Patch::Clear
            }
            RangeFunction::Sum | RangeFunction::Avg => {
                let average = function == RangeFunction::Avg;
                let about = (name, self.call.first_span);
                over_time_histogram::sum(&points.values[histograms], average, about, work).into()
            }
            RangeFunction::Rate | RangeFunction::Increase | RangeFunction::Delta => {
                let kind = self.counter().unwrap_or(Kind { counter: false, per_second: false });
                rate_histogram::rate(self, points, (step, histograms), kind, name, work).into()
            }
            _ => {
                if !floats.is_empty() {
                    work.remarks.add(&Remark::HistogramIgnoredInMixedRange(name), self.call.first_span);
                }
                Patch::Keep
            }
        };
        match patch {
            Patch::Keep => {}
            Patch::Clear => column.present.clear(step),
            Patch::Set(histogram) => column.set_histogram(step, Arc::new(histogram)),
        }
    }

    /// Anchored and smoothed ranges.
    fn extended(&self, name: &str, series: &Series, kind: Kind, work: &mut Work) -> Column {
        let mut column = Column::none(self.windows.steps);
        let (float_times, histogram_times) = (&series.floats.times, &series.histograms.times);
        let mut pulse = self.pulse();
        self.windows.each_pair(float_times, histogram_times, |step, floats, histograms| {
            if !pulse.beat(floats.len() + 100 * histograms.len()) {
                return;
            }
            work.read += (floats.len() + histograms.len()) as u64;
            if !floats.is_empty() && !histograms.is_empty() {
                work.remarks.add(&Remark::MixedFloatsHistograms(name), self.call.first_span);
            } else if histograms.is_empty() {
                if let Some(value) = extended::floats(self, series, &floats, step, kind) {
                    column.set(step, value);
                }
            } else if let Some(histogram) =
                extended::histograms(self, series, (step, histograms), kind, name, work)
            {
                column.set_histogram(step, Arc::new(histogram));
            }
        });
        pulse.end(work);
        column
    }
}

fn has_floats(column: &Column) -> bool {
    if column.has_histograms() {
        column.present.ones().any(|step| column.histograms[step].is_none())
    } else {
        column.present.any()
    }
}
