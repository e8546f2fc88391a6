//! Single operations: what a level that is off costs, and a counter beside a bare atomic.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use fresnel_sdk::telemetry::metrics::{Registry, SECONDS};
use metrics::Recorder;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::measure::{median, thread_cpu};
use crate::sink::Sink;

pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) nanoseconds: f64,
}

const TIMES: u64 = 2_000_000;
const ROUNDS: usize = 9;

/// The median cost of one of many.
fn figure(name: impl Into<String>, mut operation: impl FnMut(u64)) -> Figure {
    let mut round = || {
        let before = thread_cpu();
        (0..TIMES).for_each(&mut operation);
        (thread_cpu() - before).as_nanos() as f64 / TIMES as f64
    };
    round();
    Figure { name: name.into(), nanoseconds: median((0..ROUNDS).map(|_| round()).collect()) }
}

/// The same on several threads at once, each with its own CPU time.
fn contended(name: &str, threads: usize, operation: impl Fn(u64) + Sync) -> Figure {
    let barrier = Barrier::new(threads);
    let one = || {
        barrier.wait();
        let before = thread_cpu();
        (0..TIMES).for_each(&operation);
        (thread_cpu() - before).as_nanos() as f64 / TIMES as f64
    };
    let round = || {
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
            median(running.into_iter().filter_map(|thread| thread.join().ok()).collect())
        })
    };
    round();
    let name = format!("{name}, {threads} threads");
    Figure { name, nanoseconds: median((0..ROUNDS).map(|_| round()).collect()) }
}

pub(crate) fn all() -> Vec<Figure> {
    let mut figures = levels();
    let registry = Registry::new();
    let labels =
        [("http.request.method", "GET"), ("http.route", "/orders"), ("http.response.status_code", "200")];
    let counter = registry.counter("app.requests", "{request}", "");
    let bound = counter.bind(&labels);
    let histogram = registry.histogram("app.duration", "s", "", SECONDS);
    let bound_histogram = histogram.bind(&labels);
    let exponential = registry.exponential_histogram("app.size", "By", "").bind(&labels);
    let atomic = AtomicU64::new(0);
    let value = |n: u64| (n % 1000) as f64 * 0.001;
    figures.extend([
        figure("an atomic addition", |_| add(black_box(&atomic))),
        figure("fresnel: bound counter", |_| black_box(&bound).add(1)),
        figure("fresnel: counter, 3 labels", |_| black_box(&counter).add(1, black_box(&labels))),
        figure("fresnel: bound histogram", |n| black_box(&bound_histogram).record(value(n))),
        figure("fresnel: histogram, 3 labels", |n| histogram.record(value(n), black_box(&labels))),
        figure("fresnel: bound exponential histogram", |n| black_box(&exponential).record(value(n))),
    ]);
    figures.extend(peers());
    for threads in [2, 4] {
        figures.push(contended("one atomic addition", threads, |_| add(&atomic)));
        figures.push(contended("fresnel: bound counter", threads, |_| bound.add(1)));
        figures.push(contended("fresnel: bound histogram", threads, |n| bound_histogram.record(value(n))));
    }
    figures
}

fn add(atomic: &AtomicU64) {
    atomic.fetch_add(1, Ordering::Relaxed);
}

fn peers() -> Vec<Figure> {
    let reader = opentelemetry_sdk::metrics::PeriodicReader::builder(Sink::default()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("bench");
    let (counter, histogram) = (meter.u64_counter("c").build(), meter.f64_histogram("h").build());
    let labels = [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/orders"),
        KeyValue::new("http.response.status_code", "200"),
    ];
    let recorder = PrometheusBuilder::new().build_recorder();
    let metadata = metrics::Metadata::new("bench", metrics::Level::INFO, None);
    let key = metrics::Key::from_parts("c", &[("method", "GET"), ("route", "/orders"), ("status", "200")]);
    let handle = recorder.register_counter(&key, &metadata);
    let value = |n: u64| (n % 1000) as f64 * 0.001;
    vec![
        figure("opentelemetry: counter, 3 labels", |_| counter.add(1, black_box(&labels))),
        figure("opentelemetry: histogram, 3 labels", |n| histogram.record(value(n), black_box(&labels))),
        figure("metrics: counter handle", |_| black_box(&handle).increment(1)),
        contended("opentelemetry: counter, 3 labels", 2, |_| counter.add(1, &labels)),
        contended("metrics: counter handle", 2, |_| handle.increment(1)),
    ]
}

/// A level that is off, beside nothing.
fn levels() -> Vec<Figure> {
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO);
    let dispatch = tracing::Dispatch::new(subscriber);
    tracing::dispatcher::with_default(&dispatch, || {
        vec![
            figure("nothing", |n| {
                black_box(n);
            }),
            figure("a log event of a level that is off", |n| {
                tracing::debug!(order.id = n, "never");
                black_box(n);
            }),
            figure("a span of a level that is off", |n| {
                drop(tracing::debug_span!("never", order.id = n));
                black_box(n);
            }),
        ]
    })
}
