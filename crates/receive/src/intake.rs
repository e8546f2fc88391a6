use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use model::{Batch, Budget, Reservation, Signal, Tenant};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::compression::{self, Encoding};
use wire::prometheus::Version;
use wire::{Context, Decide, Decoded, Limits, Malformed, Rejection};

use crate::config::LimitConfig;
use crate::error::Refusal;
use crate::metrics::Metrics;
use crate::sink::{Accepted, Sink};

/// Share of the memory budget that requests may use; the rest is for sealing what they brought
/// and for queries, so that a flood of requests cannot stop its own cure.
const BUDGET_SHARE: f64 = 0.6;
/// A body whose decompressed size is not written in it is first taken for this many times larger.
const RATIO_GUESS: u64 = 8;
/// Columns take about as many bytes as the message that they came in.
const COLUMNS_PER_BYTE: u64 = 2;
/// Above this size decoding would hold up the other connections of its thread.
const BLOCKING_FROM: usize = 128 << 10;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The one way in for every request, whatever door it came by.
#[derive(Clone)]
pub struct Intake(Arc<Inner>);

struct Inner {
    sink: Arc<dyn Sink>,
    budget: Budget,
    limits: Limits,
    body_max: u64,
    decoded_max: u64,
    decoding: Semaphore,
    open: AtomicBool,
    metrics: Metrics,
    now: fn() -> i64,
}

/// A request's body and how to read it.
#[derive(Debug)]
pub struct Body {
    /// What it is, decompressed.
    pub message: Message,
    /// How it is compressed.
    pub encoding: Encoding,
    /// As it was received.
    pub bytes: Bytes,
    /// The memory it holds.
    pub reservation: Reservation,
}

/// Which message a body is, decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// OTLP's request of the signal, as protobuf.
    Otlp,
    /// The same as JSON.
    OtlpJson,
    /// Prometheus' remote write: metrics, whatever signal is named.
    RemoteWrite(Version),
}

/// What became of a request that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Records stored.
    pub stored: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Why, for the sender; empty when none was rejected.
    pub message: String,
    /// Of metrics, what was stored.
    pub written: Written,
}

/// Points of metrics that were stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Number points.
    pub samples: usize,
    /// Histogram points.
    pub histograms: usize,
    /// Exemplars; they are no records.
    pub exemplars: usize,
}

/// An entry of the write-ahead log that cannot be read again.
#[derive(Debug, thiserror::Error)]
#[error("entry cannot be decoded again: {0}")]
pub struct ReplayError(String);

impl Body {
    /// How a body is to be read again, as one number for the write-ahead log.
    pub fn protocol(&self) -> u16 {
        let encoding = match self.encoding {
            Encoding::Identity => 0,
            Encoding::Gzip => 1,
            Encoding::Zstd => 2,
            Encoding::Deflate => 3,
            Encoding::Snappy => 4,
        };
        self.message.number() << 8 | encoding
    }

    fn parse_protocol(protocol: u16) -> Option<(Message, Encoding)> {
        let encoding = match protocol & 0xff {
            0 => Encoding::Identity,
            1 => Encoding::Gzip,
            2 => Encoding::Zstd,
            3 => Encoding::Deflate,
            4 => Encoding::Snappy,
            _ => return None,
        };
        let message = Message::ALL.into_iter().find(|message| message.number() == protocol >> 8);
        message.map(|message| (message, encoding))
    }
}

impl Message {
    const ALL: [Self; 4] =
        [Self::Otlp, Self::OtlpJson, Self::RemoteWrite(Version::V1), Self::RemoteWrite(Version::V2)];

    /// The number in the write-ahead log; none is ever used for another message.
    fn number(self) -> u16 {
        match self {
            Self::Otlp => 0,
            Self::OtlpJson => 1,
            Self::RemoteWrite(Version::V1) => 2,
            Self::RemoteWrite(Version::V2) => 3,
        }
    }

    fn decode(self, signal: Signal, bytes: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
        match self {
            Self::Otlp => wire::otlp::decode(signal, bytes, context),
            Self::OtlpJson => {
                let message = wire::otlp::json::transcode(signal, bytes)?;
                wire::otlp::decode(signal, &message, context)
            }
            Self::RemoteWrite(version) => wire::prometheus::decode(version, bytes, context),
        }
    }

    /// Bytes that the columns need besides those that are expected of the message's size.
    fn more_bytes(self, bytes: &[u8]) -> Result<u64, Malformed> {
        match self {
            Self::Otlp | Self::OtlpJson => Ok(0),
            Self::RemoteWrite(version) => wire::prometheus::resolved_bytes(version, bytes),
        }
    }
}

impl Written {
    fn of(batch: &Batch) -> Self {
        match batch {
            Batch::Metrics(metrics) => Self {
                samples: metrics.samples.num_rows(),
                histograms: metrics.histograms.num_rows(),
                exemplars: metrics.exemplars.num_rows(),
            },
            Batch::Logs(_) | Batch::Spans(_) => Self::default(),
        }
    }
}

impl Intake {
    /// An intake that refuses until [`Intake::open`] is called: what was acknowledged before is
    /// replayed first.
    pub fn new(
        sink: Arc<dyn Sink>,
        budget: Budget,
        config: &LimitConfig,
        metrics: Metrics,
        now: fn() -> i64,
    ) -> Self {
        let slots = match config.concurrency {
            0 => std::thread::available_parallelism().map_or(4, |cores| cores.get() * 2),
            slots => slots as usize,
        };
        Self(Arc::new(Inner {
            sink,
            budget,
            limits: limits(config),
            body_max: config.body.bytes(),
            decoded_max: config.body_decoded.bytes(),
            decoding: Semaphore::new(slots),
            open: AtomicBool::new(false),
            metrics,
            now,
        }))
    }

    /// Lets requests in.
    pub fn open(&self) {
        self.0.open.store(true, Ordering::Release);
    }

    /// Refuses requests from now on; those that are in go on.
    pub fn close(&self) {
        self.0.open.store(false, Ordering::Release);
    }

    /// What is counted here.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Largest body as sent, in bytes.
    pub fn body_max(&self) -> u64 {
        self.0.body_max
    }

    /// Takes memory for a body that is about to be read, before it is.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when closed, [`Refusal::TooLarge`], [`Refusal::Overloaded`].
    pub fn admit(&self, body_bytes: u64) -> Result<Reservation, Refusal> {
        if !self.0.open.load(Ordering::Acquire) {
            return Err(Refusal::Unavailable);
        }
        if body_bytes > self.0.body_max {
            return Err(Refusal::TooLarge { limit: self.0.body_max, decoded: false });
        }
        self.0.budget.reserve_within(body_bytes, BUDGET_SHARE).map_err(overloaded)
    }

    /// Takes memory for `more` bytes of a body whose length was not told.
    ///
    /// # Errors
    /// As for [`Intake::admit`].
    pub fn admit_more(&self, held: &mut Reservation, more: u64) -> Result<(), Refusal> {
        if held.bytes() + more > self.0.body_max {
            return Err(Refusal::TooLarge { limit: self.0.body_max, decoded: false });
        }
        held.grow_within(more, BUDGET_SHARE).map_err(overloaded)
    }

    /// Decodes, judges and stores a request. When this returns `Ok`, what it says is on disk.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was stored then, except after [`Refusal::Internal`], where nobody
    /// can tell.
    pub async fn take(&self, tenant: Tenant, signal: Signal, body: Body) -> Result<Outcome, Refusal> {
        // Only as long as it decodes: while the disk syncs, others may decode and share the next sync.
        let slot = self.slot().await?;
        let received_unix_nano = (self.0.now)();
        let protocol = body.protocol();
        let Body { message, encoding, bytes, mut reservation } = body;
        let decoded = self.decode(signal, message, encoding, &bytes, &mut reservation, received_unix_nano)?;
        reservation.settle(bytes.len() as u64 + decoded.batch.bytes());
        drop(slot);
        let outcome = outcome(&decoded);
        // Exemplars may come alone; they are no records.
        if decoded.received > 0 || !decoded.batch.is_empty() {
            let accepted = Accepted {
                tenant: tenant.clone(),
                signal,
                protocol,
                received_unix_nano,
                records: decoded.received,
                rejected: decoded.rejected,
                body: bytes,
                batch: decoded.batch,
                reservation,
            };
            self.0.sink.append(accepted).await?;
        }
        self.0.metrics.records(signal, &outcome);
        Ok(outcome)
    }

    /// Reads a body of the write-ahead log again, repeating the decision of then.
    ///
    /// # Errors
    /// [`ReplayError`] when it cannot be read; it could when it was written.
    pub fn replay(
        &self,
        signal: Signal,
        protocol: u16,
        received_unix_nano: i64,
        rejected: &[u32],
        body: &[u8],
    ) -> Result<Batch, ReplayError> {
        let failed = |error: &dyn std::fmt::Display| ReplayError(error.to_string());
        // Of a request whose records were all rejected only the counts are kept.
        let protocol = if body.is_empty() { 0 } else { protocol };
        let (message, encoding) =
            Body::parse_protocol(protocol).ok_or_else(|| failed(&format!("unknown protocol {protocol}")))?;
        let bytes =
            compression::decompress(body, encoding, usize::MAX >> 1).map_err(|error| failed(&error))?;
        let context = Context { received_unix_nano, decide: Decide::Recorded(rejected) };
        let decoded = message.decode(signal, &bytes, &context).map_err(|error| failed(&error))?;
        Ok(decoded.batch)
    }

    async fn slot(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        self.0.decoding.acquire().await.map_err(|_| Refusal::Unavailable)
    }

    fn decode(
        &self,
        signal: Signal,
        message: Message,
        encoding: Encoding,
        bytes: &[u8],
        reservation: &mut Reservation,
        received_unix_nano: i64,
    ) -> Result<Decoded, Refusal> {
        let inner = &*self.0;
        let message_bytes = match encoding {
            Encoding::Identity => bytes.len() as u64,
            _ => compression::size_hint(bytes, encoding)
                .unwrap_or(bytes.len() as u64 * RATIO_GUESS)
                .min(inner.decoded_max),
        };
        reservation.grow_within(message_bytes * (1 + COLUMNS_PER_BYTE), BUDGET_SHARE).map_err(overloaded)?;
        let mut work = || {
            let limit = usize::try_from(inner.decoded_max).unwrap_or(usize::MAX);
            let bytes = decompress(bytes, encoding, limit)?;
            let more = message.more_bytes(&bytes).map_err(malformed)?;
            reservation.grow_within(more, BUDGET_SHARE).map_err(overloaded)?;
            let context = Context { received_unix_nano, decide: Decide::Apply(&inner.limits) };
            message.decode(signal, &bytes, &context).map_err(malformed)
        };
        if bytes.len() >= BLOCKING_FROM { tokio::task::block_in_place(work) } else { work() }
    }
}

fn limits(config: &LimitConfig) -> Limits {
    Limits {
        attributes_max: config.attributes as usize,
        value_bytes_max: usize::try_from(config.value.bytes()).unwrap_or(usize::MAX),
        ..Limits::default()
    }
}

fn decompress(bytes: &[u8], encoding: Encoding, limit: usize) -> Result<Cow<'_, [u8]>, Refusal> {
    compression::decompress(bytes, encoding, limit).map_err(|error| match error {
        compression::Error::TooLarge { limit } => Refusal::TooLarge { limit: limit as u64, decoded: true },
        other => Refusal::Malformed(other.to_string()),
    })
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Malformed(error.to_string())
}

fn overloaded(error: model::OverBudget) -> Refusal {
    Refusal::Overloaded { reason: error.to_string(), retry_after: RETRY_AFTER }
}

fn outcome(decoded: &Decoded) -> Outcome {
    let rejected: usize = decoded.rejected.iter().map(|rejection| rejection.indices.len()).sum();
    let message = decoded.rejected.iter().map(describe).collect::<Vec<_>>().join("; ");
    let written = Written::of(&decoded.batch);
    Outcome { stored: decoded.batch.records(), rejected: rejected as u64, message, written }
}

fn describe(rejection: &Rejection) -> String {
    let Rejection { reason, indices, example } = rejection;
    format!("{} rejected: {reason} ({example})", indices.len())
}
