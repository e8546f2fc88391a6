use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use super::active::Active;
use super::field::FieldValue;
use super::span::Span;
use super::tracer::Tracer;
use crate::telemetry::context::SpanContext;
use crate::telemetry::entered::{Place, place};
use crate::telemetry::otlp::SpanKind;
use crate::telemetry::sampler::Caller;
use crate::telemetry::suppress::is_suppressed;
use crate::telemetry::unix_nanos;

/// A span before it begins.
#[derive(Debug)]
#[must_use = "it begins when it is started"]
pub struct SpanBuilder<'a> {
    tracer: &'a Tracer,
    /// What is said of it is written at once, into what the span will be.
    active: Option<Box<Active>>,
    parent: Parent,
}

/// What the span is a part of.
#[derive(Clone, Copy, Debug)]
enum Parent {
    /// Of the span that the thread is in.
    Current,
    /// Of this one, in this process.
    Here(SpanContext),
    /// Of this one, in another process.
    Elsewhere(SpanContext),
    /// Of nothing.
    Nobody,
}

impl<'a> SpanBuilder<'a> {
    pub(super) fn new(tracer: &'a Tracer, name: Cow<'static, str>) -> Self {
        let recorded = tracer.is_enabled() && !is_suppressed();
        let active = recorded.then(|| {
            let mut active = Active::fresh();
            active.name = name;
            active.limits = tracer.limits();
            active
        });
        Self { tracer, active, parent: Parent::Current }
    }

    /// Which side of a call it is.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        if let Some(active) = &mut self.active {
            active.kind = kind;
        }
        self
    }

    /// With a fact.
    pub fn attribute<'v>(mut self, name: &str, value: impl Into<FieldValue<'v>>) -> Self {
        if let Some(active) = &mut self.active {
            active.set(name, value.into());
        }
        self
    }

    /// It has to do with that span, too.
    pub fn link(mut self, to: SpanContext, attributes: &[(&str, FieldValue<'_>)]) -> Self {
        if let Some(active) = &mut self.active {
            active.link(to, attributes);
        }
        self
    }

    /// It began then.
    pub fn started_at(mut self, time: SystemTime) -> Self {
        if let Some(active) = &mut self.active {
            active.start_time_unix_nano = nanos(time);
        }
        self
    }

    /// It is a part of that span, in this process.
    pub fn child_of(mut self, parent: &Span) -> Self {
        self.parent = parent.context().map_or(Parent::Current, Parent::Here);
        self
    }

    /// It is a part of that span in another process; without one it is a trace of its own.
    pub fn continues(mut self, caller: Option<SpanContext>) -> Self {
        self.parent = caller.map_or(Parent::Nobody, Parent::Elsewhere);
        self
    }

    /// It is a trace of its own.
    pub fn root(mut self) -> Self {
        self.parent = Parent::Nobody;
        self
    }

    /// Begins it.
    pub fn start(self) -> Span {
        let Some(caller) = self.caller() else { return Span::none() };
        let Some(mut active) = self.active else {
            // Nothing is recorded, and the trace goes on.
            return Span::new(None, caller.context());
        };
        if active.start_time_unix_nano == 0 {
            active.start_time_unix_nano = unix_nanos();
        }
        let sampling = self.tracer.sampling();
        let context = sampling.begin(caller, active.start_time_unix_nano);
        if !context.is_sampled() && !sampling.looks_back() {
            return Span::new(None, Some(context));
        }
        active.tracer = Some(self.tracer.clone());
        active.context = Some(context);
        active.parent = caller.context().map(|parent| parent.span_id);
        Span::new(Some(active), Some(context))
    }

    /// None in a silent span.
    fn caller(&self) -> Option<Caller> {
        Some(match self.parent {
            Parent::Current => match place() {
                Place::Silent => return None,
                Place::Outside => Caller::Nobody,
                Place::In(parent) => Caller::Here(parent),
            },
            Parent::Here(parent) => Caller::Here(parent),
            Parent::Elsewhere(parent) => Caller::Elsewhere(parent),
            Parent::Nobody => Caller::Nobody,
        })
    }
}

/// Nanoseconds since 1970.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).ok();
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}
