use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::Labels;
use super::family::{Family, Series};
use super::stripes::Stripes;

/// A value that only rises. Clones are the same instrument.
#[derive(Clone)]
pub struct Counter(pub(super) Arc<Family<Stripes<AtomicU64>>>);

/// One series of a [`Counter`].
#[derive(Clone)]
pub struct BoundCounter(Arc<Series<Stripes<AtomicU64>>>);

impl Counter {
    /// The series with these labels. Keep it where you can: this looks it up.
    pub fn bind(&self, labels: Labels<'_>) -> BoundCounter {
        BoundCounter(self.0.bind(labels, || Stripes::new(AtomicU64::default)))
    }

    /// Adds to the series with these labels: for labels that are known only now.
    pub fn add(&self, n: u64, labels: Labels<'_>) {
        let cell = || Stripes::new(AtomicU64::default);
        self.0.with(labels, cell, |cell| {
            cell.own().fetch_add(n, Ordering::Relaxed);
        });
    }
}

impl BoundCounter {
    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.cell.own().fetch_add(n, Ordering::Relaxed);
    }

    /// What was added so far.
    pub fn value(&self) -> u64 {
        self.0.cell.total()
    }
}

impl Stripes<AtomicU64> {
    pub(super) fn total(&self) -> u64 {
        self.all().map(|cell| cell.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// A value that rises and falls by amounts. Clones are the same instrument.
#[derive(Clone)]
pub struct UpDownCounter(pub(super) Arc<Family<Stripes<AtomicI64>>>);

/// One series of an [`UpDownCounter`].
#[derive(Clone)]
pub struct BoundUpDownCounter(Arc<Series<Stripes<AtomicI64>>>);

impl UpDownCounter {
    /// The series with these labels. Keep it where you can: this looks it up.
    pub fn bind(&self, labels: Labels<'_>) -> BoundUpDownCounter {
        BoundUpDownCounter(self.0.bind(labels, || Stripes::new(AtomicI64::default)))
    }

    /// Adds to the series with these labels: for labels that are known only now.
    pub fn add(&self, n: i64, labels: Labels<'_>) {
        let cell = || Stripes::new(AtomicI64::default);
        self.0.with(labels, cell, |cell| {
            cell.own().fetch_add(n, Ordering::Relaxed);
        });
    }
}

impl BoundUpDownCounter {
    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&self, n: i64) {
        self.0.cell.own().fetch_add(n, Ordering::Relaxed);
    }

    /// What it comes to.
    pub fn value(&self) -> i64 {
        self.0.cell.total()
    }
}

impl Stripes<AtomicI64> {
    pub(super) fn total(&self) -> i64 {
        self.all().map(|cell| cell.load(Ordering::Relaxed)).fold(0, i64::wrapping_add)
    }
}

/// A value that is set. Clones are the same instrument.
#[derive(Clone)]
pub struct Gauge(pub(super) Arc<Family<AtomicU64>>);

/// One series of a [`Gauge`].
#[derive(Clone)]
pub struct BoundGauge(Arc<Series<AtomicU64>>);

impl Gauge {
    /// The series with these labels, 0 until it is set. Keep it where you can: this looks it up.
    pub fn bind(&self, labels: Labels<'_>) -> BoundGauge {
        BoundGauge(self.0.bind(labels, AtomicU64::default))
    }

    /// Sets the series with these labels: for labels that are known only now.
    pub fn set(&self, value: f64, labels: Labels<'_>) {
        self.0.with(labels, AtomicU64::default, |cell| cell.store(value.to_bits(), Ordering::Relaxed));
    }
}

impl BoundGauge {
    /// Makes it `value`.
    pub fn set(&self, value: f64) {
        self.0.cell.store(value.to_bits(), Ordering::Relaxed);
    }

    /// What it was set to.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.cell.load(Ordering::Relaxed))
    }
}

/// How values are distributed. Clones are the same instrument.
#[derive(Clone)]
pub struct Histogram {
    pub(super) family: Arc<Family<Buckets>>,
    pub(super) bounds: Arc<[f64]>,
}

/// One series of a [`Histogram`].
#[derive(Clone)]
pub struct BoundHistogram(Arc<Series<Buckets>>);

pub(super) struct Buckets {
    pub(super) bounds: Arc<[f64]>,
    stripes: Stripes<Tally>,
}

struct Tally {
    /// One more than there are bounds.
    counts: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
}

impl Histogram {
    /// The series with these labels. Keep it where you can: this looks it up.
    pub fn bind(&self, labels: Labels<'_>) -> BoundHistogram {
        BoundHistogram(self.family.bind(labels, || Buckets::new(&self.bounds)))
    }

    /// Counts `value` in the series with these labels: for labels that are known only now.
    pub fn record(&self, value: f64, labels: Labels<'_>) {
        if value.is_finite() {
            self.family.with(labels, || Buckets::new(&self.bounds), |cell| cell.record(value));
        }
    }
}

impl BoundHistogram {
    /// Counts `value`. What is not a finite number is not counted, as the specification has it.
    #[inline]
    pub fn record(&self, value: f64) {
        if value.is_finite() {
            self.0.cell.record(value);
        }
    }

    /// Counts a time in seconds.
    pub fn record_duration(&self, elapsed: std::time::Duration) {
        self.record(elapsed.as_secs_f64());
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.cell.counts().iter().sum()
    }
}

impl Buckets {
    fn new(bounds: &Arc<[f64]>) -> Self {
        let tally = || {
            let counts = (0..=bounds.len()).map(|_| AtomicU64::default()).collect();
            Tally { counts, sum: AtomicU64::default() }
        };
        Self { bounds: bounds.clone(), stripes: Stripes::new(tally) }
    }

    fn record(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        let tally = self.stripes.own();
        tally.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let mut sum = tally.sum.load(Ordering::Relaxed);
        loop {
            let next = (f64::from_bits(sum) + value).to_bits();
            match tally.sum.compare_exchange_weak(sum, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => sum = now,
            }
        }
    }

    pub(super) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.bounds.len() + 1];
        for tally in self.stripes.all() {
            counts.iter_mut().zip(&tally.counts).for_each(|(sum, it)| *sum += it.load(Ordering::Relaxed));
        }
        counts
    }

    pub(super) fn sum(&self) -> f64 {
        self.stripes.all().map(|tally| f64::from_bits(tally.sum.load(Ordering::Relaxed))).sum()
    }
}
