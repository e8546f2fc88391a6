//! Counter reset hints as Prometheus' storage gives them back.
//!
//! It writes counters into chunks that hold no reset, so a histogram that follows another one in a
//! chunk is known to be none. Of the first one of a chunk it says nothing, for the chunk before may be
//! gone when it is read; so no hint of a reset comes back, also not one that was written. Hints that
//! the files expect come from these.

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
    let previous = match before {
        Before::Nothing | Before::Stale => return Unknown,
        Before::Histogram(previous) => previous,
    };
    let new_chunk = previous.counter_reset_hint == Gauge || histogram.counter_reset_hint == Reset;
    let same_layout = histogram.schema == previous.schema
        && histogram.zero_threshold == previous.zero_threshold
        && histogram.custom_values == previous.custom_values;
    let unhinted = Histogram { counter_reset_hint: Unknown, ..histogram.clone() };
    if new_chunk || !same_layout || unhinted.detect_reset(previous) { Unknown } else { NotReset }
}
