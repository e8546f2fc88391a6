use std::time::{Duration, Instant};

use fresnel_sdk::telemetry::metrics::{Counter, Histogram, Registry, SECONDS};
use fresnel_sdk::telemetry::otlp::{Resource, SpanKind};
use fresnel_sdk::telemetry::trace::Tracer;
use fresnel_sdk::telemetry::{ExportError, Exporter, Pipeline, PipelineOptions, Signal, current_context};
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::Subject;
use crate::sink::{ROUTES, status};

/// Our SDK, with spans of its own or of `tracing`.
pub(crate) struct Ours {
    pipeline: Pipeline,
    dispatch: Dispatch,
    tracer: Option<Tracer>,
    counter: Counter,
    histogram: Histogram,
}

/// Ends the program: without this there is nothing to measure.
pub(crate) fn fail<T>(error: impl std::fmt::Display) -> T {
    panic!("nothing can be measured: {error}")
}

/// Looks at the length of what it is given: encoded requests.
struct Nowhere;

impl Exporter for Nowhere {
    fn export(&self, _: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        std::hint::black_box(request.len());
        Ok(())
    }
}

impl Ours {
    pub(crate) fn spans() -> Self {
        Self::new(true)
    }

    pub(crate) fn tracing() -> Self {
        Self::new(false)
    }

    fn new(own_spans: bool) -> Self {
        // Nothing is sent but when the buffers are half full or when asked, as with the peers; and
        // nothing is dropped.
        let hour = Duration::from_secs(3600);
        let options = PipelineOptions {
            interval: hour,
            metrics_interval: hour,
            records_max: 1 << 20,
            bytes_max: 64 << 20,
            ..PipelineOptions::default()
        };
        let registry = Registry::new();
        let counter = registry.counter("app.requests", "{request}", "Requests.");
        let histogram = registry.histogram("app.request.duration", "s", "Duration.", SECONDS);
        let pipeline = Pipeline::start(Resource::service("bench", "1"), registry, options);
        let pipeline = pipeline.unwrap_or_else(fail);
        pipeline.connect(Nowhere);
        let layer = pipeline.layer();
        let tracer = own_spans.then(|| layer.tracer());
        let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
        Self { pipeline, dispatch: Dispatch::new(subscriber), tracer, counter, histogram }
    }

    fn request(&self, n: u64) {
        let route = ROUTES[n as usize % ROUTES.len()];
        let started = Instant::now();
        match &self.tracer {
            Some(tracer) => {
                let mut span = tracer
                    .span("request")
                    .kind(SpanKind::Server)
                    .attribute("http.request.method", "GET")
                    .attribute("http.route", route)
                    .start();
                span.in_scope(|| handle(n));
                span.set("http.response.status_code", 200);
            }
            None => {
                let span = info_span!(
                    "request",
                    otel.kind = "server",
                    http.request.method = "GET",
                    http.route = route,
                    http.response.status_code = tracing::field::Empty,
                );
                span.in_scope(|| handle(n));
                span.record("http.response.status_code", 200);
            }
        }
        let labels =
            [("http.request.method", "GET"), ("http.route", route), ("http.response.status_code", status(n))];
        self.counter.add(1, &labels);
        self.histogram.record(started.elapsed().as_secs_f64(), &labels);
    }
}

fn handle(n: u64) {
    std::hint::black_box(current_context());
    info!(order.id = n, user.tier = "gold", "order accepted");
}

impl Subject for Ours {
    fn name(&self) -> &'static str {
        if self.tracer.is_some() { "fresnel-sdk, our spans" } else { "fresnel-sdk, through tracing" }
    }

    fn run(&mut self, requests: u64) {
        let this = &*self;
        tracing::dispatcher::with_default(&this.dispatch, || (0..requests).for_each(|n| this.request(n)));
    }

    fn flush(&mut self) {
        assert!(self.pipeline.flush(Duration::from_secs(60)), "it takes longer than a minute");
    }

    fn exported(&self) -> u64 {
        let page = self.pipeline.registry().prometheus();
        let name = "otel_sdk_exporter_span_exported_total ";
        page.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or(0)
    }
}
