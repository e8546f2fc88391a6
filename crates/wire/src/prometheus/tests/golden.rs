//! Rules, one by one.

use model::Batch;
use prost::Message;
use xxhash_rust::xxh3::xxh3_128;

use super::messages::{
    BucketSpan, Count, Exemplar, Histogram, Label, Metadata, MetricMetadata, Request, Sample, SampleV2,
    TimeSeries, TimeSeriesV2, WriteRequest, ZeroCount,
};
use super::*;
use crate::cells::{self, Cell, Row, double, text};
use crate::compression::{Encoding, decompress};

const STALE: u64 = 0x7ff0_0000_0000_0002;

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
}

fn sample(value: f64, timestamp: i64) -> Sample {
    Sample { value, timestamp }
}

fn series(pairs: &[(&str, &str)], samples: &[(f64, i64)]) -> TimeSeries {
    let samples = samples.iter().map(|(value, at)| sample(*value, *at)).collect();
    TimeSeries { labels: labels(pairs), samples, ..TimeSeries::default() }
}

fn v1(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    WriteRequest { timeseries, metadata: Vec::new() }.encode_to_vec()
}

fn accept(version: Version, body: &[u8]) -> Decoded {
    decode(version, body, &context(&Limits::default())).unwrap()
}

/// Samples, histograms, exemplars, series.
fn tables(decoded: &Decoded) -> Vec<Vec<Row>> {
    cells::tables(&decoded.batch)
}

fn get<'a>(row: &'a Row, name: &str) -> &'a Cell {
    &row.iter().find(|(column, _)| *column == name).unwrap().1
}

fn id(decoded: &Decoded) -> Cell {
    get(&tables(decoded)[3][0], "series_id").clone()
}

fn reasons(decoded: &Decoded) -> Vec<(&'static str, Vec<u32>)> {
    decoded.rejected.iter().map(|it| (it.reason, it.indices.clone())).collect()
}

#[test]
fn a_series_is_its_labels_and_nothing_else() {
    let sorted = [("__name__", "up"), ("instance", "a:1"), ("job", "node")];
    let shuffled = [("job", "node"), ("empty", ""), ("__name__", "up"), ("instance", "a:1")];
    let one = accept(Version::V1, &v1(vec![series(&sorted, &[(1.0, 5)])]));
    let other = accept(Version::V1, &v1(vec![series(&shuffled, &[(1.0, 5)])]));
    let symbols = ["", "__name__", "up", "instance", "a:1", "job", "node", "how it is", "s"];
    let two = TimeSeriesV2 {
        labels_refs: (1..7).collect(),
        samples: vec![SampleV2 { value: 1.0, timestamp: 5, start_timestamp: 0 }],
        metadata: Some(Metadata { r#type: 1, help_ref: 7, unit_ref: 8 }),
        ..TimeSeriesV2::default()
    };
    let symbols = symbols.map(String::from).to_vec();
    let two = accept(Version::V2, &Request { symbols, timeseries: vec![two] }.encode_to_vec());
    assert_eq!((id(&one), id(&one)), (id(&other), id(&two)));
    let told = tables(&two)[3][0].clone();
    assert_eq!(get(&told, "description"), &text("how it is"));
    assert_eq!((get(&told, "kind"), get(&told, "unit")), (&text("sum"), &text("s")));

    let row = &tables(&one)[0][0];
    let map = sorted.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).to_vec();
    assert_eq!(get(row, "attributes"), &Cell::Map(map));
    assert_eq!((get(row, "metric_name"), get(row, "service_name")), (&text("up"), &text("node")));
    assert_eq!((get(row, "kind"), get(row, "unit")), (&text("unknown"), &text("")));
}

/// As `docs/reference/schema.md` says, written down once more.
#[test]
fn the_id_is_the_documented_hash() {
    let texts = |texts: &[&str]| -> Vec<u8> {
        texts.iter().flat_map(|it| [&(it.len() as u32).to_le_bytes()[..], it.as_bytes()].concat()).collect()
    };
    let hash = |bytes: &[u8]| xxh3_128(bytes).to_be_bytes();
    let stream = hash(&[&0_u32.to_le_bytes()[..], &texts(&["", ""])].concat());
    let owner = hash(&[&stream[..], &texts(&["up", "", "unknown", ""]), &[0]].concat());
    let own = hash(&[&2_u32.to_le_bytes()[..], &texts(&["__name__", "up", "job", "node"])].concat());
    let expected = hash(&[owner, own].concat());
    let decoded = accept(Version::V1, &v1(vec![series(&[("__name__", "up"), ("job", "node")], &[(1.0, 5)])]));
    assert_eq!(id(&decoded), Cell::Bytes(expected.to_vec()));
}

#[test]
fn values_keep_their_bits_and_their_order() {
    let stale = f64::from_bits(STALE);
    let samples = [(2.0, 9), (stale, 3), (f64::NAN, 3), (-1.5, -7)];
    let decoded = accept(Version::V1, &v1(vec![series(&[("__name__", "m")], &samples)]));
    let rows = &tables(&decoded)[0];
    let found: Vec<_> =
        rows.iter().map(|row| (get(row, "value"), get(row, "time_unix_nano"), get(row, "flags"))).collect();
    let expected = samples.map(|(value, ms)| {
        let flags = i64::from(value.to_bits() == STALE);
        (double(value), Cell::Int(ms * 1_000_000), Cell::Int(flags))
    });
    assert_eq!(found, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert_eq!(
        get(&tables(&decoded)[3][0], "time_unix_nano"),
        &Cell::Int(-7_000_000),
        "the first is the oldest"
    );
}

#[test]
fn what_cannot_be_stored_is_rejected_one_by_one() {
    let body = v1(vec![
        series(&[("__name__", "m")], &[(1.0, 1), (2.0, i64::MAX), (3.0, 2)]),
        series(&[("job", "nameless")], &[(4.0, 3)]),
        series(&[("__name__", "")], &[(4.0, 3)]),
        series(&[("__name__", "m"), ("a", "1"), ("a", "2")], &[(5.0, 4), (5.0, 5)]),
        series(&[("__name__", "m"), ("", "x")], &[(6.0, 6)]),
        series(&[("__name__", "größe.z"), ("a b", "1")], &[(7.0, 7)]),
    ]);
    let decoded = accept(Version::V1, &body);
    let expected: [(&str, Vec<u32>); 4] = [
        ("time_out_of_range", vec![1]),
        ("empty_metric_name", vec![3, 4]),
        ("duplicate_label", vec![5, 6]),
        ("empty_label_name", vec![7]),
    ];
    assert_eq!(reasons(&decoded), expected);
    assert_eq!((decoded.received, decoded.batch.records()), (9, 3));
    assert!(decoded.rejected[0].example.contains("9223372036854775807 ms"), "{:?}", decoded.rejected);
}

#[test]
fn only_the_series_whose_text_is_not_utf8_is_rejected() {
    let bad = |body: Vec<u8>| -> Vec<u8> {
        body.iter().map(|byte| if *byte == b'!' { 0xff } else { *byte }).collect()
    };
    let good = series(&[("__name__", "m")], &[(1.0, 1)]);
    let body = bad(v1(vec![good.clone(), series(&[("__name__", "m"), ("a", "!")], &[(2.0, 2)]), good]));
    for _ in 0..2 {
        let decoded = accept(Version::V1, &body);
        assert_eq!(reasons(&decoded), [("invalid_utf8", vec![1])]);
        assert_eq!(decoded.batch.records(), 2);
    }
    let of = |labels_refs: Vec<u32>| TimeSeriesV2 {
        labels_refs,
        samples: vec![SampleV2 { value: 1.0, timestamp: 1, start_timestamp: 0 }],
        ..TimeSeriesV2::default()
    };
    let symbols = ["", "__name__", "m", "!"].map(String::from).to_vec();
    let request = Request { symbols, timeseries: vec![of(vec![1, 2]), of(vec![1, 3])] };
    let decoded = accept(Version::V2, &bad(request.encode_to_vec()));
    assert_eq!(reasons(&decoded), [("invalid_utf8", vec![1])]);
}

#[test]
fn exemplars_are_no_records_unless_they_are_rejected() {
    let exemplar = |timestamp, trace_id: &str| Exemplar {
        labels: labels(&[("trace_id", trace_id), ("user", "7")]),
        value: 0.5,
        timestamp,
    };
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let exemplars = vec![exemplar(4, trace_id), exemplar(i64::MAX, ""), exemplar(5, "no id")];
    let body =
        v1(vec![TimeSeries { labels: labels(&[("__name__", "m")]), exemplars, ..TimeSeries::default() }]);
    let decoded = accept(Version::V1, &body);
    assert_eq!((decoded.received, decoded.batch.records()), (1, 0));
    assert_eq!(reasons(&decoded), [("time_out_of_range", vec![1])]);
    let rows = &tables(&decoded)[2];
    assert!(matches!(get(&rows[0], "trace_id"), Cell::Bytes(id) if id.len() == 16 && id[0] == 0x0a));
    assert_eq!(get(&rows[1], "trace_id"), &Cell::Null);
    let kept = |value: &str| {
        Cell::Map(vec![("trace_id".into(), Some(value.into())), ("user".into(), Some("7".into()))])
    };
    // The columns of an exemplar come before those of its series.
    assert_eq!(get(&rows[0], "attributes"), &kept(trace_id));
    assert_eq!(get(&rows[1], "attributes"), &kept("no id"));
}

fn histogram(schema: i32, spans: &[(i32, u32)], deltas: &[i64]) -> Histogram {
    Histogram {
        count: Some(Count::CountInt(9)),
        zero_count: Some(ZeroCount::ZeroCountInt(2)),
        zero_threshold: 0.001,
        sum: 4.5,
        schema,
        positive_spans: spans
            .iter()
            .map(|(offset, length)| BucketSpan { offset: *offset, length: *length })
            .collect(),
        positive_deltas: deltas.to_vec(),
        reset_hint: 3,
        timestamp: 8,
        ..Histogram::default()
    }
}

fn of_histograms(histograms: Vec<Histogram>) -> Vec<u8> {
    v1(vec![TimeSeries { labels: labels(&[("__name__", "h")]), histograms, ..TimeSeries::default() }])
}

fn spans(pairs: &[(i64, i64)]) -> Cell {
    let span = |(offset, length): &(i64, i64)| {
        Cell::Row(vec![("offset", Cell::Int(*offset)), ("length", Cell::Int(*length))])
    };
    Cell::List(pairs.iter().map(span).collect())
}

fn list(counts: &[i64]) -> Cell {
    Cell::List(counts.iter().map(|count| Cell::Int(*count)).collect())
}

#[test]
fn buckets_have_absolute_counts_and_otlps_index() {
    // Prometheus' buckets 3, 4 (empty), 5, and 9.
    let decoded = accept(Version::V1, &of_histograms(vec![histogram(2, &[(3, 3), (3, 1)], &[2, -2, 5, -4])]));
    let row = &tables(&decoded)[1][0];
    assert_eq!(get(row, "positive_spans"), &spans(&[(2, 1), (1, 1), (3, 1)]));
    assert_eq!(get(row, "positive_buckets"), &list(&[2, 5, 1]));
    assert_eq!((get(row, "count"), get(row, "zero_count")), (&Cell::Int(9), &Cell::Int(2)));
    assert_eq!((get(row, "schema"), get(row, "reset_hint")), (&Cell::Int(2), &Cell::Int(3)));
    assert_eq!((get(row, "count_double"), get(row, "positive_buckets_double")), (&Cell::Null, &Cell::Null));
}

#[test]
fn custom_buckets_keep_their_index_and_end_with_infinity() {
    let custom = Histogram { custom_values: vec![1.0, 2.0], ..histogram(-53, &[(0, 1), (1, 1)], &[4, 1]) };
    let beyond = Histogram { custom_values: vec![1.0], ..custom.clone() };
    let decoded = accept(Version::V1, &of_histograms(vec![custom, beyond]));
    let row = &tables(&decoded)[1][0];
    assert_eq!(get(row, "positive_spans"), &spans(&[(0, 1), (1, 1)]));
    assert_eq!(get(row, "positive_buckets"), &list(&[4, 5]));
    assert_eq!(get(row, "custom_bounds"), &Cell::List(vec![double(1.0), double(2.0)]));
    assert_eq!(reasons(&decoded), [("bucket_index_out_of_range", vec![1])]);
}

#[test]
fn counts_that_are_doubles_are_kept_and_rounded() {
    let float = Histogram {
        count: Some(Count::CountFloat(7.25)),
        zero_count: Some(ZeroCount::ZeroCountFloat(0.5)),
        positive_counts: vec![2.5, 0.0, 4.25],
        positive_deltas: Vec::new(),
        ..histogram(0, &[(1, 3)], &[])
    };
    let stale = Histogram { sum: f64::from_bits(STALE), ..histogram(0, &[], &[]) };
    let decoded = accept(Version::V1, &of_histograms(vec![float, stale]));
    let rows = &tables(&decoded)[1];
    assert_eq!((get(&rows[0], "count"), get(&rows[0], "count_double")), (&Cell::Int(7), &double(7.25)));
    assert_eq!(
        (get(&rows[0], "zero_count"), get(&rows[0], "zero_count_double")),
        (&Cell::Int(1), &double(0.5))
    );
    assert_eq!(get(&rows[0], "positive_spans"), &spans(&[(0, 1), (1, 1)]));
    assert_eq!(get(&rows[0], "positive_buckets"), &list(&[3, 4]));
    assert_eq!(get(&rows[0], "positive_buckets_double"), &Cell::List(vec![double(2.5), double(4.25)]));
    assert_eq!(get(&rows[0], "negative_buckets_double"), &Cell::List(Vec::new()));
    assert_eq!((get(&rows[1], "flags"), get(&rows[1], "count_double")), (&Cell::Int(1), &Cell::Null));
}

#[test]
fn a_start_of_its_own_beats_that_of_the_series() {
    let symbols = ["", "__name__", "m"].map(String::from).to_vec();
    let sample = |start_timestamp| SampleV2 { value: 1.0, timestamp: 9, start_timestamp };
    let of = |created_timestamp| TimeSeriesV2 {
        labels_refs: vec![1, 2],
        samples: vec![sample(0), sample(3)],
        created_timestamp,
        ..TimeSeriesV2::default()
    };
    let request = Request { symbols, timeseries: vec![of(2), of(0)] };
    let decoded = accept(Version::V2, &request.encode_to_vec());
    let rows = &tables(&decoded)[0];
    let starts: Vec<_> = rows.iter().map(|row| get(row, "start_time_unix_nano").clone()).collect();
    let ms = |ms: i64| Cell::Int(ms * 1_000_000);
    assert_eq!(starts, [ms(2), ms(3), Cell::Null, ms(3)]);
}

fn told(r#type: i32, name: &str, help: &str) -> MetricMetadata {
    MetricMetadata { r#type, metric_family_name: name.into(), help: help.into(), unit: "s".into() }
}

#[test]
fn metadata_alone_is_a_request_without_records() {
    let metadata = vec![told(1, "m", "h"), told(1, "m", "h"), told(3, "m", "h"), told(99, "n", "")];
    let body = WriteRequest { timeseries: Vec::new(), metadata }.encode_to_vec();
    let decoded = accept(Version::V1, &body);
    assert_eq!((decoded.received, decoded.batch.records(), decoded.rejected.len()), (0, 0, 0));
    let series = &tables(&decoded)[3];
    let of = |column| series.iter().map(|row| get(row, column).clone()).collect::<Vec<_>>();
    let kind = |kind: &str| Cell::Map(vec![("type".into(), Some(kind.into()))]);
    assert_eq!(of("attributes"), [kind("counter"), kind("histogram"), kind("unknown")]);
    assert_eq!(of("metric_name"), ["m", "m", "n"].map(text));
    assert_eq!(of("description"), ["h", "h", ""].map(text));
    assert_eq!((of("kind"), of("unit")), (vec![text("metadata"); 3], vec![text("s"); 3]));
    assert_eq!(of("time_unix_nano"), vec![Cell::Int(RECEIVED); 3]);
    let wrong = decode(Version::V1, &[0x1a, 2, 0x12, 9], &context(&LIMITS));
    assert_eq!(wrong.unwrap_err(), Malformed::Truncated);
}

/// It may come before the series, after them or between them, whose rows and labels it leaves alone.
#[test]
fn metadata_between_series_changes_nothing_of_them() {
    let metadata = |name| WriteRequest { timeseries: Vec::new(), metadata: vec![told(2, name, "h")] };
    let of = |job| v1(vec![series(&[("__name__", "m"), ("job", job)], &[(1.0, 5)])]);
    let alone = [of("a"), of("b"), of("a")].concat();
    let mixed = [
        metadata("m").encode_to_vec(),
        of("a"),
        metadata("n").encode_to_vec(),
        of("b"),
        of("a"),
        metadata("m").encode_to_vec(),
    ];
    let (alone, mixed) = (accept(Version::V1, &alone), accept(Version::V1, &mixed.concat()));
    assert_eq!((mixed.received, tables(&mixed)[0].clone()), (3, tables(&alone)[0].clone()));
    let names: Vec<_> = tables(&mixed)[3].iter().map(|row| get(row, "kind").clone()).collect();
    assert_eq!(names, ["metadata", "unknown", "metadata", "unknown"].map(text));
}

#[test]
fn metadata_that_cannot_be_kept_is_rejected_and_counted() {
    let mut broken = told(1, "m", "bad").encode_to_vec();
    let at = broken.windows(3).position(|part| part == b"bad").unwrap();
    broken[at] = 0xff;
    let field = [&[0x1a, u8::try_from(broken.len()).unwrap()][..], &broken].concat();
    let metadata = vec![told(1, "", "h"), told(1, "m", &"x".repeat(201)), told(1, "m", "good")];
    let others = WriteRequest { timeseries: Vec::new(), metadata }.encode_to_vec();
    let body = [field, others].concat();
    let decoded = decode(Version::V1, &body, &context(&LIMITS)).unwrap();
    assert_eq!(
        reasons(&decoded),
        [("invalid_utf8", vec![0]), ("empty_metric_name", vec![1]), ("value_too_long", vec![2])]
    );
    assert_eq!((decoded.received, tables(&decoded)[3].len()), (3, 1));
    let replay = Context { received_unix_nano: RECEIVED, decide: Decide::Recorded(&[0, 1, 2]) };
    let again = decode(Version::V1, &body, &replay).unwrap();
    assert_eq!((again.received, tables(&again)), (3, tables(&decoded)));
}

#[test]
fn a_few_references_to_much_text_are_refused() {
    let symbols = vec![String::new(), "__name__".into(), "m".into(), "x".repeat(1 << 20)];
    let labels_refs: Vec<u32> = [1, 2].into_iter().chain([3, 3].repeat(200)).collect();
    let timeseries = vec![TimeSeriesV2 { labels_refs, ..TimeSeriesV2::default() }];
    let body = Request { symbols, timeseries }.encode_to_vec();
    assert!(body.len() < 2 << 20);
    assert!(matches!(decode(Version::V2, &body, &context(&LIMITS)), Err(Malformed::TooLarge { .. })));
    assert!(matches!(resolved_bytes(Version::V2, &body), Err(Malformed::TooLarge { .. })));
}

#[test]
fn symbols_are_measured_where_they_are_referred_to() {
    let symbols = ["", "__name__", "metric", "help!"].map(String::from).to_vec();
    let metadata = Some(Metadata { help_ref: 3, ..Metadata::default() });
    let series = TimeSeriesV2 { labels_refs: vec![1, 2], metadata, ..TimeSeriesV2::default() };
    let body = Request { symbols, timeseries: vec![series.clone(), series] }.encode_to_vec();
    assert_eq!(resolved_bytes(Version::V2, &body), Ok(2 * (8 + 6 + 5)));
    assert_eq!(resolved_bytes(Version::V1, b"anything"), Ok(0));
}

#[test]
fn too_many_records_are_refused_as_a_whole() {
    let limits = Limits { records_max: 3, ..LIMITS };
    let good = series(&[("__name__", "m")], &[(1.0, 1), (1.0, 2)]);
    let body = v1(vec![good.clone(), good]);
    for _ in 0..2 {
        let refused = decode(Version::V1, &body, &context(&limits));
        assert_eq!(refused.unwrap_err(), Malformed::TooManyRecords { limit: 3 });
    }
}

#[test]
fn a_recorded_decision_is_repeated_whatever_the_limits_are_now() {
    let long = "x".repeat(300);
    let with_long = TimeSeries {
        exemplars: vec![Exemplar { labels: labels(&[("user", &long)]), ..Exemplar::default() }],
        ..series(&[("__name__", "m")], &[(1.0, 1)])
    };
    let body = v1(vec![with_long, series(&[("__name__", "m"), ("a", &long)], &[(2.0, 2)])]);
    let decoded = decode(Version::V1, &body, &context(&LIMITS)).unwrap();
    assert_eq!(reasons(&decoded), [("value_too_long", vec![1, 2])]);
    let replay = Context { received_unix_nano: 0, decide: Decide::Recorded(&[1, 2]) };
    let again = decode(Version::V1, &body, &replay).unwrap();
    assert_eq!((again.received, again.rejected.len()), (3, 0));
    assert_eq!(tables(&again), tables(&decoded));
    let Batch::Metrics(metrics) = &again.batch else { panic!("metrics") };
    assert_eq!((metrics.series.num_rows(), metrics.exemplars.num_rows()), (1, 0));
}

#[test]
fn a_body_without_an_encoding_is_told_from_a_compressed_one() {
    let requests = [
        (Version::V1, v1(vec![series(&[("__name__", "x")], &[(0.0, 1_700_000_000_000)])])),
        (Version::V1, v1(vec![series(&[("__name__", "up"), ("job", "node")], &[(1.0, 5)]); 40])),
        (Version::V1, Vec::new()),
        (
            Version::V2,
            Request { symbols: vec![String::new(), "__name__".into()], timeseries: Vec::new() }
                .encode_to_vec(),
        ),
    ];
    for (version, message) in requests {
        assert!(is_message(version, &message), "{message:?}");
        let compressed = snap::raw::Encoder::new().compress_vec(&message).unwrap();
        assert!(!is_message(version, &compressed), "{compressed:?}");
        assert_eq!(decompress(&compressed, Encoding::Snappy, 1 << 20).unwrap(), message);
    }
}

#[test]
fn labels_in_parts_are_one_set() {
    let whole = v1(vec![series(&[("__name__", "m"), ("a", "1")], &[(1.0, 1)])]);
    let (first, second) = (labels(&[("__name__", "m")]), labels(&[("a", "1")]));
    let mut parts = TimeSeries { labels: first, ..series(&[], &[(1.0, 1)]) }.encode_to_vec();
    parts.extend(TimeSeries { labels: second, ..TimeSeries::default() }.encode_to_vec());
    let mut body = vec![0x0a, u8::try_from(parts.len()).unwrap()];
    body.extend(parts);
    for _ in 0..2 {
        assert_eq!(tables(&accept(Version::V1, &body)), tables(&accept(Version::V1, &whole)));
    }
}

/// Also where a series is one that is expected, whose samples are read without a look at the rest.
#[test]
fn samples_that_are_too_old_or_too_far_ahead_are_rejected() {
    let limits = Limits { age_max_nanos: 10_000_000_000, ahead_max_nanos: 5_000_000_000, ..LIMITS };
    let now = RECEIVED / 1_000_000;
    let offsets = [-10_000, -9_999, 0, 5_000, 5_001, 3_600_000];
    let one = |offset: i64| series(&[("__name__", "m"), ("job", "j")], &[(1.0, now + offset)]);
    let body = v1(offsets.map(one).to_vec());
    for _ in 0..2 {
        let decoded = decode(Version::V1, &body, &context(&limits)).unwrap();
        assert_eq!(reasons(&decoded), [("too_old", vec![0]), ("too_far_ahead", vec![4, 5])]);
        assert_eq!(decoded.rejected[0].example, "10 s old, at most 10");
        assert_eq!(decoded.rejected[1].example, "5 s in the future, at most 5");
        assert_eq!((decoded.received, tables(&decoded)[0].len()), (6, 3));
        let replay = Context { received_unix_nano: i64::MAX, decide: Decide::Recorded(&[0, 4, 5]) };
        assert_eq!(tables(&decode(Version::V1, &body, &replay).unwrap()), tables(&decoded));
    }
}
