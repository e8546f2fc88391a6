//! What a vector is made of: series as columns of steps.

use std::sync::Arc;

use super::bits::Bits;
use crate::histogram::Histogram;
use crate::labels::Labels;

/// A value for each step that is present.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// As many as there are steps; unspecified where nothing is present or a histogram is.
    pub(super) values: Vec<f64>,
    pub(super) present: Bits,
    /// Empty unless some step has a histogram.
    pub(super) histograms: Vec<Option<Arc<Histogram>>>,
}

/// The value of one step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

impl Column {
    pub(super) fn none(steps: usize) -> Self {
        Self { values: vec![0.0; steps], present: Bits::none(steps), histograms: Vec::new() }
    }

    pub(super) fn all(values: Vec<f64>) -> Self {
        Self { present: Bits::all(values.len()), values, histograms: Vec::new() }
    }

    pub(super) fn steps(&self) -> usize {
        self.values.len()
    }

    pub(super) fn set(&mut self, step: usize, value: f64) {
        self.values[step] = value;
        self.present.set(step);
    }

    pub(super) fn set_histogram(&mut self, step: usize, histogram: Arc<Histogram>) {
        if self.histograms.is_empty() {
            self.histograms.resize(self.values.len(), None);
        }
        self.histograms[step] = Some(histogram);
        self.present.set(step);
    }

    pub(super) fn get(&self, step: usize) -> Option<Cell<'_>> {
        self.present.get(step).then(|| self.cell(step))
    }

    /// The value of a step that is present.
    pub(super) fn cell(&self, step: usize) -> Cell<'_> {
        match self.histograms.get(step) {
            Some(Some(histogram)) => Cell::Histogram(histogram),
            _ => Cell::Float(self.values[step]),
        }
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, Cell<'_>)> {
        self.present.ones().map(|step| (step, self.cell(step)))
    }

    pub(super) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// Only floats stay.
    pub(super) fn drop_histograms(&mut self) {
        for (step, histogram) in std::mem::take(&mut self.histograms).into_iter().enumerate() {
            if histogram.is_some() {
                self.present.clear(step);
            }
        }
    }

    /// What the values that are present weigh against the limit of samples.
    pub(super) fn samples(&self) -> usize {
        if self.histograms.is_empty() {
            return self.present.count();
        }
        let weigh = |(_, cell)| match cell {
            Cell::Float(_) => 1,
            Cell::Histogram(histogram) => Histogram::samples(histogram),
        };
        self.cells().map(weigh).sum()
    }

    /// Takes over what the other has; where both have something, the other wins.
    pub(super) fn overlay(&mut self, other: &Self) {
        for (step, cell) in other.cells() {
            match cell {
                Cell::Float(value) => {
                    self.set(step, value);
                    if let Some(histogram) = self.histograms.get_mut(step) {
                        *histogram = None;
                    }
                }
                Cell::Histogram(histogram) => self.set_histogram(step, Arc::clone(histogram)),
            }
        }
    }
}

/// What a row says against others that have the same labels once names are dropped.
#[derive(Clone, Debug, Default)]
pub(super) enum Claim {
    /// It still has its name, as far as it had one.
    #[default]
    None,
    /// Its name is dropped, and all rows had the same one: none can have become the same.
    Unneeded,
    /// No other row with the same labels may have had any of these steps.
    Steps(Bits),
}

/// A series of a vector.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) labels: Labels,
    /// The metric's name goes at the end of the query (with delayed name removal).
    pub(super) drop_name: bool,
    pub(super) column: Column,
    pub(super) claim: Claim,
}

impl Row {
    pub(super) fn new(labels: Labels, column: Column) -> Self {
        Self { labels, drop_name: false, column, claim: Claim::None }
    }
}
