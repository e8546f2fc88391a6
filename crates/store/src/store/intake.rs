use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{Batch, Lsn, Metrics, Reservation};

use super::{Inner, Payload, READY, STARTING, STOPPING, Store};
use crate::error::{AppendError, WorkError};
use crate::memtable::{Prepared, SeriesLimits, points_of, without};
use crate::wal::{Entry, EntryMeta, RefusedSeries};

/// How long a series that is not sent any more counts as active at least.
const ACTIVE_NANOS: i64 = 3_600_000_000_000;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place in the log.
    pub lsn: Lsn,
    /// Points that were rejected, since there is no room for their series.
    pub refused: Vec<RefusedPoints>,
}

/// Points of series that there is no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPoints {
    /// Stable name of the reason.
    pub reason: &'static str,
    /// Which limit, for the sender.
    pub message: String,
    /// Number points.
    pub samples: usize,
    /// Histogram points.
    pub histograms: usize,
    /// Exemplars; they are no records.
    pub exemplars: usize,
}

impl Store {
    /// Stores the records of a request: on return they are on disk and in every snapshot that is
    /// taken from then on, but for points of new series that there is no room for. Dropping the
    /// future does not undo it.
    ///
    /// `reservation` is what was taken from the budget for body and batch; what they really need
    /// is settled here. The entry counts as many records as the batch has, and those rejected.
    ///
    /// # Errors
    /// [`AppendError`]; nothing of the request is kept then.
    pub async fn append(
        &self,
        mut entry: Entry,
        mut batch: Batch,
        mut reservation: Reservation,
    ) -> Result<Appended, AppendError> {
        let inner = &self.0;
        if inner.phase.load(Ordering::Acquire) != READY {
            return Err(AppendError::Closed);
        }
        if let Some(reason) = inner.fatal.reason() {
            return Err(AppendError::Fatal { reason });
        }
        debug_assert!(batch.check().is_ok(), "a decoder made another schema than the contract's");
        let rest = entry.body.len() as u64;
        let more = (rest + Prepared::bytes_of(&batch)).saturating_sub(reservation.bytes());
        reservation.grow(more).inspect_err(|_| inner.filled.notify_one())?;
        // The chunks take their part themselves.
        reservation.settle(rest);
        let mut refused = Vec::new();
        if let Batch::Metrics(metrics) = batch {
            let (metrics, points) = inner.within_limits(&mut entry.meta, metrics);
            (batch, refused) = (Batch::Metrics(metrics), points);
        }
        let prepared = inner.prepare(&entry.meta, batch);
        let payload = Payload { prepared, _rest: reservation };
        let lsn = inner.wal.append(entry, payload).await?;
        Ok(Appended { lsn, refused })
    }

    /// Puts an entry that came out of [`crate::Replay`] back into memory, decoded. What has become
    /// large is sealed meanwhile, one generation at a time, so that a long log does not have to fit
    /// into memory. A seal that fails, on a full disk for example, is in the status and keeps no
    /// start from succeeding: its records stay in memory.
    ///
    /// # Errors
    /// When the disk cannot be trusted any more.
    pub async fn restore(&self, lsn: Lsn, meta: &EntryMeta, batch: Batch) -> Result<(), WorkError> {
        let inner = &self.0;
        debug_assert_eq!(inner.phase.load(Ordering::Acquire), STARTING);
        let batch = match batch {
            Batch::Metrics(metrics) if !meta.refused.is_empty() => {
                Batch::Metrics(without(metrics, meta.refused.iter().flat_map(|some| &some.rows).copied()))
            }
            other => other,
        };
        let prepared = inner.prepare(meta, batch);
        inner.ledger.count(meta);
        inner.memory.publish(lsn, meta, prepared);
        let shard = inner.memory.shard(&meta.tenant, meta.signal);
        if lsn.is_multiple_of(16) {
            while shard.fold() {}
        }
        let limit = inner.budget.limit();
        if inner.budget.used() > limit / 4 && inner.memory.bytes().0 > limit / 4 {
            inner.memory.freeze(&shard);
        }
        if shard.has_frozen() {
            let before = inner.restoring.lock().take();
            if let Some(before) = before {
                inner.note_restoring(before.await)?;
            }
            // Begins now, and goes on while the next entries are decoded.
            let sealing = Arc::clone(inner);
            let seal = move || sealing.seal_oldest(&shard).map(drop);
            *inner.restoring.lock() = Some(Box::pin(super::blocking("seal", seal)));
        }
        Ok(())
    }

    /// All of [`crate::Replay`] has been restored: requests are taken from now on.
    pub fn ready(&self) {
        let started = self.0.phase.compare_exchange(STARTING, READY, Ordering::AcqRel, Ordering::Acquire);
        debug_assert!(started.is_ok(), "ready is said once");
    }

    /// Takes no more requests. Those that were taken are finished.
    pub fn stop(&self) {
        self.0.phase.store(STOPPING, Ordering::Release);
    }
}

impl Inner {
    fn note_restoring(&self, seal: Result<(), WorkError>) -> Result<(), WorkError> {
        let Err(error) = seal else { return Ok(()) };
        self.work.failed("seal", &error, crate::clock::unix_ms(&*self.clock));
        if self.fatal.reason().is_some() { Err(error) } else { Ok(()) }
    }

    fn prepare(&self, meta: &EntryMeta, batch: Batch) -> Prepared {
        let shard = self.memory.shard(&meta.tenant, meta.signal);
        Prepared::new(batch, shard.series().as_ref(), &self.budget)
    }

    /// Takes out the series of a request that there is no room for, and notes it.
    fn within_limits(&self, meta: &mut EntryMeta, metrics: Metrics) -> (Metrics, Vec<RefusedPoints>) {
        let number = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let crate::Config { series_max, series_max_per_metric, .. } = self.config;
        let limits = SeriesLimits { tenant: number(series_max), metric: number(series_max_per_metric) };
        let shard = self.memory.shard(&meta.tenant, meta.signal);
        let index = shard.series().expect("the shard of metrics has an index");
        let beyond = index.beyond(&metrics.series, limits);
        if beyond.tenant.is_empty() && beyond.metric.is_empty() {
            return (metrics, Vec::new());
        }
        // Those of the last hour stay active; older ones that are not sent any more make room.
        if self.memory.renew_index(&shard, ACTIVE_NANOS) {
            tracing::info!(tenant = %meta.tenant, "begin the index of series anew");
            self.filled.notify_one();
        }
        let tenant = format!(
            "tenant `{}` has {series_max} active series (`store.series_max`); \
             those that are not sent for an hour make room",
            meta.tenant
        );
        let metric = format!(
            "a metric of tenant `{}` has {series_max_per_metric} active series \
             (`store.series_max_per_metric`); those that are not sent for an hour make room",
            meta.tenant
        );
        let reasons = [
            ("too_many_series", tenant, beyond.tenant),
            ("too_many_series_of_metric", metric, beyond.metric),
        ];
        let mut points = Vec::new();
        for (reason, message, rows) in reasons.into_iter().filter(|(.., rows)| !rows.is_empty()) {
            let [samples, histograms, exemplars] =
                [&metrics.samples, &metrics.histograms, &metrics.exemplars].map(|all| points_of(all, &rows));
            let records = u32::try_from(samples + histograms).unwrap_or(u32::MAX);
            meta.refused.push(RefusedSeries { reason: reason.to_owned(), rows, records });
            points.push(RefusedPoints { reason, message, samples, histograms, exemplars });
        }
        let rows = meta.refused.iter().flat_map(|some| &some.rows).copied();
        (without(metrics, rows), points)
    }

    /// Whether what this entry brought is in segments; then nothing is left to do for it.
    pub(crate) fn is_sealed(&self, meta: &EntryMeta, lsn: Lsn) -> bool {
        let sealed = self.view.read().state.is_sealed(&meta.tenant, meta.signal, lsn);
        if sealed {
            self.memory.skip(lsn);
        }
        sealed
    }
}
