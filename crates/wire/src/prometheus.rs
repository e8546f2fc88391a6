//! Prometheus' remote write 1.0 and 2.0: requests into points and the series that they belong to.
//!
//! Enters: a `prometheus.WriteRequest` or an `io.prometheus.write.v2.Request`, uncompressed. Leaves: a
//! [`Decoded`]: the accepted samples and histograms, and of every other one which it was and why it
//! was rejected.
//!
//! What a request means:
//! - A *record* is a sample or a native histogram. Exemplars come on their own, without a sample, and
//!   so does what version 1 tells of a metric; one of these that is accepted is no record, one that is
//!   rejected counts as a record, so that it is in the ledger too. An index is the ordinal among
//!   samples, histograms, exemplars and metadata, in the order of the bytes.
//! - A series has `metric_name` = its `__name__` and `attributes` = all its labels, `__name__`
//!   included, which tells it from a series of OpenTelemetry. It is identified by them alone: what
//!   metadata says may come at other times and in other requests. What comes with the series, as in
//!   version 2, is in the columns `kind` (a counter is a monotonic `sum`), `unit` and `description`;
//!   else they are `unknown` and empty.
//! - Metadata of version 1 is of a metric, of whichever series: it is a row of its own among the
//!   series, of the kind `metadata`, to which no point refers; the type is its attribute `type`.
//! - Labels may come in any order. A label whose value is empty is the same as none, as in
//!   Prometheus. Names and values may be any UTF-8.
//! - `service_name` is the label `job`; there is no resource and no scope.
//! - Values keep their bits. The marker of staleness is also flagged as "no recorded value".
//! - Times are milliseconds; 0 is 1970, except for start times, where it is none.
//! - Histograms: spans and buckets become those of `docs/reference/schema.md`: absolute counts of the
//!   buckets that are not empty, and OTLP's index, which is less than Prometheus' by one unless the
//!   bounds are custom. Counts that are doubles are in columns of their own; where there are only
//!   integers they are rounded.
//! - A series that cannot be stored has all its records rejected.

mod about;
mod exemplars;
pub mod exposition;
mod histograms;
mod labels;
mod request;
mod series;
mod symbols;
mod write;

use model::Batch;

use crate::judge::{BODY_BYTES_MAX, Context, Decoded, Judge};
use crate::proto::{Known, Malformed, Reader, Refused};
use symbols::Symbols;
use write::Write;

pub use about::{About, Kind};
pub use request::{Label, Point, RequestWriter, Value};

/// Which of the two messages a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `prometheus.WriteRequest`: labels as text.
    V1,
    /// `io.prometheus.write.v2.Request`: labels refer to symbols.
    V2,
}

impl Version {
    /// Every version.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    fn request(self) -> Known {
        match self {
            Self::V1 => Known::new("WriteRequest", &[1, 3]),
            Self::V2 => Known::new("Request", &[4, 5]),
        }
    }
}

/// Decodes a request.
///
/// # Errors
/// [`Malformed`] when it is not such a request; nothing of it is accepted.
pub fn decode(version: Version, body: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
    within(body.len())?;
    let mut judge = Judge::new(context, false);
    let mut write = Write::begin(version, &judge.limits);
    let walked = match version {
        Version::V1 => walk_v1(body, &mut write, &mut judge),
        Version::V2 => walk_v2(body, &mut write, &mut judge),
    };
    write.end();
    walked.map_err(|refused| *refused)?;
    let (metrics, besides) = write.finish();
    let (items, rejected) = judge.finish();
    Ok(Decoded { batch: Batch::Metrics(metrics), received: items - besides, rejected })
}

/// Bytes that the labels of a request have once their symbols are resolved, where that is more than
/// the request has itself: what its columns need room for besides.
///
/// # Errors
/// [`Malformed`] when it is not such a request, or larger than any may be.
pub fn resolved_bytes(version: Version, body: &[u8]) -> Result<u64, Malformed> {
    let resolve = || -> Result<usize, Refused> {
        let mut symbols = Symbols::read(body)?;
        let mut fields = Reader::new(body);
        while fields.more()? {
            match fields.key() {
                0x2a => symbols.measure(fields.field())?,
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        Ok(symbols.resolved)
    };
    match version {
        Version::V1 => Ok(0),
        Version::V2 => resolve().map(|bytes| bytes as u64).map_err(|refused| *refused),
    }
}

/// Whether a body that says nothing of its encoding is a message as it is, not compressed: its
/// outermost fields, to the last byte, are those of a request.
pub fn is_message(version: Version, body: &[u8]) -> bool {
    let (one, other) = match version {
        Version::V1 => (0x0a, 0x1a),
        Version::V2 => (0x22, 0x2a),
    };
    let mut fields = Reader::new(body);
    loop {
        match fields.more() {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
        let key = fields.key();
        if key != one && key != other {
            return false;
        }
        fields.field();
    }
}

/// Fields that have no meaning where they are skipped.
const NOTHING: Known = Known::new("", &[]);

fn within(bytes: usize) -> Result<(), Malformed> {
    let limit = BODY_BYTES_MAX;
    if bytes > limit { Err(Malformed::TooLarge { bytes, limit }) } else { Ok(()) }
}

fn walk_v1(body: &[u8], write: &mut Write, judge: &mut Judge<'_>) -> Result<(), Refused> {
    let mut fields = Reader::new(body);
    while fields.more()? {
        match fields.key() {
            0x0a => write.series_v1(fields.field(), judge)?,
            0x1a => write.metadata_v1(fields.field(), judge)?,
            key => fields.unknown(key, &Version::V1.request())?,
        }
    }
    Ok(())
}

fn walk_v2(body: &[u8], write: &mut Write, judge: &mut Judge<'_>) -> Result<(), Refused> {
    // They may come after the series that refer to them.
    let mut symbols = Symbols::read(body)?;
    let mut fields = Reader::new(body);
    while fields.more()? {
        match fields.key() {
            0x2a => write.series_v2(fields.field(), &mut symbols, judge)?,
            0x22 => drop(fields.field()),
            key => fields.unknown(key, &Version::V2.request())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
