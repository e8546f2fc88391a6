//! Prometheus' protobuf: messages `io.prometheus.client.MetricFamily`, each with its length before it.
//!
//! Enters: a body, uncompressed. Leaves: the entries that the text would have, and native histograms.
//! A histogram that is native is only that: its buckets with bounds are left out, as Prometheus does.

use super::bound::written;
use super::{Entry, Exemplar, Sample};
use crate::proto::{Known, Reader, Refused, Writer};

const FAMILY: Known = Known::new("MetricFamily", &[1, 2, 3, 4, 5]);
const METRIC: Known = Known::new("Metric", &[1, 2, 3, 4, 5, 6, 7]);
const VALUE: Known = Known::new("Counter", &[1, 2, 3]);
const SUMMARY: Known = Known::new("Summary", &[1, 2, 3, 4]);
const HISTOGRAM: Known = Known::new("Histogram", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const BUCKET: Known = Known::new("Bucket", &[1, 2, 3, 4]);
const PAIR: Known = Known::new("LabelPair", &[1, 2]);
const EXEMPLAR: Known = Known::new("Exemplar", &[1, 2, 3]);

/// The types of families, with their numbers, as the text says them.
const TYPES: [&str; 6] = ["counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram"];
const GAUGE_HISTOGRAM: u64 = 5;
/// Remote write's hint of a histogram that goes up and down.
const HINT_GAUGE: u64 = 3;

type Each<'e> = dyn FnMut(Entry<'_>) -> Result<(), String> + 'e;

/// Reads a body; an entry that is refused ends it. The `line` of a sample is the number of its family.
///
/// # Errors
/// A sentence that says what is wrong with the body, or the one of `each`.
pub fn families(body: &[u8], each: &mut Each<'_>) -> Result<(), String> {
    let mut rest = Reader::new(body);
    let mut number = 0;
    while rest.more().map_err(said)? {
        number += 1;
        let message = rest.field();
        let family = rest.more().and_then(|_| Family::read(message));
        let family = family.map_err(|wrong| format!("metric family {number}: {}", said(wrong)))?;
        let mut teller = Teller { number, text: String::new(), exemplar: String::new(), each };
        teller.family(&family)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn said(refused: Refused) -> String {
    refused.to_string()
}

#[derive(Default)]
struct Family<'a> {
    name: Option<Reader<'a>>,
    help: Option<Reader<'a>>,
    unit: Option<Reader<'a>>,
    kind: u64,
    metrics: Vec<Metric<'a>>,
}

#[derive(Default)]
struct Metric<'a> {
    labels: Vec<(Reader<'a>, Reader<'a>)>,
    time_ms: Option<i64>,
    value: Option<Value<'a>>,
}

enum Value<'a> {
    Number(Number<'a>),
    Summary(Summary),
    Histogram(Box<Histogram<'a>>),
}

#[derive(Default)]
struct Number<'a> {
    value: f64,
    exemplar: Option<Reader<'a>>,
    start_ms: Option<i64>,
}

#[derive(Default)]
struct Summary {
    count: u64,
    sum: f64,
    quantiles: Vec<(f64, f64)>,
    start_ms: Option<i64>,
}

#[derive(Default)]
struct Histogram<'a> {
    count: u64,
    count_float: f64,
    sum: f64,
    buckets: Vec<Bucket<'a>>,
    schema: i32,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    /// Spans and numbers of buckets as remote write has them.
    native: Vec<u8>,
    has_spans: bool,
    exemplar: Option<Reader<'a>>,
    start_ms: Option<i64>,
}

#[derive(Default)]
struct Bucket<'a> {
    count: u64,
    count_float: f64,
    bound: f64,
    exemplar: Option<Reader<'a>>,
}

impl<'a> Family<'a> {
    fn read(mut message: Reader<'a>) -> Result<Self, Refused> {
        let mut family = Self::default();
        while message.more()? {
            match message.key() {
                0x0a => family.name = Some(message.field()),
                0x12 => family.help = Some(message.field()),
                0x18 => family.kind = message.varint(),
                0x22 => family.metrics.push(Metric::read(message.field())?),
                0x2a => family.unit = Some(message.field()),
                key => message.unknown(key, &FAMILY)?,
            }
        }
        Ok(family)
    }
}

impl<'a> Metric<'a> {
    fn read(mut message: Reader<'a>) -> Result<Self, Refused> {
        let mut metric = Self::default();
        while message.more()? {
            match message.key() {
                0x0a => metric.labels.push(pair(message.field())?),
                // Gauge, counter, untyped.
                0x12 | 0x1a | 0x2a => metric.value = Some(Value::Number(Number::read(message.field())?)),
                0x22 => metric.value = Some(Value::Summary(Summary::read(message.field())?)),
                0x30 => metric.time_ms = Some(message.varint().cast_signed()),
                0x3a => metric.value = Some(Value::Histogram(Box::new(Histogram::read(message.field())?))),
                key => message.unknown(key, &METRIC)?,
            }
        }
        Ok(metric)
    }
}

fn pair(mut message: Reader<'_>) -> Result<(Reader<'_>, Reader<'_>), Refused> {
    let (mut name, mut value) = (Reader::EMPTY, Reader::EMPTY);
    while message.more()? {
        match message.key() {
            0x0a => name = message.field(),
            0x12 => value = message.field(),
            key => message.unknown(key, &PAIR)?,
        }
    }
    Ok((name, value))
}

/// A `google.protobuf.Timestamp` in milliseconds.
fn timestamp(mut message: Reader<'_>) -> Result<i64, Refused> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    while message.more()? {
        match message.key() {
            0x08 => seconds = message.varint().cast_signed(),
            0x10 => nanos = message.varint().cast_signed(),
            key => message.unknown(key, &PAIR)?,
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(nanos.div_euclid(1_000_000)))
}

impl<'a> Number<'a> {
    fn read(mut message: Reader<'a>) -> Result<Self, Refused> {
        let mut number = Self::default();
        while message.more()? {
            match message.key() {
                0x09 => number.value = message.double(),
                0x12 => number.exemplar = Some(message.field()),
                0x1a => number.start_ms = Some(timestamp(message.field())?),
                key => message.unknown(key, &VALUE)?,
            }
        }
        Ok(number)
    }
}

impl Summary {
    fn read(mut message: Reader<'_>) -> Result<Self, Refused> {
        let mut summary = Self::default();
        while message.more()? {
            match message.key() {
                0x08 => summary.count = message.varint(),
                0x11 => summary.sum = message.double(),
                0x1a => {
                    let mut quantile = message.field();
                    let (mut of, mut value) = (0.0, 0.0);
                    while quantile.more()? {
                        match quantile.key() {
                            0x09 => of = quantile.double(),
                            0x11 => value = quantile.double(),
                            key => quantile.unknown(key, &PAIR)?,
                        }
                    }
                    summary.quantiles.push((of, value));
                }
                0x22 => summary.start_ms = Some(timestamp(message.field())?),
                key => message.unknown(key, &SUMMARY)?,
            }
        }
        Ok(summary)
    }
}

impl<'a> Histogram<'a> {
    fn read(mut message: Reader<'a>) -> Result<Self, Refused> {
        let mut histogram = Self::default();
        while message.more()? {
            match message.key() {
                0x08 => histogram.count = message.varint(),
                0x11 => histogram.sum = message.double(),
                0x1a => histogram.buckets.push(Bucket::read(message.field())?),
                0x21 => histogram.count_float = message.double(),
                0x28 => histogram.schema = message.sint32(),
                0x31 => histogram.zero_threshold = message.double(),
                0x38 => histogram.zero_count = message.varint(),
                0x41 => histogram.zero_count_float = message.double(),
                0x7a => histogram.start_ms = Some(timestamp(message.field())?),
                0x82 => histogram.exemplar = Some(message.field()),
                key => histogram.read_native(key, &mut message)?,
            }
        }
        Ok(histogram)
    }

    /// Spans and buckets of both sides. A number on its own is the same as a packed field of one.
    fn read_native(&mut self, key: u64, message: &mut Reader<'a>) -> Result<(), Refused> {
        let mut native = Writer::default();
        match key {
            0x4a | 0x62 => {
                self.has_spans = true;
                native.bytes(if key == 0x4a { 8 } else { 11 }, message.field().bytes());
            }
            0x50 | 0x68 => native.varint(if key == 0x50 { 9 } else { 12 }, message.varint()),
            0x52 | 0x6a => native.bytes(if key == 0x52 { 9 } else { 12 }, message.field().bytes()),
            0x59 | 0x71 => native.fixed64(if key == 0x59 { 10 } else { 13 }, message.fixed64()),
            0x5a | 0x72 => native.bytes(if key == 0x5a { 10 } else { 13 }, message.field().bytes()),
            key => message.unknown(key, &HISTOGRAM)?,
        }
        self.native.extend(native.finish());
        Ok(())
    }

    fn is_native(&self) -> bool {
        self.has_spans || self.zero_threshold > 0.0 || self.zero_count > 0 || self.zero_count_float > 0.0
    }

    /// As remote write has it, without its times.
    fn native_message(&self, is_gauge: bool) -> Vec<u8> {
        let mut native = Writer::default();
        native.raw(&self.native);
        if self.count_float > 0.0 || self.zero_count_float > 0.0 {
            native.fixed64(2, self.count_float.to_bits());
            native.fixed64(7, self.zero_count_float.to_bits());
        } else {
            native.varint(1, self.count);
            native.varint(6, self.zero_count);
        }
        native.fixed64(3, self.sum.to_bits());
        native.varint(4, u64::from((self.schema << 1 ^ self.schema >> 31).cast_unsigned()));
        native.fixed64(5, self.zero_threshold.to_bits());
        native.varint(14, if is_gauge { HINT_GAUGE } else { 0 });
        native.finish()
    }
}

impl<'a> Bucket<'a> {
    fn read(mut message: Reader<'a>) -> Result<Self, Refused> {
        let mut bucket = Self::default();
        while message.more()? {
            match message.key() {
                0x08 => bucket.count = message.varint(),
                0x11 => bucket.bound = message.double(),
                0x1a => bucket.exemplar = Some(message.field()),
                0x21 => bucket.count_float = message.double(),
                key => message.unknown(key, &BUCKET)?,
            }
        }
        Ok(bucket)
    }
}

/// Either of an integer and a float, of which one is there.
#[expect(clippy::cast_precision_loss, reason = "numbers of Prometheus are doubles")]
fn either(integer: u64, float: f64) -> f64 {
    if float > 0.0 { float } else { integer as f64 }
}

/// Tells the entries of a family.
struct Teller<'t, 'e> {
    number: u32,
    /// The series as the text would have it.
    text: String,
    exemplar: String,
    each: &'t mut Each<'e>,
}

/// What a sample has besides the name and labels of its series.
#[derive(Clone, Copy, Default)]
struct Told<'a> {
    value: f64,
    histogram: Option<&'a [u8]>,
    start_ms: Option<i64>,
    exemplar: Option<Reader<'a>>,
}

impl Teller<'_, '_> {
    fn wrong(&self, what: &str) -> String {
        format!("metric family {}: {what}", self.number)
    }

    fn utf8<'a>(&self, text: Reader<'a>) -> Result<&'a str, String> {
        std::str::from_utf8(text.bytes()).map_err(|_| self.wrong("a text is not UTF-8"))
    }

    fn family(&mut self, family: &Family<'_>) -> Result<(), String> {
        let name = self.utf8(family.name.unwrap_or(Reader::EMPTY))?;
        if name.is_empty() {
            return Err(self.wrong("it has no name"));
        }
        let place = usize::try_from(family.kind).unwrap_or(usize::MAX);
        let kind = TYPES.get(place).ok_or_else(|| self.wrong("its type is not one that there is"))?;
        if let Some(help) = family.help {
            let text = self.utf8(help)?.into();
            (self.each)(Entry::Help { metric: name.into(), text })?;
        }
        (self.each)(Entry::Type { metric: name.into(), kind })?;
        if let Some(unit) = family.unit.filter(|unit| !unit.is_empty()) {
            let unit = self.utf8(unit)?;
            (self.each)(Entry::Unit { metric: name.into(), unit })?;
        }
        family.metrics.iter().try_for_each(|metric| self.metric(name, family.kind, metric))
    }

    fn metric(&mut self, name: &str, kind: u64, metric: &Metric<'_>) -> Result<(), String> {
        match &metric.value {
            None => Err(self.wrong("a metric has no value")),
            Some(Value::Number(Number { value, exemplar, start_ms })) => {
                let (value, exemplar, start_ms) = (*value, *exemplar, *start_ms);
                self.sample(name, "", metric, None, Told { value, exemplar, start_ms, histogram: None })
            }
            Some(Value::Summary(summary)) => self.summary(name, metric, summary),
            Some(Value::Histogram(histogram)) if histogram.is_native() => {
                let (start_ms, exemplar) = (histogram.start_ms, histogram.exemplar);
                let message = histogram.native_message(kind == GAUGE_HISTOGRAM);
                let told = Told { value: 0.0, histogram: Some(&message), start_ms, exemplar };
                self.sample(name, "", metric, None, told)
            }
            Some(Value::Histogram(histogram)) => self.classic(name, metric, histogram),
        }
    }

    fn summary(&mut self, name: &str, metric: &Metric<'_>, summary: &Summary) -> Result<(), String> {
        let told = |value| Told { value, start_ms: summary.start_ms, ..Told::default() };
        for (quantile, value) in &summary.quantiles {
            self.sample(name, "", metric, Some(("quantile", *quantile)), told(*value))?;
        }
        self.sample(name, "_sum", metric, None, told(summary.sum))?;
        self.sample(name, "_count", metric, None, told(either(summary.count, 0.0)))
    }

    fn classic(&mut self, name: &str, metric: &Metric<'_>, histogram: &Histogram<'_>) -> Result<(), String> {
        let start_ms = histogram.start_ms;
        let count = either(histogram.count, histogram.count_float);
        let told = |value, exemplar| Told { value, exemplar, start_ms, histogram: None };
        for bucket in &histogram.buckets {
            let value = either(bucket.count, bucket.count_float);
            self.sample(name, "_bucket", metric, Some(("le", bucket.bound)), told(value, bucket.exemplar))?;
        }
        if histogram.buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
            self.sample(name, "_bucket", metric, Some(("le", f64::INFINITY)), told(count, None))?;
        }
        self.sample(name, "_sum", metric, None, told(histogram.sum, None))?;
        self.sample(name, "_count", metric, None, told(count, None))
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        metric: &Metric<'_>,
        more: Option<(&str, f64)>,
        told: Told<'_>,
    ) -> Result<(), String> {
        self.text.clear();
        self.text.push_str("{\"");
        escape(&mut self.text, name);
        self.text.push_str(suffix);
        self.text.push('"');
        for (name, value) in &metric.labels {
            let (name, value) = (self.utf8(*name)?, self.utf8(*value)?);
            self.text.push(',');
            put_label(&mut self.text, name, value);
        }
        if let Some((name, value)) = more {
            self.text.push(',');
            put_label(&mut self.text, name, &written(value));
        }
        self.text.push('}');
        let exemplar = told.exemplar.map(|message| self.exemplar(message)).transpose()?;
        let exemplar = exemplar.map(|(value, time_ms)| Exemplar { labels: &self.exemplar, value, time_ms });
        (self.each)(Entry::Sample(Sample {
            line: self.number,
            series: &self.text,
            value: told.value,
            histogram: told.histogram,
            time_ms: metric.time_ms,
            start_ms: told.start_ms,
            exemplar,
        }))
    }

    /// Value and time of an exemplar; its labels are in `self.exemplar`.
    fn exemplar(&mut self, mut message: Reader<'_>) -> Result<(f64, Option<i64>), String> {
        let (mut value, mut time_ms, mut labels) = (0.0, None, Vec::new());
        let mut read = || -> Result<(), Refused> {
            while message.more()? {
                match message.key() {
                    0x0a => labels.push(pair(message.field())?),
                    0x11 => value = message.double(),
                    0x1a => time_ms = Some(timestamp(message.field())?),
                    key => message.unknown(key, &EXEMPLAR)?,
                }
            }
            Ok(())
        };
        read().map_err(|refused| self.wrong(&refused.to_string()))?;
        self.exemplar.clear();
        self.exemplar.push('{');
        for (name, value) in labels {
            let (name, value) = (self.utf8(name)?, self.utf8(value)?);
            if self.exemplar.len() > 1 {
                self.exemplar.push(',');
            }
            put_label(&mut self.exemplar, name, value);
        }
        self.exemplar.push('}');
        Ok((value, time_ms))
    }
}

fn put_label(out: &mut String, name: &str, value: &str) {
    out.push('"');
    escape(out, name);
    out.push_str("\"=\"");
    escape(out, value);
    out.push('"');
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}
