//! What goes along with a request from one process to the next: the span that makes it, what
//! vendors keep for their traces, and baggage.
//!
//! What enters and leaves: headers, of whatever carries messages ([`Extractor`], [`Injector`]). What
//! must hold: headers come from strangers; what is malformed or too large is left out, and never
//! fails a request.
//!
//! ```
//! use std::collections::HashMap;
//! use fresnel_sdk::propagation::{Context, Propagation};
//!
//! let propagation = Propagation::default(); // W3C: trace context and baggage
//! let headers: HashMap<String, String> = [
//!     ("traceparent".to_owned(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
//!     ("baggage".to_owned(), "tenant=acme".to_owned()),
//! ].into();
//! let context = propagation.extract(&headers);
//! assert!(context.span.is_some_and(|span| span.is_sampled()));
//! context.in_scope(|| {
//!     let mut sent = HashMap::new();
//!     propagation.inject(&Context::current(), &mut sent);
//!     assert_eq!(sent["baggage"], "tenant=acme");
//! });
//! ```

mod ambient;
mod b3;
mod baggage;
mod carrier;
mod percent;
mod trace_state;

#[cfg(test)]
mod tests;

pub use self::ambient::{Attached, Context};
pub use self::baggage::{Baggage, BaggageEntry};
pub use self::carrier::{Extractor, Injector};
pub use self::trace_state::TraceState;

use std::sync::Arc;

use crate::telemetry::SpanContext;

/// A form in which contexts are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// W3C Trace Context: `traceparent` and `tracestate`.
    TraceContext,
    /// W3C Baggage: `baggage`.
    Baggage,
    /// Zipkin's B3 in one header, `b3`.
    B3,
    /// Zipkin's B3 in several, `x-b3-traceid` and others.
    B3Multi,
}

/// The forms that are read, in their order, and written. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Propagation(Arc<[Format]>);

/// `OTEL_PROPAGATORS` names something that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("OTEL_PROPAGATORS: `{name}` is left out: there are tracecontext, baggage, b3, b3multi and none")]
pub struct FormatError {
    name: String,
}

impl Default for Propagation {
    /// W3C's two, as OpenTelemetry's specification has it.
    fn default() -> Self {
        Self::new([Format::TraceContext, Format::Baggage])
    }
}

impl Propagation {
    /// In these forms. Where several tell of a span the first that can be read holds.
    pub fn new(formats: impl IntoIterator<Item = Format>) -> Self {
        Self(formats.into_iter().collect())
    }

    /// As `OTEL_PROPAGATORS` says, else the default. Also returns what is wrong with it.
    pub fn from_env() -> (Self, Vec<FormatError>) {
        Self::from_variable(std::env::var("OTEL_PROPAGATORS").ok().as_deref())
    }

    fn from_variable(names: Option<&str>) -> (Self, Vec<FormatError>) {
        let Some(names) = names.filter(|names| !names.trim().is_empty()) else {
            return (Self::default(), Vec::new());
        };
        let (mut formats, mut errors) = (Vec::new(), Vec::new());
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let format = match name.to_ascii_lowercase().as_str() {
                "tracecontext" => Format::TraceContext,
                "baggage" => Format::Baggage,
                "b3" => Format::B3,
                "b3multi" => Format::B3Multi,
                "none" => continue,
                _ => {
                    errors.push(FormatError { name: name.to_owned() });
                    continue;
                }
            };
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        (Self::new(formats), errors)
    }

    /// The forms.
    pub fn formats(&self) -> &[Format] {
        &self.0
    }

    /// What came with a request.
    pub fn extract(&self, headers: &(impl Extractor + ?Sized)) -> Context {
        let mut context = Context::default();
        for format in &*self.0 {
            match format {
                Format::Baggage => context.baggage = Baggage::extract(headers),
                _ if context.span.is_some() => {}
                Format::TraceContext => {
                    context.span = headers.get("traceparent").and_then(SpanContext::parse);
                    if context.span.is_some() {
                        context.state = TraceState::extract(headers);
                    }
                }
                Format::B3 | Format::B3Multi => context.span = b3::extract(headers),
            }
        }
        context
    }

    /// Sends a context along.
    pub fn inject(&self, context: &Context, headers: &mut (impl Injector + ?Sized)) {
        for format in &*self.0 {
            match (format, context.span) {
                (Format::TraceContext, Some(span)) => {
                    headers.set("traceparent", span.to_string());
                    if !context.state.is_empty() {
                        headers.set("tracestate", context.state.to_string());
                    }
                }
                (Format::B3, Some(span)) => b3::inject_single(span, headers),
                (Format::B3Multi, Some(span)) => b3::inject_multi(span, headers),
                (Format::Baggage, _) if !context.baggage.is_empty() => {
                    headers.set("baggage", context.baggage.to_string());
                }
                _ => {}
            }
        }
    }

    /// The headers that it writes: what a request must not carry from elsewhere.
    pub fn headers(&self) -> impl Iterator<Item = &'static str> {
        self.0
            .iter()
            .flat_map(|format| match format {
                Format::TraceContext => &["traceparent", "tracestate"][..],
                Format::Baggage => &["baggage"],
                Format::B3 => &["b3"],
                Format::B3Multi => b3::HEADERS,
            })
            .copied()
    }
}
