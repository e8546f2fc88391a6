#![allow(clippy::unwrap_used)]

mod environment;
#[cfg(feature = "http")]
mod http;
mod init;
mod limits;
mod pipeline;
mod recording;
mod redaction;
mod temporality;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
pub(crate) use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

use super::metrics::Registry;
use super::otlp::Resource;
use super::trace::Tracer;
use super::{ExportError, Exporter, Layer, Pipeline, PipelineOptions, Sampler, Sampling, Signal};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps what it is given.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<Request>>>);

type Request = (Signal, Vec<u8>);

impl Exporter for Sink {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        // What an exporter logs must not come back to it.
        tracing::info!("exporting");
        self.0.lock().push((signal, request));
        Ok(())
    }
}

impl Sink {
    pub(crate) fn requests(&self, signal: Signal) -> Vec<Vec<u8>> {
        let all = self.0.lock();
        all.iter().filter(|(other, _)| *other == signal).map(|(_, request)| request.clone()).collect()
    }

    /// All log records with their scopes.
    pub(crate) fn logs(&self) -> Vec<(String, LogRecord)> {
        let requests = self.requests(Signal::Logs);
        let requests = requests.iter().map(|it| ExportLogsServiceRequest::decode(&it[..]).unwrap());
        let scopes = requests.flat_map(|it| it.resource_logs).flat_map(|it| it.scope_logs);
        scopes
            .flat_map(|it| it.log_records.into_iter().map(move |log| (it.scope.clone().unwrap().name, log)))
            .collect()
    }

    /// All spans by name.
    pub(super) fn spans(&self) -> HashMap<String, Span> {
        let requests = self.requests(Signal::Traces);
        let requests = requests.iter().map(|it| ExportTraceServiceRequest::decode(&it[..]).unwrap());
        let scopes = requests.flat_map(|it| it.resource_spans).flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).map(|span| (span.name.clone(), span)).collect()
    }
}

/// A pipeline that sends only when asked.
pub(super) fn pipeline(options: PipelineOptions) -> (Pipeline, Dispatch) {
    let hour = Duration::from_secs(3600);
    let options = PipelineOptions { interval: hour, metrics_interval: hour, ..options };
    let pipeline = Pipeline::start(Resource::service("test", "1"), Registry::new(), options).unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(pipeline.layer()));
    (pipeline, dispatch)
}

/// Runs `f` with everything recorded, and returns what was sent.
fn record(f: impl FnOnce()) -> Sink {
    record_with(|_| f())
}

/// As [`record`], with spans of our own, too.
pub(super) fn record_with(f: impl FnOnce(&Tracer)) -> Sink {
    record_sampled(Sampler::default(), f)
}

/// As [`record_with`], of what is sampled.
pub(super) fn record_sampled(sampling: impl Into<Sampling>, f: impl FnOnce(&Tracer)) -> Sink {
    record_through(|layer| layer.sampled_by(sampling), f)
}

/// As [`record_with`], by a layer that is told more.
pub(super) fn record_through(layer: impl FnOnce(Layer) -> Layer, f: impl FnOnce(&Tracer)) -> Sink {
    let (pipeline, _) = pipeline(PipelineOptions::default());
    let layer = layer(pipeline.layer());
    let tracer = layer.tracer();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || f(&tracer));
    let sink = Sink::default();
    pipeline.connect(sink.clone());
    assert!(pipeline.shutdown(PATIENCE));
    sink
}

pub(crate) fn attributes(attributes: &[KeyValue]) -> HashMap<&str, Any> {
    let all = attributes.iter().map(|it| (it.key.as_str(), it.value.clone().unwrap().value.unwrap()));
    let map: HashMap<_, _> = all.collect();
    assert_eq!(map.len(), attributes.len(), "a key is there twice");
    map
}

pub(crate) fn text(text: &str) -> Any {
    Any::StringValue(text.into())
}

fn body(record: &LogRecord) -> Option<AnyValue> {
    record.body.clone()
}
