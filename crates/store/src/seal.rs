//! Sealing: a generation in memory becomes files that the manifest names.
//!
//! Enters: a frozen generation. Leaves: one commit with its segments, how far into the log it
//! reaches, and what it adds to the ledger. Must hold: the generation stays readable until that
//! commit is visible, and not a moment longer; a failure leaves everything as it was.

use std::path::Path;
use std::sync::Arc;

use model::{Table, Tenant};

use crate::clock::unix_ms;
use crate::disk::File;
use crate::error::WorkError;
use crate::ledger::LedgerDelta;
use crate::manifest::{Commit, Progress, SegmentMeta};
use crate::memtable::{Generation, Shard};
use crate::metrics::chain;
use crate::names::Moment;
use crate::objects::failed;
use crate::segment::{
    Effort, GROUP_ROWS, Origin, Pick, Rows, SegmentWriter, Stamp, by_day, object_path, order,
};
use crate::store::Inner;

/// How old an index of series is at least before memory pressure begins it anew: those that are
/// sent come back at once, each with a row.
const RENEW_INDEX_NANOS: i64 = 60_000_000_000;

impl Inner {
    /// Ends the generations that are old or that hold the log back or too much memory; a large one
    /// ended when it was filled.
    pub(crate) fn freeze_due(&self) {
        let now = self.clock.now_unix_nano();
        let age = i64::try_from(self.config.seal.age.get().as_nanos()).unwrap_or(i64::MAX);
        let mut shards = Vec::new();
        for shard in self.memory.shards() {
            let Some(active) = shard.active() else { continue };
            if now.saturating_sub(active.opened_unix_nano) >= age {
                self.memory.freeze(&shard);
            } else {
                shards.push((active, shard));
            }
        }
        if self.wal.stats().bytes > self.config.wal.size_max.bytes() {
            // The files are deleted from the oldest on: what is in the older half goes.
            let needed = self.memory.needed_from();
            let middle = needed + self.memory.published().saturating_sub(needed) / 2;
            let oldest = shards.extract_if(.., |(active, _)| active.first_lsn <= middle);
            oldest.for_each(|(_, shard)| self.memory.freeze(&shard));
        }
        shards.sort_by_key(|(active, _)| active.bytes);
        while self.under_pressure()
            && let Some((_, largest)) = shards.pop()
        {
            self.memory.freeze(&largest);
        }
        self.renew_largest_index();
    }

    /// Under pressure, what may be the cause and what no seal frees: an index of series of which most
    /// are not sent any more. One at a time, so that the next look sees what it has brought.
    fn renew_largest_index(&self) {
        let (limit, (_, frozen)) = (self.budget.limit(), self.memory.bytes());
        if frozen > 0 || self.budget.used() <= limit / 10 * 7 {
            return;
        }
        let shards = self.memory.shards();
        let large = shards.iter().filter_map(|shard| Some((shard.series_usage()?, shard)));
        let Some(((series, bytes), shard)) = large.max_by_key(|((_, bytes), _)| *bytes) else { return };
        if bytes > limit / 64 && self.memory.renew_index(shard, RENEW_INDEX_NANOS) {
            tracing::info!(tenant = %shard.tenant, series, bytes, "begin the index of series anew");
        }
    }

    /// Whether what could be sealed takes a quarter of the budget, or the budget is nearly used up.
    fn under_pressure(&self) -> bool {
        let (active, frozen) = self.memory.bytes();
        let limit = self.budget.limit();
        active > limit / 4 || (frozen == 0 && self.budget.used() > limit / 10 * 7 && active > limit / 64)
    }

    /// Seals the shard's oldest frozen generation; whether there was one. Blocks.
    pub(crate) fn seal_oldest(&self, shard: &Shard) -> Result<bool, WorkError> {
        let _turn = shard.turn();
        let Some(generation) = shard.oldest_frozen() else { return Ok(false) };
        let _span = tracing::info_span!("seal", tenant = %shard.tenant, signal = %shard.signal).entered();
        let started = self.clock.now_unix_nano();
        let mut add = Vec::new();
        let written = self.write_tables(shard, &generation, &mut add);
        let (rows, bytes) =
            add.iter().fold((0, 0), |(rows, bytes), segment| (rows + segment.rows, bytes + segment.bytes));
        let committed = written.and_then(|()| {
            let commit = commit_of(shard, &generation, add.clone());
            self.commit(commit, Some((shard, generation.number)))
        });
        let committed = committed.inspect_err(|_| self.take_back(&add))?;
        assert!(committed, "a seal removes nothing");
        let ended = self.clock.now_unix_nano();
        let nanos = u64::try_from(ended.saturating_sub(started)).unwrap_or(0);
        self.work.sealed(shard.signal, ended.div_euclid(1_000_000), nanos, rows, bytes);
        tracing::debug!(tenant = %shard.tenant, signal = %shard.signal, rows, bytes, "sealed");
        self.shorten_log()?;
        Ok(true)
    }

    /// Deletes the files of the log of which nothing is needed any more.
    pub(crate) fn shorten_log(&self) -> Result<(), WorkError> {
        self.wal.delete_below(self.memory.needed_from()).map_err(WorkError::Wal)
    }

    /// Removes the files of segments that were not committed: the next attempt writes others, and a
    /// disk that is full must not become fuller by it.
    pub(crate) fn take_back(&self, segments: &[SegmentMeta]) {
        if self.fatal.reason().is_some() {
            // Nobody knows what was committed.
            return;
        }
        for segment in segments {
            if let Err(error) = self.objects.remove(&segment.path) {
                tracing::warn!(path = segment.path, error = %chain(&error), "a file is left until the next start");
            }
        }
    }

    fn write_tables(
        &self,
        shard: &Shard,
        generation: &Generation,
        add: &mut Vec<SegmentMeta>,
    ) -> Result<(), WorkError> {
        // What the seal before it reached: this one's turn came after that was committed.
        let sealed = self.state().progress.get(&(shard.tenant.clone(), shard.signal)).copied().unwrap_or(0);
        let origin = Origin {
            lsns: vec![(sealed + 1, generation.last_lsn)],
            first: Some(generation.first_lsn),
            inputs: Vec::new(),
        };
        // A copy, so that new series can be added meanwhile.
        let catalog = generation.series.as_ref().map(|series| series.catalog()).unwrap_or_default();
        let _copy = self.budget.take(catalog.bytes());
        let moment = self.moment()?;
        for table in shard.signal.tables() {
            let chunks = generation.chunks(*table).iter().map(Arc::as_ref);
            let Some(rows) = Rows::new(*table, chunks, &catalog) else { continue };
            let _picks = self.budget.take((rows.len() * 3 * size_of::<Pick>()) as u64);
            for (day, picks) in by_day(&rows, order(&rows)) {
                let new = self.new_segment(moment, (*table, &shard.tenant, day), 0);
                let write = |writer: &mut SegmentWriter| self.write_rows(writer, &rows, &picks);
                add.push(self.write_segment(new, &origin, Effort::Seal, write)?);
            }
        }
        Ok(())
    }

    /// Writes the picked rows as row groups of about the same size.
    pub(crate) fn write_rows(
        &self,
        writer: &mut SegmentWriter,
        rows: &Rows<'_>,
        picks: &[Pick],
    ) -> Result<(), WorkError> {
        let encode = |source| WorkError::Encode { table: rows.table.as_str(), source };
        let mut memory = self.budget.take(0);
        let groups = picks.len().div_ceil(GROUP_ROWS).max(1);
        for group in picks.chunks(picks.len().div_ceil(groups).max(1)) {
            writer.write(rows, group, &mut memory).map_err(encode)?;
        }
        Ok(())
    }

    /// When that is made which is written from now on.
    pub(crate) fn moment(&self) -> Result<Moment, WorkError> {
        let note =
            |names_until_ms| self.commit(Commit { names_until_ms, ..Commit::default() }, None).map(drop);
        self.names.moment(unix_ms(&*self.clock), note)
    }

    /// A segment of which nothing but the name exists.
    pub(crate) fn new_segment(
        &self,
        moment: Moment,
        (table, tenant, day): (Table, &Tenant, i32),
        level: u8,
    ) -> SegmentMeta {
        let id = moment.id();
        SegmentMeta {
            path: object_path(table, tenant, day, &id),
            id,
            table,
            tenant: tenant.clone(),
            day,
            rows: 0,
            bytes: 0,
            min_time: 0,
            max_time: 0,
            level,
            created_unix_ms: unix_ms(&*self.clock),
            tail: None,
            lsns: Vec::new(),
            tier: None,
            thinned: Vec::new(),
        }
    }

    /// Writes a segment and makes it durable under its name. The manifest does not name it yet.
    pub(crate) fn write_segment(
        &self,
        new: SegmentMeta,
        origin: &Origin,
        effort: Effort,
        write: impl FnOnce(&mut SegmentWriter) -> Result<(), WorkError>,
    ) -> Result<SegmentMeta, WorkError> {
        let draft = self.objects.draft(&new.path)?;
        let new = SegmentMeta { lsns: origin.lsns.clone(), ..new };
        let (store, origin) = (self.identity.own.clone(), origin.clone());
        let thinned = new.thinned.clone();
        let stamp = Stamp { store, level: new.level, origin, tier: new.tier, thinned };
        let write = |writer: &mut SegmentWriter| {
            writer.set_origin(stamp.format(new.table, &new.tenant));
            write(writer)
        };
        let finished = self.finish_draft(&new, effort, draft.file, write, &draft.path);
        finished.inspect_err(|_| {
            // What is left is removed at the next start.
            drop(self.objects.discard(&draft.path));
        })
    }

    fn finish_draft(
        &self,
        new: &SegmentMeta,
        effort: Effort,
        file: Box<dyn File>,
        write: impl FnOnce(&mut SegmentWriter) -> Result<(), WorkError>,
        draft: &Path,
    ) -> Result<SegmentMeta, WorkError> {
        let encode = |source| WorkError::Encode { table: new.table.as_str(), source };
        let mut writer = SegmentWriter::new(new.table, effort, file, &self.buffers).map_err(encode)?;
        write(&mut writer)?;
        let mut written = writer.finish().map_err(encode)?;
        written.file.sync_data().map_err(|error| {
            self.fatal.raise(format!("cannot sync `{}`: {error}", draft.display()));
            failed(&new.path, error)
        })?;
        drop(written.file);
        self.objects.publish(draft, &new.path)?;
        Ok(SegmentMeta {
            rows: written.rows,
            bytes: written.bytes,
            tail: Some(written.tail),
            min_time: written.time_min,
            max_time: written.time_max,
            ..new.clone()
        })
    }
}

fn commit_of(shard: &Shard, generation: &Generation, add: Vec<SegmentMeta>) -> Commit {
    let (tenant, signal) = (shard.tenant.clone(), shard.signal);
    Commit {
        progress: vec![Progress { tenant: tenant.clone(), signal, lsn: generation.last_lsn }],
        ledger: vec![LedgerDelta { tenant, signal, counts: generation.counts.clone() }],
        add,
        ..Commit::default()
    }
}
