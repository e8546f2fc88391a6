//! The duties of a receiver of Prometheus' remote write, 1.0 and 2.0.

use serde_json::json;
use testkit::http::{Request, Response};
use testkit::otlp;
use testkit::otlp::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use testkit::records::Sender;
use testkit::remote_write::{
    BucketSpan, Count, Exemplar, ExemplarV2, Histogram, MetadataV2, MetricMetadata, PATH, RequestV2, Sample,
    TimeSeries, TimeSeriesV2, V1, V2, WriteRequest, bytes, labels, raw, request, series, snappy, written,
};
use testkit::{Encoding, Format, Fresnel, Rows};

use crate::fresnel;
use crate::settings::{KEYS, LARGE_BODIES, QUIET, SHOP_SECRET, SMALL_LIMITS};

/// A time in milliseconds, and in nanoseconds.
const AT: i64 = 1_700_000_000_000;
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const UP: [(&str, &str); 3] = [("__name__", "up"), ("instance", "a:1"), ("job", "node")];

fn of(timeseries: Vec<TimeSeries>) -> WriteRequest {
    WriteRequest { timeseries, metadata: Vec::new() }
}

fn one_sample() -> WriteRequest {
    of(vec![series(&UP, &[(1.0, AT)])])
}

fn send(server: &Fresnel, message: &WriteRequest) -> Response {
    server.ask(&request(V1, message))
}

fn stored(server: &Fresnel) -> i64 {
    server.sql("SELECT count(*) FROM samples WHERE metric_name = 'up'").integer()
}

/// A refusal says why in plain text, and that nothing was written.
#[track_caller]
fn assert_refused(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(!response.text().is_empty());
    assert_eq!(written(response), (0, 0, 0));
}

fn histogram(count: Count, counts: &[f64], deltas: &[i64]) -> Histogram {
    let length = u32::try_from(counts.len() + deltas.len()).unwrap();
    Histogram {
        count: Some(count),
        sum: 4.5,
        schema: 2,
        positive_spans: vec![BucketSpan { offset: 3, length }],
        positive_deltas: deltas.to_vec(),
        positive_counts: counts.to_vec(),
        timestamp: AT,
        ..Default::default()
    }
}

fn told(r#type: i32, name: &str, help: &str) -> MetricMetadata {
    MetricMetadata { r#type, metric_family_name: name.into(), help: help.into(), unit: String::new() }
}

/// One of everything.
fn everything() -> WriteRequest {
    let exemplar = Exemplar { labels: labels(&[("trace_id", TRACE_ID)]), value: 0.7, timestamp: AT };
    let duration = [("__name__", "duration"), ("job", "api")];
    WriteRequest {
        timeseries: vec![
            series(&UP, &[(1.0, AT), (2.5, AT + 1)]),
            TimeSeries {
                histograms: vec![
                    histogram(Count::CountInt(3), &[], &[2, -1]),
                    histogram(Count::CountFloat(2.75), &[0.5, 2.25], &[]),
                ],
                ..series(&duration, &[])
            },
            TimeSeries { exemplars: vec![exemplar], ..series(&duration, &[]) },
        ],
        metadata: vec![told(2, "up", "h")],
    }
}

/// The same as [`everything`] in the other version.
fn everything_v2() -> RequestV2 {
    let mut message = RequestV2::default();
    let help_ref = message.symbol("whether it answers");
    let up = message.references(&UP);
    let duration = message.references(&[("__name__", "duration"), ("job", "api")]);
    let trace = message.references(&[("trace_id", TRACE_ID)]);
    let sample = |value, timestamp| Sample { value, timestamp, start_timestamp: AT - 5 };
    message.timeseries = vec![
        TimeSeriesV2 {
            labels_refs: up,
            samples: vec![sample(1.0, AT), sample(2.5, AT + 1)],
            metadata: Some(MetadataV2 { r#type: 2, help_ref, unit_ref: 0 }),
            ..Default::default()
        },
        TimeSeriesV2 {
            labels_refs: duration,
            histograms: vec![
                histogram(Count::CountInt(3), &[], &[2, -1]),
                histogram(Count::CountFloat(2.75), &[0.5, 2.25], &[]),
            ],
            exemplars: vec![ExemplarV2 { labels_refs: trace, value: 0.7, timestamp: AT }],
            ..Default::default()
        },
    ];
    message
}

/// Everything of [`everything`] is there, once.
#[track_caller]
fn verify_everything(server: &Fresnel, kind: &str) {
    let rows = server.sql(
        "SELECT CAST(time AS BIGINT) AS t, value, kind, unit, service_name, attributes['__name__'] AS name, \
         attributes['instance'] AS instance FROM metrics WHERE metric_name = 'up' ORDER BY time",
    );
    assert_eq!(rows.texts("t"), [(AT * 1_000_000).to_string(), ((AT + 1) * 1_000_000).to_string()]);
    assert_eq!(rows.texts("value"), ["1.0", "2.5"]);
    for (column, expected) in [("kind", kind), ("unit", ""), ("service_name", "node"), ("name", "up")] {
        assert_eq!(rows.texts(column), [expected; 2], "{column}");
    }
    assert_eq!(rows.texts("instance"), ["a:1"; 2]);

    let rows = server.sql(
        "SELECT count, schema, count_double, array_to_string(positive_buckets, ' ') AS buckets, \
         array_to_string(positive_buckets_double, ' ') AS doubles, positive_spans[1]['offset'] AS first \
         FROM histograms WHERE metric_name = 'duration' ORDER BY count_double NULLS FIRST",
    );
    assert_eq!(rows.texts("count"), ["3", "3"]);
    assert_eq!(rows.texts("count_double"), ["null", "2.75"]);
    assert_eq!(rows.texts("buckets"), ["2 1", "1 2"]);
    assert_eq!(rows.texts("doubles"), ["null", "0.5 2.25"]);
    // OTLP's index is less by one.
    assert_eq!((rows.texts("schema"), rows.texts("first")), (vec!["2".into(); 2], vec!["2".into(); 2]));

    let rows = server.sql("SELECT value, trace_id, metric_name FROM exemplars");
    assert_eq!((rows.texts("value"), rows.texts("trace_id")), (vec!["0.7".into()], vec![TRACE_ID.into()]));
    let entry = server.balanced_ledger().entry("default", "metrics").unwrap().clone();
    assert_eq!((entry.received, entry.stored), (4, 4));
}

#[test]
fn version_1_is_stored_and_the_answer_says_how_much() {
    let server = fresnel().config(QUIET).start();
    let response = send(&server, &everything()).expect(204);
    assert_eq!((written(&response), response.body.len()), ((2, 2, 1), 0));
    verify_everything(&server, "unknown");
}

#[test]
fn version_2_is_stored_and_the_answer_says_how_much() {
    let server = fresnel().config(QUIET).start();
    let response = server.ask(&request(V2, &everything_v2())).expect(204);
    assert_eq!((written(&response), response.body.len()), ((2, 2, 1), 0));
    verify_everything(&server, "gauge");
    let start = "SELECT CAST(min(start_time) AS BIGINT) FROM samples WHERE metric_name = 'up'";
    assert_eq!(server.sql(start).integer(), (AT - 5) * 1_000_000);
    let description = server.sql("SELECT description FROM series WHERE metric_name = 'up'");
    assert_eq!(description.texts("description"), ["whether it answers"]);
}

#[test]
fn what_version_2_tells_of_metrics_is_their_metadata() {
    let server = fresnel().config(QUIET).start();
    let mut message = RequestV2::default();
    let (help_ref, unit_ref) = (message.symbol("what it is"), message.symbol("seconds"));
    let kinds = ["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"];
    for (number, kind) in (0..).zip(kinds) {
        let suffix = if kind.ends_with("histogram") { "_bucket" } else { "" };
        let labels_refs = message.references(&[("__name__", &format!("a_{kind}{suffix}")), ("le", "1")]);
        message.timeseries.push(TimeSeriesV2 {
            labels_refs,
            samples: vec![Sample { value: 1.0, timestamp: AT, start_timestamp: 0 }],
            metadata: Some(MetadataV2 { r#type: number, help_ref, unit_ref }),
            ..Default::default()
        });
    }
    server.ask(&request(V2, &message)).expect(204);
    let known = server.get_json("/prometheus/api/v1/metadata");
    for kind in kinds {
        let told = json!([{"type": kind, "help": "what it is", "unit": "seconds"}]);
        assert_eq!(known["data"][format!("a_{kind}")], told, "{known}");
    }
    // They are numbers, whatever they are part of.
    let from = AT / 10_000 * 10_000;
    for metric in ["a_counter", "a_histogram_bucket", "a_summary", "a_info"] {
        let path = format!("/api/v1/metrics/{metric}/series?from={from}&to={}&step_ms=10000", from + 10_000);
        assert_eq!(server.get_json(&path)["series"].as_array().unwrap().len(), 1, "{metric}");
    }
}

/// Version 1 has metadata in requests of its own, before or after those with the series.
#[test]
fn what_version_1_tells_apart_from_series_is_their_metadata() {
    let sealed = "[store.seal]\nage = \"300ms\"\n[store.retention]\nmetrics = \"0s\"\n";
    let mut server = fresnel().config(&format!("{QUIET}{sealed}")).start();
    let metadata = vec![
        told(1, "requests_total", "how many came"),
        told(3, "duration", "how long they took"),
        MetricMetadata { unit: "seconds".into(), ..told(2, "age_seconds", "of the process") },
        told(2, "up", "whether it answers"),
        told(2, "up", "as another sender says"),
    ];
    let metadata = WriteRequest { timeseries: Vec::new(), metadata };
    let answer = send(&server, &metadata).expect(204);
    assert_eq!(written(&answer), (0, 0, 0));
    let names = ["up", "requests_total", "duration_bucket", "duration_count", "duration_sum", "mystery"];
    let all = names.map(|name| series(&[("__name__", name), ("job", "api")], &[(1.0, AT)]));
    send(&server, &of(all.to_vec())).expect(204);
    // Every minute the same again.
    send(&server, &metadata).expect(204);

    let expected = json!({
        "age_seconds": [{"type": "gauge", "help": "of the process", "unit": "seconds"}],
        "duration": [{"type": "histogram", "help": "how long they took", "unit": ""}],
        "mystery": [{"type": "unknown", "help": "", "unit": ""}],
        "requests_total": [{"type": "counter", "help": "how many came", "unit": ""}],
        "up": [
            {"type": "gauge", "help": "as another sender says", "unit": ""},
            {"type": "gauge", "help": "whether it answers", "unit": ""},
        ],
    });
    let check = |server: &Fresnel| {
        assert_eq!(server.get_json("/prometheus/api/v1/metadata")["data"], expected);
        for (metric, of) in [("up", &expected["up"]), ("duration_bucket", &json!(null))] {
            let own = server.get_json(&format!("/prometheus/api/v1/metadata?metric={metric}"));
            assert_eq!(own["data"][metric], *of, "{own}");
        }
        // It is told of series, and is none.
        let known = server.get_json("/prometheus/api/v1/label/__name__/values");
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(known["data"], json!(sorted));
        let times = format!("start={}&end={}", AT / 1000, AT / 1000 + 1);
        let path = format!("/prometheus/api/v1/status/tsdb?match[]=%7B__name__!=%22%22%7D&{times}");
        let statistics = server.get_json(&path);
        assert_eq!(statistics["data"]["headStats"]["numSeries"], json!(names.len()));
        let range = format!("from={}&to={}", AT - 1, 4_000_000_000_000_i64);
        let metrics = server.get_json(&format!("/api/v1/metrics?{range}"));
        assert_eq!(metrics["metrics"].as_array().unwrap().len(), names.len(), "{metrics}");
        assert_eq!(server.sql("SELECT count(*) FROM metrics").integer(), 6);
        let told = "SELECT count(DISTINCT series_id) FROM series WHERE kind = 'metadata'";
        assert_eq!(server.sql(told).integer(), 5, "what is told again is not kept again");
        let entry = server.balanced_ledger().entry("default", "metrics").unwrap().clone();
        assert_eq!((entry.received, entry.stored), (6, 6));
    };
    check(&server);
    server.kill9();
    server.restart();
    check(&server);
    let files = || server.get_json("/api/v1/status")["store"]["memtable_rows"] == json!(0);
    testkit::wait_for("all of it in files", std::time::Duration::from_secs(60), || files().then_some(()));
    check(&server);
}

/// What cannot be kept of it is rejected, with the reason, and the rest is kept.
#[test]
fn metadata_that_cannot_be_kept_is_rejected_one_by_one() {
    let server = fresnel().config(QUIET).start();
    let metadata = vec![told(1, "", "of nothing"), told(1, "a", &"x".repeat(2 << 20)), told(1, "b", "kept")];
    let message = WriteRequest { timeseries: vec![series(&UP, &[(1.0, AT)])], metadata };
    let answer = send(&server, &message).expect(400);
    assert_eq!(written(&answer), (1, 0, 0));
    for reason in ["1 rejected: empty_metric_name", "1 rejected: value_too_long"] {
        assert!(answer.text().contains(reason), "{}", answer.text());
    }
    let known = server.get_json("/prometheus/api/v1/metadata");
    assert_eq!(known["data"]["b"][0]["help"], json!("kept"), "{known}");
    assert_eq!(known["data"]["a"], json!(null), "{known}");
    let entry = server.balanced_ledger().entry("default", "metrics").unwrap().clone();
    assert_eq!((entry.received, entry.stored, entry.rejected), (3, 1, 2));
}

#[test]
fn both_versions_write_the_same_series() {
    let server = fresnel().config(QUIET).start();
    send(&server, &everything()).expect(204);
    server.ask(&request(V2, &everything_v2())).expect(204);
    let ids = "SELECT count(DISTINCT series_id) FROM samples WHERE metric_name = 'up'";
    assert_eq!(server.sql(ids).integer(), 1);
    assert_eq!(stored(&server), 4);
}

#[test]
fn every_encoding_and_content_type_is_read() {
    let server = fresnel().config(QUIET).start();
    let message = bytes(&one_sample());
    let bodies = [
        ("snappy", snappy(&message)),
        ("Snappy", snappy(&message)),
        ("zstd", Encoding::Zstd.encode(&message)),
        ("identity", message.clone()),
        // Old senders do not say that they compress.
        ("", snappy(&message)),
        ("", message.clone()),
    ];
    for (encoding, body) in &bodies {
        assert_eq!(written(&server.ask(&raw(V1, encoding, body.clone())).expect(204)), (1, 0, 0));
    }
    let types = [
        "application/x-protobuf;proto=prometheus.WriteRequest",
        "Application/X-Protobuf; proto=\"prometheus.WriteRequest\"",
        "application/x-protobuf; charset=utf-8",
    ];
    for content_type in types {
        server.ask(&raw(content_type, "snappy", snappy(&message))).expect(204);
    }
    server.ask(&raw(V1, "snappy", snappy(&message)).chunked(7)).expect(204);
    assert_eq!(stored(&server), (bodies.len() + types.len() + 1) as i64);
}

#[test]
fn what_is_not_remote_write_is_415() {
    let server = fresnel().config(QUIET).start();
    let body = request(V1, &one_sample()).body_bytes().to_vec();
    for content_type in [
        "",
        "application/json",
        "text/plain",
        "application/x-protobuf;proto=io.prometheus.write.v3.Request",
        "application/x-protobuf;proto=",
    ] {
        assert_refused(&server.ask(&raw(content_type, "snappy", body.clone())), 415);
    }
    for encoding in ["gzip", "deflate", "lzma", "br"] {
        let response = server.ask(&raw(V1, encoding, body.clone()));
        assert_refused(&response, 415);
        assert!(response.text().contains("snappy"), "says what is read: {}", response.text());
    }
    assert_eq!(stored(&server), 0);
}

#[test]
fn a_corrupt_body_is_400() {
    let server = fresnel().config(QUIET).start();
    let whole = request(V1, &everything()).body_bytes().to_vec();
    for content_type in [V1, V2] {
        for (encoding, body) in [
            ("snappy", whole[..whole.len() / 2].to_vec()),
            ("snappy", b"\xff\xff\xff\xff\xff".to_vec()),
            ("snappy", snappy(b"\x0a\xff\xff\xff\x0f")),
            ("zstd", whole.clone()),
            ("identity", b"\x2a\x05".to_vec()),
            ("identity", b"\x0f\x0f".to_vec()),
            ("", b"\xff\xff\xff\xff\xff".to_vec()),
        ] {
            assert_refused(&server.ask(&raw(content_type, encoding, body)), 400);
        }
    }
    assert_eq!(server.sql("SELECT count(*) FROM samples").integer(), 0);
    server.balanced_ledger();
}

#[test]
fn an_empty_request_and_one_of_metadata_are_successes() {
    let server = fresnel().config(QUIET).start();
    for content_type in [V1, V2] {
        assert_eq!(written(&server.ask(&raw(content_type, "", Vec::new())).expect(204)), (0, 0, 0));
    }
    let metadata = everything().metadata;
    let response = send(&server, &WriteRequest { timeseries: Vec::new(), metadata }).expect(204);
    assert_eq!(written(&response), (0, 0, 0));
}

#[test]
fn a_body_over_the_limit_is_413_before_and_after_decompression() {
    let server = fresnel().config(&format!("{QUIET}{SMALL_LIMITS}")).start();
    let large = raw(V1, "identity", vec![0; 100 << 10]);
    assert_refused(&server.ask(&large), 413);
    assert_refused(&server.ask(&large.chunked(8 << 10)), 413);
    for (encoding, bomb) in
        [("snappy", snappy(&vec![0; 1 << 21])), ("zstd", Encoding::Zstd.encode(&vec![0; 1 << 26]))]
    {
        if bomb.len() < 64 << 10 {
            assert_refused(&server.ask(&raw(V1, encoding, bomb)), 413);
        } else {
            // Snappy makes at best a twentieth of it: over the other limit, then.
            assert_eq!(encoding, "snappy");
        }
    }
}

#[test]
fn a_few_references_to_much_text_cost_nothing() {
    let server = fresnel().config(QUIET).start();
    let before = server.peak_resident_bytes();
    let mut message = RequestV2::default();
    let name = message.references(&[("__name__", "up")]);
    let (key, value) = (message.symbol("key"), message.symbol(&"x".repeat(1 << 20)));
    let labels_refs = [name, [key, value].repeat(1000)].concat();
    message.timeseries = vec![TimeSeriesV2 { labels_refs, ..Default::default() }];
    assert_refused(&server.ask(&request(V2, &message)), 400);
    let grown = server.peak_resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "what is refused is not written out: {grown} bytes more");
}

#[test]
fn a_request_beyond_the_memory_budget_is_503_which_every_sender_repeats() {
    let server = fresnel().config(&format!("{QUIET}{LARGE_BODIES}")).memory_limit("128 MiB").start();
    let response = server.ask(&raw(V1, "identity", vec![0; 100 << 20]));
    assert_refused(&response, 503);
    let after: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after));
    send(&server, &one_sample()).expect(204);
    assert_eq!(stored(&server), 1, "it goes on afterwards");
}

#[test]
fn another_method_is_405_and_another_path_is_none_of_it() {
    let server = fresnel().config(QUIET).start();
    for method in ["GET", "PUT", "DELETE"] {
        let response = server.ask(&Request::new(method, PATH).header("content-type", V1));
        assert_refused(&response, 405);
        assert_eq!(response.header("allow"), Some("POST"));
    }
    let body = request(V1, &one_sample()).body_bytes().to_vec();
    server.ask(&Request::post("/api/v1/write", body).header("content-type", V1)).expect(404);
    assert_eq!(stored(&server), 0);
}

/// What can be stored of [`mistakes`], and what cannot.
const GOOD: (u64, u64, u64) = (3, 0, 1);
const BAD: i64 = 7;

/// Mistakes of every kind among what is right.
fn mistakes() -> WriteRequest {
    let long = "x".repeat(17 << 10);
    let many: Vec<String> = (0..9).map(|number| format!("label_{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "x")).chain(UP).collect();
    let exemplar = |timestamp| Exemplar { labels: labels(&[("trace_id", TRACE_ID)]), value: 1.0, timestamp };
    of(vec![
        series(&UP, &[(1.0, AT), (2.0, i64::MAX), (3.0, AT - 1)]),
        series(&[("job", "node")], &[(4.0, AT)]),
        series(&[("__name__", "up"), ("job", "a"), ("job", "b")], &[(5.0, AT)]),
        series(&[("__name__", "up"), ("", "nameless")], &[(6.0, AT)]),
        series(&[("__name__", "up"), ("long", &long)], &[(7.0, AT)]),
        series(&many, &[(8.0, AT)]),
        // Text of any script, in any order.
        series(&[("größe", "17 m²"), ("__name__", "up")], &[(9.0, AT)]),
        TimeSeries { exemplars: vec![exemplar(AT), exemplar(i64::MIN)], ..series(&UP, &[]) },
    ])
}

#[test]
fn what_is_wrong_is_rejected_one_by_one_and_the_rest_is_stored() {
    let server = fresnel().config(&format!("{QUIET}{SMALL_LIMITS}")).start();
    let response = send(&server, &mistakes()).expect(400);
    assert_eq!(written(&response), GOOD);
    let text = response.text();
    for reason in [
        "time_out_of_range",
        "empty_metric_name",
        "duplicate_label",
        "empty_label_name",
        "value_too_long",
        "too_many_attributes",
    ] {
        assert!(text.contains(reason), "{reason} is named: {text}");
    }
    assert_eq!(text.lines().count(), 1, "Prometheus logs the first line: {text}");
    assert_eq!(stored(&server), 3);
    let ledger = server.balanced_ledger();
    let entry = ledger.entry("default", "metrics").unwrap();
    assert_eq!((entry.received, entry.stored, entry.rejected), (3 + BAD, 3, BAD));
}

#[test]
fn a_kill_loses_nothing_doubles_nothing_and_changes_no_decision() {
    let mut server = fresnel().config(&format!("{QUIET}{SMALL_LIMITS}")).start();
    send(&server, &mistakes()).expect(400);
    server.ask(&request(V2, &everything_v2())).expect(204);
    server.ask(&raw(V1, "zstd", Encoding::Zstd.encode(&bytes(&everything())))).expect(204);
    // Nothing but exemplars.
    let exemplar = Exemplar { labels: labels(&[("user", "7")]), value: 8.5, timestamp: AT };
    let alone = TimeSeries { exemplars: vec![exemplar], ..series(&UP, &[]) };
    assert_eq!(written(&send(&server, &of(vec![alone])).expect(204)), (0, 0, 1));
    let all = |server: &Fresnel| -> Vec<Rows> {
        [
            "SELECT time, start_time, value, flags, series_id FROM samples ORDER BY series_id, time, value, \
             start_time",
            "SELECT time, count, count_double, sum, positive_buckets, series_id FROM histograms \
             ORDER BY time, series_id, count_double, count, sum, start_time",
            "SELECT time, value, trace_id, attributes, series_id FROM exemplars ORDER BY value, series_id, time",
            "SELECT series_id, min(metric_name), min(kind), min(service_name), min(map_keys(attributes)[1]) \
             FROM series GROUP BY series_id ORDER BY series_id",
        ]
        .map(|statement| server.sql(statement))
        .into()
    };
    let rows = |rows: &[Rows]| rows.iter().map(|rows| rows.rows.clone()).collect::<Vec<_>>();
    let before = all(&server);
    assert_eq!(before.iter().map(Rows::len).collect::<Vec<_>>(), [7, 4, 4, 4]);
    server.kill9();
    // Other limits than then: what was decided stays decided. The samples are years old.
    let config = format!("{QUIET}[store.retention]\nmetrics = \"36500d\"\n");
    std::fs::write(server.data_dir().parent().unwrap().join("fresnel.toml"), config).unwrap();
    for _ in 0..2 {
        server.restart();
        assert_eq!(rows(&all(&server)), rows(&before));
        let ledger = server.balanced_ledger();
        let entry = ledger.entry("default", "metrics").unwrap();
        assert_eq!((entry.received, entry.stored, entry.rejected), (11 + BAD, 11, BAD));
        assert!(server.terminate().success());
    }
    server.restart();
}

#[test]
fn points_of_too_many_series_are_rejected_and_counted_and_the_rest_is_stored() {
    let limits = "[store]\nseries_max = 1000\nseries_max_per_metric = 600\n\
                  [store.retention]\nmetrics = \"36500d\"\n";
    let mut server = fresnel().config(&format!("{QUIET}{limits}")).start();
    let many = |name: &str, count: usize| {
        let sample = |user: usize| series(&[("__name__", name), ("user", &user.to_string())], &[(1.0, AT)]);
        of((0..count).map(sample).collect())
    };
    assert_eq!(written(&send(&server, &many("a", 600)).expect(204)), (600, 0, 0));
    let refused = send(&server, &many("a", 605)).expect(400);
    assert_eq!(written(&refused), (600, 0, 0));
    assert!(refused.text().contains("5 rejected: too_many_series_of_metric"), "{}", refused.text());
    let refused = send(&server, &many("b", 407)).expect(400);
    assert_eq!(written(&refused), (400, 0, 0));
    assert!(refused.text().contains("7 rejected: too_many_series ("), "{}", refused.text());
    let check = |server: &Fresnel| {
        assert_eq!(server.sql("SELECT count(*) FROM samples").integer(), 1600);
        let ledger = server.balanced_ledger();
        let entry = ledger.entry("default", "metrics").unwrap();
        assert_eq!((entry.received, entry.stored, entry.rejected), (1612, 1600, 12));
        let counts = server.get_json("/api/v1/ledger").to_string();
        assert!(counts.contains("\"too_many_series\":7"), "{counts}");
        assert!(counts.contains("\"too_many_series_of_metric\":5"), "{counts}");
    };
    check(&server);
    server.kill9();
    server.restart();
    check(&server);
}

/// Points of a clock that is wrong, or in another unit of time, are told to whoever sends them.
#[test]
fn points_that_are_too_old_or_too_far_ahead_are_rejected_one_by_one_and_the_rest_is_stored() {
    const DAY_MS: i64 = 86_400_000;
    let limits = "[receive.limit]\npoint_age = \"30d\"\npoint_ahead = \"10m\"\n";
    let mut server = fresnel().config(&format!("{QUIET}{limits}")).start();
    let now = i64::try_from(testkit::records::now_unix_nano() / 1_000_000).unwrap();
    let times = [now - 31 * DAY_MS, now - 29 * DAY_MS, now / 1000, now, now + 60_000, now + DAY_MS];
    let samples = times.map(|time| (1.0, time));
    let refused = send(&server, &of(vec![series(&UP, &samples)])).expect(400);
    assert_eq!(written(&refused), (3, 0, 0));
    for part in [
        "2 rejected: too_old (26784",
        " s old, at most 2592000)",
        "1 rejected: too_far_ahead (86",
        "at most 600)",
    ] {
        assert!(refused.text().contains(part), "{part}: {}", refused.text());
    }
    // The same by the other version, as text and by OTLP; histograms and exemplars, too.
    let mut message = RequestV2::default();
    let labels_refs = message.references(&UP);
    let trace = message.references(&[("trace_id", TRACE_ID)]);
    let exemplar = |timestamp| ExemplarV2 { labels_refs: trace.clone(), value: 0.7, timestamp };
    let histogram = |timestamp| Histogram { timestamp, ..histogram(Count::CountInt(3), &[], &[2, -1]) };
    message.timeseries = vec![TimeSeriesV2 {
        labels_refs,
        samples: times.map(|timestamp| Sample { value: 2.0, timestamp, start_timestamp: 0 }).to_vec(),
        histograms: times.map(histogram).to_vec(),
        exemplars: times.map(exemplar).to_vec(),
        ..Default::default()
    }];
    let refused = server.ask(&request(V2, &message)).expect(400);
    assert_eq!(written(&refused), (3, 3, 3));
    assert!(refused.text().contains("6 rejected: too_old"), "{}", refused.text());
    let lines: String = times.iter().map(|time| format!("up{{job=\"text\"}} 3 {time}\n")).collect();
    let refused = server.ask(&Request::post("/prometheus/api/v1/import/prometheus", lines)).expect(400);
    assert_eq!(written(&refused), (3, 0, 0));
    let mut message = ExportMetricsServiceRequest::default();
    for (number, time) in (0..).zip(times) {
        let at = u64::try_from(time * 1_000_000).unwrap();
        message.resource_metrics.extend(Sender::at("otlp", number, at).points(1).resource_metrics);
    }
    let answer = server.ask_otlp(&otlp::request(&message, Format::Json, Encoding::None)).expect(200);
    assert_eq!(answer.json()["partialSuccess"]["rejectedDataPoints"], json!("3"), "{}", answer.text());

    let check = |server: &Fresnel| {
        let (samples, histograms, exemplars) = (12, 3, 3);
        for (table, rows) in [("samples", samples), ("histograms", histograms), ("exemplars", exemplars)] {
            assert_eq!(server.sql(&format!("SELECT count(*) FROM {table}")).integer(), rows, "{table}");
        }
        let ledger = server.balanced_ledger();
        let entry = ledger.entry("default", "metrics").unwrap();
        assert_eq!((entry.received, entry.stored, entry.rejected), (33, 15, 18));
        let counts = server.get_json("/api/v1/ledger").to_string();
        assert!(counts.contains("\"too_old\":12") && counts.contains("\"too_far_ahead\":6"), "{counts}");
    };
    check(&server);
    server.kill9();
    server.restart();
    check(&server);
}

#[test]
fn staleness_and_old_samples_are_kept_as_they_came() {
    let server = fresnel().config(QUIET).start();
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    send(&server, &of(vec![series(&UP, &[(3.0, AT), (stale, AT + 5)])])).expect(204);
    send(&server, &of(vec![series(&UP, &[(1.0, AT - 3_600_000), (f64::NAN, AT - 7)])])).expect(204);
    let rows = server.sql(
        "SELECT CAST(time AS BIGINT) / 1000000 AS t, flags, isnan(value) AS nan \
        FROM samples WHERE metric_name = 'up' ORDER BY time",
    );
    let times = [AT - 3_600_000, AT - 7, AT, AT + 5];
    assert_eq!(rows.texts("t"), times.map(|time| time.to_string()));
    assert_eq!(rows.texts("flags"), ["0", "0", "0", "1"]);
    assert_eq!(rows.texts("nan"), ["false", "true", "false", "true"]);
}

#[test]
fn the_tenant_is_that_of_the_header_or_of_the_key() {
    let server = fresnel().config(QUIET).start();
    server.ask(&request(V1, &one_sample()).header("x-scope-orgid", "red")).expect(204);
    let count = "SELECT count(*) FROM samples WHERE metric_name = 'up'";
    assert_eq!((server.sql_of("red", count).integer(), stored(&server)), (1, 0));
    assert_refused(&server.ask(&request(V1, &one_sample()).header("x-scope-orgid", "../etc")), 400);

    let server = fresnel().config(&format!("{QUIET}{KEYS}")).start();
    assert_refused(&send(&server, &one_sample()), 401);
    let bearer = format!("Bearer {SHOP_SECRET}");
    // Any user, and the secret as password.
    let basic = "Basic cHJvbWV0aGV1czpzaG9wLXNlY3JldC1vZi1hdC1sZWFzdC0xNg==";
    for authorization in [bearer.as_str(), basic] {
        let request = request(V1, &one_sample()).header("authorization", authorization);
        server.ask(&request.header("x-scope-orgid", "bank")).expect(204);
    }
    let ledger = server.ask(&Request::get("/api/v1/ledger").header("authorization", &bearer)).expect(200);
    let ledger = testkit::Ledger::from_json(&ledger.json());
    assert_eq!(ledger.entry("shop", "metrics").unwrap().stored, 2);
    assert!(ledger.entry("bank", "metrics").is_none());
}

#[test]
fn foreign_hosts_and_pages_are_refused() {
    let server = fresnel().config(QUIET).start();
    server.ask(&request(V1, &one_sample()).header("host", "evil.example")).expect(403);
    server.ask(&request(V1, &one_sample()).header("origin", "https://evil.example")).expect(403);
    assert_eq!(stored(&server), 0);
}

#[test]
fn a_series_of_prometheus_is_drawn_as_a_level() {
    let server = fresnel().config(QUIET).start();
    let at = AT / 10_000 * 10_000;
    send(&server, &of(vec![series(&UP, &[(1.0, at), (4.0, at + 10_000)])])).expect(204);
    let answer =
        server.get_json(&format!("/api/v1/metrics/up/series?from={at}&to={}&step_ms=10000", at + 20_000));
    assert_eq!(answer["kind"], "unknown");
    let points = answer["series"][0]["points"].as_array().unwrap();
    assert_eq!(points.iter().filter_map(|point| point[1].as_f64()).collect::<Vec<_>>(), [1.0, 4.0]);
}
