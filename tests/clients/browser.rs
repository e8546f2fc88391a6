//! The page in headless Chromium, over records that are there.

use std::time::Duration;

use testkit::otlp::proto::metrics::v1::{
    Exemplar, Histogram, HistogramDataPoint, Metric, exemplar, metric::Data,
};
use testkit::records::{POINTS, Random, Sender, metrics, now_unix_nano, text, value};
use testkit::remote_write::{V1, WriteRequest, request, series};
use testkit::{Fresnel, page_tests, wait_for};

use crate::fresnel;
use crate::program::run;

const SERVICE: &str = "checkout";
const BODY: &str = "payment was refused by the bank";
const HISTOGRAM: &str = "http.server.request.duration";
const GROWN: &str = "shop_queue_length";
const SECOND: u64 = 1_000_000_000;
const WEEK_MILLIS: i64 = 7 * 86_400_000;
/// A metric of Prometheus whose samples are downsampled.
const TIERED: &str = "tiered_load";
const CONFIG: &str = r#"
[store]
series_max_per_metric = 1000
[store.seal]
age = "1s"
[[store.tiers]]
metrics = ["tiered_.*"]
[[store.tiers.downsample]]
after = "1h"
resolution = "5m"
retention = "90d"
"#;

/// Sends what the tests of the page look for; gives the id of a trace.
fn fill(server: &Fresnel) -> String {
    let start = now_unix_nano() - 300_000_000_000;
    let mut sender = Sender::at(SERVICE, Random::new(1).bits(), start);
    let mut logs = sender.logs(200);
    let records = &mut logs.resource_logs[0].scope_logs[0].log_records;
    records[150].body = Some(value(BODY));
    records[150].severity_number = 17;
    server.send(&logs);
    let mut sender = Sender::at(SERVICE, 2, start);
    let trace = sender.trace_id(0);
    server.send(&sender.spans(80));
    server.send(&Sender::at(SERVICE, 3, start).points(300));
    server.send(&metrics(sender.resource(), vec![durations(start, &trace)]));
    server.ask(&request(V1, &grown())).expect(204);
    trace
}

/// A series of a week ago, and three of now, the same among them.
fn grown() -> WriteRequest {
    let now = i64::try_from(now_unix_nano() / 1_000_000).expect("the year is before 2262");
    let queue = |queue: &str, samples: &[(f64, i64)]| {
        series(&[("__name__", GROWN), ("job", SERVICE), ("queue", queue)], samples)
    };
    let timeseries = vec![
        queue("a", &[(1.0, now - WEEK_MILLIS), (2.0, now)]),
        queue("b", &[(3.0, now)]),
        queue("c", &[(4.0, now)]),
    ];
    WriteRequest { timeseries, metadata: Vec::new() }
}

/// Requests of two routes, one of them twice as often: a point every ten seconds since `start`, each with an
/// exemplar of the trace.
fn durations(start: u64, trace: &str) -> Metric {
    let trace_id: Vec<_> = (0..trace.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&trace[at..at + 2], 16).expect("a trace id is hex"))
        .collect();
    let point = |step: u64, route: &str, requests: u64| {
        let exemplar = Exemplar {
            time_unix_nano: start + step * 10 * SECOND,
            trace_id: trace_id.clone(),
            span_id: vec![1; 8],
            value: Some(exemplar::Value::AsDouble(0.4)),
            ..Default::default()
        };
        HistogramDataPoint {
            attributes: vec![text("http.route", route)],
            start_time_unix_nano: start,
            time_unix_nano: start + step * 10 * SECOND,
            count: step * requests * 2,
            sum: Some(0.25),
            bucket_counts: vec![step * requests, step * requests, 0],
            explicit_bounds: vec![0.1, 0.5],
            exemplars: vec![exemplar],
            ..Default::default()
        }
    };
    let data_points =
        (1..=29).flat_map(|step| [point(step, "/cart", 4), point(step, "/checkout", 2)]).collect();
    Metric {
        name: HISTOGRAM.to_owned(),
        unit: "s".to_owned(),
        description: "how long requests take".to_owned(),
        data: Some(Data::Histogram(Histogram { data_points, aggregation_temporality: 2 })),
        ..Default::default()
    }
}

/// Six hours of samples of the day before yesterday, and waits until they are downsampled.
fn downsampled(server: &Fresnel) {
    let today = now_unix_nano() / SECOND / 86_400 * 86_400_000;
    let begin = i64::try_from(today).unwrap() - 2 * 86_400_000;
    let points = (0..720).map(|number: i32| (f64::from(number % 60), begin + i64::from(number) * 30_000));
    let labels = [("__name__", TIERED), ("job", SERVICE)];
    let timeseries = vec![series(&labels, &points.collect::<Vec<_>>())];
    server.ask(&request(V1, &WriteRequest { timeseries, metadata: Vec::new() })).expect(204);
    wait_for("samples to be downsampled", Duration::from_secs(60), || {
        (server.sql("SELECT count(*) FROM downsampled").integer() > 0).then_some(())
    });
}

/// Three series more of a metric than there may be.
fn too_many_series(server: &Fresnel) {
    let at = i64::try_from(now_unix_nano() / 1_000_000).unwrap();
    let one = |user: usize| series(&[("__name__", "crowd"), ("user", &user.to_string())], &[(1.0, at)]);
    let timeseries = (0..1_003).map(one).collect();
    server.ask(&request(V1, &WriteRequest { timeseries, metadata: Vec::new() })).expect(400);
}

#[test]
fn the_page_works_in_chromium() {
    let server = fresnel().config(CONFIG).start();
    let Some(mut command) = page_tests(&server, "npm", &["run", "--silent", "e2e"]) else { return };
    let trace = fill(&server);
    downsampled(&server);
    too_many_series(&server);
    wait_for("the host's metrics", Duration::from_secs(15), || {
        let statement = "SELECT count(*) FROM metrics WHERE metric_name = 'system.memory.usage'";
        (server.sql(statement).integer() > 0).then_some(())
    });
    command
        .env("FRESNEL_E2E_SERVICE", SERVICE)
        .env("FRESNEL_E2E_BODY", BODY)
        .env("FRESNEL_E2E_TRACE", trace)
        .env("FRESNEL_E2E_METRIC", POINTS)
        .env("FRESNEL_E2E_HISTOGRAM", HISTOGRAM)
        .env("FRESNEL_E2E_GROWN", GROWN)
        .env("FRESNEL_E2E_TIERED", TIERED);
    run(command);
}
