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
//!   record that cannot be stored as it is meant is rejected ([`crate::Rejection`]), never changed silently.
//!   So is text that is not UTF-8, although prost refuses the whole request for it.
//! - Attribute values: text as it is; everything else as JSON text: numbers, `true`, `[1,"a"]`,
//!   bytes as base64 and NaN and infinities as JSON strings. No value is null.
//! - Of several attributes of a record with the same key the last is kept.
//! - Unsigned counts of what was dropped are capped at `i32::MAX`; flags keep their 32 bits.

mod attribute;
pub mod json;
pub mod logs;
pub mod metrics;
pub mod response;
mod severity;
mod stream;
pub mod traces;
mod value;

pub(crate) use value::DEPTH_MAX;

use model::Signal;

use crate::columns::NotUtf8;
use crate::judge::{BODY_BYTES_MAX, Context, Decoded, Judge};
use crate::proto::{Malformed, Refused};

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
