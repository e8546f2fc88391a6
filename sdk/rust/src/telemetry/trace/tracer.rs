use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::builder::SpanBuilder;
use super::span::Span;
use crate::logging::Redactor;
use crate::telemetry::Signal;
use crate::telemetry::layer::record;
use crate::telemetry::limits::Limits;
use crate::telemetry::otlp::Writer;
use crate::telemetry::pipeline::Shared;
use crate::telemetry::sampler::Sampling;

/// Begins spans. Clones are the same tracer.
#[derive(Clone)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    pipeline: Arc<Shared>,
    sampling: Arc<Sampling>,
    redactor: Arc<Redactor>,
    limits: Limits,
    scope: &'static str,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracer").field(&self.0.as_ref().map(|inner| inner.scope)).finish()
    }
}

impl Tracer {
    pub(in crate::telemetry) fn new(
        pipeline: Arc<Shared>,
        sampling: Arc<Sampling>,
        redactor: Arc<Redactor>,
        limits: Limits,
    ) -> Self {
        let scope = env!("CARGO_PKG_NAME");
        Self(Some(Arc::new(Inner { pipeline, sampling, redactor, limits, scope })))
    }

    /// One that records nothing. Contexts of callers are passed on all the same.
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// For the part of the program with this name, such as `module_path!()`.
    #[must_use]
    pub fn scoped(&self, scope: &'static str) -> Self {
        let scoped = |inner: &Arc<Inner>| {
            let (pipeline, sampling) = (inner.pipeline.clone(), inner.sampling.clone());
            let (redactor, limits) = (inner.redactor.clone(), inner.limits);
            Arc::new(Inner { pipeline, sampling, redactor, limits, scope })
        };
        Self(self.0.as_ref().map(scoped))
    }

    /// Whether it records.
    pub const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Describes a span; [`SpanBuilder::start`] begins it. The name is of few different values: what
    /// differs belongs into attributes.
    pub fn span(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder<'_> {
        SpanBuilder::new(self, name.into())
    }

    /// Begins a span that has nothing special.
    pub fn start(&self, name: impl Into<Cow<'static, str>>) -> Span {
        self.span(name).start()
    }

    pub(super) fn sampling(&self) -> &Sampling {
        static NOTHING: std::sync::LazyLock<Sampling> = std::sync::LazyLock::new(Sampling::default);
        self.0.as_ref().map_or(&*NOTHING, |inner| &*inner.sampling)
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.as_ref().map_or_else(Limits::default, |inner| inner.limits)
    }

    pub(super) fn record(&self, write: impl FnOnce(&mut Writer, &Redactor)) {
        if let Some(inner) = &self.0 {
            let write = |writer: &mut Writer| write(writer, &inner.redactor);
            record(&inner.pipeline, Signal::Traces, inner.scope, write);
        }
    }
}
