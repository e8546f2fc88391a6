//! Samples as a request of Prometheus' remote write 1.0, which every sample of a rule fits in: by that
//! they take the same road as everybody's, and the log can be replayed.
//!
//! Shape of the messages: `prompb/remote.proto` and `prompb/types.proto` of Prometheus.

use promql::histogram::{BucketSpan, CounterResetHint, Histogram};
use promql::{Point, Sample};

/// Wire types of protobuf.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;

/// A `WriteRequest` with one series a sample.
pub fn write_request(samples: &[Sample]) -> Vec<u8> {
    let mut request = Message::default();
    for sample in samples {
        request.message(1, &series(sample));
    }
    request.0
}

/// A `TimeSeries`.
fn series(sample: &Sample) -> Message {
    let mut series = Message::default();
    for (name, value) in sample.labels.iter() {
        let mut label = Message::default();
        label.bytes(1, name.as_bytes());
        label.bytes(2, value.as_bytes());
        series.message(1, &label);
    }
    match &sample.point {
        Point::Float(value) => {
            let mut message = Message::default();
            message.double(1, *value);
            message.int(2, sample.time_ms);
            series.message(2, &message);
        }
        Point::Histogram(of) => series.message(4, &histogram(of, sample.time_ms)),
    }
    series
}

/// A `Histogram` with float counts, which are absolute there too.
fn histogram(histogram: &Histogram, time_ms: i64) -> Message {
    let mut message = Message::default();
    message.double(2, histogram.count);
    message.double(3, histogram.sum);
    message.zigzag(4, i64::from(histogram.schema));
    message.double(5, histogram.zero_threshold);
    message.double(7, histogram.zero_count);
    spans(&mut message, 8, &histogram.negative_spans);
    message.doubles(10, &histogram.negative_buckets);
    spans(&mut message, 11, &histogram.positive_spans);
    message.doubles(13, &histogram.positive_buckets);
    let hint = match histogram.counter_reset_hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    };
    message.int(14, hint);
    message.int(15, time_ms);
    message.doubles(16, &histogram.custom_values);
    message
}

fn spans(message: &mut Message, field: u64, spans: &[BucketSpan]) {
    for span in spans {
        let mut inner = Message::default();
        inner.zigzag(1, i64::from(span.offset));
        inner.int(2, i64::from(span.length));
        message.message(field, &inner);
    }
}

/// A message of protobuf that is being written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// Packed; nothing where there is none.
    fn doubles(&mut self, field: u64, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_bits().to_le_bytes()).collect();
        self.bytes(field, &packed);
    }

    #[expect(clippy::cast_sign_loss, reason = "negative numbers are written as 64 bits without a sign")]
    fn int(&mut self, field: u64, value: i64) {
        self.tag(field, VARINT);
        self.varint(value as u64);
    }

    #[expect(clippy::cast_sign_loss, reason = "the sign is in the lowest bit")]
    fn zigzag(&mut self, field: u64, value: i64) {
        self.tag(field, VARINT);
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }
}
