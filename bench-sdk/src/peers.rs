use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry::trace::{TraceContextExt, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogConfig, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder as SpanConfig, BatchSpanProcessor, SdkTracerProvider};
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::Subject;
use crate::ours::fail;
use crate::sink::{ROUTES, Sink, status};

/// What others use: `tracing` with `tracing-opentelemetry`, OpenTelemetry's SDK for traces and logs,
/// and its metrics or those of the crate `metrics`.
pub(crate) struct Peers {
    sink: Sink,
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    meters: SdkMeterProvider,
    dispatch: Dispatch,
    counter: Counter<u64>,
    histogram: Histogram<f64>,
    recorder: Option<PrometheusRecorder>,
}

impl Peers {
    pub(crate) fn opentelemetry(requests: u64) -> Self {
        Self::new(requests, None)
    }

    pub(crate) fn metrics_crate(requests: u64) -> Self {
        Self::new(requests, Some(PrometheusBuilder::new().build_recorder()))
    }

    fn new(requests: u64, recorder: Option<PrometheusRecorder>) -> Self {
        let (sink, hour) = (Sink::default(), Duration::from_secs(3600));
        let resource = Resource::builder().with_service_name("bench").build();
        // Room for all of a round, so that nothing is dropped; batches as large as they have them.
        let queue = usize::try_from(requests).unwrap_or(usize::MAX).saturating_mul(2);
        let spans = SpanConfig::default().with_max_queue_size(queue).with_scheduled_delay(hour).build();
        let spans = BatchSpanProcessor::builder(sink.clone()).with_batch_config(spans).build();
        let traces =
            SdkTracerProvider::builder().with_span_processor(spans).with_resource(resource.clone()).build();
        let records = LogConfig::default().with_max_queue_size(queue).with_scheduled_delay(hour).build();
        let records = BatchLogProcessor::builder(sink.clone()).with_batch_config(records).build();
        let logs =
            SdkLoggerProvider::builder().with_log_processor(records).with_resource(resource.clone()).build();
        let reader = PeriodicReader::builder(sink.clone()).with_interval(hour).build();
        let meters = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
        let meter = meters.meter("bench");
        let subscriber = tracing_subscriber::registry()
            .with(LevelFilter::INFO)
            .with(tracing_opentelemetry::layer().with_tracer(traces.tracer("bench")))
            .with(OpenTelemetryTracingBridge::new(&logs));
        Self {
            counter: meter.u64_counter("app.requests").build(),
            histogram: meter.f64_histogram("app.request.duration").build(),
            dispatch: Dispatch::new(subscriber),
            sink,
            traces,
            logs,
            meters,
            recorder,
        }
    }

    fn request(&self, n: u64) {
        let route = ROUTES[n as usize % ROUTES.len()];
        let started = Instant::now();
        let span = info_span!(
            "request",
            otel.kind = "server",
            http.request.method = "GET",
            http.route = route,
            http.response.status_code = tracing::field::Empty,
        );
        span.in_scope(|| {
            std::hint::black_box(Context::current().span().span_context().trace_id());
            info!(order.id = n, user.tier = "gold", "order accepted");
        });
        span.record("http.response.status_code", 200);
        drop(span);
        let elapsed = || started.elapsed().as_secs_f64();
        if self.recorder.is_some() {
            let labels = [("method", "GET"), ("route", route), ("status", status(n))];
            metrics::counter!("app_requests", &labels).increment(1);
            metrics::histogram!("app_request_duration", &labels).record(elapsed());
        } else {
            let labels = [
                KeyValue::new("http.request.method", "GET"),
                KeyValue::new("http.route", route),
                KeyValue::new("http.response.status_code", status(n)),
            ];
            self.counter.add(1, &labels);
            self.histogram.record(elapsed(), &labels);
        }
    }
}

fn patiently(flush: impl Fn() -> OTelSdkResult) {
    let last = (0..20).map(|_| flush()).find(Result::is_ok);
    last.unwrap_or_else(flush).unwrap_or_else(fail);
}

impl Subject for Peers {
    fn name(&self) -> &'static str {
        if self.recorder.is_some() {
            "tracing-opentelemetry + metrics crate"
        } else {
            "tracing-opentelemetry + otel SDK"
        }
    }

    fn run(&mut self, requests: u64) {
        let this = &*self;
        let all = || (0..requests).for_each(|n| this.request(n));
        tracing::dispatcher::with_default(&this.dispatch, || match &this.recorder {
            Some(recorder) => metrics::with_local_recorder(recorder, all),
            None => all(),
        });
    }

    fn flush(&mut self) {
        // They give up after five seconds, which a busy machine may need.
        patiently(|| self.traces.force_flush());
        patiently(|| self.logs.force_flush());
        match &self.recorder {
            Some(recorder) => drop(std::hint::black_box(recorder.handle().render())),
            None => patiently(|| self.meters.force_flush()),
        }
    }

    fn exported(&self) -> u64 {
        let (spans, logs) = (&self.sink.spans, &self.sink.logs);
        // Both are asked for: what is exported is what both have.
        spans.load(Ordering::Relaxed).min(logs.load(Ordering::Relaxed))
    }
}
