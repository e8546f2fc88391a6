//! Columns of the points of metrics, whichever protocol they came in.

mod buckets;
mod exemplars;
mod histograms;
mod known;
mod samples;
pub(crate) mod words;

use arrow_array::types::Int64Type;

use crate::columns::NonZero;
pub(crate) use buckets::{Buckets, Span};
pub(crate) use exemplars::Exemplars;
pub(crate) use histograms::{CUSTOM_BOUNDS, Histograms};
pub(crate) use known::Known;
pub(crate) use samples::{STALE, Samples};

/// The columns that every point has.
#[derive(Default)]
pub(crate) struct Points {
    pub(crate) series: Vec<u32>,
    pub(crate) time: Vec<i64>,
    pub(crate) start_time: NonZero<Int64Type>,
    pub(crate) flags: Vec<i32>,
}

impl Points {
    pub(crate) fn rows(&self) -> usize {
        self.series.len()
    }

    pub(crate) fn reserve(&mut self, rows: usize) {
        self.series.reserve(rows);
        self.time.reserve(rows);
        self.start_time.reserve(rows);
        self.flags.reserve(rows);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, series: u32, time: i64, start_time: i64, flags: u32) {
        self.series.push(series);
        self.time.push(time);
        self.start_time.push(start_time);
        self.flags.push(flags.cast_signed());
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.series.truncate(rows);
        self.time.truncate(rows);
        self.start_time.truncate(rows);
        self.flags.truncate(rows);
    }
}
