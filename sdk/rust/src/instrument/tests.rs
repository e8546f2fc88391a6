#![allow(clippy::unwrap_used)]

mod data;
#[cfg(all(feature = "axum", feature = "reqwest"))]
mod grpc;
#[cfg(all(feature = "axum", feature = "reqwest"))]
mod http;
mod redis;
mod sqlx;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::Resource;
use crate::telemetry::trace::Tracer;
use crate::telemetry::{ExportError, Exporter, Pipeline, PipelineOptions, Signal};

const PATIENCE: Duration = Duration::from_secs(20);

/// A pipeline of its own, whose spans can be asked for.
struct Observed {
    pipeline: Pipeline,
    tracer: Tracer,
    registry: Registry,
    dispatch: Dispatch,
    sent: Arc<Mutex<Vec<Span>>>,
}

struct Keep(Arc<Mutex<Vec<Span>>>);

impl Exporter for Keep {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        if signal == Signal::Traces {
            let request = ExportTraceServiceRequest::decode(&request[..]).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
            self.0.lock().extend(scopes.flat_map(|it| it.spans));
        }
        Ok(())
    }
}

impl Observed {
    fn new() -> Self {
        let hour = Duration::from_secs(3600);
        let options =
            PipelineOptions { interval: hour, metrics_interval: hour, ..PipelineOptions::default() };
        let registry = Registry::new();
        let pipeline = Pipeline::start(Resource::service("test", "1"), registry.clone(), options).unwrap();
        let sent = Arc::default();
        pipeline.connect(Keep(Arc::clone(&sent)));
        let layer = pipeline.layer();
        let tracer = layer.tracer();
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        Self { pipeline, tracer, registry, dispatch, sent }
    }

    /// All spans so far, by their end.
    fn spans(&self) -> Vec<Span> {
        assert!(self.pipeline.flush(PATIENCE));
        self.sent.lock().clone()
    }

    /// The one span of this name and kind.
    #[track_caller]
    fn span(&self, name: &str, kind: i32) -> Span {
        let spans = self.spans();
        let mut found = spans.iter().filter(|span| span.name == name && span.kind == kind);
        let span = found.next().unwrap_or_else(|| panic!("no span {name} in {spans:#?}"));
        assert!(found.next().is_none(), "{name} is there twice");
        span.clone()
    }

    /// The lines of the page that begin like this.
    fn lines(&self, start: &str) -> Vec<String> {
        let page = self.registry.prometheus();
        page.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }
}

/// Serves until the set is dropped.
#[cfg(all(feature = "axum", feature = "reqwest"))]
async fn serve(observed: &Observed, app: axum::Router) -> (std::net::SocketAddr, tokio::task::JoinSet<()>) {
    use tracing::instrument::WithSubscriber;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let served = async move { axum::serve(listener, app).await.unwrap() };
    tasks.spawn(served.with_subscriber(observed.dispatch.clone()));
    (address, tasks)
}

#[cfg(all(feature = "axum", feature = "reqwest"))]
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// The text of an attribute; of numbers their digits.
fn fact(span: &Span, name: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|it| it.key == name)?;
    match attribute.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
