use std::fmt;

use super::random;

/// A span as others refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
    /// W3C's trace flags, of which [`SpanContext::SAMPLED`] and [`SpanContext::RANDOM`] are known.
    pub flags: u8,
}

impl SpanContext {
    /// The flag of a span that is recorded.
    pub const SAMPLED: u8 = 1;
    /// The flag of a trace whose id is random enough to sample by.
    pub const RANDOM: u8 = 2;

    /// A new trace, or a new span in the trace of `parent`. It is sampled as its parent is.
    pub(super) fn new(parent: Option<Self>) -> Self {
        let span_id = random::nonzero().to_be_bytes();
        match parent {
            Some(parent) => Self { span_id, ..parent },
            None => {
                let id = u128::from(random::nonzero()) << 64 | u128::from(random::nonzero());
                Self { trace_id: id.to_be_bytes(), span_id, flags: Self::SAMPLED }
            }
        }
    }

    /// Whether its trace is recorded, as far as the one who began it knows.
    pub const fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The same span, sampled or not.
    #[must_use]
    pub const fn sampled(self, sampled: bool) -> Self {
        let flags = if sampled { self.flags | Self::SAMPLED } else { self.flags & !Self::SAMPLED };
        Self { flags, ..self }
    }

    /// Reads the W3C header `traceparent`.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let version = parts.next().filter(|it| it.len() == 2 && *it != "ff" && is_lower_hex(it))?;
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let [flags]: [u8; 1] = hex(parts.next()?)?;
        // Later versions may add parts; the first has none.
        let complete = version != "00" || parts.next().is_none();
        let valid = complete && trace_id != [0; 16] && span_id != [0; 8];
        // Flags that nobody knows are not passed on.
        valid.then_some(Self { trace_id, span_id, flags: flags & (Self::SAMPLED | Self::RANDOM) })
    }

    /// The trace's id as 32 digits of lower-case hex.
    pub fn trace_id_text(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.trace_id))
    }

    /// The span's id as 16 digits of lower-case hex.
    pub fn span_id_text(&self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.span_id))
    }
}

/// The W3C header `traceparent`.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{:02x}", self.flags)
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Bytes from lower-case hex, exactly as many.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut id = [0; N];
    if text.len() != 2 * N || !is_lower_hex(text) {
        return None;
    }
    for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(id)
}
