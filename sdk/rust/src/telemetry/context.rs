use std::cell::RefCell;
use std::fmt;

use tracing::span::Id;

/// A span as others refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
}

impl SpanContext {
    /// A new trace, or a new span in the trace of `parent`.
    pub(super) fn new(parent: Option<Self>) -> Self {
        let trace_id = parent.map_or_else(|| nonzero(rand::random), |parent| parent.trace_id);
        Self { trace_id, span_id: nonzero(rand::random) }
    }

    /// Reads the W3C header `traceparent`.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let version = parts.next().filter(|it| it.len() == 2 && *it != "ff" && is_lower_hex(it))?;
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let _flags: [u8; 1] = hex(parts.next()?)?;
        // Later versions may add parts; the first has none.
        let complete = version != "00" || parts.next().is_none();
        let valid = complete && trace_id != [0; 16] && span_id != [0; 8];
        valid.then_some(Self { trace_id, span_id })
    }
}

/// The W3C header `traceparent`. Everything is sampled.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(f, "00-{trace_id:032x}-{span_id:016x}-01")
    }
}

/// An id; all zeros means none.
fn nonzero<const N: usize>(random: impl Fn() -> [u8; N]) -> [u8; N] {
    std::iter::repeat_with(random).find(|id| *id != [0; N]).unwrap_or([1; N])
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut id = [0; N];
    if text.len() != 2 * N || !is_lower_hex(text) {
        return None;
    }
    for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(id)
}

thread_local! {
    /// The spans entered on this thread, innermost last.
    static ENTERED: RefCell<Vec<(Id, SpanContext)>> = const { RefCell::new(Vec::new()) };
}

/// The innermost recorded span that this thread is in: what to send along with a request.
pub fn current_context() -> Option<SpanContext> {
    ENTERED.try_with(|entered| entered.try_borrow().ok()?.last().map(|(_, context)| *context)).ok().flatten()
}

pub(super) fn enter(id: &Id, context: SpanContext) {
    let _ = ENTERED.try_with(|entered| entered.borrow_mut().push((id.clone(), context)));
}

/// Leaves a span, which need not be the innermost.
pub(super) fn exit(id: &Id) {
    let _ = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        if let Some(place) = entered.iter().rposition(|(other, _)| other == id) {
            entered.remove(place);
        }
    });
}
