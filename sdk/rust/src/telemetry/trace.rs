//! Spans of our own, for what knows more than `tracing` can say: kind, links, events with facts, a
//! start in the past, attributes whose names are known at run time. They cost less, too: no
//! registry, and no allocation once a thread has its buffers.
//!
//! What enters: facts, in the order in which they are known. What leaves: one encoded OTLP span into
//! the pipeline's buffer when it ends. Spans of `tracing` and of ours are parents of each other, and
//! log records belong to the innermost of either.
//!
//! ```
//! use fresnel_sdk::telemetry::otlp::SpanKind;
//! use fresnel_sdk::telemetry::trace::Tracer;
//!
//! # let tracer = Tracer::disabled();
//! let mut span = tracer.span("reserve stock").kind(SpanKind::Client).attribute("item.count", 3).start();
//! let left = span.in_scope(|| {
//!     tracing::info!("this log record belongs to the span");
//!     7
//! });
//! span.set("stock.left", left);
//! span.end();
//! ```

mod active;
mod builder;
mod field;
mod journey;
mod provider;
mod span;
mod tracer;

#[cfg(test)]
mod tests;

pub(super) use self::active::Active;
pub use self::builder::SpanBuilder;
pub use self::field::FieldValue;
pub use self::journey::Traveller;
pub use self::provider::{DisabledProvider, OtlpProvider, Provider};
pub use self::span::{Entered, Span, set_current};
pub use self::tracer::Tracer;
