use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{Batch, Lsn, Reservation};

use super::{Inner, Payload, READY, STARTING, STOPPING, Store};
use crate::error::{AppendError, WorkError};
use crate::memtable::Prepared;
use crate::wal::{Entry, EntryMeta};

/// How long a series that is not sent any more counts as active at least.
const ACTIVE_NANOS: i64 = 3_600_000_000_000;

impl Store {
    /// Stores the records of a request: on return they are on disk and in every snapshot that is
    /// taken from then on. Dropping the future does not undo it.
    ///
    /// `reservation` is what was taken from the budget for body and batch; what they really need
    /// is settled here. The entry counts as many records as the batch has, and those rejected.
    ///
    /// # Errors
    /// [`AppendError`]; nothing of the request is kept then.
    pub async fn append(
        &self,
        entry: Entry,
        batch: Batch,
        mut reservation: Reservation,
    ) -> Result<Lsn, AppendError> {
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
        let prepared = inner.prepare_within(&entry.meta, batch)?;
        let payload = Payload { prepared, _rest: reservation };
        Ok(inner.wal.append(entry, payload).await?)
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

    /// As [`Inner::prepare`], unless the tenant has too many series then.
    fn prepare_within(&self, meta: &EntryMeta, batch: Batch) -> Result<Prepared, AppendError> {
        let shard = self.memory.shard(&meta.tenant, meta.signal);
        let limit = usize::try_from(self.config.series_max).unwrap_or(usize::MAX);
        let prepared = Prepared::within(batch, shard.series().as_ref(), limit, &self.budget);
        prepared.ok_or_else(|| {
            // Those of the last hour stay active; older ones that are not sent any more make room.
            if self.memory.renew_index(&shard, ACTIVE_NANOS) {
                tracing::info!(tenant = %meta.tenant, limit, "begin the index of series anew");
                self.filled.notify_one();
            }
            AppendError::Series { tenant: meta.tenant.clone(), limit: self.config.series_max }
        })
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
