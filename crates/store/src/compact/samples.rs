//! Samples are merged series by series: what comes after each other in time is to lie after each
//! other in the file, since the runs of series decide how small it becomes.
//!
//! Enters: row groups, each in the order of the files. Leaves: row groups in which a series has one
//! run. Must hold: every row once; of rows of one time, the order of the inputs; memory is bounded,
//! however many inputs there are: those that do not fit are merged after the others.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::Int64Builder;
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, UInt32Array};
use model::{Budget, Table, schema};

use super::runs::{BATCH_ROWS, Head, Part, Points, Runs, Source, open_bytes};
use crate::error::WorkError;
use crate::memtable::Chunk;
use crate::segment::{FileSeries, GROUP_ROWS, Rows, SegmentWriter, order};
use crate::store::Inner;

/// What a row takes until it is written, with its place in the order.
const ROW_BYTES: u64 = 64;

impl Inner {
    /// Writes the row groups as few that are in order, in not much more than `limit` bytes: most of it for
    /// those that are open, the rest for what is to be written.
    pub(super) fn merge_samples(
        &self,
        writer: &mut SegmentWriter,
        parts: &[Part],
        limit: u64,
    ) -> Result<(), WorkError> {
        let mut rest = parts;
        while !rest.is_empty() {
            let fitting = open_bytes(rest).take_while(|bytes| *bytes <= limit).count();
            // Two at least, or nothing would become less.
            let (some, others) = rest.split_at(fitting.max(2).min(rest.len()));
            self.merge_runs(writer, some, limit / 2)?;
            rest = others;
        }
        Ok(())
    }

    fn merge_runs(&self, writer: &mut SegmentWriter, parts: &[Part], limit: u64) -> Result<(), WorkError> {
        // As much as a row group has at most, with the last run.
        let full = usize::try_from(limit / ROW_BYTES).unwrap_or(usize::MAX).min(GROUP_ROWS - BATCH_ROWS);
        let rows = usize::try_from(parts.iter().map(Part::rows).sum::<u64>()).unwrap_or(usize::MAX);
        let at_once = rows.min(full + BATCH_ROWS);
        let open = open_bytes(parts).last().unwrap_or(0);
        let _held = self.budget.take(open + at_once as u64 * ROW_BYTES);
        let mut runs = Runs::new(parts);
        let mut merged = Merged::with_capacity(at_once);
        while let Some((head, source)) = runs.next()? {
            merged.take_run(source, &head);
            if merged.len() >= full {
                // The new one is made when the old one is gone: only one of them is in memory.
                self.write_merged(writer, std::mem::take(&mut merged))?;
                merged = Merged::with_capacity(at_once);
            }
        }
        self.write_merged(writer, merged)
    }

    /// Writes what a row group has of the metrics that are kept.
    pub(crate) fn write_kept(
        &self,
        writer: &mut SegmentWriter,
        mut source: Source,
        keeps: &dyn Fn(&str) -> bool,
        limit: u64,
    ) -> Result<(), WorkError> {
        let _held = self.budget.take(limit);
        let mut merged = Merged::default();
        let mut last: Option<(Arc<str>, bool)> = None;
        while let Some(head) = source.head(0)? {
            let known = last.as_ref().filter(|(name, _)| *name == head.name).map(|(_, kept)| *kept);
            let is_kept = known.unwrap_or_else(|| keeps(&head.name));
            last = Some((Arc::clone(&head.name), is_kept));
            if is_kept {
                merged.take_run(&mut source, &head);
            } else {
                source.each_of_run(|_, _, _| {});
            }
            if merged.len() as u64 * ROW_BYTES >= limit {
                self.write_merged(writer, std::mem::take(&mut merged))?;
            }
        }
        self.write_merged(writer, merged)
    }

    fn write_merged(&self, writer: &mut SegmentWriter, merged: Merged) -> Result<(), WorkError> {
        if merged.len() == 0 {
            return Ok(());
        }
        let (chunk, series) = merged.finish(&self.budget);
        let chunks = [chunk];
        let Some(rows) = Rows::new(Table::Samples, &chunks, &series.catalog) else { return Ok(()) };
        // Of a series the rows come one after the other, but not always in the order of their times.
        let picks = order(&rows);
        self.write_rows(writer, &rows, &picks)
    }
}

/// Rows of several sources, series after series.
#[derive(Default)]
struct Merged {
    series: FileSeries,
    numbers: Vec<u32>,
    times: Vec<i64>,
    starts: Rare,
    values: Vec<f64>,
    integers: Rare,
    flags: Vec<i32>,
}

impl Merged {
    /// With room for so many rows: columns that grow are in memory twice.
    fn with_capacity(rows: usize) -> Self {
        Self {
            numbers: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    fn len(&self) -> usize {
        self.times.len()
    }

    /// Takes over the rows of the series that comes next in a source, as far as they are decoded.
    fn take_run(&mut self, source: &mut Source, head: &Head) {
        let Some((points, run)) = source.take_run() else { return };
        let number = self.series.number(head.id, &head.name);
        self.append(number, points, run);
    }

    fn append(&mut self, number: u32, points: &Points, run: Range<usize>) {
        self.numbers.resize(self.numbers.len() + run.len(), number);
        self.times.extend_from_slice(&points.times.values()[run.clone()]);
        self.starts.append(&points.starts, run.clone());
        self.values.extend_from_slice(&points.values.values()[run.clone()]);
        self.integers.append(&points.integers, run.clone());
        self.flags.extend_from_slice(&points.flags.values()[run]);
    }

    fn finish(mut self, budget: &Budget) -> (Chunk, FileSeries) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.numbers)),
            Arc::new(Int64Array::from(self.times)),
            Arc::new(self.starts.finish()),
            Arc::new(Float64Array::from(self.values)),
            Arc::new(self.integers.finish()),
            Arc::new(Int32Array::from(self.flags)),
        ];
        let rows = RecordBatch::try_new(schema::rows(Table::Samples), columns);
        let rows = rows.expect("these are the columns of samples, in their order");
        (Chunk::new(Table::Samples, None, rows, budget), self.series)
    }
}

/// A column that mostly has no value at all, and takes no memory until it has one.
#[derive(Default)]
struct Rare {
    /// Rows before the first one with a value; all of them, as long as there is no other.
    nulls: usize,
    rest: Option<Int64Builder>,
}

impl Rare {
    fn append(&mut self, from: &Int64Array, run: Range<usize>) {
        if from.null_count() == from.len() {
            match &mut self.rest {
                Some(rest) => rest.append_nulls(run.len()),
                None => self.nulls += run.len(),
            }
            return;
        }
        let nulls = std::mem::take(&mut self.nulls);
        let rest = self.rest.get_or_insert_default();
        rest.append_nulls(nulls);
        if from.null_count() == 0 {
            rest.append_slice(&from.values()[run]);
        } else {
            run.for_each(|row| rest.append_option(from.is_valid(row).then(|| from.value(row))));
        }
    }

    fn finish(&mut self) -> Int64Array {
        match &mut self.rest {
            Some(rest) => rest.finish(),
            None => Int64Array::new_null(self.nulls),
        }
    }
}
