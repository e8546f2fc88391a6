//! Counting costs no allocation: neither bound nor by labels whose series is there, nor in a span once
//! its thread has its buffers.

#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "an allocator that counts is one that allocates")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fresnel_sdk::logging::Redactor;
use fresnel_sdk::telemetry::metrics::{Registry, SECONDS};
use fresnel_sdk::telemetry::otlp::Resource;
use fresnel_sdk::telemetry::{Pipeline, PipelineOptions};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all of it is the system's allocator; the counter is of this thread and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: what the caller promises is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
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
