//! What a request of metrics should become; see [`super::expect`].

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
    exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};

use super::expect::{Expected, Reasons, attributes, id, stream, time};
use super::{LIMITS, RECEIVED};
use crate::cells::{Cell, Row, double, text};

/// Tables, in the order of [`super::cells::tables`].
const SAMPLES: usize = 0;
const HISTOGRAMS: usize = 1;
const EXEMPLARS: usize = 2;
const SERIES: usize = 3;

#[derive(Default)]
struct Metrics {
    expected: Expected,
    /// Points with the index of their series, so that the series' first time can be filled in last.
    points: Vec<(usize, usize, Row)>,
    series: Vec<(String, Row)>,
}

/// What a point brings besides its own columns.
struct Common<'a> {
    attributes: &'a [KeyValue],
    time: u64,
    start_time: u64,
    flags: u32,
    exemplars: &'a [Exemplar],
}

pub(super) fn metrics(request: &ExportMetricsServiceRequest) -> Expected {
    let mut all = Metrics::default();
    for resource in &request.resource_metrics {
        for scope in &resource.scope_metrics {
            let mut reasons = Vec::new();
            let stream = stream(
                resource.resource.as_ref(),
                &resource.schema_url,
                scope.scope.as_ref(),
                &scope.schema_url,
                &mut reasons,
            );
            scope.metrics.iter().for_each(|metric| all.metric(metric, &stream, &reasons));
        }
    }
    all.finish()
}

impl Metrics {
    fn metric(&mut self, metric: &Metric, stream: &Row, reasons: &Reasons) {
        let mut reasons = reasons.clone();
        if metric.name.is_empty() {
            reasons.push("empty_metric_name");
        }
        let Some(data) = &metric.data else { return };
        let (kind, temporality) = match data {
            Data::Gauge(_) => ("gauge", None),
            Data::Sum(sum) => ("sum", Some(sum.aggregation_temporality)),
            Data::Histogram(it) => ("histogram", Some(it.aggregation_temporality)),
            Data::ExponentialHistogram(it) => ("exponential_histogram", Some(it.aggregation_temporality)),
            Data::Summary(_) => ("summary", None),
        };
        let temporality = match temporality {
            None => Cell::Null,
            Some(1) => text("delta"),
            Some(2) => text("cumulative"),
            Some(_) => {
                reasons.push("unspecified_temporality");
                Cell::Null
            }
        };
        let monotonic = if let Data::Sum(sum) = data { Cell::Bool(sum.is_monotonic) } else { Cell::Null };
        let owner = vec![
            ("metric_name", text(&metric.name)),
            ("unit", text(&metric.unit)),
            ("description", text(&metric.description)),
            ("kind", text(kind)),
            ("temporality", temporality),
            ("is_monotonic", monotonic),
        ];
        match data {
            Data::Gauge(it) => it.data_points.iter().for_each(|it| self.number(it, &owner, stream, &reasons)),
            Data::Sum(it) => it.data_points.iter().for_each(|it| self.number(it, &owner, stream, &reasons)),
            Data::Histogram(it) => {
                it.data_points.iter().for_each(|it| self.histogram(it, &owner, stream, &reasons));
            }
            Data::ExponentialHistogram(it) => {
                it.data_points.iter().for_each(|it| self.exponential(it, &owner, stream, &reasons));
            }
            Data::Summary(it) => {
                it.data_points.iter().for_each(|it| self.summary(it, &owner, stream, &reasons))
            }
        }
    }

    fn number(&mut self, point: &NumberDataPoint, owner: &Row, stream: &Row, reasons: &Reasons) {
        let mut reasons = reasons.clone();
        let (value, int) = match point.value {
            _ if point.flags & 1 == 1 => (Cell::Double(0x7ff0_0000_0000_0002), Cell::Null),
            Some(number_data_point::Value::AsDouble(value)) => (double(value), Cell::Null),
            Some(number_data_point::Value::AsInt(value)) => integer(value),
            None => {
                reasons.push("missing_value");
                (Cell::Null, Cell::Null)
            }
        };
        let common = Common {
            attributes: &point.attributes,
            time: point.time_unix_nano,
            start_time: point.start_time_unix_nano,
            flags: point.flags,
            exemplars: &point.exemplars,
        };
        let own = |time, start, flags| vec![time, start, ("value", value), ("value_int", int), flags];
        self.point(SAMPLES, &common, owner, stream, reasons, own);
    }

    fn histogram(&mut self, point: &HistogramDataPoint, owner: &Row, stream: &Row, reasons: &Reasons) {
        let mut reasons = reasons.clone();
        let bounds = &point.explicit_bounds;
        let both_empty = bounds.is_empty() && point.bucket_counts.is_empty();
        if point.bucket_counts.len() != bounds.len() + 1 && !both_empty {
            reasons.push("bucket_counts_mismatch");
        }
        if bounds.iter().any(|bound| bound.is_nan()) || bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
            reasons.push("bounds_not_increasing");
        }
        let positive = Buckets { offset: 0, bucket_counts: point.bucket_counts.clone() };
        let common = Common {
            attributes: &point.attributes,
            time: point.time_unix_nano,
            start_time: point.start_time_unix_nano,
            flags: point.flags,
            exemplars: &point.exemplars,
        };
        let bounds = bounds.iter().copied().map(double).collect();
        let columns = Columns {
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            schema: Cell::Int(-53),
            positive,
            custom_bounds: bounds,
            ..Columns::default()
        };
        let row = columns.row(&mut reasons);
        self.point(HISTOGRAMS, &common, owner, stream, reasons, |time, start, flags| {
            around(time, start, flags, row)
        });
    }

    fn exponential(
        &mut self,
        point: &ExponentialHistogramDataPoint,
        owner: &Row,
        stream: &Row,
        reasons: &Reasons,
    ) {
        let mut reasons = reasons.clone();
        if !(-50..=50).contains(&point.scale) {
            reasons.push("scale_out_of_range");
        }
        let common = Common {
            attributes: &point.attributes,
            time: point.time_unix_nano,
            start_time: point.start_time_unix_nano,
            flags: point.flags,
            exemplars: &point.exemplars,
        };
        let columns = Columns {
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            schema: Cell::Int(point.scale.into()),
            zero_threshold: point.zero_threshold,
            zero_count: point.zero_count,
            positive: point.positive.clone().unwrap_or_default(),
            negative: point.negative.clone().unwrap_or_default(),
            ..Columns::default()
        };
        let row = columns.row(&mut reasons);
        self.point(HISTOGRAMS, &common, owner, stream, reasons, |time, start, flags| {
            around(time, start, flags, row)
        });
    }

    fn summary(&mut self, point: &SummaryDataPoint, owner: &Row, stream: &Row, reasons: &Reasons) {
        let mut reasons = reasons.clone();
        if point.quantile_values.len() > LIMITS.buckets_max {
            reasons.push("too_many_buckets");
        }
        if point.quantile_values.iter().any(|it| !(0.0..=1.0).contains(&it.quantile)) {
            reasons.push("quantile_out_of_range");
        }
        let common = Common {
            attributes: &point.attributes,
            time: point.time_unix_nano,
            start_time: point.start_time_unix_nano,
            flags: point.flags,
            exemplars: &[],
        };
        let columns = Columns {
            count: point.count,
            sum: Some(point.sum),
            schema: Cell::Null,
            quantiles: point.quantile_values.iter().map(|it| double(it.quantile)).collect(),
            quantile_values: point.quantile_values.iter().map(|it| double(it.value)).collect(),
            ..Columns::default()
        };
        let row = columns.row(&mut reasons);
        self.point(HISTOGRAMS, &common, owner, stream, reasons, |time, start, flags| {
            around(time, start, flags, row)
        });
    }

    fn point(
        &mut self,
        table: usize,
        common: &Common<'_>,
        owner: &Row,
        stream: &Row,
        mut reasons: Reasons,
        own: impl FnOnce((&'static str, Cell), (&'static str, Cell), (&'static str, Cell)) -> Row,
    ) {
        let at = match time(common.time, &mut reasons) {
            0 => RECEIVED,
            time => time,
        };
        let start = match time(common.start_time, &mut reasons) {
            0 => Cell::Null,
            time => Cell::Int(time),
        };
        let flags = ("flags", Cell::Int(common.flags.cast_signed().into()));
        let row = own(("time_unix_nano", Cell::Int(at)), ("start_time_unix_nano", start), flags);
        let mut attributes = attributes(common.attributes, &mut reasons);
        attributes.sort();
        if common.exemplars.len() > LIMITS.exemplars_max {
            reasons.push("too_many_exemplars");
        }
        let exemplars: Vec<Row> =
            common.exemplars.iter().map(|it| exemplar_row(it, at, &mut reasons)).collect();
        if reasons.is_empty() {
            let series = self.series(owner, attributes, stream, at);
            self.points.push((table, series, row));
            exemplars.into_iter().for_each(|row| self.points.push((EXEMPLARS, series, row)));
        }
        self.expected.reasons.push(reasons);
    }

    fn series(
        &mut self,
        owner: &Row,
        attributes: Vec<(String, Option<String>)>,
        stream: &Row,
        at: i64,
    ) -> usize {
        let mut resource = stream[1].1.clone();
        if let Cell::Map(entries) = &mut resource {
            entries.sort();
        }
        let description_is_no_part = |(name, _): &&(&str, Cell)| *name != "description";
        let identity: Vec<_> = owner.iter().filter(description_is_no_part).collect();
        let key = format!("{identity:?} {attributes:?} {resource:?} {:?} {:?}", stream[4], stream[5]);
        if let Some(index) = self.series.iter().position(|(known, _)| *known == key) {
            let first = &mut self.series[index].1[0].1;
            if matches!(first, Cell::Int(first) if *first > at) {
                *first = Cell::Int(at);
            }
            return index;
        }
        let mut row = vec![("time_unix_nano", Cell::Int(at))];
        row.extend(owner.clone());
        row.push(("attributes", Cell::Map(attributes)));
        row.extend(stream.clone());
        self.series.push((key, row));
        self.series.len() - 1
    }

    fn finish(mut self) -> Expected {
        self.expected.tables = vec![Vec::new(); 4];
        for (table, series, mut row) in self.points {
            row.extend(self.series[series].1.clone());
            self.expected.tables[table].push(row);
        }
        self.expected.tables[SERIES] = self.series.into_iter().map(|(_, row)| row).collect();
        self.expected
    }
}

fn integer(value: i64) -> (Cell, Cell) {
    let exact = i128::from(value) == value as f64 as i128;
    (double(value as f64), if exact { Cell::Null } else { Cell::Int(value) })
}

fn exemplar_row(exemplar: &Exemplar, at: i64, reasons: &mut Reasons) -> Row {
    let (value, int) = match exemplar.value {
        None => (double(f64::NAN), Cell::Null),
        Some(exemplar::Value::AsDouble(value)) => (double(value), Cell::Null),
        Some(exemplar::Value::AsInt(value)) => integer(value),
    };
    let time = match time(exemplar.time_unix_nano, reasons) {
        0 => at,
        time => time,
    };
    vec![
        ("time_unix_nano", Cell::Int(time)),
        ("value", value),
        ("value_int", int),
        ("trace_id", id(&exemplar.trace_id, 16, "invalid_trace_id", reasons)),
        ("span_id", id(&exemplar.span_id, 8, "invalid_span_id", reasons)),
        ("attributes", Cell::Map(attributes(&exemplar.filtered_attributes, reasons))),
    ]
}

/// A histogram's columns but for those of every point.
struct Columns {
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    schema: Cell,
    zero_threshold: f64,
    zero_count: u64,
    positive: Buckets,
    negative: Buckets,
    custom_bounds: Vec<Cell>,
    quantiles: Vec<Cell>,
    quantile_values: Vec<Cell>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            count: 0,
            sum: None,
            min: None,
            max: None,
            schema: Cell::Null,
            zero_threshold: 0.0,
            zero_count: 0,
            positive: Buckets::default(),
            negative: Buckets::default(),
            custom_bounds: Vec::new(),
            quantiles: Vec::new(),
            quantile_values: Vec::new(),
        }
    }
}

fn count(count: u64, reasons: &mut Reasons) -> Cell {
    if count > i64::MAX as u64 {
        reasons.push("count_out_of_range");
    }
    Cell::Int(count.cast_signed())
}

impl Columns {
    fn row(self, reasons: &mut Reasons) -> Row {
        let optional = |value: Option<f64>| value.map_or(Cell::Null, double);
        let [positive_spans, positive_buckets] = buckets(&self.positive, reasons);
        let [negative_spans, negative_buckets] = buckets(&self.negative, reasons);
        vec![
            ("count", count(self.count, reasons)),
            ("sum", optional(self.sum)),
            ("min", optional(self.min)),
            ("max", optional(self.max)),
            ("schema", self.schema),
            ("zero_threshold", double(self.zero_threshold)),
            ("zero_count", count(self.zero_count, reasons)),
            ("positive_spans", positive_spans),
            ("positive_buckets", positive_buckets),
            ("negative_spans", negative_spans),
            ("negative_buckets", negative_buckets),
            ("custom_bounds", Cell::List(self.custom_bounds)),
            ("quantiles", Cell::List(self.quantiles)),
            ("quantile_values", Cell::List(self.quantile_values)),
            ("reset_hint", Cell::Null),
            ("count_double", Cell::Null),
            ("zero_count_double", Cell::Null),
            ("positive_buckets_double", Cell::Null),
            ("negative_buckets_double", Cell::Null),
        ]
    }
}

/// Spans and counts, by way of a map from index to count.
fn buckets(buckets: &Buckets, reasons: &mut Reasons) -> [Cell; 2] {
    if buckets.bucket_counts.len() > LIMITS.buckets_max {
        reasons.push("too_many_buckets");
    }
    if i64::from(buckets.offset) + buckets.bucket_counts.len() as i64 > i64::from(i32::MAX) {
        reasons.push("bucket_index_out_of_range");
    }
    let indexed = (i64::from(buckets.offset)..).zip(&buckets.bucket_counts).filter(|(_, count)| **count > 0);
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let mut counts = Vec::new();
    let mut next = 0;
    for (index, hits) in indexed {
        match spans.last_mut() {
            Some((_, length)) if index == next => *length += 1,
            _ => spans.push((index - next, 1)),
        }
        next = index + 1;
        counts.push(count(*hits, reasons));
    }
    let span =
        |(offset, length)| Cell::Row(vec![("offset", Cell::Int(offset)), ("length", Cell::Int(length))]);
    [Cell::List(spans.into_iter().map(span).collect()), Cell::List(counts)]
}

/// A histogram's row: the columns of every point come first.
fn around(
    time: (&'static str, Cell),
    start: (&'static str, Cell),
    flags: (&'static str, Cell),
    rest: Row,
) -> Row {
    [vec![time, start, flags], rest].concat()
}
