use std::error::Error;
use std::future::Future;
use std::time::Instant;

use super::{CANCELLED, LabelList, seconds_since, type_name};
use crate::propagation::{Context, Extractor, Injector, Propagation};
use crate::telemetry::metrics::{Counter, Histogram, Registry};
use crate::telemetry::otlp::{SpanKind, Status};
use crate::telemetry::trace::{Span, Tracer};

/// Messages of one system of queues: spans of producers and consumers that are one trace, and the
/// metrics `messaging.client.sent.messages`, `messaging.client.consumed.messages`,
/// `messaging.client.operation.duration` and `messaging.process.duration`.
#[derive(Clone)]
pub struct Queue {
    tracer: Tracer,
    propagation: Propagation,
    system: &'static str,
    sent: Counter,
    consumed: Counter,
    operation: Histogram,
    process: Histogram,
}

/// A message that came. A text is one that waited there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// Where it waited: `messaging.destination.name`.
    pub destination: &'a str,
    /// Its id, for the span only.
    pub id: Option<&'a str>,
    /// Who works on it: `messaging.consumer.group.name`.
    pub worker: Option<&'a str>,
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(destination: &'a str) -> Self {
        Self { destination, ..Self::default() }
    }
}

/// The bounds of the semantic conventions, in seconds.
const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Queue {
    /// Of a system by the conventions' name: `kafka`, `rabbitmq`, `nats`, or your own.
    pub fn new(tracer: &Tracer, registry: &Registry, system: &'static str) -> Self {
        let counter = |name, text| registry.counter(name, "{message}", text);
        let histogram = |name, text| registry.histogram(name, "s", text, BOUNDS);
        Self {
            tracer: tracer.clone(),
            propagation: Propagation::from_env().0,
            system,
            sent: counter("messaging.client.sent.messages", "Messages that producers attempted to send."),
            consumed: counter("messaging.client.consumed.messages", "Messages that were delivered."),
            operation: histogram("messaging.client.operation.duration", "Duration of operations of clients."),
            process: histogram("messaging.process.duration", "Duration of the work on messages."),
        }
    }

    /// With other forms of the context than `OTEL_PROPAGATORS` says.
    #[must_use]
    pub fn propagation(self, propagation: Propagation) -> Self {
        Self { propagation, ..self }
    }

    /// Sends a message: `send` is given its headers with the context in them.
    ///
    /// # Errors
    /// Those of `send`.
    pub async fn produce<H: Injector, T, E: Error, F: Future<Output = Result<T, E>>>(
        &self,
        destination: &str,
        mut headers: H,
        send: impl FnOnce(H) -> F,
    ) -> Result<T, E> {
        let mut work = self.begin(Role::Send, destination.into(), Context::current());
        let context = Context { span: work.span.context(), ..Context::current() };
        self.propagation.inject(&context, &mut headers);
        work.run(send(headers)).await
    }

    /// Works on a message that came with these headers, in the trace of its producer.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn time_processing<'a, T, E: Error>(
        &self,
        message: impl Into<Message<'a>>,
        headers: &(impl Extractor + ?Sized),
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let context = self.propagation.extract(headers);
        let mut running = self.begin(Role::Process, message.into(), context.clone());
        context.scope(running.run(work)).await
    }

    fn begin<'a>(&'a self, role: Role, message: Message<'a>, context: Context) -> Work<'a> {
        let operation = role.name();
        let builder = self
            .tracer
            .span(format!("{operation} {}", message.destination))
            .attribute("messaging.system", self.system)
            .attribute("messaging.operation.name", operation)
            .attribute("messaging.operation.type", operation)
            .attribute("messaging.destination.name", message.destination);
        let builder = match role {
            Role::Send => builder.kind(SpanKind::Producer),
            Role::Process => builder.kind(SpanKind::Consumer).continues(context.span),
        };
        let mut span = builder.start();
        message.id.iter().for_each(|id| span.set("messaging.message.id", *id));
        message.worker.iter().for_each(|worker| span.set("messaging.consumer.group.name", *worker));
        Work { queue: self, role, message, span, started: Instant::now(), error: Some(CANCELLED) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Send,
    Process,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Process => "process",
        }
    }
}

/// Work on a message. It is measured when it is dropped, however that comes.
struct Work<'a> {
    queue: &'a Queue,
    role: Role,
    message: Message<'a>,
    span: Span,
    started: Instant,
    error: Option<&'static str>,
}

impl Work<'_> {
    async fn run<T, E: Error>(&mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let result = self.span.instrument(work).await;
        self.error = result.as_ref().err().map(|error| {
            self.span.status(Status::Error(error.to_string().into()));
            type_name::<E>()
        });
        result
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let Self { queue, role, message, error, .. } = *self;
        error.iter().for_each(|error| self.span.set("error.type", *error));
        let labels = LabelList::<5>::new()
            .with("messaging.system", Some(queue.system))
            .with("messaging.operation.name", Some(role.name()))
            .with("messaging.destination.name", Some(message.destination))
            .with("messaging.consumer.group.name", message.worker)
            .with("error.type", error);
        let (count, duration) = match role {
            Role::Send => (&queue.sent, &queue.operation),
            Role::Process => (&queue.consumed, &queue.process),
        };
        count.add(1, labels.as_slice());
        duration.record(seconds_since(self.started), labels.as_slice());
    }
}
