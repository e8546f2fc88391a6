//! Bounds, failures and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message;
use tracing::{info, info_span};

use super::{PATIENCE, Sink, pipeline};
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::{Data, Number, Resource};
use crate::telemetry::{ExportError, Exporter, Pipeline, PipelineOptions, Signal};

/// What one of the pipeline's own counters says, good and bad.
fn counts(registry: &Registry, name: &str) -> (i64, i64) {
    let snapshot = registry.snapshot();
    let metric = snapshot.iter().find(|metric| metric.name == name).unwrap();
    let Data::Sum { points, .. } = &metric.data else { panic!("{metric:?}") };
    let value = |bad: bool| {
        let point = points.iter().find(|point| point.attributes.is_empty() != bad).unwrap();
        let Number::Int(value) = point.value else { panic!("{point:?}") };
        value
    };
    (value(false), value(true))
}

#[test]
fn what_does_not_fit_is_counted() {
    let (pipeline, dispatch) = pipeline(PipelineOptions { records_max: 10, ..PipelineOptions::default() });
    tracing::dispatcher::with_default(&dispatch, || {
        for i in 0..25 {
            info!(i, "x");
            let _span = info_span!("s");
        }
    });
    let registry = pipeline.registry().clone();
    assert_eq!(counts(&registry, "otel.sdk.processor.log.processed"), (10, 15));
    assert_eq!(counts(&registry, "otel.sdk.processor.span.processed"), (10, 15));
    let sink = Sink::default();
    assert!(!pipeline.flush(PATIENCE), "nothing can be sent yet");
    pipeline.connect(sink.clone());
    tracing::dispatcher::with_default(&dispatch, || info!("one more that does not fit"));
    assert!(!pipeline.flush(PATIENCE), "something is lost");
    assert_eq!(sink.logs().len(), 10);
    assert_eq!(counts(&registry, "otel.sdk.exporter.log.exported"), (10, 0));
    // There is room again.
    tracing::dispatcher::with_default(&dispatch, || info!("y"));
    assert!(pipeline.flush(PATIENCE));
    assert_eq!(sink.logs().len(), 11);
}

#[test]
fn the_bound_on_bytes_holds_too() {
    let (pipeline, dispatch) = pipeline(PipelineOptions { bytes_max: 1000, ..PipelineOptions::default() });
    let line = "x".repeat(300);
    tracing::dispatcher::with_default(&dispatch, || (0..5).for_each(|_| info!("{line}")));
    assert_eq!(counts(pipeline.registry(), "otel.sdk.processor.log.processed"), (2, 3));
}

#[test]
fn a_half_full_buffer_is_sent_without_being_asked() {
    let (pipeline, dispatch) = pipeline(PipelineOptions { records_max: 10, ..PipelineOptions::default() });
    let (sender, receiver) = sync_channel(100);
    pipeline.connect(Told(sender));
    tracing::dispatcher::with_default(&dispatch, || (0..5).for_each(|_| info!("x")));
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), Signal::Logs);
}

/// Tells what it was given.
struct Told(SyncSender<Signal>);

impl Exporter for Told {
    fn export(&self, signal: Signal, _: Vec<u8>) -> Result<(), ExportError> {
        self.0.send(signal).map_err(|_| ExportError::permanent("nobody listens"))
    }
}

#[test]
fn records_and_metrics_are_sent_at_their_intervals() {
    let tenth = Duration::from_millis(20);
    let options = PipelineOptions { interval: tenth, metrics_interval: tenth, ..PipelineOptions::default() };
    let pipeline = Pipeline::start(Resource::default(), Registry::new(), options).unwrap();
    let (sender, receiver) = sync_channel(100);
    pipeline.connect(Told(sender));
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), Signal::Metrics);
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), Signal::Metrics);
}

#[test]
fn a_request_that_may_be_retried_is() {
    /// Refuses the first two.
    struct Busy(AtomicU32, Sink);
    impl Exporter for Busy {
        fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
            if signal == Signal::Logs && self.0.fetch_add(1, Ordering::Relaxed) < 2 {
                return Err(ExportError::retry_after("busy", Duration::from_millis(1)));
            }
            self.1.export(signal, request)
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    let sink = Sink::default();
    pipeline.connect(Busy(AtomicU32::new(0), sink.clone()));
    assert!(pipeline.flush(PATIENCE));
    assert_eq!(sink.logs().len(), 1);
    assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.log.exported"), (1, 0));
}

#[test]
fn a_lost_request_is_counted_and_a_panic_is_contained() {
    let (pipeline, dispatch) = pipeline(PipelineOptions { attempts_max: 3, ..PipelineOptions::default() });
    let tried = Arc::new(AtomicU32::new(0));
    struct Broken(Arc<AtomicU32>);
    impl Exporter for Broken {
        fn export(&self, signal: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            match signal {
                Signal::Logs => {
                    self.0.fetch_add(1, Ordering::Relaxed);
                    Err(ExportError::retry_after("busy", Duration::from_millis(1)))
                }
                Signal::Traces => panic!("on purpose"),
                Signal::Metrics => Err(ExportError::permanent("no")),
            }
        }
    }
    pipeline.connect(Broken(tried.clone()));
    for round in 1..=2 {
        tracing::dispatcher::with_default(&dispatch, || {
            info!("x");
            let _span = info_span!("s");
        });
        assert!(!pipeline.flush(PATIENCE));
        assert_eq!(tried.load(Ordering::Relaxed), 3 * round);
        assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.log.exported"), (0, i64::from(round)));
        assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.span.exported"), (0, i64::from(round)));
    }
}

#[test]
fn the_end_sends_what_is_left() {
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let registry = pipeline.registry().clone();
    registry.counter("last.words", "", "").bind(&[]).add(1);
    let sink = Sink::default();
    pipeline.connect(sink.clone());
    tracing::dispatcher::with_default(&dispatch, || info!("bye"));
    drop(pipeline);
    assert_eq!(sink.logs().len(), 1);
    let request = sink.requests(Signal::Metrics).pop().unwrap();
    let request = ExportMetricsServiceRequest::decode(&request[..]).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    assert!(metrics.iter().any(|metric| metric.name == "last.words"));
    // What comes too late is counted, and does no harm.
    tracing::dispatcher::with_default(&dispatch, || info!("too late"));
    assert_eq!(counts(&registry, "otel.sdk.processor.log.processed"), (1, 1));
}

#[test]
fn a_flush_delivers_metrics() {
    let (pipeline, _dispatch) = pipeline(PipelineOptions::default());
    let orders = pipeline.registry().counter("orders", "{order}", "").bind(&[]);
    let sink = Sink::default();
    pipeline.connect(sink.clone());
    let last = || {
        let request = sink.requests(Signal::Metrics).pop()?;
        let request = ExportMetricsServiceRequest::decode(&request[..]).unwrap();
        let metrics = request.resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
        let orders = metrics.flat_map(|it| it.metrics).find(|metric| metric.name == "orders")?;
        let Some(metric::Data::Sum(sum)) = orders.data else { panic!("{orders:?}") };
        sum.data_points[0].value
    };
    for sum in [3, 6] {
        orders.add(3);
        assert!(pipeline.flush(PATIENCE));
        assert_eq!(last(), Some(number_data_point::Value::AsInt(sum)));
    }
    // Every point of both requests, the pipeline's own included.
    let name = "otel.sdk.exporter.metric_data_point.exported";
    let (delivered, lost) = counts(pipeline.registry(), name);
    assert!(delivered > 2 && lost == 0, "{delivered} {lost}");
}

#[test]
fn metrics_that_the_end_cannot_deliver_are_counted() {
    /// Takes no metrics.
    struct Full(Sink);
    impl Exporter for Full {
        fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
            match signal {
                Signal::Metrics => Err(ExportError::retry_after("full", Duration::from_millis(1))),
                _ => self.0.export(signal, request),
            }
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let registry = pipeline.registry().clone();
    registry.counter("orders", "", "").bind(&[]).add(1);
    let sink = Sink::default();
    pipeline.connect(Full(sink.clone()));
    tracing::dispatcher::with_default(&dispatch, || info!("bye"));
    let points: i64 = registry.snapshot().iter().map(|it| i64::try_from(it.data.len()).unwrap()).sum();
    assert!(!pipeline.shutdown(PATIENCE));
    assert_eq!(counts(&registry, "otel.sdk.exporter.metric_data_point.exported"), (0, points));
    assert_eq!(counts(&registry, "otel.sdk.exporter.log.exported"), (1, 0), "the others are delivered");
    let health = pipeline.health();
    let told: Vec<_> = health.outputs.iter().map(|it| (it.name, it.error.as_deref())).collect();
    assert_eq!(told, [("logs", None), ("traces", None), ("metrics", Some("full"))]);
}

#[test]
fn what_was_never_connected_is_lost_in_the_end_and_counted() {
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let registry = pipeline.registry().clone();
    tracing::dispatcher::with_default(&dispatch, || {
        info!("x");
        let _span = info_span!("s");
    });
    assert!(!pipeline.shutdown(PATIENCE));
    assert_eq!(counts(&registry, "otel.sdk.exporter.log.exported"), (0, 1));
    assert_eq!(counts(&registry, "otel.sdk.exporter.span.exported"), (0, 1));
    assert!(counts(&registry, "otel.sdk.exporter.metric_data_point.exported").1 > 0);
}

#[test]
fn an_output_is_as_it_was_last() {
    /// Fails while it is told to.
    struct Moody(Arc<AtomicU32>);
    impl Exporter for Moody {
        fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            match self.0.load(Ordering::Relaxed) {
                0 => Ok(()),
                reason => Err(ExportError::permanent(format!("reason {reason}"))),
            }
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let mood = Arc::new(AtomicU32::new(0));
    pipeline.connect(Moody(mood.clone()));
    let logs = |reason: u32| {
        mood.store(reason, Ordering::Relaxed);
        tracing::dispatcher::with_default(&dispatch, || info!("x"));
        assert_eq!(pipeline.flush(PATIENCE), reason == 0);
        let health = pipeline.health();
        assert_eq!(health.is_healthy(), reason == 0);
        health.outputs[0].clone()
    };
    let (begun, right) = (pipeline.health().outputs[0].since, logs(0));
    assert_eq!((right.error, right.since), (None, begun));
    let (first, second) = (logs(1), logs(2));
    assert_eq!((first.error.as_deref(), second.error.as_deref()), (Some("reason 1"), Some("reason 2")));
    assert!(first.since != begun && second.since == first.since, "since the first failure");
    let again = logs(0);
    assert!(again.error.is_none() && again.since != first.since);
    assert_eq!(logs(0).since, again.since);
}

#[test]
fn the_end_does_not_wait_for_an_exporter_that_hangs() {
    struct Stuck(parking_lot::Mutex<Receiver<()>>);
    impl Exporter for Stuck {
        fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            let _ = self.0.lock().recv();
            Ok(())
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let (release, stuck) = sync_channel(1);
    pipeline.connect(Stuck(parking_lot::Mutex::new(stuck)));
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    assert!(!pipeline.flush(Duration::from_millis(20)));
    assert!(!pipeline.shutdown(Duration::from_millis(20)));
    drop(release);
    assert!(pipeline.shutdown(PATIENCE));
}

#[test]
fn the_end_does_not_wait_for_retries() {
    struct Busy;
    impl Exporter for Busy {
        fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            Err(ExportError::retry_after("busy", Duration::from_secs(3600)))
        }
    }
    let hour = Duration::from_secs(3600);
    let (pipeline, dispatch) =
        pipeline(PipelineOptions { retry_wait_max: hour, ..PipelineOptions::default() });
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    pipeline.connect(Busy);
    assert!(!pipeline.flush(Duration::from_millis(20)));
    assert!(!pipeline.shutdown(PATIENCE), "it ended, and something is lost");
}

#[test]
fn an_end_without_a_beginning_is_quick() {
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    for _ in 0..2 {
        assert!(!pipeline.shutdown(PATIENCE), "something is lost");
        assert!(!pipeline.flush(PATIENCE), "nothing is waited for, and nothing sent");
    }
}

/// The exporter logs, and it is not told of that: see `Sink`.
#[test]
fn the_pipeline_does_not_feed_on_itself() {
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let sink = Sink::default();
    pipeline.connect(sink.clone());
    let _ = tracing::dispatcher::set_global_default(dispatch.clone());
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    for _ in 0..3 {
        assert!(pipeline.flush(PATIENCE));
    }
    let exporting = sink.logs().iter().filter(|(scope, _)| scope.ends_with("telemetry::tests")).count();
    assert_eq!(exporting, 0);
}
