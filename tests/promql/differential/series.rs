//! Series by chance: counters with resets, gauges, a classic histogram, and one that says what the
//! others are.
//!
//! Must hold: no sample lies at a whole second, where ranges of queries begin and end; no two
//! samples of different series are equal, so that ranks do not depend on the order of equals; no
//! counter is near zero, where later versions extrapolate rates otherwise.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::remote_write::{Sample, TimeSeries, labels};

/// Unix seconds when the first samples are, a multiple of a day.
pub(super) const START: i64 = 1_699_920_000;
/// Seconds that the samples span.
pub(super) const SPAN: i64 = 3_000;
/// The metrics whose samples are as they were written.
pub(super) const METRICS: [&str; 4] = ["requests_total", "errors_total", "temperature", "queue"];
/// Prometheus' marker of staleness.
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// More than a counter grows in all.
const FAR_FROM_ZERO: f64 = 100_000.0;
const BOUNDS: [&str; 5] = ["0.1", "0.5", "1", "5", "+Inf"];

struct Maker {
    rng: StdRng,
    made: Vec<TimeSeries>,
}

pub(super) fn random(seed: u64) -> Vec<TimeSeries> {
    let mut maker = Maker { rng: StdRng::seed_from_u64(seed), made: Vec::new() };
    for job in ["api", "web"] {
        for instance in ["a", "b", "c"] {
            for code in ["200", "404", "500"] {
                maker.counter("requests_total", &[("job", job), ("instance", instance), ("code", code)]);
            }
            maker.counter("errors_total", &[("job", job), ("instance", instance)]);
            maker.gauge("temperature", &[("job", job), ("instance", instance), ("room", "x")]);
            maker.gauge("queue", &[("job", job), ("instance", instance)]);
            maker.histogram(&[("job", job), ("instance", instance)]);
            let version = format!("1.{}", maker.rng.random_range(0..3));
            maker.info(&[("job", job), ("instance", instance), ("version", &version)]);
        }
    }
    // What is absent from a series counts as empty.
    maker.gauge("temperature", &[("job", "lab")]);
    maker.made
}

impl Maker {
    /// Times of samples: about every 15 seconds, some missing, in some series many.
    fn times(&mut self) -> Vec<i64> {
        let missing = if self.rng.random_bool(0.2) { 0.5 } else { 0.05 };
        let (mut times, mut second) = (Vec::new(), self.rng.random_range(0..15));
        // Some begin late, some end early.
        let begin = if self.rng.random_bool(0.2) { self.rng.random_range(0..SPAN / 2) } else { 0 };
        let end = if self.rng.random_bool(0.2) { self.rng.random_range(SPAN / 2..SPAN) } else { SPAN };
        while second < end {
            if second >= begin && !self.rng.random_bool(missing) {
                times.push((START + second) * 1000 + self.rng.random_range(1..1000));
            }
            second += 15;
        }
        times
    }

    fn add(&mut self, metric: &str, pairs: &[(&str, &str)], samples: Vec<(f64, i64)>) {
        let mut all = vec![("__name__", metric)];
        all.extend(pairs);
        all.sort_unstable();
        let sample = |(value, timestamp)| Sample { value, timestamp, start_timestamp: 0 };
        let mut samples: Vec<_> = samples.into_iter().map(sample).collect();
        if self.rng.random_bool(0.3) && !samples.is_empty() {
            let gone = self.rng.random_range(0..samples.len());
            samples[gone].value = f64::from_bits(STALE);
        }
        self.made.push(TimeSeries { labels: labels(&all), samples, ..Default::default() });
    }

    /// A fraction that no other series has.
    fn own_fraction(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "few series")]
        let number = self.made.len() as f64;
        (number + 1.0) / 1024.0
    }

    fn counter(&mut self, metric: &str, pairs: &[(&str, &str)]) {
        let own = self.own_fraction();
        let mut value = FAR_FROM_ZERO + f64::from(self.rng.random_range(0..1000));
        let mut samples = Vec::new();
        for time in self.times() {
            value += f64::from(self.rng.random_range(0..50));
            if self.rng.random_bool(0.03) {
                value = FAR_FROM_ZERO + f64::from(self.rng.random_range(0..20));
            }
            samples.push((value + own, time));
        }
        self.add(metric, pairs, samples);
    }

    fn gauge(&mut self, metric: &str, pairs: &[(&str, &str)]) {
        let own = self.own_fraction();
        let times = self.times();
        let samples = times.into_iter().map(|time| (f64::from(self.rng.random_range(-50..100)) + own, time));
        let samples = samples.collect();
        self.add(metric, pairs, samples);
    }

    /// All its series have the same times, as if they were scraped.
    fn histogram(&mut self, pairs: &[(&str, &str)]) {
        let times = self.times();
        let mut counts = [1.0, 2.0, 3.0, 4.0, 5.0].map(|more| more * FAR_FROM_ZERO);
        let mut samples = vec![Vec::new(); BOUNDS.len()];
        for time in times {
            let mut more = 0;
            for (count, samples) in counts.iter_mut().zip(&mut samples) {
                more += self.rng.random_range(0..8);
                *count += f64::from(more);
                samples.push((*count, time));
            }
        }
        for (bound, samples) in BOUNDS.into_iter().zip(samples) {
            let pairs = [pairs, &[("le", bound)]].concat();
            self.add("latency_bucket", &pairs, samples);
        }
    }

    fn info(&mut self, pairs: &[(&str, &str)]) {
        let samples = self.times().into_iter().map(|time| (1.0, time)).collect();
        self.add("build_info", pairs, samples);
    }
}
