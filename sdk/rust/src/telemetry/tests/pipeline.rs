//! Bounds, failures and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    assert!(!pipeline.flush(PATIENCE), "15 of each are lost");
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

/// Refuses for now as long as it is told to; counts its attempts.
#[derive(Clone, Default)]
struct Outage(Arc<AtomicBool>, Arc<AtomicU32>, Sink);

impl Outage {
    fn begun() -> Self {
        let outage = Self::default();
        outage.0.store(true, Ordering::SeqCst);
        outage
    }

    fn is_tried(&self, times: u32) {
        while self.1.load(Ordering::SeqCst) < times {
            std::thread::yield_now();
        }
    }
}

impl Exporter for Outage {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        if self.0.load(Ordering::SeqCst) {
            self.1.fetch_add(u32::from(signal == Signal::Logs), Ordering::SeqCst);
            return Err(ExportError::retry_after("not there", Duration::ZERO));
        }
        self.2.export(signal, request)
    }
}

/// As short as they can be; the usual ones have their own test.
fn quick() -> PipelineOptions {
    PipelineOptions { retry_wait_max: Duration::from_millis(1), ..PipelineOptions::default() }
}

#[test]
fn an_outage_loses_nothing_while_there_is_room() {
    let (pipeline, dispatch) = pipeline(quick());
    let outage = Outage::begun();
    pipeline.connect(outage.clone());
    tracing::dispatcher::with_default(&dispatch, || info!("before"));
    assert!(!pipeline.flush(Duration::from_millis(20)), "it is not delivered");
    // More often than any number of attempts that once was.
    outage.is_tried(20);
    tracing::dispatcher::with_default(&dispatch, || info!("meanwhile"));
    outage.0.store(false, Ordering::SeqCst);
    assert!(pipeline.flush(PATIENCE));
    assert_eq!(outage.2.logs().len(), 2);
    assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.log.exported"), (2, 0));
}

#[test]
fn without_room_the_oldest_are_given_up_and_the_newest_do_not_get_in() {
    let (pipeline, dispatch) = pipeline(PipelineOptions { records_max: 4, ..quick() });
    let outage = Outage::begun();
    pipeline.connect(outage.clone());
    let say = |text: &str| tracing::dispatcher::with_default(&dispatch, || info!("{text}"));
    // Half full: sent without a flush.
    ["oldest", "old"].into_iter().for_each(say);
    outage.is_tried(1);
    ["a", "b", "c", "d"].into_iter().for_each(say);
    // The oldest is given up, and then there is room again.
    while counts(pipeline.registry(), "otel.sdk.exporter.log.exported").1 == 0 {
        std::thread::yield_now();
    }
    outage.0.store(false, Ordering::SeqCst);
    assert!(!pipeline.flush(PATIENCE), "two are lost");
    assert!(pipeline.flush(PATIENCE), "that was told");
    assert_eq!(outage.2.logs().len(), 4);
    assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.log.exported"), (4, 2));
}

#[test]
fn what_was_dropped_before_a_flush_is_told_by_it() {
    let (pipeline, dispatch) = pipeline(PipelineOptions { records_max: 2, ..PipelineOptions::default() });
    tracing::dispatcher::with_default(&dispatch, || (0..3).for_each(|_| info!("x")));
    pipeline.connect(Sink::default());
    assert!(!pipeline.flush(PATIENCE));
    assert!(pipeline.flush(PATIENCE));
}

#[test]
fn a_receiver_that_comes_back_before_the_end_is_over_gets_everything() {
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let outage = Outage::begun();
    pipeline.connect(outage.clone());
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    let ending = std::thread::spawn(move || pipeline.shutdown(PATIENCE));
    outage.is_tried(5);
    outage.0.store(false, Ordering::SeqCst);
    assert!(ending.join().unwrap());
    assert_eq!(outage.2.logs().len(), 1);
}

#[test]
fn a_signal_that_hangs_holds_up_no_other_and_requests_end_with_the_end() {
    /// Hangs with logs; keeps how long requests might take.
    struct OfLogs(parking_lot::Mutex<Receiver<()>>, Sink, SyncSender<(Signal, Duration)>);
    impl Exporter for OfLogs {
        fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
            if signal == Signal::Logs {
                let _ = self.0.lock().recv();
            }
            self.1.export(signal, request)
        }
        fn export_within(
            &self,
            signal: Signal,
            request: Vec<u8>,
            within: Duration,
        ) -> Result<(), ExportError> {
            self.2.send((signal, within)).unwrap();
            self.export(signal, request)
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    let (release, stuck) = sync_channel(1);
    let (limits, within) = sync_channel(10);
    let sink = Sink::default();
    pipeline.connect(OfLogs(parking_lot::Mutex::new(stuck), sink.clone(), limits));
    tracing::dispatcher::with_default(&dispatch, || {
        info!("x");
        let _span = info_span!("s");
    });
    assert!(!pipeline.flush(Duration::from_millis(50)), "logs hang");
    // Not the flush's patience but the records decide: those of the others may need longer.
    while sink.requests(Signal::Traces).is_empty() || sink.requests(Signal::Metrics).is_empty() {
        std::thread::yield_now();
    }
    tracing::dispatcher::with_default(&dispatch, || drop(info_span!("last")));
    let end = Duration::from_millis(500);
    assert!(!pipeline.shutdown(end));
    let mut told: Vec<_> = within.try_iter().collect();
    told.sort();
    let signals: Vec<_> = told.iter().map(|(signal, _)| *signal).collect();
    assert_eq!(signals, [Signal::Traces, Signal::Metrics]);
    assert!(told.iter().all(|(_, within)| *within < end), "{told:?}");
    assert!(sink.spans().contains_key("last"));
    drop(release);
}

#[test]
fn a_lost_request_is_counted_and_told_and_a_panic_is_contained() {
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    struct Broken;
    impl Exporter for Broken {
        fn export(&self, signal: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            match signal {
                Signal::Traces => panic!("on purpose"),
                Signal::Logs | Signal::Metrics => Err(ExportError::permanent("no")),
            }
        }
    }
    pipeline.connect(Broken);
    for round in 1..=2 {
        tracing::dispatcher::with_default(&dispatch, || {
            info!("x");
            let _span = info_span!("s");
        });
        assert!(!pipeline.flush(PATIENCE));
        assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.log.exported"), (0, round));
        assert_eq!(counts(pipeline.registry(), "otel.sdk.exporter.span.exported"), (0, round));
    }
    assert!(!pipeline.shutdown(PATIENCE), "metrics are refused at the end, too");
}

#[test]
fn a_loss_between_flushes_is_told_by_the_next_and_by_it_alone() {
    /// Takes all but one request of logs.
    struct Once(AtomicBool, SyncSender<()>);
    impl Exporter for Once {
        fn export(&self, signal: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            if signal == Signal::Logs && !self.0.swap(true, Ordering::SeqCst) {
                self.1.send(()).unwrap();
                return Err(ExportError::permanent("no"));
            }
            Ok(())
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions { records_max: 4, ..PipelineOptions::default() });
    let (refused, is_refused) = sync_channel(1);
    pipeline.connect(Once(AtomicBool::new(false), refused));
    // Half full: sent without a flush.
    tracing::dispatcher::with_default(&dispatch, || (0..2).for_each(|_| info!("x")));
    is_refused.recv().unwrap();
    assert!(!pipeline.flush(PATIENCE));
    assert!(pipeline.flush(PATIENCE) && pipeline.shutdown(PATIENCE));
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
    assert!(!pipeline.shutdown(Duration::from_secs(1)));
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
    assert!(!pipeline.flush(PATIENCE), "it still waits");
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
    // It was late, not lost.
    assert!(pipeline.shutdown(PATIENCE));
}

#[test]
fn the_end_does_not_wait_for_who_asked_to_wait_longer() {
    struct Busy;
    impl Exporter for Busy {
        fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            Err(ExportError::retry_after("busy", Duration::from_secs(3600)))
        }
    }
    let (pipeline, dispatch) = pipeline(PipelineOptions::default());
    tracing::dispatcher::with_default(&dispatch, || info!("x"));
    pipeline.connect(Busy);
    assert!(!pipeline.flush(Duration::from_millis(20)));
    // Long before its time is over.
    let (ended, is_ended) = sync_channel(1);
    std::thread::spawn(move || ended.send(pipeline.shutdown(Duration::from_secs(300))));
    assert!(!is_ended.recv_timeout(PATIENCE).unwrap());
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

#[test]
fn a_signal_that_nobody_wants_is_not_recorded() {
    /// Wants spans alone, or nothing.
    struct Choosy(bool, Sink);
    impl Exporter for Choosy {
        fn wants(&self, signal: Signal) -> bool {
            self.0 && signal == Signal::Traces
        }
        fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
            self.1.export(signal, request)
        }
    }
    for spans in [true, false] {
        let (pipeline, dispatch) = pipeline(PipelineOptions { records_max: 2, ..PipelineOptions::default() });
        let (registry, sink) = (pipeline.registry().clone(), Sink::default());
        pipeline.connect(Choosy(spans, sink.clone()));
        // More logs than fit, and a span within which they know where they are.
        tracing::dispatcher::with_default(&dispatch, || {
            info_span!("s").in_scope(|| {
                (0..3).for_each(|_| info!("x"));
                assert!(crate::telemetry::current_context().is_some());
            });
        });
        assert!(pipeline.flush(PATIENCE) && pipeline.shutdown(PATIENCE));
        assert_eq!(counts(&registry, "otel.sdk.processor.log.processed"), (0, 0));
        assert_eq!(counts(&registry, "otel.sdk.processor.span.processed"), (i64::from(spans), 0));
        assert_eq!(counts(&registry, "otel.sdk.exporter.metric_data_point.exported"), (0, 0));
        assert_eq!(sink.spans().len(), usize::from(spans));
        assert_eq!(sink.0.lock().len(), usize::from(spans), "nothing else");
    }
}
