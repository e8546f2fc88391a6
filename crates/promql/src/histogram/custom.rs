//! Histograms with bounds of their own, also where those of two histograms differ.

use std::sync::Arc;

use super::add::{merge, positive};
use super::layout::{Indexes, SpanBuilder};
use super::{CUSTOM_BUCKETS, Histogram, kahan};

/// Adds (or, with a sign of -1, subtracts) the buckets. Whether the bounds differed: then the result
/// has those that both have.
pub(super) fn combine(
    sum: &mut Histogram,
    other: &Histogram,
    rest: Option<&mut Vec<f64>>,
    sign: f64,
) -> bool {
    if sum.custom_values == other.custom_values {
        merge(&mut sum.positive_spans, &mut sum.positive_buckets, rest, &positive(other), sign);
        return false;
    }
    let bounds = intersect(&sum.custom_values, &other.custom_values);
    let mut counts = vec![0.0; bounds.len() + 1];
    let mut rests = vec![0.0; bounds.len() + 1];
    let old_rest = rest.as_ref().map_or(&[][..], |rest| rest.as_slice());
    map_onto(&bounds, sum, |to, from| {
        kahan::increase(&mut counts[to], &mut rests[to], sum.positive_buckets[from]);
        kahan::increase(&mut counts[to], &mut rests[to], old_rest.get(from).copied().unwrap_or(0.0));
    });
    map_onto(&bounds, other, |to, from| {
        kahan::increase(&mut counts[to], &mut rests[to], sign * other.positive_buckets[from]);
    });

    let filled = |place: &usize| counts[*place] != 0.0 || rests[*place] != 0.0;
    let mut builder = SpanBuilder::default();
    for place in (0..counts.len()).filter(filled) {
        builder.push(i32::try_from(place).unwrap_or(i32::MAX));
    }
    sum.positive_spans = builder.finish();
    sum.positive_buckets = (0..counts.len()).filter(filled).map(|place| counts[place]).collect();
    if let Some(rest) = rest {
        *rest = (0..counts.len()).filter(filled).map(|place| rests[place]).collect();
    }
    sum.custom_values = bounds;
    true
}

/// The bounds that are in both.
fn intersect(left: &[f64], right: &[f64]) -> Arc<[f64]> {
    let mut right = right.iter().peekable();
    left.iter()
        .filter(|bound| {
            while right.next_if(|other| other < bound).is_some() {}
            right.peek() == Some(bound)
        })
        .copied()
        .collect()
}

/// Visits each bucket (second argument) with the bucket of the coarser bounds that it goes to.
fn map_onto(bounds: &[f64], histogram: &Histogram, mut visit: impl FnMut(usize, usize)) {
    let mut target = 0;
    for (place, index) in histogram.positive_indexes().enumerate() {
        let upper = usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
        match upper {
            Some(upper) => {
                while bounds.get(target).is_some_and(|bound| bound < upper) {
                    target += 1;
                }
            }
            None => target = bounds.len(),
        }
        visit(target, place);
    }
}

/// Whether a bucket of the bounds that both have counts less than before.
pub(super) fn is_reset(current: &Histogram, previous: &Histogram) -> bool {
    let mut current_sum = UpTo::new(current);
    let mut previous_sum = UpTo::new(previous);
    let bounds = intersect(&current.custom_values, &previous.custom_values);
    bounds
        .iter()
        .chain([&f64::INFINITY])
        .any(|bound| current_sum.advance(*bound) < previous_sum.advance(*bound))
}

/// Sums of the buckets between one bound and the next.
struct UpTo<'a> {
    histogram: &'a Histogram,
    indexes: std::iter::Peekable<std::iter::Enumerate<Indexes<'a>>>,
}

impl<'a> UpTo<'a> {
    fn new(histogram: &'a Histogram) -> Self {
        Self { histogram, indexes: histogram.positive_indexes().enumerate().peekable() }
    }

    fn advance(&mut self, bound: f64) -> f64 {
        let mut sum = 0.0;
        let Self { histogram, indexes } = self;
        let bounds = &histogram.custom_values;
        while let Some((place, _)) =
            indexes.next_if(|(_, index)| super::bounds::bound(*index, CUSTOM_BUCKETS, bounds) <= bound)
        {
            sum += histogram.positive_buckets[place];
        }
        sum
    }
}
