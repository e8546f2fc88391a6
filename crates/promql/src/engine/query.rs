//! What belongs to one query: its options, where it reads, what it holds and what it noticed.

use std::cell::{Cell, RefCell};

use super::column::Row;
use super::grid::Grid;
use super::{Check, QueryError, Statistics};
use crate::annotations::{Annotations, Remark, Remarks};
use crate::ast::Span;
use crate::limits::Options;
use crate::source::Source;

/// Lives on the thread that folds; workers get only what is shareable.
pub(super) struct Query<'q> {
    pub(super) options: &'q Options,
    pub(super) source: &'q dyn Source,
    pub(super) check: Check<'q>,
    remarks: RefCell<Remarks>,
    held: Cell<usize>,
    peak: Cell<usize>,
    read: Cell<u64>,
    series: Cell<u64>,
}

impl<'q> Query<'q> {
    pub(super) fn new(options: &'q Options, source: &'q dyn Source, check: Check<'q>) -> Self {
        Self {
            options,
            source,
            check,
            remarks: RefCell::default(),
            held: Cell::new(0),
            peak: Cell::new(0),
            read: Cell::new(0),
            series: Cell::new(0),
        }
    }

    pub(super) fn check(&self) -> Result<(), QueryError> {
        (self.check)().map_err(QueryError::from)
    }

    pub(super) fn remark(&self, remark: &Remark<'_>, span: Span) {
        self.remarks.borrow_mut().add(remark, span);
    }

    pub(super) fn merge_remarks(&self, remarks: Remarks) {
        if !remarks.is_empty() {
            self.remarks.borrow_mut().merge(remarks);
        }
    }

    pub(super) fn count_read(&self, samples: u64) {
        self.read.set(self.read.get() + samples);
    }

    pub(super) fn count_series(&self) -> Result<(), QueryError> {
        self.series.set(self.series.get() + 1);
        let limit = self.options.limits.series_max;
        if self.series.get() > limit as u64 { Err(QueryError::TooManySeries { limit }) } else { Ok(()) }
    }

    /// Whether so many more samples may be held for a moment.
    pub(super) fn allow(&self, samples: usize) -> Result<(), QueryError> {
        let held = self.held.get().saturating_add(samples);
        if held > self.options.limits.samples_max {
            return Err(QueryError::TooManySamples);
        }
        self.peak.set(self.peak.get().max(held));
        Ok(())
    }

    pub(super) fn hold(&self, samples: usize) -> Result<(), QueryError> {
        self.allow(samples)?;
        self.held.set(self.held.get() + samples);
        Ok(())
    }

    fn release(&self, samples: usize) {
        self.held.set(self.held.get().saturating_sub(samples));
    }

    /// A grid's steps are memory too: each series has a column of them.
    pub(super) fn allow_grid(&self, grid: &Grid) -> Result<(), QueryError> {
        self.allow(grid.steps)
    }

    pub(super) fn finish(self) -> (Annotations, Statistics) {
        let statistics = Statistics {
            samples_read: self.read.get(),
            samples_peak: self.peak.get(),
            series: self.series.get(),
        };
        (self.remarks.into_inner().finish(), statistics)
    }
}

/// Rows that are kept; they count against the limit until they are dropped.
pub(super) struct Held<'a, 'q> {
    query: &'a Query<'q>,
    samples: usize,
    pub(super) rows: Vec<Row>,
}

impl<'a, 'q> Held<'a, 'q> {
    pub(super) fn new(query: &'a Query<'q>) -> Self {
        Self { query, samples: 0, rows: Vec::new() }
    }

    /// Counts a whole column, for that is what it takes.
    pub(super) fn push(&mut self, row: Row) -> Result<(), QueryError> {
        self.reserve(row.column.samples().max(row.column.steps()))?;
        self.rows.push(row);
        Ok(())
    }

    /// Counts what is kept somewhere else.
    pub(super) fn reserve(&mut self, samples: usize) -> Result<(), QueryError> {
        self.query.hold(samples)?;
        self.samples += samples;
        Ok(())
    }
}

impl Drop for Held<'_, '_> {
    fn drop(&mut self) {
        self.query.release(self.samples);
    }
}
