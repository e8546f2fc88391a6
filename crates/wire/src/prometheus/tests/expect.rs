//! What a request should become, read from prost's structs. Nothing is shared with the decoder.

use std::collections::{BTreeMap, BTreeSet};

use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{DecodeError, Message};

use super::messages::{
    BucketSpan, Count, Histogram, HistogramV2, Label, MetricMetadata, Request, TimeSeries, TimeSeriesV2,
    WriteRequest, ZeroCount,
};
use super::{LIMITS, RECEIVED, Version};
use crate::cells::{Cell, Row, double, text};

pub(super) type Reasons = Vec<&'static str>;

/// What is expected of a request: its tables, and of each item all reasons to reject it.
#[derive(Default, Debug)]
pub(super) struct Expected {
    pub(super) tables: [Vec<Row>; 4],
    pub(super) items: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct Item {
    /// Ordinal of its time series, or of the metadata that it is, among both.
    pub(super) series: usize,
    pub(super) reasons: Reasons,
    /// An exemplar or metadata: no record where it is accepted.
    pub(super) is_besides: bool,
}

const SAMPLES: usize = 0;
const HISTOGRAMS: usize = 1;
const EXEMPLARS: usize = 2;
const SERIES: usize = 3;

type Labels = Vec<(String, String)>;

/// A time series of either version.
struct Series {
    labels: Labels,
    reasons: Reasons,
    help: String,
    unit: String,
    kind: i32,
    /// Value, time, start.
    samples: Vec<(f64, i64, i64)>,
    histograms: Vec<HistogramV2>,
    exemplars: Vec<(Labels, Reasons, f64, i64)>,
    /// Version 2 has them before the exemplars.
    histograms_first: bool,
}

/// What is expected of the bytes of a request, as prost reads them.
pub(super) fn expected(version: Version, body: &[u8]) -> Result<Expected, DecodeError> {
    let mut expect = Expect::default();
    match version {
        Version::V1 => {
            let request = WriteRequest::decode(body)?;
            let mut series = request.timeseries.into_iter().map(v1);
            let mut metadata = request.metadata.into_iter();
            for (index, field) in order(body)?.into_iter().enumerate() {
                match field {
                    1 => expect.series(index, &series.next().unwrap()),
                    _ => expect.metadata(index, &metadata.next().unwrap()),
                }
            }
        }
        Version::V2 => {
            let request = Request::decode(body)?;
            let series = request.timeseries.into_iter().map(|series| v2(series, &request.symbols));
            series.enumerate().for_each(|(index, series)| expect.series(index, &series));
        }
    }
    Ok(expect.finish())
}

/// In which order series (field 1) and metadata (field 3) come; of each prost keeps the order.
fn order(mut body: &[u8]) -> Result<Vec<u32>, DecodeError> {
    let mut fields = Vec::new();
    while !body.is_empty() {
        let (field, wire) = decode_key(&mut body)?;
        skip_field(wire, field, &mut body, DecodeContext::default())?;
        fields.push(field);
    }
    fields.retain(|field| matches!(field, 1 | 3));
    Ok(fields)
}

fn pairs(labels: Vec<Label>) -> Labels {
    labels.into_iter().map(|label| (label.name, label.value)).collect()
}

fn v1(series: TimeSeries) -> Series {
    let exemplars =
        series.exemplars.into_iter().map(|it| (pairs(it.labels), Vec::new(), it.value, it.timestamp));
    Series {
        labels: pairs(series.labels),
        reasons: Vec::new(),
        help: String::new(),
        unit: String::new(),
        kind: 0,
        samples: series.samples.iter().map(|it| (it.value, it.timestamp, 0)).collect(),
        exemplars: exemplars.collect(),
        histograms: series.histograms.into_iter().map(with_start).collect(),
        histograms_first: false,
    }
}

fn with_start(it: Histogram) -> HistogramV2 {
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
        start_timestamp: 0,
    }
}

fn v2(series: TimeSeriesV2, symbols: &[String]) -> Series {
    let mut reasons = Vec::new();
    let labels = resolve(&series.labels_refs, symbols, &mut reasons);
    let metadata = series.metadata.unwrap_or_default();
    let mut text = |text| if text == 0 { String::new() } else { symbol(text, symbols, &mut reasons) };
    let (help, unit) = (text(metadata.help_ref), text(metadata.unit_ref));
    let or_created = |own| if own == 0 { series.created_timestamp } else { own };
    let exemplars = series.exemplars.iter().map(|it| {
        let mut reasons = Vec::new();
        let labels = resolve(&it.labels_refs, symbols, &mut reasons);
        (labels, reasons, it.value, it.timestamp)
    });
    let histograms = series.histograms.iter().cloned().map(|it| {
        let start_timestamp = or_created(it.start_timestamp);
        HistogramV2 { start_timestamp, ..it }
    });
    let samples = series.samples.iter().map(|it| (it.value, it.timestamp, or_created(it.start_timestamp)));
    Series {
        exemplars: exemplars.collect(),
        histograms: histograms.collect(),
        samples: samples.collect(),
        labels,
        reasons,
        help,
        unit,
        kind: metadata.r#type,
        histograms_first: true,
    }
}

/// How the column has the type of a metric.
fn kind(r#type: i32) -> &'static str {
    let names = ["unknown", "sum", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"];
    usize::try_from(r#type).ok().and_then(|place| names.get(place).copied()).unwrap_or("unknown")
}

fn symbol(reference: u32, symbols: &[String], reasons: &mut Reasons) -> String {
    symbols.get(reference as usize).cloned().unwrap_or_else(|| {
        reasons.push("unknown_symbol");
        String::new()
    })
}

fn resolve(references: &[u32], symbols: &[String], reasons: &mut Reasons) -> Labels {
    if references.len() % 2 == 1 {
        reasons.push("odd_label_references");
    }
    let mut get = |reference| symbol(reference, symbols, reasons);
    references.chunks_exact(2).map(|pair| (get(pair[0]), get(pair[1]))).collect()
}

/// Labels in their order, and what is wrong with them.
fn judge_labels(labels: &Labels, reasons: &mut Reasons) -> Vec<(String, Option<String>)> {
    if labels.len() > LIMITS.attributes_max {
        reasons.push("too_many_attributes");
    }
    if labels.iter().any(|(name, _)| name.is_empty()) {
        reasons.push("empty_label_name");
    }
    if labels.iter().any(|(_, value)| value.len() > LIMITS.value_bytes_max) {
        reasons.push("value_too_long");
    }
    let kept: Vec<_> = labels.iter().filter(|(_, value)| !value.is_empty()).collect();
    let map: BTreeMap<_, _> = kept.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    if map.len() < kept.len() {
        reasons.push("duplicate_label");
    }
    map.into_iter().collect()
}

fn time(ms: i64, reasons: &mut Reasons) -> i64 {
    i64::try_from(i128::from(ms) * 1_000_000).unwrap_or_else(|_| {
        reasons.push("time_out_of_range");
        0
    })
}

fn start(ms: i64, reasons: &mut Reasons) -> Cell {
    if ms == 0 { Cell::Null } else { Cell::Int(time(ms, reasons)) }
}

fn flags(value: f64) -> Cell {
    Cell::Int((value.to_bits() == 0x7ff0_0000_0000_0002).into())
}

/// Labels, values as far as they are text.
type Named = Vec<(String, Option<String>)>;

#[derive(Default)]
struct Expect {
    expected: Expected,
    /// By labels: the row of the series.
    known: Vec<(Named, Row)>,
    points: Vec<(usize, usize, Row)>,
}

impl Expect {
    fn series(&mut self, index: usize, series: &Series) {
        let mut reasons = series.reasons.clone();
        let labels = judge_labels(&series.labels, &mut reasons);
        if !labels.iter().any(|(name, _)| name == "__name__") {
            reasons.push("empty_metric_name");
        }
        let mut add = |table, time, own: Row, mut more: Reasons| {
            more.extend(&reasons);
            if more.is_empty() {
                let row = self.row(&labels, time, series);
                self.points.push((table, row, own));
            }
            self.expected.items.push(Item { series: index, reasons: more, is_besides: table == EXEMPLARS });
        };
        for (value, at, begin) in &series.samples {
            let mut reasons = Reasons::new();
            let at = time(*at, &mut reasons);
            let row = vec![
                ("time_unix_nano", Cell::Int(at)),
                ("start_time_unix_nano", start(*begin, &mut reasons)),
                ("value", double(*value)),
                ("value_int", Cell::Null),
                ("flags", flags(*value)),
            ];
            add(SAMPLES, at, row, reasons);
        }
        let histograms = |add: &mut dyn FnMut(usize, i64, Row, Reasons)| {
            for histogram in &series.histograms {
                let mut reasons = Reasons::new();
                let (at, row) = histogram_row(histogram, &mut reasons);
                add(HISTOGRAMS, at, row, reasons);
            }
        };
        if series.histograms_first {
            histograms(&mut add);
        }
        for (labels, reasons, value, at) in &series.exemplars {
            let mut reasons = reasons.clone();
            let labels = judge_labels(labels, &mut reasons);
            let at = time(*at, &mut reasons);
            let row = vec![
                ("time_unix_nano", Cell::Int(at)),
                ("value", double(*value)),
                ("value_int", Cell::Null),
                ("trace_id", id(&labels, "trace_id", 32)),
                ("span_id", id(&labels, "span_id", 16)),
                ("attributes", Cell::Map(labels)),
            ];
            add(EXEMPLARS, at, row, reasons);
        }
        if !series.histograms_first {
            histograms(&mut add);
        }
    }

    fn metadata(&mut self, index: usize, it: &MetricMetadata) {
        let mut reasons = Reasons::new();
        if it.metric_family_name.is_empty() {
            reasons.push("empty_metric_name");
        }
        let texts = [&it.metric_family_name, &it.help, &it.unit];
        if texts.iter().any(|text| text.len() > LIMITS.value_bytes_max) {
            reasons.push("value_too_long");
        }
        let kind = match kind(it.r#type) {
            "sum" => "counter",
            other => other,
        };
        // No series has labels without names.
        let told = |text: &str| (String::new(), Some(text.to_owned()));
        let known = vec![told(&it.metric_family_name), told(&it.help), told(&it.unit), told(kind)];
        if reasons.is_empty() && !self.known.iter().any(|(there, _)| *there == known) {
            let columns = [
                ("time_unix_nano", Cell::Int(RECEIVED)),
                ("metric_name", text(&it.metric_family_name)),
                ("unit", text(&it.unit)),
                ("description", text(&it.help)),
                ("kind", text("metadata")),
                ("temporality", Cell::Null),
                ("is_monotonic", Cell::Null),
                ("attributes", Cell::Map(vec![("type".to_owned(), Some(kind.to_owned()))])),
            ];
            let row = columns.into_iter().chain(stream("unknown_service")).collect();
            self.known.push((known, row));
        }
        self.expected.items.push(Item { series: index, reasons, is_besides: true });
    }

    fn row(&mut self, labels: &[(String, Option<String>)], at: i64, series: &Series) -> usize {
        if let Some(index) = self.known.iter().position(|(known, _)| known == labels) {
            let first = &mut self.known[index].1[0].1;
            if matches!(first, Cell::Int(first) if *first > at) {
                *first = Cell::Int(at);
            }
            return index;
        }
        let label =
            |wanted| labels.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.clone());
        let service = label("job").unwrap_or_else(|| "unknown_service".into());
        let columns = [
            ("time_unix_nano", Cell::Int(at)),
            ("metric_name", text(&label("__name__").unwrap())),
            ("unit", text(&series.unit)),
            ("description", text(&series.help)),
            ("kind", text(kind(series.kind))),
            ("temporality", Cell::Null),
            ("is_monotonic", if series.kind == 1 { Cell::Bool(true) } else { Cell::Null }),
            ("attributes", Cell::Map(labels.to_vec())),
        ];
        let row = columns.into_iter().chain(stream(&service)).collect();
        self.known.push((labels.to_vec(), row));
        self.known.len() - 1
    }

    fn finish(mut self) -> Expected {
        for (table, series, mut row) in self.points {
            row.extend(self.known[series].1.clone());
            self.expected.tables[table].push(row);
        }
        self.expected.tables[SERIES] = self.known.into_iter().map(|(_, row)| row).collect();
        self.expected
    }
}

/// The columns of a stream.
fn stream(service: &str) -> [(&'static str, Cell); 9] {
    [
        ("service_name", text(service)),
        ("resource_attributes", Cell::Map(Vec::new())),
        ("resource_dropped_attributes_count", Cell::Int(0)),
        ("resource_schema_url", text("")),
        ("scope_name", text("")),
        ("scope_version", text("")),
        ("scope_attributes", Cell::Map(Vec::new())),
        ("scope_dropped_attributes_count", Cell::Int(0)),
        ("scope_schema_url", text("")),
    ]
}

fn id(labels: &[(String, Option<String>)], wanted: &str, digits: usize) -> Cell {
    let value = labels.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.as_ref());
    let Some(value) = value.filter(|value| value.len() == digits && value.is_ascii()) else {
        return Cell::Null;
    };
    let byte = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).ok().filter(|_| !value.contains('+'));
    match (0..digits).step_by(2).map(byte).collect::<Option<Vec<u8>>>() {
        Some(id) if id.iter().any(|byte| *byte != 0) => Cell::Bytes(id),
        _ => Cell::Null,
    }
}

fn histogram_row(it: &HistogramV2, reasons: &mut Reasons) -> (i64, Row) {
    let at = time(it.timestamp, reasons);
    let begin = start(it.start_timestamp, reasons);
    let float = matches!(it.count, Some(Count::CountFloat(_)));
    let count = match it.count {
        None => (0, None),
        Some(Count::CountInt(count)) => (whole(count, reasons), None),
        Some(Count::CountFloat(count)) => (nearest(count, reasons), Some(count)),
    };
    let zero_count = match it.zero_count {
        Some(ZeroCount::ZeroCountFloat(zero)) if !float && zero != 0.0 => mixed(reasons),
        Some(ZeroCount::ZeroCountInt(zero)) if float && zero != 0 => mixed(reasons),
        Some(ZeroCount::ZeroCountInt(zero)) if !float => (whole(zero, reasons), None),
        Some(ZeroCount::ZeroCountFloat(zero)) if float => (nearest(zero, reasons), Some(zero)),
        _ => (0, float.then_some(0.0)),
    };
    let custom = it.schema == -53;
    if !custom && !(-9..=52).contains(&it.schema) {
        reasons.push("scale_out_of_range");
    }
    if it.custom_values.len() > LIMITS.buckets_max {
        reasons.push("too_many_buckets");
    }
    if custom {
        let increasing = it.custom_values.windows(2).all(|pair| pair[0] < pair[1]);
        if !increasing || it.custom_values.iter().any(|bound| bound.is_nan()) {
            reasons.push("bounds_not_increasing");
        }
        if !(it.negative_counts.is_empty() && it.negative_deltas.is_empty()) {
            reasons.push("custom_buckets_negative");
        }
    }
    let bounds = custom.then_some(it.custom_values.len());
    let positive = Side::new(&it.positive_spans, &it.positive_deltas, &it.positive_counts, float, reasons);
    let negative = Side::new(&it.negative_spans, &it.negative_deltas, &it.negative_counts, float, reasons);
    let [positive_spans, positive_buckets, positive_doubles] = positive.cells(bounds, reasons);
    let [negative_spans, negative_buckets, negative_doubles] =
        negative.cells(bounds.map(|_| usize::MAX >> 1), reasons);
    let optional = |value: Option<f64>| value.map_or(Cell::Null, double);
    let row = vec![
        ("time_unix_nano", Cell::Int(at)),
        ("start_time_unix_nano", begin),
        ("flags", flags(it.sum)),
        ("count", Cell::Int(count.0)),
        ("sum", double(it.sum)),
        ("min", Cell::Null),
        ("max", Cell::Null),
        ("schema", Cell::Int(it.schema.into())),
        ("zero_threshold", double(it.zero_threshold)),
        ("zero_count", Cell::Int(zero_count.0)),
        ("positive_spans", positive_spans),
        ("positive_buckets", positive_buckets),
        ("negative_spans", negative_spans),
        ("negative_buckets", negative_buckets),
        ("custom_bounds", Cell::List(it.custom_values.iter().copied().map(double).collect())),
        ("quantiles", Cell::List(Vec::new())),
        ("quantile_values", Cell::List(Vec::new())),
        ("reset_hint", Cell::Int(it.reset_hint.into())),
        ("count_double", optional(count.1)),
        ("zero_count_double", optional(zero_count.1)),
        ("positive_buckets_double", positive_doubles),
        ("negative_buckets_double", negative_doubles),
    ];
    (at, row)
}

fn mixed(reasons: &mut Reasons) -> (i64, Option<f64>) {
    reasons.push("mixed_counts");
    (0, None)
}

fn whole(count: u64, reasons: &mut Reasons) -> i64 {
    i64::try_from(count).unwrap_or_else(|_| {
        reasons.push("count_out_of_range");
        0
    })
}

fn nearest(count: f64, reasons: &mut Reasons) -> i64 {
    if count < 0.0 {
        reasons.push("negative_count");
    }
    count.round() as i64
}

/// The buckets of one side: by Prometheus' index, in order.
struct Side {
    buckets: Vec<(i64, f64, i64)>,
    float: bool,
}

impl Side {
    fn new(spans: &[BucketSpan], deltas: &[i64], counts: &[f64], float: bool, reasons: &mut Reasons) -> Self {
        let own = if float { counts.len() } else { deltas.len() };
        if deltas.len() + counts.len() != own {
            reasons.push("mixed_counts");
        }
        if own > LIMITS.buckets_max {
            reasons.push("too_many_buckets");
        }
        let lengths: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        if lengths != own as u64 {
            reasons.push("bucket_counts_mismatch");
        }
        if spans.iter().skip(1).any(|span| span.offset < 0) {
            reasons.push("spans_overlap");
        }
        let mut sum: i128 = 0;
        let absolute: Vec<i128> = deltas
            .iter()
            .map(|delta| {
                sum += i128::from(*delta);
                sum
            })
            .collect();
        if absolute.iter().any(|count| *count < 0) || counts.iter().any(|count| *count < 0.0) {
            reasons.push("negative_count");
        }
        if absolute.iter().any(|count| *count > i64::MAX.into()) {
            reasons.push("count_out_of_range");
        }
        let mut indices = Vec::new();
        let mut next = 0;
        for span in spans {
            next += i64::from(span.offset);
            // The bounds are enough to see whether indices fit; what does not is not stored.
            indices.extend((next..next + i64::from(span.length)).take(own + 1));
            next += i64::from(span.length);
            if span.length > 0 {
                indices.extend((indices.last() != Some(&(next - 1))).then_some(next - 1));
            }
        }
        let count = |at: usize| match float {
            true => counts.get(at).map(|count| (*count, count.round() as i64)),
            false => absolute.get(at).map(|count| (0.0, i64::try_from(*count).unwrap_or(0))),
        };
        let bucket = |(at, index): (usize, i64)| {
            let (double, whole) = count(at).unwrap_or_default();
            (index, double, whole)
        };
        Self { buckets: indices.into_iter().enumerate().map(bucket).collect(), float }
    }

    /// Spans, counts, and those that are not integers. With custom bounds an index is not moved.
    fn cells(self, bounds: Option<usize>, reasons: &mut Reasons) -> [Cell; 3] {
        let shift = i64::from(bounds.is_none());
        let range = match bounds {
            Some(bounds) if bounds < usize::MAX >> 1 => 0..=bounds as i64,
            _ => i64::from(i32::MIN)..=i64::from(i32::MAX) - 1,
        };
        let indices: Vec<i64> = self.buckets.iter().map(|(index, ..)| index - shift).collect();
        let too_wide = match (indices.first(), indices.last()) {
            (Some(first), Some(last)) => last + 1 - first > i64::from(i32::MAX),
            _ => false,
        };
        if too_wide || indices.iter().any(|index| !range.contains(index)) {
            reasons.push("bucket_index_out_of_range");
        }
        let hit =
            |(_, double, whole): &&(i64, f64, i64)| if self.float { *double != 0.0 } else { *whole != 0 };
        let hit: Vec<_> = self.buckets.iter().filter(hit).collect();
        let at: BTreeSet<i64> = hit.iter().map(|(index, ..)| index - shift).collect();
        let mut spans: Vec<(i64, i64)> = Vec::new();
        let mut end = 0;
        for index in at {
            match spans.last_mut() {
                Some((_, length)) if index == end => *length += 1,
                _ => spans.push((index - end, 1)),
            }
            end = index + 1;
        }
        let span =
            |(offset, length)| Cell::Row(vec![("offset", Cell::Int(offset)), ("length", Cell::Int(length))]);
        let doubles = hit.iter().map(|(_, count, _)| double(*count)).collect();
        [
            Cell::List(spans.into_iter().map(span).collect()),
            Cell::List(hit.iter().map(|(.., count)| Cell::Int(*count)).collect()),
            if self.float { Cell::List(doubles) } else { Cell::Null },
        ]
    }
}
