use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::{KeyValue, Resource, Span, SpanKind, Status, Value, decode_spans};
use crate::telemetry::trace::Tracer;
use crate::telemetry::{ExportError, Exporter, Pipeline, PipelineOptions, Signal};

/// More spans are counted, not kept.
const SPANS_MAX: usize = 100_000;
/// How long the pipeline may take to hand over what it has; it is in this process.
const PATIENCE: Duration = Duration::from_secs(20);

/// A span that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedSpan {
    /// Its name.
    pub name: String,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// Its trace.
    pub trace_id: [u8; 16],
    /// Its id.
    pub span_id: [u8; 8],
    /// The span that it is part of.
    pub parent_span_id: Option<[u8; 8]>,
    /// Its attributes, as texts.
    pub attributes: BTreeMap<String, String>,
    /// The names of what happened in it.
    pub events: Vec<String>,
    /// How it ended.
    pub status: Status,
}

/// A [`Tracer`] whose spans can be asked for: those of the layers and helpers of
/// [`instrument`](crate::instrument) too. What `tracing` makes is in a [`Recording`](super::Recording).
/// Clones are the same.
///
/// ```
/// use fresnel_sdk::testkit::RecordingTracer;
///
/// let recording = RecordingTracer::default();
/// recording.tracer().span("reserve stock").attribute("item.count", 3).start().end();
/// let span = recording.span("reserve stock").expect("it has ended");
/// assert_eq!(span.attributes["item.count"], "3");
/// ```
#[derive(Clone, Debug)]
pub struct RecordingTracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pipeline: Pipeline,
    tracer: Tracer,
    ended: Arc<Mutex<Ended>>,
}

#[derive(Debug, Default)]
struct Ended {
    spans: Vec<TracedSpan>,
    dropped: usize,
}

struct Keep(Arc<Mutex<Ended>>);

impl Exporter for Keep {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        if signal != Signal::Traces {
            return Ok(());
        }
        let groups = decode_spans(&request).ok_or_else(|| ExportError::permanent("these are no spans"))?;
        let mut ended = self.0.lock();
        for span in groups.into_iter().flat_map(|(_, _, spans)| spans) {
            if ended.spans.len() < SPANS_MAX {
                ended.spans.push(TracedSpan::from(span));
            } else {
                ended.dropped += 1;
            }
        }
        Ok(())
    }
}

impl From<Span> for TracedSpan {
    fn from(span: Span) -> Self {
        let attribute = |it: KeyValue| (it.key.into_owned(), plain(&it.value));
        Self {
            name: span.name.into_owned(),
            kind: span.kind,
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            attributes: span.attributes.into_iter().map(attribute).collect(),
            events: span.events.into_iter().map(|event| event.name.into_owned()).collect(),
            status: span.status,
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

impl Default for RecordingTracer {
    /// # Panics
    /// The system gives no thread.
    fn default() -> Self {
        // Spans wait for who asks for them, not for a time.
        let hour = Duration::from_secs(3600);
        let options =
            PipelineOptions { interval: hour, metrics_interval: hour, ..PipelineOptions::default() };
        let pipeline = Pipeline::start(Resource::service("test", "0"), Registry::new(), options)
            .expect("a test may have a thread");
        let ended = Arc::default();
        pipeline.connect(Keep(Arc::clone(&ended)));
        let tracer = pipeline.layer().tracer();
        Self(Arc::new(Inner { pipeline, tracer, ended }))
    }
}

impl RecordingTracer {
    /// What the code under test makes its spans with.
    pub fn tracer(&self) -> &Tracer {
        &self.0.tracer
    }

    /// All spans that have ended, in the order of that on each thread.
    ///
    /// # Panics
    /// They cannot be had.
    pub fn spans(&self) -> Vec<TracedSpan> {
        assert!(self.0.pipeline.flush(PATIENCE), "the spans are not handed over");
        self.0.ended.lock().spans.clone()
    }

    /// The first span of a name that has ended.
    ///
    /// # Panics
    /// As [`RecordingTracer::spans`].
    pub fn span(&self, name: &str) -> Option<TracedSpan> {
        self.spans().into_iter().find(|span| span.name == name)
    }

    /// How many spans there was no room for.
    pub fn dropped(&self) -> usize {
        self.0.ended.lock().dropped
    }

    /// Forgets all spans that have ended.
    ///
    /// # Panics
    /// As [`RecordingTracer::spans`].
    pub fn clear(&self) {
        // Those that wait, too.
        drop(self.spans());
        *self.0.ended.lock() = Ended::default();
    }
}
