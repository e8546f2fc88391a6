//! OTLP: requests of the three signals into columns, and the answers.
//!
//! Enters: an `Export…ServiceRequest` as protobuf, or as JSON through [`json::transcode`]. Leaves: a
//! [`Decoded`]: the accepted records, and of every other one which it was and why it was rejected.
//!
//! What a request means:
//! - A *record* is a log record, a span, or a data point of a metric of any kind; its index is its
//!   ordinal in the request, in the order of the bytes. Exemplars, events and links belong to their
//!   record.
//! - A request that is not well-formed protobuf is refused as a whole ([`Malformed`]). A well-formed
//!   record that cannot be stored as it is meant is rejected ([`Rejection`]), never changed silently.
//!   So is text that is not UTF-8, although prost refuses the whole request for it.
//! - Attribute values: text as it is; everything else as JSON text: numbers, `true`, `[1,"a"]`,
//!   bytes as base64 and NaN and infinities as JSON strings. No value is null.
//! - Of several attributes of a record with the same key the last is kept.
//! - Unsigned counts of what was dropped are capped at `i32::MAX`; flags keep their 32 bits.

mod attribute;
pub mod json;
mod judge;
pub mod logs;
pub mod metrics;
pub mod response;
mod severity;
mod stream;
pub mod traces;
mod value;

use model::{Batch, Signal};

use crate::columns::NotUtf8;
pub use crate::proto::Malformed;
use crate::proto::Refused;
use judge::Judge;

/// The largest request there can be, uncompressed, whatever limits are set. A byte becomes at most
/// six in a column (a control character in JSON), and a column has at most 2 GiB.
pub const BODY_BYTES_MAX: usize = 256 << 20;

/// What a decoder has to know besides the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// When the request was received: the time of records that have none.
    pub received_unix_nano: i64,
    /// How records are judged.
    pub decide: Decide<'a>,
}

/// How it is decided which records are accepted.
#[derive(Clone, Copy, Debug)]
pub enum Decide<'a> {
    /// By these limits and by the rules of the format.
    Apply(&'a Limits),
    /// As it was decided when the request was received: the records with these indices (sorted) are
    /// rejected and no limit is applied. Only what cannot be stored at all is rejected besides.
    Recorded(&'a [u32]),
}

/// What a sender may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most records in a request; one with more is refused.
    pub records_max: usize,
    /// Most attributes of a record, event, link, exemplar, resource or scope.
    pub attributes_max: usize,
    /// Longest attribute value or body, in bytes of its text.
    pub value_bytes_max: usize,
    /// Most events of a span.
    pub events_max: usize,
    /// Most links of a span.
    pub links_max: usize,
    /// Most buckets of a histogram point, or quantiles of a summary point.
    pub buckets_max: usize,
    /// Most exemplars of a point.
    pub exemplars_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records_max: 1 << 20,
            attributes_max: 1024,
            value_bytes_max: 1 << 20,
            events_max: 8192,
            links_max: 8192,
            buckets_max: 8192,
            exemplars_max: 1024,
        }
    }
}

impl Limits {
    /// None.
    const NONE: Self = Self {
        records_max: usize::MAX,
        attributes_max: usize::MAX,
        value_bytes_max: usize::MAX,
        events_max: usize::MAX,
        links_max: usize::MAX,
        buckets_max: usize::MAX,
        exemplars_max: usize::MAX,
    };
}

/// A request's records, judged.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The accepted ones.
    pub batch: Batch,
    /// How many there were, the rejected ones included.
    pub received: u32,
    /// The others, by reason, except those that [`Decide::Recorded`] named.
    pub rejected: Vec<Rejection>,
}

/// Records that were rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Stable name of the reason, such as `invalid_trace_id`.
    pub reason: &'static str,
    /// Which records, in ascending order.
    pub indices: Vec<u32>,
    /// What is wrong with the first of them, for the sender.
    pub example: String,
}

/// Decodes a request of a signal.
///
/// # Errors
/// [`Malformed`] when it is not such a request; nothing of it is accepted.
pub fn decode(signal: Signal, body: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
    match signal {
        Signal::Logs => logs::decode(body, context),
        Signal::Spans => traces::decode(body, context),
        Signal::Metrics => metrics::decode(body, context),
    }
}

/// How one decoder stops.
enum Stop {
    Malformed(Refused),
    NotUtf8,
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Malformed(refused)
    }
}

impl From<NotUtf8> for Stop {
    fn from(_: NotUtf8) -> Self {
        Self::NotUtf8
    }
}

/// Runs a decoder; once more, checking each record's text, if some text was not UTF-8.
fn run(
    body: &[u8],
    context: &Context<'_>,
    decoder: impl for<'a> Fn(&'a [u8], Judge<'a>) -> Result<Decoded, Stop>,
) -> Result<Decoded, Malformed> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Malformed::TooLarge { bytes: body.len(), limit: BODY_BYTES_MAX });
    }
    let decoded = match decoder(body, Judge::new(context, false)) {
        Err(Stop::NotUtf8) => decoder(body, Judge::new(context, true)),
        decoded => decoded,
    };
    decoded.map_err(|stop| match stop {
        Stop::Malformed(refused) => *refused,
        Stop::NotUtf8 => unreachable!("records whose text is not UTF-8 were rejected"),
    })
}

#[cfg(test)]
mod tests;
