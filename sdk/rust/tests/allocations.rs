//! Counting costs no allocation: neither bound nor by labels whose series is there, nor in a span once
//! its thread has its buffers. And what requests allocate is given back.

#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "an allocator that counts is one that allocates")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fresnel_sdk::logging::{Id, LogContext, LoggingConfig, Redactor};
use fresnel_sdk::telemetry::metrics::{Registry, SECONDS};
use fresnel_sdk::telemetry::otlp::Resource;
use fresnel_sdk::telemetry::{ExportError, Exporter, Pipeline, PipelineOptions, Signal};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that are allocated, by all threads.
static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: all of it is the system's allocator; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: what the caller promises is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: what the caller promises is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn counting_allocates_nothing() {
    let registry = Registry::new();
    let labels = [("http.request.method", "GET"), ("http.route", "/users/{id}"), ("status", "200")];
    let counter = registry.counter("c", "", "");
    let up_down = registry.up_down_counter("u", "", "");
    let gauge = registry.gauge("g", "", "");
    let histogram = registry.histogram("h", "s", "", SECONDS);
    let exponential = registry.exponential_histogram("e", "s", "");
    let bound = (counter.bind(&labels), up_down.bind(&labels), gauge.bind(&labels), histogram.bind(&labels));
    let sketch = exponential.bind(&labels);
    let count = |value: f64| {
        counter.add(1, &labels);
        up_down.add(-1, &labels);
        gauge.set(value, &labels);
        histogram.record(value, &labels);
        exponential.record(value, &labels);
        bound.0.add(1);
        bound.1.add(1);
        bound.2.set(value);
        bound.3.record(value);
        sketch.record(value);
    };
    // Over a range that makes the sketch merge its buckets many times.
    assert_eq!(allocations(|| (0..2000).for_each(|n| count(1.05_f64.powi(n % 700) * 1e-6))), 0);
    assert_eq!(bound.0.value(), 4000);
    assert_eq!(sketch.count(), 4000);
}

#[test]
fn a_span_that_no_rule_of_redaction_concerns_allocates_nothing() {
    // The first fills the buffer, so that its growth is not counted.
    let options = PipelineOptions { records_max: 1, ..PipelineOptions::default() };
    let pipeline = Pipeline::start(Resource::default(), Registry::new(), options).unwrap();
    let redactor = Redactor::default().path("user.email").unwrap();
    let tracer = pipeline.layer().redacting(redactor).tracer();
    let span = |name: &str| {
        let mut span = tracer.span("work").attribute(name, "ann").start();
        span.event("cache.miss", &[("n", 1.into()), ("share", 0.5.into())]);
        span.end();
    };
    (0..3).for_each(|_| span("user.name"));
    assert_eq!(allocations(|| (0..100).for_each(|_| span("user.name"))), 0);
    assert!(allocations(|| span("user.email")) > 0, "what is taken out may cost something");
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl Exporter for Nowhere {
    fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
        Ok(())
    }
}

/// A leak of a few bytes a request is found, whichever signal it is of.
#[test]
fn equal_rounds_of_requests_leave_nothing_behind() {
    const REQUESTS: usize = 500;

    let quiet = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    let guard = fresnel_sdk::builder().logging(quiet).exporter(Nowhere).start().unwrap();
    let registry = guard.registry();
    let requests = registry.counter("shop.requests", "{request}", "Requests.");
    let duration = registry.histogram("shop.duration", "s", "Of requests.", SECONDS);
    let sizes = registry.exponential_histogram("shop.size", "By", "Of answers.");
    let request = |n: usize| {
        tracing::info_span!("request", n).in_scope(|| {
            tracing::info!(n, user.name = "a name", "asked");
            let labels = [("route", "/orders"), ("method", "POST")];
            requests.add(1, &labels);
            duration.record(0.01, &labels);
            sizes.record(512.0, &labels);
            let mut query = guard.tracer().span("query").attribute("n", 7).start();
            query.event("sent", &[("table", "orders".into())]);
            query.fail(&std::io::Error::other("it is locked"));
        });
    };
    let live = |_| {
        for n in 0..REQUESTS {
            LogContext::new().id(Id::Request, "r-1").field("n", n).with(|| request(n));
        }
        assert!(guard.flush(Duration::from_secs(60)));
        LIVE.load(Ordering::Relaxed)
    };
    let rounds: Vec<i64> = (0..30).map(live).collect();
    // In the first ten buffers become as long as they need to be; the rest is compared by its lows, as
    // threads are now here and now there.
    let low = |rounds: &[i64]| *rounds.iter().min().unwrap();
    let grown = low(&rounds[20..]) - low(&rounds[10..20]);
    assert!(
        grown < 4 * 10 * REQUESTS as i64,
        "{grown} bytes more after {} requests: {rounds:?}",
        10 * REQUESTS
    );
}
