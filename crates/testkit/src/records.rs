//! Records with numbers: every one can be told from every other by SQL, so that a test can say
//! which are there, which are missing and which came twice. Equal seeds give equal records.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use crate::otlp::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use crate::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use crate::otlp::proto::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use crate::otlp::proto::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use crate::otlp::proto::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point,
};
use crate::otlp::proto::resource::v1::Resource;
use crate::otlp::proto::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use crate::remote_write::{Label, Sample, TimeSeries, WriteRequest, series};

/// The attribute of logs and spans that names one record.
pub const ID: &str = "test.id";
/// The attribute of metric points that names their sender; the point's value is its number.
pub const SENDER: &str = "test.sender";
/// The metric that numbered points belong to.
pub const POINTS: &str = "test.points";
/// Series that points of Prometheus' senders are spread over.
pub const SERIES: u64 = 4;
/// Spans in a trace.
pub const SPANS_PER_TRACE: u64 = 8;

/// Words of bodies, so that they compress as bodies do.
const WORDS: [&str; 16] = [
    "connection",
    "reset",
    "by",
    "peer",
    "checkout",
    "order",
    "payment",
    "accepted",
    "timeout",
    "after",
    "retry",
    "cart",
    "user",
    "session",
    "cache",
    "miss",
];
const NANOS_PER_MILLI: u64 = 1_000_000;

/// One sender of numbered records: record `n` carries the id `<service>-<seed>-<n>` and the time
/// `n` milliseconds after the sender's start.
#[derive(Clone, Debug)]
pub struct Sender {
    service: String,
    seed: u64,
    next: u64,
    start_unix_nano: u64,
    random: Random,
}

impl Sender {
    /// A sender whose records begin a minute ago: inside every default range, not in the future.
    pub fn new(service: &str, seed: u64) -> Self {
        Self::at(service, seed, now_unix_nano() - 60_000 * NANOS_PER_MILLI)
    }

    /// A sender whose records begin at this time.
    pub fn at(service: &str, seed: u64, start_unix_nano: u64) -> Self {
        Self { service: service.to_owned(), seed, next: 0, start_unix_nano, random: Random::new(seed) }
    }

    /// What stands before the number in ids, and in [`SENDER`].
    pub fn name(&self) -> String {
        format!("{}-{:x}", self.service, self.seed)
    }

    /// The id of the record with this number.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.name())
    }

    /// The number of the next record.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The trace id of the span with this number, in lower-case hex.
    pub fn trace_id(&self, number: u64) -> String {
        hex(&self.trace_id_bytes(number))
    }

    /// The next `count` log records.
    pub fn logs(&mut self, count: u64) -> ExportLogsServiceRequest {
        let log_records = self.numbers(count).map(|number| self.log(number)).collect();
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource()),
                scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records, ..Default::default() }],
                ..Default::default()
            }],
        }
    }

    /// The next `count` spans, in traces of [`SPANS_PER_TRACE`]: the first of each is its root.
    pub fn spans(&mut self, count: u64) -> ExportTraceServiceRequest {
        let spans = self.numbers(count).map(|number| self.span(number)).collect();
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource()),
                scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..Default::default() }],
                ..Default::default()
            }],
        }
    }

    /// The next `count` points of one series.
    pub fn points(&mut self, count: u64) -> ExportMetricsServiceRequest {
        let data_points = self.numbers(count).map(|number| self.point(number)).collect();
        let metric = Metric {
            name: POINTS.to_owned(),
            description: "numbered points".to_owned(),
            unit: "{point}".to_owned(),
            data: Some(Data::Gauge(Gauge { data_points })),
            ..Default::default()
        };
        metrics(self.resource(), vec![metric])
    }

    /// The next `count` points, as Prometheus sends them: over [`SERIES`] series.
    pub fn samples(&mut self, count: u64) -> WriteRequest {
        let mut timeseries: Vec<_> = (0..SERIES).map(|shard| self.series(shard)).collect();
        for number in self.numbers(count) {
            let value = f64::from(u32::try_from(number).expect("tests send fewer points"));
            let shard = usize::try_from(number % SERIES).expect("a few");
            let sample = Sample { value, timestamp: self.sample_millis(number), start_timestamp: 0 };
            timeseries[shard].samples.push(sample);
        }
        timeseries.retain(|series| !series.samples.is_empty());
        WriteRequest { timeseries, metadata: Vec::new() }
    }

    /// The next `count` points, as a script pushes them: a line each, of the same series.
    pub fn lines(&mut self, count: u64) -> String {
        let line = |number: u64| {
            let labels: Vec<String> = self
                .series(number % SERIES)
                .labels
                .iter()
                .map(|Label { name, value }| match name.as_str() {
                    "__name__" => format!("\"{value}\""),
                    name => format!("\"{name}\"=\"{value}\""),
                })
                .collect();
            format!("{{{}}} {number} {}\n", labels.join(","), self.sample_millis(number))
        };
        let lines = (self.next..self.next + count).map(line).collect();
        self.next += count;
        lines
    }

    /// The series of a shard, without samples.
    fn series(&self, shard: u64) -> TimeSeries {
        let (name, shard) = (self.name(), shard.to_string());
        let labels = [("__name__", POINTS), ("job", &self.service), (SENDER, &name), ("test.shard", &shard)];
        series(&labels, &[])
    }

    /// The resource of all its records.
    pub fn resource(&self) -> Resource {
        let attributes = vec![text("service.name", &self.service), text("host.name", "test-host")];
        Resource { attributes, ..Default::default() }
    }

    fn numbers(&mut self, count: u64) -> std::ops::Range<u64> {
        let first = self.next;
        self.next += count;
        first..self.next
    }

    fn time(&self, number: u64) -> u64 {
        self.start_unix_nano + number * NANOS_PER_MILLI
    }

    /// The time of a point of Prometheus' senders: one a millisecond in each series.
    fn sample_millis(&self, number: u64) -> i64 {
        let nanos = self.time(number / SERIES);
        i64::try_from(nanos / NANOS_PER_MILLI).expect("the year is before 2262")
    }

    fn log(&mut self, number: u64) -> LogRecord {
        let severity_number = [5, 9, 9, 9, 13, 17][self.random.below(6)];
        let time_unix_nano = self.time(number);
        LogRecord {
            time_unix_nano,
            observed_time_unix_nano: time_unix_nano,
            severity_number,
            severity_text: severity_text(severity_number).to_owned(),
            body: Some(value(&self.sentence(8))),
            attributes: vec![text(ID, &self.id(number)), text("http.request.method", "GET")],
            ..Default::default()
        }
    }

    fn span(&mut self, number: u64) -> Span {
        let root = number - number % SPANS_PER_TRACE;
        let parent_span_id = if number == root { Vec::new() } else { span_id(root) };
        Span {
            trace_id: self.trace_id_bytes(number),
            span_id: span_id(number),
            parent_span_id,
            name: format!(
                "{} {}",
                WORDS[self.random.below(WORDS.len())],
                WORDS[self.random.below(WORDS.len())]
            ),
            kind: 2,
            start_time_unix_nano: self.time(number),
            end_time_unix_nano: self.time(number) + 5 * NANOS_PER_MILLI,
            attributes: vec![text(ID, &self.id(number))],
            status: Some(Status { code: 1, ..Default::default() }),
            ..Default::default()
        }
    }

    fn point(&self, number: u64) -> NumberDataPoint {
        let as_int = i64::try_from(number).expect("tests send fewer points");
        NumberDataPoint {
            attributes: vec![text(SENDER, &self.name())],
            start_time_unix_nano: self.start_unix_nano,
            time_unix_nano: self.time(number),
            value: Some(number_data_point::Value::AsInt(as_int)),
            ..Default::default()
        }
    }

    fn trace_id_bytes(&self, number: u64) -> Vec<u8> {
        let service =
            self.service.bytes().fold(self.seed, |hash, byte| hash.rotate_left(5) ^ u64::from(byte));
        // Never all zeros, which would be no id.
        [(service | 1).to_be_bytes(), (number / SPANS_PER_TRACE).to_be_bytes()].concat()
    }

    fn sentence(&mut self, words: usize) -> String {
        let words: Vec<_> = (0..words).map(|_| WORDS[self.random.below(WORDS.len())]).collect();
        words.join(" ")
    }
}

/// A request with these metrics of one resource.
pub fn metrics(resource: Resource, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope()), metrics, ..Default::default() }],
            ..Default::default()
        }],
    }
}

/// An attribute whose value is a text.
pub fn text(key: &str, text: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value(text)), ..Default::default() }
}

/// A text as a value.
pub fn value(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.to_owned())) }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Now, in nanoseconds since 1970.
pub fn now_unix_nano() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
    u64::try_from(since.as_nanos()).expect("the year is before 2554")
}

/// Ids of spans are their numbers from one: zero would be no id.
fn span_id(number: u64) -> Vec<u8> {
    (number + 1).to_be_bytes().to_vec()
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "testkit".to_owned(), version: "1".to_owned(), ..Default::default() }
}

fn severity_text(number: i32) -> &'static str {
    match number {
        5 => "DEBUG",
        13 => "WARN",
        17 => "ERROR",
        _ => "INFO",
    }
}

/// Chance that can be repeated: splitmix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; the slight preference for small ones is of no matter here.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a usize fits");
        usize::try_from(self.bits() % bound).expect("below a usize")
    }
}
