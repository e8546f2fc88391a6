//! A day's samples or histograms of a rule, downsampled.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use model::{Table, Tenant};

use super::rules::Level;
use super::{Tiers, is_due};
use crate::compact::runs::{Part, open_bytes};
use crate::error::{ReadError, WorkError};
use crate::manifest::{Commit, SegmentMeta, TierOf};
use crate::memtable::Chunk;
use crate::segment::{Effort, FileSeries, Origin, Rows, SegmentFile, SegmentWriter, Wanted, order, union};
use crate::store::Inner;

/// Segments of a table of one day that are to be downsampled together.
pub(crate) struct Job {
    tenant: Tenant,
    /// What is downsampled, and to what.
    table: Table,
    target: Table,
    day: i32,
    /// The place of the rule.
    pub(super) rule: usize,
    pub(super) level: Level,
    tier: TierOf,
    inputs: Vec<Arc<SegmentMeta>>,
}

impl Job {
    /// Where its windows go.
    pub(crate) fn place(&self) -> (Tenant, Table, i32) {
        (self.tenant.clone(), self.target, self.day)
    }
}

impl Inner {
    /// What is to be downsampled next, but for the places that are left alone.
    pub(crate) fn next_downsampling(&self, is_paused: impl Fn(&(Tenant, Table, i32)) -> bool) -> Option<Job> {
        if self.rules.is_empty() {
            return None;
        }
        let (state, now) = (self.state(), self.clock.now_unix_nano());
        state.segments.iter().find_map(|((tenant, table), segments)| {
            let (table, target) = (*table, table.downsampled()?);
            let tiers = Tiers::of(&state, tenant, table);
            let is_paused = |segment: &SegmentMeta| is_paused(&(tenant.clone(), target, segment.day));
            let mut days: BTreeMap<i32, Vec<_>> = BTreeMap::new();
            for segment in segments.iter().filter(|segment| !is_paused(segment)) {
                days.entry(segment.day).or_default().push(segment);
            }
            days.into_iter().find_map(|(day, segments)| {
                let levels = self.rules.all().iter().enumerate();
                let mut levels =
                    levels.flat_map(|(rule, own)| own.levels.iter().map(move |level| (rule, own, *level)));
                levels.find_map(|(rule, own, level)| {
                    let tier = TierOf { resolution_ms: level.resolution_ms, rule: own.key };
                    let wanted = |segment: &&&Arc<SegmentMeta>| {
                        is_due(segment, &level, now)
                            && !own_is_gone(segment, own.key)
                            && !tiers.have(segment, tier)
                    };
                    let inputs: Vec<_> =
                        segments.iter().filter(wanted).map(|segment| Arc::clone(segment)).collect();
                    let tenant = tenant.clone();
                    (!inputs.is_empty()).then_some(Job {
                        tenant,
                        table,
                        target,
                        day,
                        rule,
                        level,
                        tier,
                        inputs,
                    })
                })
            })
        })
    }

    /// Adds a segment with what the inputs come to. Blocks.
    pub(crate) fn downsample(&self, job: &Job) -> Result<(), WorkError> {
        // No input may become part of another segment before it is said to be in the tier.
        let _turn = self.merging.lock();
        let live = self.state();
        let live = live.segments_of(&job.tenant, job.table);
        if !job.inputs.iter().all(|input| live.iter().any(|there| there.id == input.id)) {
            return Ok(());
        }
        let _pins = self.pins.pin(&job.inputs);
        let place = (job.target, &job.tenant, job.day);
        let new = SegmentMeta { tier: Some(job.tier), ..self.new_segment(self.moment()?, place, 1) };
        let origin = Origin {
            lsns: union(job.inputs.iter().flat_map(|input| input.lsns.iter().copied())),
            first: None,
            inputs: job.inputs.iter().map(|input| input.id.clone()).collect(),
        };
        let write = |writer: &mut SegmentWriter| self.downsample_into(writer, job);
        let written = match self.write_segment(new, &origin, Effort::Compact, write) {
            Err(WorkError::Read(ReadError::Damaged { path, reason })) => {
                let damaged = job.inputs.iter().find(|input| input.path == path);
                return damaged.map_or(Ok(()), |segment| self.set_aside_segment(segment, &reason));
            }
            written => written?,
        };
        let min = job.inputs.iter().map(|input| input.min_time).min().unwrap_or(0);
        let max = job.inputs.iter().map(|input| input.max_time).max().unwrap_or(0);
        // Also where no row is in it: that nothing of these inputs is to be there is known then.
        let added = SegmentMeta { min_time: min, max_time: max, ..written };
        let committed = self.commit(Commit { add: vec![added.clone()], ..Commit::default() }, None);
        committed.inspect_err(|_| self.take_back(std::slice::from_ref(&added)))?;
        let SegmentMeta { path, rows, bytes, .. } = added;
        let resolution_ms = job.tier.resolution_ms;
        tracing::debug!(path, inputs = job.inputs.len(), resolution_ms, rows, bytes, "downsampled");
        Ok(())
    }

    /// In not much more than a sixteenth of the memory: row groups that do not fit, as far as they are open
    /// at the same time, are downsampled after the others, and a window that both have a part of has rows of
    /// each.
    fn downsample_into(&self, writer: &mut SegmentWriter, job: &Job) -> Result<(), WorkError> {
        let mut parts = Vec::new();
        for input in &job.inputs {
            let file = SegmentFile::new(&self.objects, input);
            let metadata = file.metadata(Wanted::Pages)?;
            parts.extend((0..metadata.num_row_groups()).map(|group| Part::new(&file, &metadata, group)));
        }
        let limit = (64 << 20).min(self.budget.limit() / 16);
        let mut rest = parts.as_slice();
        while !rest.is_empty() {
            let fitting = open_bytes(rest).take_while(|bytes| *bytes <= limit).count();
            let (some, others) = rest.split_at(fitting.max(1));
            let _held = self.budget.take(open_bytes(some).last().unwrap_or(0) + limit / 2);
            match job.table {
                Table::Histograms => self.downsample_histograms(writer, job, some, limit / 2)?,
                _ => self.downsample_numbers(writer, job, some, limit / 2)?,
            }
            rest = others;
        }
        Ok(())
    }

    /// Writes windows as row groups of their own. The batch has the rows of a table of windows.
    pub(super) fn write_windows(
        &self,
        writer: &mut SegmentWriter,
        rows: RecordBatch,
        series: &FileSeries,
    ) -> Result<(), WorkError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let table = writer.table();
        let chunk = Chunk::new(table, None, rows, &self.budget);
        let Some(rows) = Rows::new(table, [&chunk], &series.catalog) else { return Ok(()) };
        self.write_rows(writer, &rows, &order(&rows))
    }
}

/// Whether the samples of a rule were there and have expired.
fn own_is_gone(segment: &SegmentMeta, rule: u64) -> bool {
    segment.thinned.contains(&rule)
}
