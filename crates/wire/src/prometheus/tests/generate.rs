//! Random requests, most of them well-meant, some with every kind of mistake.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::messages::{
    BucketSpan, Count, Exemplar, ExemplarV2, Histogram, HistogramV2, Label, Metadata, MetricMetadata,
    Request, Sample, SampleV2, TimeSeries, TimeSeriesV2, WriteRequest, ZeroCount,
};

pub(super) struct Generate {
    rng: StdRng,
    /// Out of a thousand choices, how many are mistakes.
    mistakes: u32,
}

const NAMES: &[&str] = &["instance", "code", "le", "handler", "größe", "a.b", "zone"];
const METRICS: &[&str] = &["up", "http_requests_total", "go.gc.duration", "größe_bytes"];
const TEXTS: &[&str] = &[
    "",
    "0.25",
    "+Inf",
    "127.0.0.1:9090",
    "a text that is a little longer than a block of bytes, by some",
    "ünïcödé → ✓",
    "0af7651916cd43dd8448eb211c80319c",
    "B7AD6B7169203331",
];

impl Generate {
    pub(super) fn new(seed: u64, mistakes: u32) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), mistakes }
    }

    fn mistake(&mut self) -> bool {
        self.rng.random_ratio(self.mistakes, 1000)
    }

    fn one_in(&mut self, of: u32) -> bool {
        self.rng.random_ratio(1, of)
    }

    fn many<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.rng.random_range(0..=max);
        (0..count).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
        if self.mistake() {
            return "x".repeat(self.rng.random_range(150..300));
        }
        (*TEXTS.choose(&mut self.rng).unwrap()).to_owned()
    }

    fn double(&mut self) -> f64 {
        match self.rng.random_range(0..8) {
            // The marker of staleness, and a NaN that is none.
            0 => f64::from_bits(0x7ff0_0000_0000_0002),
            1 => f64::from_bits(0x7ff8_0000_0000_0001),
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            4 => f64::from_bits(self.rng.random()),
            _ => f64::from(self.rng.random_range(-5..1000)),
        }
    }

    fn time(&mut self) -> i64 {
        if self.mistake() {
            return [i64::MAX, i64::MIN, i64::MAX / 1_000_000 + 1][self.rng.random_range(0..3)];
        }
        match self.rng.random_range(0..10) {
            0 => 0,
            1 => -5,
            2 => i64::MAX / 1_000_000,
            _ => 1_700_000_000_000 + self.rng.random_range(-100_000..100_000),
        }
    }

    fn start(&mut self) -> i64 {
        if self.one_in(3) { self.time() } else { 0 }
    }

    fn labels(&mut self) -> Vec<Label> {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let mut labels = Vec::new();
        if !self.mistake() {
            labels.push(label("__name__", METRICS.choose(&mut self.rng).unwrap()));
        }
        if !self.one_in(4) {
            labels.push(label("job", ["node", "api"].choose(&mut self.rng).unwrap()));
        }
        for name in NAMES {
            if self.one_in(3) {
                let value = self.text();
                labels.push(label(name, &value));
            }
        }
        if self.mistake() {
            labels.extend((0..8).map(|number| label(&format!("n{number}"), "x")));
        }
        if self.mistake() {
            labels.extend(labels.first().cloned());
        }
        if self.mistake() {
            labels.push(label("", "nameless"));
        }
        if self.one_in(4) {
            labels.shuffle(&mut self.rng);
        }
        labels
    }

    fn exemplar_labels(&mut self) -> Vec<Label> {
        let mut labels = self.many(3, |it| Label {
            name: ["trace_id", "span_id", "user"].choose(&mut it.rng).unwrap().to_string(),
            value: it.text(),
        });
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        if !self.mistake() {
            labels.dedup_by(|a, b| a.name == b.name);
        }
        labels
    }

    pub(super) fn v1(&mut self) -> WriteRequest {
        let known: Vec<_> = (0..6).map(|_| self.labels()).collect();
        let timeseries = self.many(20, |it| TimeSeries {
            labels: if it.one_in(2) { known.choose(&mut it.rng).unwrap().clone() } else { it.labels() },
            samples: it.many(2, |it| Sample { value: it.double(), timestamp: it.time() }),
            exemplars: if it.one_in(2) {
                it.many(2, |it| Exemplar {
                    labels: it.exemplar_labels(),
                    value: it.double(),
                    timestamp: it.time(),
                })
            } else {
                Vec::new()
            },
            histograms: if it.one_in(2) { it.many(2, Self::histogram) } else { Vec::new() },
        });
        let metadata = self.many(2, |it| MetricMetadata {
            r#type: it.rng.random_range(0..10),
            metric_family_name: it.text(),
            help: it.text(),
            unit: it.text(),
        });
        WriteRequest { timeseries, metadata }
    }

    pub(super) fn v2(&mut self) -> Request {
        let v1 = self.v1();
        let mut request = Request { symbols: vec![String::new()], timeseries: Vec::new() };
        for series in v1.timeseries {
            let exemplars = series.exemplars.iter().map(|exemplar| ExemplarV2 {
                labels_refs: self.references(&exemplar.labels, &mut request.symbols),
                value: exemplar.value,
                timestamp: exemplar.timestamp,
            });
            let exemplars = exemplars.collect();
            let samples = series.samples.iter().map(|sample| SampleV2 {
                value: sample.value,
                timestamp: sample.timestamp,
                start_timestamp: self.start(),
            });
            let samples = samples.collect();
            let histograms = series.histograms.into_iter().map(|it| self.histogram_v2(it)).collect();
            let (help, unit) = (self.text(), self.text());
            let metadata = self.one_in(2).then(|| Metadata {
                r#type: self.rng.random_range(0..9),
                help_ref: intern(&mut request.symbols, &help),
                unit_ref: intern(&mut request.symbols, &unit),
            });
            request.timeseries.push(TimeSeriesV2 {
                labels_refs: self.references(&series.labels, &mut request.symbols),
                samples,
                histograms,
                exemplars,
                metadata,
                created_timestamp: self.start(),
            });
        }
        request
    }

    fn references(&mut self, labels: &[Label], symbols: &mut Vec<String>) -> Vec<u32> {
        let pair = |label: &Label| [intern(symbols, &label.name), intern(symbols, &label.value)];
        let mut references: Vec<u32> = labels.iter().flat_map(pair).collect();
        if self.mistake() {
            references.push(0);
        }
        if self.mistake() {
            references.extend([1, 100_000]);
        }
        references
    }

    fn histogram_v2(&mut self, it: Histogram) -> HistogramV2 {
        HistogramV2 {
            count: it.count,
            sum: it.sum,
            schema: it.schema,
            zero_threshold: it.zero_threshold,
            zero_count: it.zero_count,
            negative_spans: it.negative_spans,
            negative_deltas: it.negative_deltas,
            negative_counts: it.negative_counts,
            positive_spans: it.positive_spans,
            positive_deltas: it.positive_deltas,
            positive_counts: it.positive_counts,
            reset_hint: it.reset_hint,
            timestamp: it.timestamp,
            custom_values: it.custom_values,
            start_timestamp: self.start(),
        }
    }

    fn histogram(&mut self) -> Histogram {
        let (float, custom) = (self.rng.random(), self.one_in(3));
        let mut histogram = Histogram {
            sum: self.double(),
            schema: self.rng.random_range(-4..9),
            zero_threshold: self.double(),
            reset_hint: self.rng.random_range(0..4),
            timestamp: self.time(),
            ..Histogram::default()
        };
        self.counts(&mut histogram, float);
        if custom {
            histogram.schema = -53;
            histogram.custom_values = (0..self.rng.random_range(0..8)).map(f64::from).collect();
            if self.mistake() {
                histogram.custom_values.extend([3.0, f64::NAN, 3.0]);
            }
            histogram.positive_spans = self.spans(custom);
        } else {
            histogram.positive_spans = self.spans(custom);
            histogram.negative_spans = self.spans(custom);
        }
        if custom && self.mistake() {
            histogram.negative_spans = self.spans(false);
        }
        if self.mistake() {
            histogram.schema = [60, -53, -10][self.rng.random_range(0..3)];
        }
        let kind = float != self.mistake();
        self.buckets(&mut histogram, kind);
        histogram
    }

    fn counts(&mut self, histogram: &mut Histogram, float: bool) {
        if float {
            let count = |it: &mut Self| {
                [0.0, 0.5, 3.0, f64::NAN, 1e300][it.rng.random_range(0..5)]
                    * if it.mistake() { -1.0 } else { 1.0 }
            };
            histogram.count = Some(Count::CountFloat(count(self)));
            histogram.zero_count = (!self.one_in(3)).then(|| ZeroCount::ZeroCountFloat(count(self)));
        } else {
            let count = |it: &mut Self| if it.mistake() { u64::MAX } else { it.rng.random_range(0..1000) };
            histogram.count = (!self.one_in(6)).then(|| Count::CountInt(count(self)));
            histogram.zero_count = (!self.one_in(3)).then(|| ZeroCount::ZeroCountInt(count(self)));
        }
        if self.mistake() {
            histogram.zero_count = Some(ZeroCount::ZeroCountFloat(1.0));
        }
        if self.mistake() {
            histogram.zero_count = Some(ZeroCount::ZeroCountInt(1));
        }
    }

    fn spans(&mut self, custom: bool) -> Vec<BucketSpan> {
        let mut spans = self.many(3, |it| BucketSpan {
            offset: it.rng.random_range(0..3),
            length: it.rng.random_range(0..4),
        });
        if let Some(first) = spans.first_mut().filter(|_| !custom) {
            first.offset = self.rng.random_range(-20..20);
        }
        if self.mistake() {
            spans.push(BucketSpan { offset: i32::MAX - 2, length: 4 });
        }
        if self.mistake() {
            spans.push(BucketSpan { offset: -1, length: 1 });
        }
        if self.mistake() {
            spans.insert(0, BucketSpan { offset: i32::MIN, length: 2 });
        }
        if self.mistake() {
            spans.push(BucketSpan { offset: 1, length: 19 });
        }
        spans
    }

    fn buckets(&mut self, histogram: &mut Histogram, float: bool) {
        for negative in [false, true] {
            let spans = if negative { &histogram.negative_spans } else { &histogram.positive_spans };
            let mut wanted: u32 = spans.iter().map(|span| span.length).sum();
            if self.mistake() {
                wanted += 1;
            }
            let mut counts: Vec<i64> = (0..wanted).map(|_| self.rng.random_range(0..4)).collect();
            if self.mistake() {
                counts.iter_mut().for_each(|count| *count -= 2);
            }
            let halves = counts.iter().map(|count| *count as f64 / 2.0).collect();
            let mut before = 0;
            let mut deltas: Vec<i64> =
                counts.iter().map(|count| count - std::mem::replace(&mut before, *count)).collect();
            if self.mistake() {
                deltas.iter_mut().for_each(|delta| *delta = i64::MAX);
            }
            match (float, negative) {
                (true, false) => histogram.positive_counts = halves,
                (true, true) => histogram.negative_counts = halves,
                (false, false) => histogram.positive_deltas = deltas,
                (false, true) => histogram.negative_deltas = deltas,
            }
        }
    }
}

fn intern(symbols: &mut Vec<String>, text: &str) -> u32 {
    let index = symbols.iter().position(|symbol| symbol == text).unwrap_or_else(|| {
        symbols.push(text.into());
        symbols.len() - 1
    });
    u32::try_from(index).unwrap()
}
