//! Telemetry as products know it: events, metrics, errors and spans, with a user and properties that
//! all of them share. For code that must not know where it goes.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use super::active::with_causes;
use super::field::FieldValue;
use super::span::Span;
use super::tracer::Tracer;
use crate::logging::{REDACTED, Redactor};
use crate::telemetry::entered::{Place, place};
use crate::telemetry::layer::{Layer, record};
use crate::telemetry::limits::LogAttributes;
use crate::telemetry::metrics::{Labels, Registry, SECONDS};
use crate::telemetry::otlp::{LOG_RECORDS, Severity, Writer};
use crate::telemetry::pipeline::Pipeline;
use crate::telemetry::suppress::is_suppressed;
use crate::telemetry::{Signal, unix_nanos};

/// Where telemetry of a product goes.
pub trait Provider: Send + Sync {
    /// Something happened: a log record with the name of an event, properties and measurements.
    fn track_event(&self, name: &str, properties: &[(&str, &str)], measurements: &[(&str, f64)]);

    /// Something was measured. The unit is in UCUM.
    fn track_metric(&self, name: &'static str, value: f64, unit: &'static str, tags: Labels<'_>);

    /// Something went wrong.
    fn track_error(&self, error: &(dyn Error + 'static), properties: &[(&str, &str)]);

    /// Begins a span.
    fn start_span(&self, name: &'static str) -> Span;

    /// From now on this user is meant, by a pseudonym.
    fn set_user(&self, id: Option<&str>);

    /// Events, errors and spans have these properties from now on, over those of the same name.
    fn set_global_properties(&self, properties: &[(&str, &str)]);

    /// Sends what waits, for at most this long. Says whether all of it was taken.
    fn flush(&self, timeout: Duration) -> bool;

    /// As [`Provider::flush`], for the last time.
    fn shutdown(&self, timeout: Duration) -> bool;
}

/// Does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct DisabledProvider;

impl Provider for DisabledProvider {
    fn track_event(&self, _: &str, _: &[(&str, &str)], _: &[(&str, f64)]) {}
    fn track_metric(&self, _: &'static str, _: f64, _: &'static str, _: Labels<'_>) {}
    fn track_error(&self, _: &(dyn Error + 'static), _: &[(&str, &str)]) {}
    fn start_span(&self, _: &'static str) -> Span {
        Span::none()
    }
    fn set_user(&self, _: Option<&str>) {}
    fn set_global_properties(&self, _: &[(&str, &str)]) {}
    fn flush(&self, _: Duration) -> bool {
        true
    }
    fn shutdown(&self, _: Duration) -> bool {
        true
    }
}

/// Sends over a [`Pipeline`].
pub struct OtlpProvider {
    pipeline: Arc<Pipeline>,
    layer: Layer,
    tracer: Tracer,
    registry: Registry,
    properties: RwLock<Vec<(String, String)>>,
    redactor: Redactor,
}

/// The attribute of the user.
const USER_ID: &str = "user.id";

impl std::fmt::Debug for OtlpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpProvider").finish_non_exhaustive()
    }
}

impl OtlpProvider {
    /// Over this pipeline.
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        let (layer, registry) = (pipeline.layer(), pipeline.registry().clone());
        let (tracer, redactor) = (layer.tracer(), Redactor::none());
        Self { pipeline, tracer, layer, registry, properties: RwLock::default(), redactor }
    }

    /// Takes out of all of it what is secret.
    #[must_use]
    pub fn redacting(self, redactor: Redactor) -> Self {
        let layer = self.layer.redacting(redactor.clone());
        Self { tracer: layer.tracer(), layer, redactor, ..self }
    }

    fn write_attribute(
        &self,
        writer: &mut Writer,
        attributes: &mut LogAttributes,
        name: &str,
        value: FieldValue<'_>,
    ) {
        let write = |writer: &mut Writer| match value {
            _ if self.redactor.hides(name) => writer.always_bytes(1, REDACTED),
            FieldValue::Text(text) => writer.always_bytes(1, &*self.redactor.text(text)),
            other => other.write(writer),
        };
        attributes.write(writer, name, write);
    }

    fn log(&self, severity: Severity, event: &str, body: &str, facts: &[(&str, FieldValue<'_>)]) {
        let place = place();
        if is_suppressed() || place == Place::Silent {
            return;
        }
        let shared = self.layer.shared();
        record(shared, Signal::Logs, env!("CARGO_PKG_NAME"), |writer| {
            writer.message(LOG_RECORDS, |writer| {
                let now = unix_nanos();
                writer.fixed64(1, now);
                writer.integer(2, severity as u64);
                writer.bytes(3, severity.text());
                let body = self.redactor.text(body);
                writer.message(5, |writer| writer.always_bytes(1, &*body));
                let mut attributes = LogAttributes::new(self.layer.limits());
                for (name, value) in self.properties.read().iter() {
                    let replaced = facts.iter().any(|(other, _)| other == name);
                    if !replaced {
                        self.write_attribute(writer, &mut attributes, name, value.into());
                    }
                }
                for (name, value) in facts {
                    self.write_attribute(writer, &mut attributes, name, *value);
                }
                attributes.end(writer);
                if let Place::In(context) = place {
                    writer.fixed32(8, u32::from(context.flags));
                    writer.bytes(9, context.trace_id);
                    writer.bytes(10, context.span_id);
                }
                writer.fixed64(11, now);
                writer.bytes(12, event);
            });
        });
    }
}

impl Provider for OtlpProvider {
    fn track_event(&self, name: &str, properties: &[(&str, &str)], measurements: &[(&str, f64)]) {
        let properties = properties.iter().map(|(name, value)| (*name, FieldValue::Text(value)));
        let measurements = measurements.iter().map(|(name, value)| (*name, FieldValue::Double(*value)));
        let facts: Vec<_> = properties.chain(measurements).collect();
        self.log(Severity::Info, name, name, &facts);
    }

    fn track_metric(&self, name: &'static str, value: f64, unit: &'static str, tags: Labels<'_>) {
        self.registry.histogram(name, unit, "", SECONDS).bind(tags).record(value);
    }

    fn track_error(&self, error: &(dyn Error + 'static), properties: &[(&str, &str)]) {
        let message = with_causes(error);
        let properties = properties.iter().map(|(name, value)| (*name, FieldValue::Text(value)));
        let facts: Vec<_> = properties.chain([("exception.message", FieldValue::Text(&message))]).collect();
        self.log(Severity::Error, "exception", &message, &facts);
    }

    fn start_span(&self, name: &'static str) -> Span {
        let mut span = self.tracer.start(name);
        self.properties.read().iter().for_each(|(name, value)| span.set(name, value));
        span
    }

    fn set_user(&self, id: Option<&str>) {
        let mut properties = self.properties.write();
        properties.retain(|(name, _)| name != USER_ID);
        properties.extend(id.map(|id| (USER_ID.to_owned(), id.to_owned())));
    }

    fn set_global_properties(&self, new: &[(&str, &str)]) {
        let mut properties = self.properties.write();
        properties.retain(|(name, _)| new.iter().all(|(other, _)| other != name));
        properties.extend(new.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }

    fn flush(&self, timeout: Duration) -> bool {
        self.pipeline.flush(timeout)
    }

    fn shutdown(&self, timeout: Duration) -> bool {
        self.pipeline.shutdown(timeout)
    }
}
