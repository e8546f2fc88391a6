#![allow(clippy::unwrap_used)]

mod distributions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;

use super::{Registry, SECONDS, exponential_bounds};
use crate::telemetry::otlp::{Data, Number, Resource, Scope, Value};

#[test]
fn the_prometheus_page() {
    let registry = Registry::new();
    let requests = registry.counter("app.http.requests", "{request}", "Requests\nanswered.");
    requests.bind(&[("status", "ok"), ("http.route", "/a\"b\\c\nd")]).add(3);
    requests.bind(&[("status", "bad")]).add(1);
    registry.up_down_counter("app.queue.bytes", "By", "Bytes \\ waiting.").bind(&[]).add(-5);
    registry.gauge("app.cache.hits", "1", "Share of hits.").bind(&[]).set(0.25);
    registry.observe_counter("process.cpu.time", "s", "Time used.", |it| {
        it.observe(1.5, &[("cpu.mode", "user")])
    });
    registry.observe_gauge("app.rate", "By/s", "Speed.", |it| it.observe(f64::INFINITY, &[]));
    let duration = registry.histogram("app.duration", "s", "How long.", &[0.1, 1.0]).bind(&[("op", "x")]);
    [0.05, 0.1, 0.5, 7.0].into_iter().for_each(|value| duration.record(value));
    duration.record(f64::NAN);
    registry.counter("app.unused", "", "Never bound.");
    assert_eq!(
        registry.prometheus(),
        r#"# HELP app_cache_hits_ratio Share of hits.
# TYPE app_cache_hits_ratio gauge
app_cache_hits_ratio 0.25
# HELP app_duration_seconds How long.
# TYPE app_duration_seconds histogram
app_duration_seconds_bucket{op="x",le="0.1"} 2
app_duration_seconds_bucket{op="x",le="1"} 3
app_duration_seconds_bucket{op="x",le="+Inf"} 4
app_duration_seconds_sum{op="x"} 7.65
app_duration_seconds_count{op="x"} 4
# HELP app_http_requests_total Requests\nanswered.
# TYPE app_http_requests_total counter
app_http_requests_total{http_route="/a\"b\\c\nd",status="ok"} 3
app_http_requests_total{status="bad"} 1
# HELP app_queue_bytes Bytes \\ waiting.
# TYPE app_queue_bytes gauge
app_queue_bytes -5
# HELP app_rate_bytes_per_second Speed.
# TYPE app_rate_bytes_per_second gauge
app_rate_bytes_per_second +Inf
# HELP process_cpu_time_seconds_total Time used.
# TYPE process_cpu_time_seconds_total counter
process_cpu_time_seconds_total{cpu_mode="user"} 1.5
"#
    );
}

#[test]
fn what_is_added_at_once_adds_up() {
    let registry = Registry::new();
    let counter = registry.counter("c", "", "");
    let histogram = registry.histogram("h", "s", "", SECONDS);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (counter, histogram) = (counter.bind(&[("k", "v")]), histogram.bind(&[]));
            let up_down = registry.up_down_counter("u", "", "").bind(&[]);
            scope.spawn(move || {
                for _ in 0..50_000 {
                    counter.add(2);
                    up_down.add(1);
                    up_down.add(-1);
                    histogram.record(0.5);
                }
            });
        }
        scope.spawn(|| (0..50).for_each(|_| drop(registry.snapshot())));
    });
    assert_eq!(counter.bind(&[("k", "v")]).value(), 400_000);
    assert_eq!(registry.up_down_counter("u", "", "").bind(&[]).value(), 0);
    assert_eq!(histogram.bind(&[]).count(), 200_000);
    let snapshot = registry.snapshot();
    let Data::Histogram { points, .. } = &snapshot[1].data else { panic!("{snapshot:?}") };
    assert_eq!(points[0].sum, 100_000.0);
}

#[test]
fn labels_are_the_same_in_any_order() {
    let counter = Registry::new().counter("c", "", "");
    counter.bind(&[("a", "1"), ("b", "2")]).add(1);
    assert_eq!(counter.bind(&[("b", "2"), ("a", "1")]).value(), 1);
}

#[test]
fn series_beyond_the_limit_are_counted_together() {
    let registry = Registry::with_series_max(4);
    let counter = registry.counter("c", "", "");
    for i in 0..10 {
        counter.bind(&[("user", &i.to_string())]).add(1);
    }
    let snapshot = registry.snapshot();
    let Data::Sum { points, monotonic: true, .. } = &snapshot[0].data else { panic!("{snapshot:?}") };
    assert_eq!(points.len(), 4);
    let overflow = points.iter().find(|point| point.attributes[0].key == "otel.metric.overflow").unwrap();
    assert_eq!(overflow.attributes[0].value, Value::Bool(true));
    assert_eq!(overflow.value, Number::Int(7));
    // Those that were there before still have their own.
    counter.bind(&[("user", "1")]).add(1);
    assert_eq!(counter.bind(&[("user", "1")]).value(), 2);

    registry.observe_gauge("g", "", "", |it| (0..10).for_each(|i| it.observe(i64::from(i), &[])));
    let Data::Gauge(points) = &registry.snapshot()[1].data else { panic!() };
    assert_eq!(points.len(), 4);
}

#[test]
fn a_name_has_one_instrument() {
    let registry = Registry::new();
    registry.counter("c", "", "").bind(&[]).add(1);
    registry.counter("c", "", "").bind(&[]).add(1);
    assert_eq!(registry.counter("c", "", "").bind(&[]).value(), 2);
    let gauge = registry.gauge("c", "", "").bind(&[]);
    gauge.set(9.0);
    assert_eq!(gauge.value(), 9.0);
    assert_eq!(registry.snapshot().len(), 1);
    assert_eq!(registry.describe(), [("c", "counter", "", "")]);
}

#[test]
fn a_callback_that_panics_gives_nothing() {
    let registry = Registry::new();
    let panics = Arc::new(AtomicBool::new(true));
    let flag = panics.clone();
    registry.observe_gauge("g", "", "", move |it| {
        it.observe(1i64, &[]);
        assert!(!flag.load(Ordering::Relaxed), "on purpose");
    });
    assert!(registry.snapshot().is_empty());
    panics.store(false, Ordering::Relaxed);
    assert_eq!(registry.snapshot().len(), 1);
}

#[test]
fn a_callback_may_use_the_registry() {
    let registry = Registry::new();
    let inner = registry.clone();
    registry.observe_gauge("g", "", "", move |it| {
        inner.counter("asked", "", "").bind(&[]).add(1);
        it.observe(1i64, &[]);
    });
    assert_eq!(registry.snapshot().len(), 1);
    assert_eq!(registry.counter("asked", "", "").bind(&[]).value(), 1);
}

#[test]
fn the_snapshot_is_sent_as_otlp() {
    let registry = Registry::new();
    registry.counter("c", "{request}", "Requests.").bind(&[("k", "v")]).add(4);
    registry
        .histogram("h", "s", "", &exponential_bounds(1.0, 2.0, 3))
        .bind(&[])
        .record_duration(Duration::from_secs(3));
    let bytes = registry.otlp(&Resource::service("test", "1"), &Scope::named("scope"));
    let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data as Sent;
    let Some(Sent::Sum(sum)) = &metrics[0].data else { panic!("{metrics:?}") };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
    let point = &sum.data_points[0];
    assert!(0 < point.start_time_unix_nano && point.start_time_unix_nano <= point.time_unix_nano);
    let Some(Sent::Histogram(histogram)) = &metrics[1].data else { panic!("{metrics:?}") };
    assert_eq!(histogram.data_points[0].explicit_bounds, [1.0, 2.0, 4.0]);
    assert_eq!(histogram.data_points[0].bucket_counts, [0, 0, 1, 0]);
}

/// How many values each series of a histogram has, by its labels.
fn counted(registry: &Registry, name: &str) -> Vec<(String, u64)> {
    let snapshot = registry.snapshot();
    let metric = snapshot.iter().find(|metric| metric.name == name).unwrap();
    let Data::Histogram { points, .. } = &metric.data else { panic!("{metric:?}") };
    let labels = |point: &crate::telemetry::otlp::HistogramPoint| {
        point.attributes.iter().map(|it| format!("{}={:?}", it.key, it.value)).collect::<String>()
    };
    let mut counted: Vec<_> = points.iter().map(|point| (labels(point), point.count())).collect();
    counted.sort();
    counted
}

#[test]
fn a_timer_counts_once_however_it_ends() {
    let registry = Registry::new();
    let histogram = registry.histogram("app.duration", "s", "How long.", SECONDS);
    let ok = histogram.bind(&[("outcome", "ok")]);
    let counted_of_ok = |n: u64| assert_eq!(ok.count(), n);
    ok.start_timer().stop();
    counted_of_ok(1);
    {
        let _timer = ok.start_timer();
        counted_of_ok(1);
    }
    counted_of_ok(2);
    // Also by an error that passes it, and by a panic.
    let failing = || -> Result<(), std::num::ParseIntError> {
        let _timer = ok.start_timer();
        "x".parse::<i32>().map(|_| ())
    };
    assert!(failing().is_err());
    counted_of_ok(3);
    let panicking = || {
        let _timer = ok.start_timer();
        std::panic::resume_unwind(Box::new("on purpose"));
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
    counted_of_ok(4);
    ok.start_timer().discard();
    counted_of_ok(4);
    // What is returned is what was counted.
    let elapsed = ok.start_timer().stop();
    assert!(elapsed.as_secs_f64() <= sum(&registry, "app.duration"));

    histogram.start_timer().stop(&[("outcome", "late")]);
    drop(histogram.start_timer());
    histogram.start_timer().discard();
    let of = |name: &str| format!("outcome=Text({name:?})");
    assert_eq!(counted(&registry, "app.duration"), [(String::new(), 1), (of("late"), 1), (of("ok"), 5)]);
}

fn sum(registry: &Registry, name: &str) -> f64 {
    let snapshot = registry.snapshot();
    let metric = snapshot.iter().find(|metric| metric.name == name).unwrap();
    let Data::Histogram { points, .. } = &metric.data else { panic!("{metric:?}") };
    points.iter().map(|point| point.sum).sum()
}

#[test]
fn a_name_alone_is_enough() {
    let registry = Registry::new();
    registry.counter("app.orders", "{order}", "Orders taken.");
    registry.record_counter("app.orders", 1, &[("kind", "a")]);
    registry.record_counter("app.orders", 2, &[("kind", "a")]);
    registry.record_counter("app.orders", 5, &[("kind", "b")]);
    registry.record_gauge("app.queue", 3.0, &[]);
    registry.record_gauge("app.queue", 4.0, &[]);
    registry.record_histogram("app.size", 0.3, &[]);
    registry.start_timer("app.wait").stop(&[("queue", "mail")]);
    // A name keeps its kind: this is not exported, and nothing breaks.
    registry.record_gauge("app.orders", 99.0, &[]);
    drop(registry.start_timer("app.queue"));
    let page = registry.prometheus();
    for line in [
        "# HELP app_orders_total Orders taken.",
        "app_orders_total{kind=\"a\"} 3",
        "app_orders_total{kind=\"b\"} 5",
        "app_queue 4",
        "app_size_bucket{le=\"0.25\"} 0",
        "app_size_bucket{le=\"0.5\"} 1",
        "app_wait_seconds_count{queue=\"mail\"} 1",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}:\n{page}");
    }
    // Not anywhere in the page: a duration may have these digits.
    assert!(page.lines().all(|line| !line.ends_with(" 99")), "{page}");
}

#[test]
fn a_callback_takes_no_name_that_is_anothers() {
    let registry = Registry::new();
    registry.counter("app.pushed", "{order}", "").bind(&[]).add(7);
    registry.observe_counter("app.pushed", "", "", |observer| observer.observe(99_i64, &[]));
    registry.observe_gauge("app.pushed", "", "", |observer| observer.observe(99_i64, &[]));
    registry.observe_gauge("app.asked", "", "", |observer| observer.observe(99_i64, &[]));
    registry.observe_up_down_counter("app.asked", "", "", |observer| observer.observe(98_i64, &[]));
    // Of the same kind it is replaced.
    registry.observe_gauge("app.asked", "", "", |observer| observer.observe(5_i64, &[]));
    registry.gauge("app.asked", "", "").bind(&[]).set(97.0);
    let page = registry.prometheus();
    for line in ["app_pushed_total 7", "app_asked 5"] {
        assert!(page.lines().any(|it| it == line), "{line}:\n{page}");
    }
    assert!(!page.contains(" 9"), "{page}");
}

#[test]
fn a_name_that_is_taken_is_told() {
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Told(std::sync::Arc<parking_lot::Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Told {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            struct Text(String);
            impl tracing::field::Visit for Text {
                fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                    self.0.push_str(&format!("{}={value:?} ", field.name()));
                }
            }
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().push(text.0);
        }
    }

    let told = Told::default();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(told.clone()), || {
        let registry = Registry::new();
        registry.counter("app.pushed", "", "");
        registry.observe_counter("app.pushed", "", "", |_| {});
        registry.observe_gauge("app.asked", "", "", |_| {});
        registry.gauge("app.asked", "", "");
    });
    let told = told.0.lock();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("app.pushed") && told[1].contains("app.asked"), "{told:?}");
}
