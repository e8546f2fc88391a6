use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use model::{Batch, Budget, OverBudget, Reservation, Signal, Tenant};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::compression::{self, Encoding};
use wire::prometheus::Version;
use wire::prometheus::exposition::{self, Format};
use wire::{Context, Decide, Decoded, Limits, Malformed, Rejection};

use crate::config::LimitConfig;
use crate::error::Refusal;
use crate::metrics::Metrics;
use crate::sink::{Accepted, NoRoom, Refused, Sink};
use crate::tenants::Tenants;

/// Share of the memory budget that requests may use; the rest is for sealing what they brought
/// and for queries, so that a flood of requests cannot stop its own cure.
const BUDGET_SHARE: f64 = 0.6;
/// Share of the memory budget for bodies whose length is told but that are still on their way.
/// Beyond it memory is taken as they come: who announces much and sends nothing holds up nobody.
const ANNOUNCED_SHARE: f64 = 0.2;
/// Columns take about as many bytes as the message that they came in.
const COLUMNS_PER_BYTE: u64 = 2;
/// Messages from this size on would hold up the other connections of their thread while they are
/// decoded, for a quarter of a millisecond or more. To hand these over to another thread costs tens
/// of microseconds, which smaller ones are not worth.
const BLOCKING_FROM: usize = 1 << 20;
/// Text is decoded so much slower.
const TEXT_FACTOR: usize = 8;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The one way in for every request, whatever door it came by.
#[derive(Clone)]
pub struct Intake(Arc<Inner>);

struct Inner {
    sink: Arc<dyn Sink>,
    budget: Budget,
    /// Of the budget, for what is announced and not there yet.
    announced: Budget,
    limits: Limits,
    body_max: u64,
    body_idle: Duration,
    decoded_max: u64,
    decoding: Semaphore,
    tenants: Tenants,
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
    /// What Prometheus' clients expose, pushed: metrics too.
    Exposition(Format),
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
    const ALL: [Self; 6] = [
        Self::Otlp,
        Self::OtlpJson,
        Self::RemoteWrite(Version::V1),
        Self::RemoteWrite(Version::V2),
        Self::Exposition(Format::Text),
        Self::Exposition(Format::OpenMetrics),
    ];

    /// The number in the write-ahead log; none is ever used for another message.
    fn number(self) -> u16 {
        match self {
            Self::Otlp => 0,
            Self::OtlpJson => 1,
            Self::RemoteWrite(Version::V1) => 2,
            Self::RemoteWrite(Version::V2) => 3,
            Self::Exposition(Format::Text) => 4,
            Self::Exposition(Format::OpenMetrics) => 5,
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::OtlpJson | Self::Exposition(_))
    }

    fn decode(self, signal: Signal, bytes: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
        match self {
            Self::Otlp => wire::otlp::decode(signal, bytes, context),
            Self::OtlpJson => {
                let message = wire::otlp::json::transcode(signal, bytes)?;
                wire::otlp::decode(signal, &message, context)
            }
            Self::RemoteWrite(version) => wire::prometheus::decode(version, bytes, context),
            Self::Exposition(format) => exposition::decode(format, bytes, context),
        }
    }

    /// Bytes that decoding needs besides those that are expected of the message's size: the message
    /// that JSON is brought into, which is no longer than it, or columns of what is only referred to.
    fn more_bytes(self, bytes: &[u8]) -> Result<u64, Malformed> {
        match self {
            Self::Otlp | Self::Exposition(_) => Ok(0),
            Self::OtlpJson => Ok(bytes.len() as u64),
            Self::RemoteWrite(version) => wire::prometheus::resolved_bytes(version, bytes),
        }
    }
}

impl Outcome {
    /// Counts as rejected what was counted as stored.
    fn reject(&mut self, NoRoom { reason, message, points }: &NoRoom) {
        let records = (points.samples + points.histograms) as u64;
        self.stored = self.stored.saturating_sub(records);
        self.rejected += records;
        let Written { samples, histograms, exemplars } = &mut self.written;
        *samples = samples.saturating_sub(points.samples);
        *histograms = histograms.saturating_sub(points.histograms);
        *exemplars = exemplars.saturating_sub(points.exemplars);
        let separator = if self.message.is_empty() { "" } else { "; " };
        self.message.push_str(&format!("{separator}{records} rejected: {reason} ({message})"));
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
            announced: Budget::new(share(budget.limit(), ANNOUNCED_SHARE)),
            budget,
            limits: limits(config),
            body_max: config.body.bytes(),
            body_idle: config.body_idle.get(),
            decoded_max: config.body_decoded.bytes(),
            decoding: Semaphore::new(slots),
            tenants: Tenants::new(config.tenants as usize),
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

    /// Makes a tenant known that has records in the store, so that it counts against the limit.
    pub fn know(&self, tenant: Tenant) {
        self.0.tenants.know(tenant);
    }

    /// What is counted here.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Largest body as sent, in bytes.
    pub fn body_max(&self) -> u64 {
        self.0.body_max
    }

    /// The longest pause within a body that is being read.
    pub fn body_idle(&self) -> Duration {
        self.0.body_idle
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

    /// Takes memory for a body of which only the length is known, as far as not too much is already
    /// announced: what is still on its way, and the memory for all of it. None where it has to be
    /// taken as the body comes.
    ///
    /// # Errors
    /// As for [`Intake::admit`].
    pub(crate) fn announce(&self, body_bytes: u64) -> Result<Option<(Reservation, Reservation)>, Refusal> {
        // What is refused whatever the memory.
        self.admit(0)?;
        if body_bytes > self.0.body_max {
            return Err(Refusal::TooLarge { limit: self.0.body_max, decoded: false });
        }
        let Ok(announced) = self.0.announced.reserve(body_bytes) else { return Ok(None) };
        Ok(Some((announced, self.admit(body_bytes)?)))
    }

    /// Takes memory until this much is held.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`].
    pub(crate) fn hold(&self, held: &mut Reservation, bytes: u64) -> Result<(), Refusal> {
        hold(held, bytes).map_err(overloaded)
    }

    /// Decodes, judges and stores a request. When this returns `Ok`, what it says is on disk.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was stored then, except after [`Refusal::Failed`], where nobody
    /// can tell.
    pub async fn take(&self, tenant: Tenant, signal: Signal, body: Body) -> Result<Outcome, Refusal> {
        self.0.tenants.check(&tenant)?;
        // Only as long as it decodes: while the disk syncs, others may decode and share the next sync.
        let slot = self.slot().await?;
        let received_unix_nano = (self.0.now)();
        let protocol = body.protocol();
        let Body { message, encoding, bytes, mut reservation } = body;
        let decoded = self.decode(signal, message, encoding, &bytes, &mut reservation, received_unix_nano)?;
        drop(slot);
        let mut outcome = outcome(&decoded);
        // Exemplars may come alone; they are no records.
        if decoded.received > 0 || !decoded.batch.is_empty() {
            let claim = self.0.tenants.claim(&tenant)?;
            let accepted = Accepted {
                tenant,
                signal,
                protocol,
                received_unix_nano,
                records: decoded.received,
                rejected: decoded.rejected,
                body: bytes,
                batch: decoded.batch,
                reservation,
            };
            match self.0.sink.append(accepted).await {
                Ok(no_room) => {
                    claim.keep();
                    no_room.iter().for_each(|points| outcome.reject(points));
                }
                Err(refused) => {
                    match refused {
                        Refused::Failed(_) => claim.keep(),
                        _ => claim.give_back(),
                    }
                    return Err(refused.into());
                }
            }
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
        let body_bytes = reservation.bytes();
        let mut work = || {
            let text = inner.decompress(bytes, encoding, reservation)?;
            let more = reservation.bytes() + message.more_bytes(&text).map_err(malformed)?;
            hold(reservation, more).map_err(overloaded)?;
            let context = Context { received_unix_nano, decide: Decide::Apply(&inner.limits) };
            let decoded = message.decode(signal, &text, &context).map_err(malformed)?;
            drop(text);
            // Columns of very small records are larger than what they came in: also these bytes are
            // refused if there is no room, or they would be taken from what drains memory.
            let kept = body_bytes + decoded.batch.bytes();
            hold(reservation, kept).map_err(overloaded)?;
            reservation.settle(kept);
            Ok(decoded)
        };
        let factor = if message.is_text() { TEXT_FACTOR } else { 1 };
        let size = compression::expected(bytes, encoding, usize::MAX).saturating_mul(factor);
        if size >= BLOCKING_FROM { tokio::task::block_in_place(work) } else { work() }
    }
}

impl Inner {
    /// The message of a body, and memory for it and for the columns that come of it. What a body
    /// says of its size is not believed: memory is taken as it turns out, before it is used.
    fn decompress<'a>(
        &self,
        bytes: &'a [u8],
        encoding: Encoding,
        reservation: &mut Reservation,
    ) -> Result<Cow<'a, [u8]>, Refusal> {
        let body_bytes = reservation.bytes();
        let limit = usize::try_from(self.decoded_max).unwrap_or(usize::MAX);
        // Hopeless ones are refused before any work is done for them.
        let expected = compression::expected(bytes, encoding, limit) as u64;
        hold(reservation, body_bytes + expected * COLUMNS_PER_BYTE).map_err(overloaded)?;
        let mut over = None;
        let mut room = |wanted: usize| {
            over = hold(reservation, body_bytes + expected * COLUMNS_PER_BYTE + wanted as u64).err();
            over.is_none()
        };
        let message = compression::decompress_within(bytes, encoding, limit, &mut room);
        let message = message.map_err(|error| match (error, over) {
            (compression::Error::NoRoom { .. }, Some(over)) => overloaded(over),
            (compression::Error::TooLarge { limit }, _) => {
                Refusal::TooLarge { limit: limit as u64, decoded: true }
            }
            (other, _) => malformed(other),
        })?;
        let owned = match &message {
            Cow::Borrowed(_) => 0,
            Cow::Owned(message) => message.capacity() as u64,
        };
        hold(reservation, body_bytes + owned + message.len() as u64 * COLUMNS_PER_BYTE)
            .map_err(overloaded)?;
        Ok(message)
    }
}

/// Takes memory for requests until this much is held.
fn hold(held: &mut Reservation, bytes: u64) -> Result<(), OverBudget> {
    match bytes.saturating_sub(held.bytes()) {
        0 => Ok(()),
        more => held.grow_within(more, BUDGET_SHARE),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a byte count"
)]
fn share(bytes: u64, share: f64) -> u64 {
    (bytes as f64 * share) as u64
}

fn limits(config: &LimitConfig) -> Limits {
    Limits {
        attributes_max: config.attributes as usize,
        value_bytes_max: usize::try_from(config.value.bytes()).unwrap_or(usize::MAX),
        age_max_nanos: nanos(config.point_age),
        ahead_max_nanos: nanos(config.point_ahead),
        ..Limits::default()
    }
}

/// As a bound, where zero is none.
fn nanos(duration: fresnel_sdk::config::Duration) -> i64 {
    if duration.is_zero() { i64::MAX } else { i64::try_from(duration.get().as_nanos()).unwrap_or(i64::MAX) }
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Malformed(error.to_string())
}

fn overloaded(error: OverBudget) -> Refusal {
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
