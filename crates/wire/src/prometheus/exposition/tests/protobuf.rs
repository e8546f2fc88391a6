//! Written with prost by the `.proto` file of Prometheus' clients, as far as it matters.

use prost::Message;

use super::super::families;
use super::{tell, told_labels};
use crate::prometheus::exposition::{Entry, Sample};

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    unit: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Pair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Number>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<ExemplarOf>,
    #[prost(message, optional, tag = "3")]
    created: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct ExemplarOf {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Pair>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Time>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Quantile {
    #[prost(double, tag = "1")]
    quantile: f64,
    #[prost(double, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    // As proto2 has it.
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// Remote write's histogram.
#[derive(Clone, PartialEq, Message)]
struct Written {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(uint64, tag = "6")]
    zero_count: u64,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(int32, tag = "14")]
    reset_hint: i32,
}

fn body(families: &[Family]) -> Vec<u8> {
    families.iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<Pair> {
    pairs.iter().map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() }).collect()
}

fn told(body: &[u8]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    families(body, &mut |entry| {
        let start = match &entry {
            Entry::Sample(Sample { start_ms: Some(start), .. }) => format!(" since {start}"),
            _ => String::new(),
        };
        all.push(tell(&Ok(entry)) + &start);
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn families_are_what_the_text_would_be() {
    let created = Some(Time { seconds: 7, nanos: 5_000_000 });
    let exemplar = ExemplarOf { label: pairs(&[("trace_id", "x")]), value: 0.5, timestamp: created };
    let counter = Metric {
        label: pairs(&[("path", "a\"b\\c\n"), ("ünï", "1")]),
        counter: Some(Number { value: 3.0, exemplar: Some(exemplar), created }),
        ..Default::default()
    };
    let quantile = Quantile { quantile: 0.5, value: 2.5 };
    let summary = Summary { count: 4, sum: 9.0, quantile: vec![quantile] };
    let bucket = |cumulative_count, upper_bound| Bucket { cumulative_count, upper_bound };
    let histogram =
        Histogram { count: 5, sum: 2.0, bucket: vec![bucket(1, 1.0), bucket(4, 1e-7)], ..Default::default() };
    let of = |name: &str, kind, metric| Family { name: name.into(), kind, metric, ..Default::default() };
    let gauge = Metric {
        gauge: Some(Number { value: -1.5, ..Default::default() }),
        timestamp_ms: Some(9),
        ..Default::default()
    };
    let families = [
        Family {
            help: Some("how many".into()),
            unit: Some("orders".into()),
            ..of("orders", 0, vec![counter])
        },
        of("a level", 1, vec![gauge]),
        of("took", 2, vec![Metric { summary: Some(summary), ..Default::default() }]),
        of("size", 4, vec![Metric { histogram: Some(histogram), ..Default::default() }]),
    ];
    let expected = [
        "help orders: \"how many\"",
        "type orders: counter",
        "unit orders: orders",
        "__name__=\"orders\",path=\"a\\\"b\\\\c\\n\",ünï=\"1\" = 3 ~trace_id=\"x\" = 0.5 @Some(7005) since 7005",
        "type a level: gauge",
        "__name__=\"a level\" = -1.5 @9",
        "type took: summary",
        "__name__=\"took\",quantile=\"0.5\" = 2.5",
        "__name__=\"took_sum\" = 9",
        "__name__=\"took_count\" = 4",
        "type size: histogram",
        "__name__=\"size_bucket\",le=\"1.0\" = 1",
        "__name__=\"size_bucket\",le=\"1e-07\" = 4",
        "__name__=\"size_bucket\",le=\"+Inf\" = 5",
        "__name__=\"size_sum\" = 2",
        "__name__=\"size_count\" = 5",
    ];
    assert_eq!(told(&body(&families)).unwrap(), expected);
}

#[test]
fn a_native_histogram_is_one_as_remote_write_has_it() {
    let histogram = Histogram {
        count: 10,
        sum: 4.5,
        bucket: vec![Bucket { cumulative_count: 10, upper_bound: 1.0 }],
        schema: -2,
        zero_threshold: 0.25,
        zero_count: 1,
        negative_span: vec![BucketSpan { offset: 1, length: 2 }],
        negative_delta: vec![2, -1],
        positive_span: vec![BucketSpan { offset: -3, length: 1 }, BucketSpan { offset: 300, length: 2 }],
        positive_delta: vec![1, 2, -1],
        created: Some(Time { seconds: 1, nanos: 0 }),
    };
    for (kind, hint) in [(4, 0), (5, 3)] {
        let metric = Metric { histogram: Some(histogram.clone()), ..Default::default() };
        let family = Family { name: "h".into(), kind, metric: vec![metric], ..Default::default() };
        let mut samples = Vec::new();
        families(&body(&[family]), &mut |entry| {
            if let Entry::Sample(sample) = entry {
                let written = Written::decode(sample.histogram.unwrap()).unwrap();
                samples.push((told_labels(sample.series), sample.start_ms, written));
            }
            Ok(())
        })
        .unwrap();
        let [(series, start_ms, written)] = &samples[..] else { panic!("{samples:?}") };
        assert_eq!((series.as_str(), *start_ms), ("__name__=\"h\"", Some(1000)));
        let expected = Written {
            count: 10,
            sum: 4.5,
            schema: -2,
            zero_threshold: 0.25,
            zero_count: 1,
            negative_spans: histogram.negative_span.clone(),
            negative_deltas: histogram.negative_delta.clone(),
            positive_spans: histogram.positive_span.clone(),
            positive_deltas: histogram.positive_delta.clone(),
            reset_hint: hint,
        };
        assert_eq!(*written, expected);
    }
}

#[test]
fn what_is_cut_off_or_wrong_is_told() {
    let number = Some(Number { value: 1.0, ..Default::default() });
    let metric = Metric { gauge: number, ..Default::default() };
    let family = Family { name: "a".into(), kind: 1, metric: vec![metric], ..Default::default() };
    let whole = body(std::slice::from_ref(&family));
    for end in 1..whole.len() {
        assert!(told(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
    }
    for wrong in [
        Family { name: String::new(), ..family.clone() },
        Family { kind: 9, ..family.clone() },
        Family { metric: vec![Metric::default()], ..family.clone() },
    ] {
        let error = told(&body(&[family.clone(), wrong])).unwrap_err();
        assert!(error.starts_with("metric family 2: "), "{error}");
    }
    assert_eq!(told(&[]).unwrap(), Vec::<String>::new());
}
