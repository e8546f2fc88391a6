//! Random requests, most of them well-meant, some with every kind of mistake.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link},
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

pub(crate) struct Generate {
    rng: StdRng,
    /// Out of a thousand choices, how many are mistakes.
    mistakes: u32,
    /// Only what has a column, and what JSON as the upstream crate writes it can say: finite doubles, no
    /// references to entities or into the dictionary of profiles.
    plain: bool,
}

const KEYS: &[&str] = &[
    "",
    "a",
    "b",
    "http.request.method",
    "http.response.status_code",
    "service.name",
    "host.name",
    "url.path",
    "schlüssel",
    "k8s.pod.name",
    "code.function.name",
    "x",
    "y",
    "z",
    "thread.id",
    "user.id",
];
const TEXTS: &[&str] = &[
    "",
    "GET",
    "checkout",
    "a text that is a little longer than a block of bytes",
    "ünïcödé → ✓",
    "\"quoted\"\n\t\\",
    "\u{1}\u{8}\u{c}\u{1f}\u{7f}",
    "0",
    "null",
    "/api/v1/items/17",
    "😀",
];

impl Generate {
    pub(crate) fn new(seed: u64, mistakes: u32) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), mistakes, plain: false }
    }

    /// Requests that the upstream crate's JSON can say.
    pub(crate) fn plain(seed: u64) -> Self {
        Self { plain: true, ..Self::new(seed, 0) }
    }

    fn mistake(&mut self) -> bool {
        self.rng.random_ratio(self.mistakes, 1000)
    }

    fn often(&mut self) -> bool {
        self.rng.random_ratio(3, 4)
    }

    fn seldom(&mut self) -> bool {
        self.rng.random_ratio(1, 8)
    }

    fn many<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.rng.random_range(0..=max);
        (0..count).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
        if self.mistake() {
            return "x".repeat(self.rng.random_range(250..400));
        }
        (*TEXTS.choose(&mut self.rng).unwrap()).to_owned()
    }

    fn severity_text(&mut self) -> String {
        let words = ["", "INFO", "Error", " warn\n", "fatal3", "trace 2", "debug5", "informationals"];
        if self.often() { (*words.choose(&mut self.rng).unwrap()).to_owned() } else { self.text() }
    }

    fn double(&mut self) -> f64 {
        match self.rng.random_range(if self.plain { 4 } else { 0 }..10) {
            6.. if self.plain => self.rng.random_range(-1e9..1e9),
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            4 => 1e300,
            5 => 5e-324,
            6 => f64::from(self.rng.random_range(-5..1000)),
            _ => f64::from_bits(self.rng.random()),
        }
    }

    fn int(&mut self) -> i64 {
        match self.rng.random_range(0..4) {
            0 => self.rng.random_range(-2..300),
            1 => [i64::MIN, i64::MAX, (1 << 53) + 1, -(1 << 53), (1 << 53) - 1, i64::MAX - 511]
                [self.rng.random_range(0..6)],
            _ => self.rng.random(),
        }
    }

    fn value(&mut self, depth: usize) -> AnyValue {
        let value = match self.rng.random_range(0..if depth > 3 { 8 } else { 11 }) {
            0..=3 => Some(Value::StringValue(self.text())),
            4 => Some(Value::IntValue(self.int())),
            5 => Some(Value::DoubleValue(self.double())),
            6 => Some(Value::BoolValue(self.rng.random())),
            7 if self.plain => None,
            7 => [None, Some(Value::StringValueStrindex(3)), Some(Value::BytesValue(vec![0, 255, 62, 63]))]
                [self.rng.random_range(0..3)]
            .clone(),
            8 => Some(Value::BytesValue(self.many(5, |it| it.rng.random()))),
            9 => Some(Value::ArrayValue(ArrayValue { values: self.many(4, |it| it.value(depth + 1)) })),
            _ => {
                Some(Value::KvlistValue(KeyValueList { values: self.many(4, |it| it.attribute(depth + 1)) }))
            }
        };
        AnyValue { value }
    }

    fn deep(&mut self) -> AnyValue {
        let depth = self.rng.random_range(30..35);
        let leaf = AnyValue { value: Some(Value::BoolValue(true)) };
        (0..depth).fold(leaf, |inner, level| {
            let value = if level % 2 == 0 {
                Value::ArrayValue(ArrayValue { values: vec![inner] })
            } else {
                let entry = KeyValue { key: "k".into(), value: Some(inner), key_strindex: 0 };
                Value::KvlistValue(KeyValueList { values: vec![entry] })
            };
            AnyValue { value: Some(value) }
        })
    }

    fn attribute(&mut self, depth: usize) -> KeyValue {
        let key = (*KEYS.choose(&mut self.rng).unwrap()).to_owned();
        let value = if self.mistake() {
            Some(self.deep())
        } else if self.seldom() {
            None
        } else {
            Some(self.value(depth))
        };
        KeyValue { key, value, key_strindex: i32::from(!self.plain && self.seldom()) }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        let max = if self.mistake() { 40 } else { 7 };
        self.many(max, |it| it.attribute(0))
    }

    fn resource(&mut self) -> Resource {
        let mut attributes = self.attributes();
        if self.often() {
            let value = Some(AnyValue { value: Some(Value::StringValue(self.text())) });
            attributes.push(KeyValue { key: "service.name".into(), value, key_strindex: 0 });
        }
        let entity_refs = self.many(usize::from(!self.plain), |it| EntityRef {
            schema_url: it.text(),
            r#type: "host".into(),
            id_keys: vec!["a".into(), String::new()],
            description_keys: vec!["b".into()],
        });
        Resource { attributes, dropped_attributes_count: self.small(), entity_refs }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
        }
    }

    fn small(&mut self) -> u32 {
        match self.rng.random_range(0..10) {
            0 => u32::MAX,
            1 => self.rng.random(),
            2..5 => self.rng.random_range(0..200),
            _ => 0,
        }
    }

    fn time(&mut self) -> u64 {
        if self.mistake() {
            return self.rng.random_range(i64::MAX as u64..=u64::MAX);
        }
        if self.seldom() { 0 } else { 1_700_000_000_000_000_000 + self.rng.random_range(0..1 << 40) }
    }

    fn id(&mut self, length: usize, required: bool) -> Vec<u8> {
        if self.mistake() {
            let wrong = self.rng.random_range(0..20);
            return if self.rng.random() { vec![0; length] } else { vec![7; wrong] };
        }
        if !required && self.rng.random() {
            return if self.rng.random() { Vec::new() } else { vec![0; length] };
        }
        (0..length).map(|_| self.rng.random_range(1..=255)).collect()
    }

    fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time(),
            observed_time_unix_nano: self.time(),
            severity_number: self.rng.random_range(-1..25),
            severity_text: self.severity_text(),
            body: self.often().then(|| self.value(0)),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
            flags: self.small(),
            trace_id: self.id(16, false),
            span_id: self.id(8, false),
            event_name: self.text(),
        }
    }

    pub(crate) fn logs(&mut self) -> ExportLogsServiceRequest {
        let resource_logs = self.many(3, |it| ResourceLogs {
            resource: it.often().then(|| it.resource()),
            scope_logs: it.many(3, |it| ScopeLogs {
                scope: it.often().then(|| it.scope()),
                log_records: it.many(6, Self::log_record),
                schema_url: it.text(),
            }),
            schema_url: it.text(),
        });
        ExportLogsServiceRequest { resource_logs }
    }

    fn event(&mut self) -> Event {
        Event {
            time_unix_nano: self.time(),
            name: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
        }
    }

    fn link(&mut self) -> Link {
        Link {
            trace_id: self.id(16, false),
            span_id: self.id(8, false),
            trace_state: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
            flags: self.small(),
        }
    }

    fn span(&mut self) -> Span {
        let crowd = if self.mistake() { 8 } else { 3 };
        Span {
            trace_id: self.id(16, true),
            span_id: self.id(8, true),
            trace_state: self.text(),
            parent_span_id: self.id(8, false),
            flags: self.small(),
            name: self.text(),
            kind: self.rng.random_range(-1..7),
            start_time_unix_nano: self.time(),
            end_time_unix_nano: self.time(),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
            events: self.many(crowd, Self::event),
            dropped_events_count: self.small(),
            links: self.many(crowd, Self::link),
            dropped_links_count: self.small(),
            status: self.often().then(|| Status { message: self.text(), code: self.rng.random_range(0..4) }),
        }
    }

    pub(crate) fn spans(&mut self) -> ExportTraceServiceRequest {
        let resource_spans = self.many(3, |it| ResourceSpans {
            resource: it.often().then(|| it.resource()),
            scope_spans: it.many(3, |it| ScopeSpans {
                scope: it.often().then(|| it.scope()),
                spans: it.many(5, Self::span),
                schema_url: it.text(),
            }),
            schema_url: it.text(),
        });
        ExportTraceServiceRequest { resource_spans }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.time(),
            span_id: self.id(8, false),
            trace_id: self.id(16, false),
            value: match self.rng.random_range(0..5) {
                0 => None,
                1 | 2 => Some(exemplar::Value::AsInt(self.int())),
                _ => Some(exemplar::Value::AsDouble(self.double())),
            },
        }
    }

    fn exemplars(&mut self) -> Vec<Exemplar> {
        let max = if self.mistake() { 6 } else { 2 };
        if self.seldom() { self.many(max, Self::exemplar) } else { Vec::new() }
    }

    fn flags(&mut self) -> u32 {
        if self.seldom() { self.small() } else { 0 }
    }

    fn number_point(&mut self) -> NumberDataPoint {
        let value = match self.rng.random_range(0..4) {
            _ if self.mistake() => None,
            0 | 1 => Some(number_data_point::Value::AsInt(self.int())),
            _ => Some(number_data_point::Value::AsDouble(self.double())),
        };
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            exemplars: self.exemplars(),
            flags: self.flags(),
            value,
        }
    }

    fn count(&mut self) -> u64 {
        if self.mistake() {
            self.rng.random_range(i64::MAX as u64..=u64::MAX)
        } else {
            self.rng.random_range(0..9) / 3
        }
    }

    fn counts(&mut self, length: usize) -> Vec<u64> {
        (0..length).map(|_| self.count()).collect()
    }

    fn histogram_point(&mut self) -> HistogramDataPoint {
        let crowd = if self.mistake() { 30 } else { 8 };
        let mut bounds = self.many(crowd, |it| it.rng.random_range(-1e3..1e3));
        bounds.sort_by(f64::total_cmp);
        if self.mistake() {
            bounds.push(if self.rng.random() { f64::NAN } else { -1e9 });
        }
        let empty = bounds.is_empty() && self.rng.random();
        let counts = if empty { 0 } else { bounds.len() + 1 + usize::from(self.mistake()) };
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.count(),
            sum: self.often().then(|| self.double()),
            bucket_counts: self.counts(counts),
            explicit_bounds: bounds,
            exemplars: self.exemplars(),
            flags: self.flags(),
            min: self.often().then(|| self.double()),
            max: self.seldom().then(|| self.double()),
        }
    }

    fn buckets(&mut self) -> Buckets {
        let offset = if self.mistake() { i32::MAX - 3 } else { self.rng.random_range(-20..20) };
        let crowd = if self.mistake() { 40 } else { 12 };
        let length = self.rng.random_range(0..crowd);
        Buckets { offset, bucket_counts: self.counts(length) }
    }

    fn exponential_point(&mut self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.count(),
            sum: self.often().then(|| self.double()),
            scale: if self.mistake() { -53 } else { self.rng.random_range(-10..=20) },
            zero_count: self.count(),
            positive: self.often().then(|| self.buckets()),
            negative: self.seldom().then(|| self.buckets()),
            flags: self.flags(),
            exemplars: self.exemplars(),
            min: self.seldom().then(|| self.double()),
            max: self.often().then(|| self.double()),
            zero_threshold: if self.rng.random() { 0.0 } else { 1e-9 },
        }
    }

    fn summary_point(&mut self) -> SummaryDataPoint {
        let crowd = if self.mistake() { 40 } else { 5 };
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.count(),
            sum: self.double(),
            quantile_values: self.many(crowd, |it| ValueAtQuantile {
                quantile: if it.mistake() { 1.5 } else { it.rng.random_range(0.0..=1.0) },
                value: it.double(),
            }),
            flags: self.flags(),
        }
    }

    fn temporality(&mut self) -> i32 {
        if self.mistake() { [0, 3, -1][self.rng.random_range(0..3)] } else { self.rng.random_range(1..3) }
    }

    fn metric(&mut self) -> Metric {
        let aggregation_temporality = self.temporality();
        let data = match self.rng.random_range(0..11) {
            0 => None,
            1..4 => Some(Data::Gauge(Gauge { data_points: self.many(4, Self::number_point) })),
            4..6 => Some(Data::Sum(Sum {
                data_points: self.many(4, Self::number_point),
                aggregation_temporality,
                is_monotonic: self.rng.random(),
            })),
            6 | 7 => Some(Data::Histogram(Histogram {
                data_points: self.many(4, Self::histogram_point),
                aggregation_temporality,
            })),
            8 | 9 => Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.many(4, Self::exponential_point),
                aggregation_temporality,
            })),
            _ => Some(Data::Summary(Summary { data_points: self.many(3, Self::summary_point) })),
        };
        let name = if self.mistake() {
            String::new()
        } else {
            ["m", "http.server.request.duration"][self.rng.random_range(0..2)].into()
        };
        Metric {
            name,
            description: self.text(),
            unit: ["", "s", "By"][self.rng.random_range(0..3)].into(),
            metadata: if self.seldom() { self.attributes() } else { Vec::new() },
            data,
        }
    }

    pub(crate) fn metrics(&mut self) -> ExportMetricsServiceRequest {
        let resource_metrics = self.many(3, |it| ResourceMetrics {
            resource: it.often().then(|| it.resource()),
            scope_metrics: it.many(3, |it| ScopeMetrics {
                scope: it.often().then(|| it.scope()),
                metrics: it.many(4, Self::metric),
                schema_url: it.text(),
            }),
            schema_url: it.text(),
        });
        ExportMetricsServiceRequest { resource_metrics }
    }
}
