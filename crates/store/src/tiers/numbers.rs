//! Samples of a rule on their way into windows, series by series.

use std::sync::Arc;

use arrow_array::builder::Int64Builder;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt32Array};
use model::{Table, schema};

use super::downsample::Job;
use super::window::{Sample, Window, fold};
use crate::compact::runs::{Head, Part, Runs};
use crate::error::WorkError;
use crate::segment::{FileSeries, SegmentWriter};
use crate::store::Inner;

/// What a window takes until it is written.
const WINDOW_BYTES: u64 = 128;

impl Inner {
    /// Adds the windows of these row groups, of which `limit` bytes at most wait to be written.
    pub(super) fn downsample_numbers(
        &self,
        writer: &mut SegmentWriter,
        job: &Job,
        parts: &[Part],
        limit: u64,
    ) -> Result<(), WorkError> {
        let mut runs = Runs::new(parts);
        let (mut windows, mut samples, mut series) = (Windows::default(), Vec::new(), None);
        let mut chosen: Option<(Arc<str>, bool)> = None;
        while let Some((head, source)) = runs.next()? {
            let known = chosen.as_ref().filter(|(name, _)| *name == head.name).map(|(_, is_own)| *is_own);
            let is_own = known.unwrap_or_else(|| self.rules.of(&head.name) == job.rule);
            chosen = Some((Arc::clone(&head.name), is_own));
            let is_other =
                series.as_ref().is_none_or(|last: &Head| (&last.name, last.id) != (&head.name, head.id));
            if is_other && let Some(last) = &series {
                windows.close(last, &mut samples, job.level.resolution_ms);
                if windows.len() as u64 * WINDOW_BYTES >= limit {
                    let (rows, series) = std::mem::take(&mut windows).finish();
                    self.write_windows(writer, rows, &series)?;
                }
            }
            source.each_of_run(|time, value, flags| {
                if is_own {
                    samples.push(Sample { time, value, flags });
                }
            });
            series = Some(head);
        }
        if let Some(last) = &series {
            windows.close(last, &mut samples, job.level.resolution_ms);
        }
        let (rows, series) = windows.finish();
        self.write_windows(writer, rows, &series)
    }
}

/// Rows on their way into the file.
#[derive(Default)]
struct Windows {
    series: FileSeries,
    resolution_ms: i64,
    numbers: Vec<u32>,
    rows: Vec<Window>,
}

impl Windows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes over what the samples of a series come to.
    fn close(&mut self, series: &Head, samples: &mut Vec<Sample>, resolution_ms: u64) {
        if samples.is_empty() {
            return;
        }
        self.resolution_ms = i64::try_from(resolution_ms).unwrap_or(i64::MAX);
        let number = self.series.number(series.id, &series.name);
        fold(samples, resolution_ms, |window| self.rows.push(window));
        self.numbers.resize(self.rows.len(), number);
    }

    fn finish(self) -> (RecordBatch, FileSeries) {
        let rows = &self.rows;
        let ints = |of: fn(&Window) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
        };
        let doubles = |of: fn(&Window) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(rows.iter().map(of)))
        };
        let mut stale = Int64Builder::with_capacity(rows.len());
        rows.iter().for_each(|window| stale.append_option(window.stale_time));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.numbers)),
            ints(|window| window.time),
            Arc::new(Int64Array::from(vec![self.resolution_ms; rows.len()])),
            ints(|window| window.first_time),
            ints(|window| window.count),
            doubles(|window| window.sum),
            doubles(|window| window.min),
            doubles(|window| window.max),
            doubles(|window| window.first),
            doubles(|window| window.last),
            doubles(|window| window.reset_sum),
            Arc::new(stale.finish()),
        ];
        let rows = RecordBatch::try_new(schema::rows(Table::Downsampled), columns);
        (rows.expect("these are the columns of downsampled samples, in their order"), self.series)
    }
}
