//! `/prometheus`: what was sent over OTLP, asked in PromQL as Grafana and its like ask.

mod promoted;
mod setup;
mod stopped;

use serde_json::{Value, json};
use testkit::Fresnel;
use testkit::http::{Request, percent_encoded};
use testkit::otlp::proto::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point::Value as Number,
    summary_data_point::ValueAtQuantile,
};
use testkit::otlp::proto::resource::v1::Resource;
use testkit::records::{metrics, now_unix_nano, text};
use testkit::remote_write;

use crate::fresnel;

const SECOND: u64 = 1_000_000_000;
const CUMULATIVE: i32 = 2;
const API: &str = "/prometheus/api/v1";
/// Nothing but what a test sends.
const QUIET: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n";

fn quiet() -> Fresnel {
    fresnel().config(QUIET).start()
}

/// Five minutes ago, in whole minutes: Unix seconds.
fn begin() -> u64 {
    (now_unix_nano() / SECOND - 300) / 60 * 60
}

fn resource(instance: &str) -> Resource {
    let attributes = vec![
        text("service.name", "cart"),
        text("service.namespace", "shop"),
        text("service.instance.id", instance),
        text("host.name", &format!("host-{instance}")),
    ];
    Resource { attributes, ..Default::default() }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    let description = format!("what {name} is");
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description,
        data: Some(data),
        ..Default::default()
    }
}

fn number(second: u64, value: f64, route: &str) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![text("http.route", route)],
        start_time_unix_nano: SECOND,
        time_unix_nano: second * SECOND,
        value: Some(Number::AsDouble(value)),
        ..Default::default()
    }
}

fn counter(name: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    metric(
        name,
        unit,
        Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true }),
    )
}

fn gauge(name: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    metric(name, unit, Data::Gauge(Gauge { data_points }))
}

fn send(server: &Fresnel, instance: &str, list: Vec<Metric>) {
    server.send(&metrics(resource(instance), list));
}

/// Two instances with a counter of two routes that grows by 1 and 2 a second, every 15 seconds.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn send_requests(server: &Fresnel, from: u64, steps: std::ops::Range<u64>) {
    for instance in ["a", "b"] {
        let points = steps.clone().flat_map(|step| {
            let second = from + step * 15;
            let value = (step * 15) as f64;
            [number(second, value, "/"), number(second, 2.0 * value, "/cart")]
        });
        send(server, instance, vec![counter("http.server.requests", "{request}", points.collect())]);
    }
}

fn ask(server: &Fresnel, path: &str, parameters: &[(&str, &str)]) -> testkit::http::Response {
    let pairs: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    server.get(&format!("{API}/{path}?{}", pairs.join("&")))
}

#[track_caller]
fn data(server: &Fresnel, path: &str, parameters: &[(&str, &str)]) -> Value {
    let answer = ask(server, path, parameters).expect(200).json();
    assert_eq!(answer["status"], "success");
    answer["data"].clone()
}

/// The result of an instant query.
#[track_caller]
fn instant(server: &Fresnel, query: &str, second: u64) -> Value {
    data(server, "query", &[("query", query), ("time", &second.to_string())])["result"].clone()
}

/// Label and value of every sample of a vector.
#[track_caller]
fn values(server: &Fresnel, query: &str, second: u64, label: &str) -> Vec<(String, String)> {
    let result = instant(server, query, second);
    let samples = result.as_array().unwrap();
    let pair = |sample: &Value| {
        let label = sample["metric"][label].as_str().unwrap_or("").to_owned();
        (label, sample["value"][1].as_str().unwrap_or_else(|| panic!("{sample}")).to_owned())
    };
    let mut values: Vec<_> = samples.iter().map(pair).collect();
    values.sort();
    values
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn numbers_are_answered_under_prometheus_names() {
    let server = quiet();
    let begin = begin();
    send_requests(&server, begin, 0..9);
    let end = begin + 120;
    send(&server, "a", vec![gauge("queue.fill", "1", vec![number(end, 0.25, "/")])]);

    let result = instant(&server, "http_server_requests_total{instance=\"a\",http_route=\"/\"}", end);
    let labels = json!({
        "__name__": "http_server_requests_total", "http_route": "/", "instance": "a", "job": "shop/cart",
    });
    assert_eq!(result, json!([{"metric": labels, "value": [end, "120"]}]));
    assert_eq!(values(&server, "queue_fill_ratio", end, "job"), pairs(&[("shop/cart", "0.25")]));
    // OpenTelemetry's own name, quoted.
    let own = instant(&server, "{\"http.server.requests\", instance=\"a\", http_route=\"/\"}", end);
    assert_eq!(own[0]["metric"]["__name__"], "http.server.requests");
    assert_eq!(own[0]["value"][1], "120");

    let rates = "round(sum by (http_route) (rate(http_server_requests_total[1m])), 0.001)";
    assert_eq!(values(&server, rates, end, "http_route"), pairs(&[("/", "2"), ("/cart", "4")]));
    assert_eq!(values(&server, "count({__name__=~\"http_.+|queue_.+\"})", end, ""), pairs(&[("", "5")]));
    assert_eq!(instant(&server, "http_server_requests_total{job=\"other\"}", end), json!([]));
    assert_eq!(instant(&server, "http_server_requests_total", begin - 1), json!([]));
}

#[test]
fn a_range_has_its_steps() {
    let server = quiet();
    let begin = begin();
    send_requests(&server, begin, 0..9);
    let (start, end) = (begin.to_string(), (begin + 60).to_string());
    let parameters = [("start", start.as_str()), ("end", end.as_str()), ("step", "30s")];
    let query = [("query", "sum by (job) (http_server_requests_total)")];
    let answer = data(&server, "query_range", &[&query[..], &parameters[..]].concat());
    assert_eq!(
        answer,
        json!({
            "resultType": "matrix",
            "result": [{
                "metric": {"job": "shop/cart"},
                "values": [[begin, "0"], [begin + 30, "180"], [begin + 60, "360"]],
            }],
        })
    );
}

/// The answers that must be the same wherever the records are.
fn summary(server: &Fresnel, end: u64) -> Vec<Value> {
    [
        "sum by (http_route, instance) (rate(http_server_requests_total[2m]))",
        "http_server_requests_total",
        "histogram_quantile(0.5, sum by (le) (rate(http_server_duration_seconds_bucket[2m])))",
        "histogram_quantile(0.5, sum(rate(http_server_duration_seconds[2m])))",
        "sort(count_values(\"v\", http_server_duration_seconds_count))",
    ]
    .into_iter()
    .map(|query| instant(server, query, end))
    .collect()
}

fn duration(second: u64, count: u64) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: vec![text("http.route", "/")],
        start_time_unix_nano: SECOND,
        time_unix_nano: second * SECOND,
        count: 4 * count,
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        sum: Some(6.5 * count as f64),
        bucket_counts: vec![count, 2 * count, count],
        explicit_bounds: vec![0.5, 2.5],
        ..Default::default()
    }
}

fn durations(data_points: Vec<HistogramDataPoint>) -> Metric {
    let histogram = Histogram { data_points, aggregation_temporality: CUMULATIVE };
    metric("http.server.duration", "s", Data::Histogram(histogram))
}

#[test]
fn answers_do_not_depend_on_where_the_records_are() {
    let seal = format!("{QUIET}[store.seal]\nage = \"500ms\"\n");
    let mut server = fresnel().config(&seal).start();
    let begin = begin();
    let sealed = |server: &Fresnel| {
        testkit::wait_for("everything in files", std::time::Duration::from_secs(60), || {
            (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
        });
    };
    let histograms = |steps: std::ops::Range<u64>| {
        vec![durations(steps.map(|step| duration(begin + step * 15, step)).collect())]
    };
    send_requests(&server, begin, 0..4);
    send(&server, "a", histograms(0..4));
    sealed(&server);
    send_requests(&server, begin, 4..9);
    send(&server, "a", histograms(4..9));
    let mixed = summary(&server, begin + 120);
    for answer in &mixed {
        assert!(!answer.as_array().unwrap().is_empty(), "{mixed:?}");
    }
    sealed(&server);
    assert_eq!(summary(&server, begin + 120), mixed, "all in files");
    server.kill9();
    server.restart();
    assert_eq!(summary(&server, begin + 120), mixed, "after a kill");

    let memory = quiet();
    send_requests(&memory, begin, 0..9);
    send(&memory, "a", histograms(0..9));
    assert_eq!(summary(&memory, begin + 120), mixed, "all in memory");
}

#[test]
fn explicit_bounds_are_seen_as_classic_and_native_histograms() {
    let server = quiet();
    let begin = begin();
    send(&server, "a", vec![durations(vec![duration(begin, 1), duration(begin + 60, 3)])]);
    let end = begin + 60;
    let name = "http_server_duration_seconds";
    assert_eq!(
        values(&server, &format!("{name}_bucket"), end, "le"),
        pairs(&[("+Inf", "12"), ("0.5", "3"), ("2.5", "9")])
    );
    assert_eq!(values(&server, &format!("{name}_bucket{{le=\"2.5\"}}"), end, "le"), pairs(&[("2.5", "9")]));
    assert_eq!(values(&server, &format!("{name}_count"), end, ""), pairs(&[("", "12")]));
    assert_eq!(values(&server, &format!("{name}_sum"), end, ""), pairs(&[("", "19.5")]));
    let native = instant(&server, name, end);
    assert_eq!(
        native[0]["histogram"][1],
        json!({
            "count": "12", "sum": "19.5",
            "buckets": [[3, "-Inf", "0.5", "3"], [0, "0.5", "2.5", "6"], [0, "2.5", "+Inf", "3"]],
        })
    );
    let median = format!("histogram_quantile(0.5, {name})");
    assert_eq!(values(&server, &median, end, ""), pairs(&[("", "1.5")]));
    let median = format!("histogram_quantile(0.5, {name}_bucket)");
    assert_eq!(values(&server, &median, end, ""), pairs(&[("", "1.5")]));
    // Under OpenTelemetry's name too.
    let own = "{\"http.server.duration_bucket\", le=\"0.5\"}";
    assert_eq!(values(&server, own, end, "__name__"), pairs(&[("http.server.duration_bucket", "3")]));
}

#[test]
fn exponential_histograms_and_summaries_are_seen() {
    let server = quiet();
    let begin = begin();
    let point = ExponentialHistogramDataPoint {
        time_unix_nano: begin * SECOND,
        count: 6,
        sum: Some(14.0),
        scale: 0,
        zero_count: 1,
        zero_threshold: 0.25,
        // (1, 2] and (4, 8]
        positive: Some(Buckets { offset: 0, bucket_counts: vec![3, 0, 2] }),
        ..Default::default()
    };
    let exponential = ExponentialHistogram { data_points: vec![point], aggregation_temporality: CUMULATIVE };
    let quantile = |quantile: f64, value: f64| ValueAtQuantile { quantile, value };
    let summary = SummaryDataPoint {
        time_unix_nano: begin * SECOND,
        count: 3,
        sum: 6.0,
        quantile_values: vec![quantile(0.5, 2.0), quantile(0.99, 3.5)],
        ..Default::default()
    };
    let list = vec![
        metric("size", "By", Data::ExponentialHistogram(exponential)),
        metric("lag", "ms", Data::Summary(Summary { data_points: vec![summary] })),
    ];
    send(&server, "a", list);
    assert_eq!(
        instant(&server, "size_bytes", begin)[0]["histogram"][1],
        json!({
            "count": "6", "sum": "14",
            "buckets": [[3, "-0.25", "0.25", "1"], [0, "1", "2", "3"], [0, "4", "8", "2"]],
        })
    );
    assert_eq!(values(&server, "histogram_count(size_bytes)", begin, ""), pairs(&[("", "6")]));
    assert_eq!(
        values(&server, "lag_milliseconds", begin, "quantile"),
        pairs(&[("0.5", "2"), ("0.99", "3.5")])
    );
    assert_eq!(values(&server, "lag_milliseconds_count", begin, ""), pairs(&[("", "3")]));
}

#[test]
fn the_last_of_a_time_counts_whatever_the_order() {
    let server = quiet();
    let begin = begin();
    for (second, value) in [(60, 4.0), (30, 3.0), (30, 2.0), (0, 1.0), (60, 5.0)] {
        send(&server, "a", vec![gauge("level", "", vec![number(begin + second, value, "/")])]);
    }
    let result = instant(&server, "level[2m]", begin + 60);
    assert_eq!(result[0]["values"], json!([[begin, "1"], [begin + 30, "2"], [begin + 60, "5"]]));
}

#[test]
fn labels_series_and_values_are_listed() {
    let server = quiet();
    let begin = begin();
    send_requests(&server, begin, 0..2);
    send(
        &server,
        "a",
        vec![durations(vec![duration(begin, 1)]), gauge("level", "", vec![number(begin, 1.0, "/")])],
    );
    let labels = json!(["__name__", "host_name", "http_route", "instance", "job", "le"]);
    assert_eq!(data(&server, "labels", &[]), labels);
    assert_eq!(
        data(&server, "labels", &[("match[]", "level")]),
        json!(["__name__", "http_route", "instance", "job"])
    );
    let names = data(&server, "label/__name__/values", &[]);
    assert_eq!(
        names,
        json!([
            "http_server_duration_seconds",
            "http_server_duration_seconds_bucket",
            "http_server_duration_seconds_count",
            "http_server_duration_seconds_sum",
            "http_server_requests_total",
            "level",
            "target_info",
        ])
    );
    assert_eq!(data(&server, "label/le/values", &[]), json!(["+Inf", "0.5", "2.5"]));
    assert_eq!(data(&server, "label/U__http__route/values", &[]), json!(["/", "/cart"]));
    assert_eq!(data(&server, "label/instance/values", &[("match[]", "level")]), json!(["a"]));
    assert_eq!(data(&server, "label/nothing/values", &[]), json!([]));
    let long_ago = [("start", "1000"), ("end", "2000")];
    assert_eq!(data(&server, "label/job/values", &long_ago), json!([]));

    let series = data(
        &server,
        "series",
        &[("match[]", "level"), ("match[]", "{http_route=\"/cart\",instance=\"b\"}")],
    );
    assert_eq!(
        series,
        json!([
            {"__name__": "http_server_requests_total", "http_route": "/cart", "instance": "b", "job": "shop/cart"},
            {"__name__": "level", "http_route": "/", "instance": "a", "job": "shop/cart"},
        ])
    );
    let limited = ask(&server, "series", &[("match[]", "{job!=\"\"}"), ("limit", "1")]).expect(200).json();
    assert_eq!(limited["data"].as_array().unwrap().len(), 1);
    assert_eq!(limited["warnings"], json!(["results truncated due to limit"]));

    let known = data(&server, "metadata", &[]);
    assert_eq!(
        known["http_server_requests_total"],
        json!([{"type": "counter", "unit": "{request}", "help": "what http.server.requests is"}])
    );
    assert_eq!(known["http_server_duration_seconds"][0]["type"], "histogram");
    assert_eq!(data(&server, "metadata", &[("metric", "level")]).as_object().unwrap().len(), 1);
}

#[test]
fn resources_are_target_info() {
    let server = quiet();
    let begin = begin();
    send_requests(&server, begin, 0..2);
    let joined = "sum by (host_name) (http_server_requests_total * on (job, instance) group_left (host_name) target_info)";
    assert_eq!(
        values(&server, joined, begin + 15, "host_name"),
        pairs(&[("host-a", "45"), ("host-b", "45")])
    );
}

#[test]
fn exemplars_lead_to_traces() {
    let server = quiet();
    let begin = begin();
    let mut point = number(begin, 1.0, "/");
    point.exemplars = vec![Exemplar {
        filtered_attributes: vec![text("user", "u1")],
        time_unix_nano: begin * SECOND,
        value: Some(exemplar::Value::AsDouble(0.5)),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
    }];
    send(&server, "a", vec![counter("orders", "", vec![point])]);
    let found = data(&server, "query_exemplars", &[("query", "rate(orders_total[5m])")]);
    assert_eq!(found[0]["seriesLabels"]["__name__"], "orders_total");
    assert_eq!(
        found[0]["exemplars"],
        json!([{
            "labels": {"span_id": "02".repeat(8), "trace_id": "01".repeat(16), "user": "u1"},
            "value": "0.5", "timestamp": begin,
        }])
    );
    assert_eq!(data(&server, "query_exemplars", &[("query", "1")]), json!([]));
}

/// Path, parameters, status, type and the begin of the text.
type Case = (&'static str, &'static [(&'static str, &'static str)], u16, &'static str, &'static str);

const DUPLICATES: &str = "http_server_requests_total * on (job) http_server_requests_total";

#[rustfmt::skip]
const ERRORS: &[Case] = &[
    ("query", &[("query", "sum(")], 400, "bad_data",
        "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"),
    ("query", &[], 400, "bad_data",
        "invalid parameter \"query\": unknown position: parse error: no expression found in input"),
    ("query", &[("query", "1"), ("time", "x")], 400, "bad_data",
        "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp"),
    ("query", &[("query", DUPLICATES)], 422, "execution", "found duplicate series for the match group"),
    ("query_range", &[("query", "1"), ("start", "0"), ("end", "11001"), ("step", "1")], 400, "bad_data",
        "exceeded maximum resolution of 11,000 points per timeseries."),
    ("query_range", &[("query", "1"), ("start", "2"), ("end", "1"), ("step", "1")], 400, "bad_data",
        "invalid parameter \"end\": end timestamp must not be before start time"),
    ("query_range", &[("query", "1"), ("start", "0"), ("end", "1"), ("step", "0")], 400, "bad_data",
        "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ("query_range", &[("query", "up[5m]"), ("start", "0"), ("end", "1"), ("step", "1")], 400, "bad_data",
        "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"),
    ("series", &[], 400, "bad_data", "no match[] parameter provided"),
    ("labels", &[("match[]", "{a=\"\"}")], 400, "bad_data",
        "match[] must contain at least one non-empty matcher"),
    ("series", &[("match[]", "{")], 400, "bad_data", "invalid parameter \"match[]\": 1:2: parse error: "),
];

#[test]
fn errors_are_prometheus() {
    let server = quiet();
    send_requests(&server, begin(), 0..20);
    for (path, parameters, status, kind, message) in ERRORS {
        let answer = ask(&server, path, parameters).expect(*status).json();
        assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!(kind)));
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with(message), "{path} {parameters:?}: {error}");
    }
    ask(&server, "nothing", &[]).expect(404);
}

#[test]
fn limits_are_told() {
    let config = format!("{QUIET}[query.prometheus]\nsamples = 3\nlookback = \"10s\"\n");
    let server = fresnel().config(&config).start();
    let begin = begin();
    send_requests(&server, begin, 0..9);
    let answer =
        ask(&server, "query", &[("query", "http_server_requests_total"), ("time", &begin.to_string())]);
    let answer = answer.expect(422).json();
    assert_eq!(
        (&answer["errorType"], &answer["error"]),
        (
            &json!("execution"),
            &json!("query processing would load too many samples into memory in query execution")
        )
    );
    let one = "http_server_requests_total{instance=\"a\",http_route=\"/\"}";
    assert_eq!(instant(&server, one, begin + 135), json!([]), "looks back ten seconds");
    let time = (begin + 135).to_string();
    let further = data(&server, "query", &[("query", one), ("time", &time), ("lookback_delta", "1m")]);
    assert_eq!(further["result"][0]["value"][1], "120");
    let disallowed = ask(&server, "query", &[("query", "mad_over_time(a[1m])")]).expect(400).json();
    assert!(disallowed["error"].as_str().unwrap().contains("mad_over_time"), "{disallowed}");
}

/// Whatever it is that a query would take too much of, it is stopped, the answer is an error as
/// Prometheus has it, and the server goes on.
#[test]
fn queries_that_would_take_too_much_are_stopped() {
    let config = format!("{QUIET}[query]\nmemory_share = 0.05\n[query.prometheus]\nseries = 2100\n");
    let server = fresnel().config(&config).memory_limit("200 MiB").start();
    let begin = begin();
    let at = i64::try_from(begin * 1000).unwrap();
    let of = |name: &'static str| {
        (0..2_000).map(move |number| {
            let labels = [("__name__", name), ("number", &number.to_string())];
            remote_write::series(&labels, &(0..20).map(|step| (1.0, at + step * 15_000)).collect::<Vec<_>>())
        })
    };
    for name in ["many", "more"] {
        let timeseries = of(name).collect();
        let message = remote_write::WriteRequest { timeseries, metadata: Vec::new() };
        server.ask(&remote_write::request(remote_write::V1, &message)).expect(204);
    }
    let (start, end) = (begin.to_string(), (begin + 300).to_string());
    let range = |query, step, more: &[(&str, &str)]| {
        let parameters = [("query", query), ("start", &*start), ("end", &end), ("step", step)];
        ask(&server, "query_range", &[&parameters[..], more].concat())
    };
    for (query, step, more, status, kind, message) in [
        ("{__name__=~\"many|more\"}", "15", &[][..], 422, "execution", "more than 2100 series"),
        ("many", "0.03", &[], 422, "execution", "too many samples"),
        // Whoever notices it first has other words for it.
        ("sum(rate(many[5m]))", "0.03", &[("timeout", "1ms")], 503, "timeout", ""),
    ] {
        let answer = range(query, step, more).expect(status).json();
        assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!(kind)), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(message), "{query}: {answer}");
        assert_eq!(answer["data"], json!(null), "{answer}");
    }
    let answer = range("sum(many)", "15", &[]).expect(200).json();
    assert_eq!(answer["data"]["result"][0]["values"][0][1], "2000", "it goes on: {answer}");
}

#[test]
fn remarks_stand_beside_the_answer() {
    let server = quiet();
    let begin = begin();
    send(&server, "a", vec![gauge("level", "", vec![number(begin, 1.0, "/"), number(begin + 15, 2.0, "/")])]);
    let time = (begin + 15).to_string();
    let answer = ask(&server, "query", &[("query", "rate(level[1m])"), ("time", &time), ("stats", "all")]);
    let answer = answer.expect(200).json();
    let infos = answer["infos"].as_array().unwrap();
    assert_eq!(infos.len(), 1);
    let text = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"level\" (1:6)";
    assert_eq!(infos[0], text);
    assert_eq!(answer["warnings"], Value::Null);
    assert_eq!(answer["data"]["stats"]["samples"]["totalQueryableSamples"], 2);
}

#[test]
fn a_form_is_read_as_a_query_string() {
    let server = quiet();
    let begin = begin();
    send_requests(&server, begin, 0..2);
    let form = |path: &str, body: &str| {
        let request = Request::post(&format!("{API}/{path}"), body.as_bytes().to_vec());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        server.ask(&request).expect(200).json()["data"].clone()
    };
    let query = percent_encoded("sum(http_server_requests_total)");
    assert_eq!(form("query", &format!("query={query}&time={}", begin + 15))["result"][0]["value"][1], "90");
    let range = format!("query={query}&start={begin}&end={}&step=15", begin + 15);
    assert_eq!(form("query_range", &range)["result"][0]["values"], json!([[begin, "0"], [begin + 15, "90"]]));
    assert_eq!(form("series", "match[]=http_server_requests_total").as_array().unwrap().len(), 4);
    assert_eq!(form("labels", "match[]=http_server_requests_total").as_array().unwrap().len(), 4);
    // What is in the form counts, the rest comes from the path.
    assert_eq!(form("query?query=2&time=1", "query=1")["result"], json!([1, "1"]));
    assert_eq!(form("format_query", "query=sum(a)by(b)"), "sum by (b) (a)");
}

#[test]
fn what_clients_ask_first_is_answered() {
    let server = quiet();
    let health = [("query", "1+1"), ("start", "1"), ("end", "4"), ("step", "1")];
    assert_eq!(
        data(&server, "query_range", &health),
        json!({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"], [2, "2"], [3, "2"], [4, "2"]]}]})
    );
    let vector = data(&server, "query", &[("query", "vector(1)+vector(1)"), ("time", "4")]);
    assert_eq!(vector["result"], json!([{"metric": {}, "value": [4, "2"]}]));
    let build = data(&server, "status/buildinfo", &[]);
    assert!(build["version"].as_str().unwrap().starts_with("3."), "{build}");
    assert_eq!(build["features"], Value::Null);
    assert_eq!(data(&server, "rules", &[]), json!({"groups": []}));
    assert_eq!(data(&server, "alerts", &[]), json!({"alerts": []}));
    assert_eq!(data(&server, "targets", &[])["activeTargets"], json!([]));
    assert_eq!(data(&server, "alertmanagers", &[])["activeAlertmanagers"], json!([]));
    assert_eq!(data(&server, "status/config", &[]), json!({"yaml": "global:\n  evaluation_interval: 1m\n"}));
    send(&server, "a", vec![gauge("level", "", vec![number(now_unix_nano() / SECOND, 1.0, "/")])]);
    let statistics = data(&server, "status/tsdb", &[]);
    assert_eq!(statistics["headStats"]["numSeries"], 1);
    assert_eq!(statistics["seriesCountByMetricName"], json!([{"name": "level", "value": 1}]));
    assert_eq!(statistics["seriesCountByFocusLabelValue"], Value::Null);
    let tree = data(&server, "parse_query", &[("query", "rate(a[5m])")]);
    assert_eq!((&tree["type"], &tree["args"][0]["range"]), (&json!("call"), &json!(300_000)));
    assert_eq!(server.get("/prometheus/-/healthy").expect(200).text(), "Fresnel is Healthy.\n");
    assert_eq!(server.get("/prometheus/-/ready").expect(200).text(), "Fresnel is Ready.\n");
}

#[test]
fn series_are_counted_by_day_selector_and_label() {
    let server = quiet();
    let today = now_unix_nano() / SECOND;
    let yesterday = today - 86_400;
    send(&server, "a", vec![gauge("level", "", vec![number(yesterday, 1.0, "/")])]);
    send(&server, "a", vec![gauge("level", "", vec![number(today, 1.0, "/"), number(today, 2.0, "/cart")])]);
    send(&server, "b", vec![gauge("level", "", vec![number(today, 3.0, "/")])]);
    send(&server, "a", vec![gauge("depth", "", vec![number(today, 4.0, "/")])]);
    let count = |parameters: &[(&str, &str)]| data(&server, "status/tsdb", parameters);
    let (today, yesterday) = (today.to_string(), yesterday.to_string());

    let before = count(&[("start", &yesterday), ("end", &yesterday)]);
    assert_eq!(before["headStats"]["numSeries"], 1);
    assert_eq!(before["seriesCountByMetricName"], json!([{"name": "level", "value": 1}]));
    let now = count(&[("start", &today), ("end", &today), ("focusLabel", "http_route")]);
    assert_eq!(now["headStats"]["numSeries"], 4);
    let by_route = json!([{"name": "/", "value": 3}, {"name": "/cart", "value": 1}]);
    assert_eq!(now["seriesCountByFocusLabelValue"], by_route);
    let narrowed =
        count(&[("match[]", "level{instance=\"a\"}"), ("focusLabel", "http_route"), ("limit", "1")]);
    assert_eq!(narrowed["headStats"]["numSeries"], 2);
    assert_eq!(narrowed["seriesCountByMetricName"], json!([{"name": "level", "value": 2}]));
    assert_eq!(narrowed["seriesCountByFocusLabelValue"], json!([{"name": "/", "value": 1}]));
    let either = count(&[("match[]", "level"), ("match[]", "{instance=\"a\"}")]);
    assert_eq!(either["headStats"]["numSeries"], 4, "a series that fits twice is one");
    ask(&server, "status/tsdb", &[("match[]", "{")]).expect(400);
    ask(&server, "status/tsdb", &[("start", "noon")]).expect(400);
}

#[test]
fn the_deepest_queries_are_answered() {
    let server = quiet();
    let (chain, nested) =
        (format!("1{}", " + 1".repeat(490)), format!("{}1{}", "(".repeat(190), ")".repeat(190)));
    for (query, value) in [(&chain, "491"), (&nested, "1")] {
        assert_eq!(data(&server, "query", &[("query", query), ("time", "1")])["result"][1], value);
        for path in ["parse_query", "format_query"] {
            ask(&server, path, &[("query", query)]).expect(200);
        }
        data(&server, "query_exemplars", &[("query", query)]);
    }
    let too_deep = format!("1{}", " + 1".repeat(600));
    ask(&server, "query", &[("query", &too_deep)]).expect(400);
}

#[test]
fn tenants_see_their_own() {
    let server = quiet();
    let begin = begin();
    send_requests(&server, begin, 0..2);
    let of = |tenant: &str| {
        let target = format!("{API}/query?query=count(http_server_requests_total)&time={begin}");
        let answer = server.ask(&Request::get(&target).header("x-scope-orgid", tenant)).expect(200).json();
        answer["data"]["result"].as_array().unwrap().len()
    };
    assert_eq!((of("default"), of("other")), (1, 0));
}
