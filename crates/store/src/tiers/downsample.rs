//! A day's samples of a rule, downsampled.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::Int64Builder;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt32Array};
use model::{Table, Tenant, schema};

use super::rules::Level;
use super::window::{Sample, Window, fold};
use super::{Tiers, is_due};
use crate::compact::runs::{Head, Part, Runs, open_bytes};
use crate::error::{ReadError, WorkError};
use crate::manifest::{Commit, SegmentMeta, TierOf};
use crate::memtable::Chunk;
use crate::segment::{Effort, FileSeries, Origin, Rows, SegmentFile, SegmentWriter, Wanted, order, union};
use crate::store::Inner;

/// What a window takes until it is written.
const WINDOW_BYTES: u64 = 128;

/// Segments of samples of one day that are to be downsampled together.
pub(crate) struct Job {
    pub(crate) tenant: Tenant,
    pub(crate) day: i32,
    /// The place of the rule.
    rule: usize,
    level: Level,
    tier: TierOf,
    inputs: Vec<Arc<SegmentMeta>>,
}

impl Inner {
    /// What is to be downsampled next, but for the days that are left alone.
    pub(crate) fn next_downsampling(&self, is_paused: impl Fn(&Tenant, i32) -> bool) -> Option<Job> {
        if self.rules.is_empty() {
            return None;
        }
        let (state, now) = (self.state(), self.clock.now_unix_nano());
        let samples = state.segments.iter().filter(|((_, table), _)| *table == Table::Samples);
        samples.into_iter().find_map(|((tenant, _), segments)| {
            let tiers = Tiers::of(&state, tenant);
            let mut days: BTreeMap<i32, Vec<_>> = BTreeMap::new();
            for segment in segments.iter().filter(|segment| !is_paused(tenant, segment.day)) {
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
                    (!inputs.is_empty()).then_some(Job { tenant, day, rule, level, tier, inputs })
                })
            })
        })
    }

    /// Adds a segment with what the inputs come to. Blocks.
    pub(crate) fn downsample(&self, job: &Job) -> Result<(), WorkError> {
        // No input may become part of another segment before it is said to be in the tier.
        let _turn = self.merging.lock();
        let live = self.state();
        let live = live.segments_of(&job.tenant, Table::Samples);
        if !job.inputs.iter().all(|input| live.iter().any(|there| there.id == input.id)) {
            return Ok(());
        }
        let _pins = self.pins.pin(&job.inputs);
        let new = SegmentMeta {
            tier: Some(job.tier),
            ..self.new_segment(Table::Downsampled, &job.tenant, job.day, 1)
        };
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

    /// In not much more than a sixteenth of the memory: row groups that do not fit are downsampled
    /// after the others, and a window that both have a part of has two rows.
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
            self.downsample_runs(writer, job, some, limit / 2)?;
            rest = others;
        }
        Ok(())
    }

    fn downsample_runs(
        &self,
        writer: &mut SegmentWriter,
        job: &Job,
        parts: &[Part],
        limit: u64,
    ) -> Result<(), WorkError> {
        let mut runs = Runs::new(parts);
        let (mut windows, mut samples, mut series) = (Windows::default(), Vec::new(), None);
        let mut chosen: Option<(Arc<str>, bool)> = None;
        while let Some((head, source)) = runs.next()? {
            let known = chosen.as_ref().filter(|(name, _)| *name == head.name).map(|(_, is_own)| *is_own);
            let is_own = known.unwrap_or_else(|| self.rules.of(&head.name) == job.rule);
            chosen = Some((Arc::clone(&head.name), is_own));
            let is_other =
                series.as_ref().is_none_or(|last: &Head| (&last.name, last.id) != (&head.name, head.id));
            if is_other && let Some(last) = &series {
                windows.close(last, &mut samples, job.level.resolution_ms);
                if windows.len() as u64 * WINDOW_BYTES >= limit {
                    self.write_windows(writer, std::mem::take(&mut windows))?;
                }
            }
            source.each_of_run(|time, value, flags| {
                if is_own {
                    samples.push(Sample { time, value, flags });
                }
            });
            series = Some(head);
        }
        if let Some(last) = &series {
            windows.close(last, &mut samples, job.level.resolution_ms);
        }
        self.write_windows(writer, windows)
    }

    fn write_windows(&self, writer: &mut SegmentWriter, windows: Windows) -> Result<(), WorkError> {
        if windows.len() == 0 {
            return Ok(());
        }
        let (rows, series) = windows.finish();
        let chunk = Chunk::new(Table::Downsampled, None, rows, &self.budget);
        let Some(rows) = Rows::new(Table::Downsampled, [&chunk], &series.catalog) else { return Ok(()) };
        self.write_rows(writer, &rows, &order(&rows))
    }
}

/// Whether the samples of a rule were there and have expired.
fn own_is_gone(segment: &SegmentMeta, rule: u64) -> bool {
    segment.thinned.contains(&rule)
}

/// Rows on their way into the file.
#[derive(Default)]
struct Windows {
    series: FileSeries,
    resolution_ms: i64,
    numbers: Vec<u32>,
    rows: Vec<Window>,
}

impl Windows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes over what the samples of a series come to.
    fn close(&mut self, series: &Head, samples: &mut Vec<Sample>, resolution_ms: u64) {
        if samples.is_empty() {
            return;
        }
        self.resolution_ms = i64::try_from(resolution_ms).unwrap_or(i64::MAX);
        let number = self.series.number(series.id, &series.name);
        fold(samples, resolution_ms, |window| self.rows.push(window));
        self.numbers.resize(self.rows.len(), number);
    }

    fn finish(self) -> (RecordBatch, FileSeries) {
        let rows = &self.rows;
        let ints = |of: fn(&Window) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
        };
        let doubles = |of: fn(&Window) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(rows.iter().map(of)))
        };
        let mut stale = Int64Builder::with_capacity(rows.len());
        rows.iter().for_each(|window| stale.append_option(window.stale_time));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.numbers)),
            ints(|window| window.time),
            Arc::new(Int64Array::from(vec![self.resolution_ms; rows.len()])),
            ints(|window| window.first_time),
            ints(|window| window.count),
            doubles(|window| window.sum),
            doubles(|window| window.min),
            doubles(|window| window.max),
            doubles(|window| window.first),
            doubles(|window| window.last),
            doubles(|window| window.reset_sum),
            Arc::new(stale.finish()),
        ];
        let rows = RecordBatch::try_new(schema::rows(Table::Downsampled), columns);
        (rows.expect("these are the columns of downsampled samples, in their order"), self.series)
    }
}
