use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use model::{Batch, Reservation, Signal, Tenant};
use wire::Rejection;

use crate::intake::Written;

/// Where accepted records go. What it promises: `Ok` means on disk.
pub trait Sink: Send + Sync + 'static {
    /// Stores a request's records. Dropping the future does not undo it.
    fn append(&self, accepted: Accepted) -> AppendFuture<'_>;
}

/// The future of [`Sink::append`].
pub type AppendFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<NoRoom>, Refused>> + Send + 'a>>;

/// Points that the sink rejected while it stored the others: there are too many series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Stable name of the reason.
    pub reason: &'static str,
    /// Which limit, for the sender.
    pub message: String,
    /// How many.
    pub points: Written,
}

/// A request that was decoded and judged.
#[derive(Debug)]
pub struct Accepted {
    /// Whose records.
    pub tenant: Tenant,
    /// Of what kind.
    pub signal: Signal,
    /// How the body is to be read again, see [`crate::Body::protocol`].
    pub protocol: u16,
    /// When the request came in; the time of records that have none.
    pub received_unix_nano: i64,
    /// Records in the request, the rejected ones included.
    pub records: u32,
    /// Which of them were rejected, and why.
    pub rejected: Vec<Rejection>,
    /// The body as it was received.
    pub body: Bytes,
    /// The accepted records.
    pub batch: Batch,
    /// The memory that body and batch hold.
    pub reservation: Reservation,
}

/// Why the sink did not take a request.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No room now.
    #[error("no room for more records: {reason}")]
    Full {
        /// Which limit was reached.
        reason: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// Starting or stopping.
    #[error("the server is starting or stopping")]
    Closed,
    /// Never any room for a request of this size.
    #[error("the request is over the limit of {limit} bytes")]
    TooLarge {
        /// The largest.
        limit: u64,
    },
    /// The disk failed; nobody can tell whether the records are on it.
    #[error("the records could not be stored: {0}")]
    Failed(String),
}
