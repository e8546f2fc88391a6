//! Counter reset hints as Prometheus' storage gives them back.
//!
//! It writes counters into chunks that hold no reset, so a histogram that follows another one in a
//! chunk is known to be none; the first of a chunk is one if that is why the chunk was begun. Warnings
//! that the files expect come from these hints.

use promql::histogram::{CounterResetHint, Histogram, STALE_NAN_BITS};

/// One hint for each sample of a series; those of floats mean nothing.
pub(super) fn stored<'a>(
    samples: impl Iterator<Item = Result<&'a Histogram, f64>>,
) -> impl Iterator<Item = CounterResetHint> {
    let mut before: Before<'a> = Before::Nothing;
    samples.map(move |sample| {
        let histogram = match sample {
            Ok(histogram) => histogram,
            Err(value) => {
                // A marker of staleness takes the form of what it ends.
                let ends = value.to_bits() == STALE_NAN_BITS && !matches!(before, Before::Nothing);
                before = if ends { Before::Stale } else { Before::Nothing };
                return CounterResetHint::Unknown;
            }
        };
        let hint = hint(&before, histogram);
        before = if histogram.is_stale() { Before::Stale } else { Before::Histogram(histogram) };
        hint
    })
}

enum Before<'a> {
    /// Or a float: the chunk before is of another kind.
    Nothing,
    Stale,
    Histogram(&'a Histogram),
}

fn hint(before: &Before<'_>, histogram: &Histogram) -> CounterResetHint {
    use CounterResetHint::{Gauge, NotReset, Reset, Unknown};
    if histogram.counter_reset_hint == Gauge {
        return Gauge;
    }
    let said = if histogram.counter_reset_hint == Reset { Reset } else { Unknown };
    let previous = match before {
        Before::Nothing | Before::Stale => return said,
        Before::Histogram(previous) => previous,
    };
    if previous.counter_reset_hint == Gauge {
        return Unknown;
    }
    if said == Reset || histogram.count < previous.count {
        return Reset;
    }
    let same_layout = histogram.schema == previous.schema
        && histogram.zero_threshold == previous.zero_threshold
        && histogram.custom_values == previous.custom_values;
    if !same_layout {
        return Unknown;
    }
    let unhinted = Histogram { counter_reset_hint: Unknown, ..histogram.clone() };
    if unhinted.detect_reset(previous) { Reset } else { NotReset }
}
