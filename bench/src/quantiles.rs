//! Many values in a few figures.

use crate::report::figure;

/// Values in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quantiles(Vec<f64>);

impl Quantiles {
    /// Of these values.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value below which this part of all lies, by nearest rank; NaN when there is none.
    pub(crate) fn at(&self, part: f64) -> f64 {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.clamp(1, self.0.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The least.
    pub(crate) fn min(&self) -> f64 {
        self.at(0.0)
    }

    /// The greatest.
    pub(crate) fn max(&self) -> f64 {
        self.at(1.0)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::of([self.0, other.0].concat())
    }

    /// The median and, where there is more than one, the least and the greatest.
    pub(crate) fn range(&self) -> String {
        let median = figure(self.median());
        if self.len() < 2 {
            return median;
        }
        format!("{median} ({} to {})", figure(self.min()), figure(self.max()))
    }
}

#[cfg(test)]
mod tests;
