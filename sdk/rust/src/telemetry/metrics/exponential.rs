//! Distributions without bounds chosen beforehand: buckets that grow by a constant factor, finer as
//! long as the values lie close together. Those of several processes can be added up, which a
//! summary's quantiles cannot.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Labels;
use super::family::{Family, Series};
use crate::telemetry::otlp::{ExponentialBuckets, ExponentialPoint, KeyValue};

/// How values are distributed, over any range, with a relative error of at most 5 % while they lie
/// within a factor of a hundred thousand of each other. Clones are the same instrument.
#[derive(Clone)]
pub struct ExponentialHistogram(pub(super) Arc<Family<Sketch>>);

/// One series of an [`ExponentialHistogram`].
#[derive(Clone)]
pub struct BoundExponentialHistogram(Arc<Series<Sketch>>);

pub(super) struct Sketch(Mutex<State>);

/// Buckets of each sign, as the specification suggests.
const BUCKETS_MAX: usize = 160;
/// Buckets of 0.07 %: finer ones would only be merged again.
const SCALE_MAX: i32 = 10;

struct State {
    scale: i32,
    count: u64,
    sum: f64,
    zeros: u64,
    min: f64,
    max: f64,
    positive: Side,
    /// Without memory until there is a negative value.
    negative: Side,
}

#[derive(Default)]
struct Side {
    /// The index of the first bucket.
    first: i32,
    counts: Vec<u64>,
}

impl ExponentialHistogram {
    /// The series with these labels. Keep it where you can: this looks it up.
    pub fn bind(&self, labels: Labels<'_>) -> BoundExponentialHistogram {
        BoundExponentialHistogram(self.0.bind(labels, Sketch::new))
    }

    /// Counts `value` in the series with these labels: for labels that are known only now.
    pub fn record(&self, value: f64, labels: Labels<'_>) {
        if value.is_finite() {
            self.0.with(labels, Sketch::new, |sketch| sketch.0.lock().record(value));
        }
    }
}

impl BoundExponentialHistogram {
    /// Counts `value`. What is not a finite number is not counted, as the specification has it.
    pub fn record(&self, value: f64) {
        if value.is_finite() {
            self.0.cell.0.lock().record(value);
        }
    }

    /// Counts a time in seconds.
    pub fn record_duration(&self, elapsed: std::time::Duration) {
        self.record(elapsed.as_secs_f64());
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.cell.0.lock().count
    }

    /// The value below which this share (0 to 1) of all lies; none without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.0.cell.point(Arc::default(), 0, 0).quantile(share)
    }
}

impl Sketch {
    pub(super) fn new() -> Self {
        // All the memory that it will need for positive values: recording makes none.
        let positive = Side { first: 0, counts: Vec::with_capacity(BUCKETS_MAX) };
        Self(Mutex::new(State {
            scale: SCALE_MAX,
            count: 0,
            sum: 0.0,
            zeros: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            positive,
            negative: Side::default(),
        }))
    }

    pub(super) fn point(&self, attributes: Arc<[KeyValue]>, start: u64, now: u64) -> ExponentialPoint {
        let state = self.0.lock();
        ExponentialPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: now,
            count: state.count,
            sum: state.sum,
            scale: state.scale,
            zero_count: state.zeros,
            positive: state.positive.buckets(),
            negative: state.negative.buckets(),
            min: (state.count > 0).then_some(state.min),
            max: (state.count > 0).then_some(state.max),
        }
    }
}

impl State {
    fn record(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zeros += 1;
            return;
        }
        let side = if value > 0.0 { &self.positive } else { &self.negative };
        let by = side.excess(index(value.abs(), self.scale));
        if by > 0 {
            self.scale -= by;
            self.positive.merge(by);
            self.negative.merge(by);
        }
        let index = index(value.abs(), self.scale);
        let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
        side.add(index);
    }
}

/// The bucket of a positive value: `(base^index, base^(index + 1)]` with `base = 2^(2^-scale)`.
fn index(value: f64, scale: i32) -> i32 {
    // Smaller than the smallest normal number is as that number.
    let bits = value.max(f64::MIN_POSITIVE).to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let fraction = bits & ((1 << 52) - 1);
    let is_power = fraction == 0;
    if scale <= 0 {
        return (exponent - i32::from(is_power)) >> -scale;
    }
    let first = exponent << scale;
    if is_power {
        return first - 1;
    }
    let mantissa = f64::from_bits(fraction | 1023 << 52);
    let within = (mantissa.log2() * f64::from(1 << scale)) as i32;
    // Rounding must not reach into the next power.
    first + within.min((1 << scale) - 1)
}

impl Side {
    /// How often buckets have to be merged in pairs until `index` has room.
    fn excess(&self, index: i32) -> i32 {
        if self.counts.is_empty() {
            return 0;
        }
        let (mut low, mut high) =
            (self.first.min(index), (self.first + self.counts.len() as i32 - 1).max(index));
        let mut by = 0;
        while (high - low) as usize >= BUCKETS_MAX {
            (low, high, by) = (low >> 1, high >> 1, by + 1);
        }
        by
    }

    fn merge(&mut self, by: i32) {
        if self.counts.is_empty() {
            return;
        }
        let (old_first, first) = (self.first, self.first >> by);
        for place in 0..self.counts.len() {
            let merged = (((old_first + place as i32) >> by) - first) as usize;
            let count = std::mem::take(&mut self.counts[place]);
            // It never lies behind its old place.
            self.counts[merged] += count;
        }
        let last = (old_first + self.counts.len() as i32 - 1) >> by;
        self.counts.truncate((last - first) as usize + 1);
        self.first = first;
    }

    fn add(&mut self, index: i32) {
        if self.counts.is_empty() {
            self.counts.reserve_exact(BUCKETS_MAX);
            self.first = index;
        }
        if index < self.first {
            let missing = (self.first - index) as usize;
            let old = self.counts.len();
            self.counts.resize(old + missing, 0);
            self.counts.rotate_right(missing);
            self.first = index;
        }
        let place = (index - self.first) as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += 1;
    }

    fn buckets(&self) -> ExponentialBuckets {
        ExponentialBuckets { offset: self.first, counts: self.counts.clone() }
    }
}
