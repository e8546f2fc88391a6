//! Zipkin's B3, in one header or several: <https://github.com/openzipkin/b3-propagation>.

use super::{Extractor, Injector};
use crate::telemetry::{SpanContext, hex};

pub(super) const HEADERS: &[&str] = &["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"];

/// From whichever there is; one header comes before several, as B3 has it.
pub(super) fn extract(headers: &(impl Extractor + ?Sized)) -> Option<SpanContext> {
    match headers.get("b3") {
        Some(header) => single(header),
        None => multi(headers),
    }
}

/// `{trace}-{span}`, then `-{sampled}`, then `-{parent}`. A lone decision without ids names no span.
fn single(header: &str) -> Option<SpanContext> {
    let mut parts = header.trim().split('-');
    let (trace_id, span_id) = (parts.next()?, parts.next()?);
    let sampled = match parts.next() {
        // The decision is left to us.
        None | Some("1" | "d") => true,
        Some("0") => false,
        Some(_) => return None,
    };
    if parts.next().is_some_and(|parent| hex::<8>(parent).is_none()) || parts.next().is_some() {
        return None;
    }
    context(trace_id, span_id, sampled)
}

fn multi(headers: &(impl Extractor + ?Sized)) -> Option<SpanContext> {
    let debug = headers.get("x-b3-flags") == Some("1");
    let sampled = match headers.get("x-b3-sampled") {
        // Old tracers say it in words.
        None | Some("1" | "true") => true,
        Some("0" | "false") => debug,
        Some(_) => return None,
    };
    context(headers.get("x-b3-traceid")?, headers.get("x-b3-spanid")?, sampled)
}

fn context(trace_id: &str, span_id: &str, sampled: bool) -> Option<SpanContext> {
    let (trace_id, span_id) = (trace_id.to_ascii_lowercase(), span_id.to_ascii_lowercase());
    // Ids of 64 bits are the lower half.
    let trace_id = match hex::<8>(&trace_id) {
        Some(low) => u128::from(u64::from_be_bytes(low)).to_be_bytes(),
        None => hex::<16>(&trace_id)?,
    };
    let span_id = hex::<8>(&span_id)?;
    let valid = trace_id != [0; 16] && span_id != [0; 8];
    valid.then_some(SpanContext { trace_id, span_id, flags: u8::from(sampled) })
}

pub(super) fn inject_single(span: SpanContext, headers: &mut (impl Injector + ?Sized)) {
    let (trace_id, span_id) = (span.trace_id_text(), span.span_id_text());
    headers.set("b3", format!("{trace_id}-{span_id}-{}", u8::from(span.is_sampled())));
}

pub(super) fn inject_multi(span: SpanContext, headers: &mut (impl Injector + ?Sized)) {
    headers.set("x-b3-traceid", span.trace_id_text());
    headers.set("x-b3-spanid", span.span_id_text());
    headers.set("x-b3-sampled", u8::from(span.is_sampled()).to_string());
}
