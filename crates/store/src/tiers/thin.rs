//! Samples and histograms that expire before others of their segment.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use model::Table;

use super::{Tiers, has_expired};
use crate::compact::runs::Part;
use crate::error::{ReadError, WorkError};
use crate::manifest::{Commit, ExpiredRows, Removal, RemovalReason, SegmentMeta};
use crate::memtable::Chunk;
use crate::segment::{Effort, FileSeries, Origin, Rows, SegmentFile, SegmentWriter, Wanted, order, unfile};
use crate::store::Inner;

impl Inner {
    /// Removes the points of rules that expired from segments that hold others, too.
    pub(crate) fn thin_all(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let state = self.state();
        for ((tenant, table), segments) in &state.segments {
            if table.downsampled().is_none() {
                continue;
            }
            let tiers = Tiers::of(&state, tenant, *table);
            let general = self.config.retention.of(tenant, *table);
            for segment in segments.iter() {
                let rules = self.rules.all().iter();
                let over = rules
                    .filter(|rule| !segment.thinned.contains(&rule.key))
                    .filter(|rule| has_expired((segment, &tiers), rule, general, now_unix_nano));
                let over: Vec<_> = over.map(|rule| rule.key).collect();
                if !over.is_empty() {
                    self.thin(segment, &over)?;
                }
            }
        }
        Ok(())
    }

    fn thin(&self, segment: &Arc<SegmentMeta>, over: &[u64]) -> Result<(), WorkError> {
        let _pins = self.pins.pin(std::slice::from_ref(segment));
        let mut thinned: Vec<u64> = segment.thinned.iter().chain(over).copied().collect();
        thinned.sort_unstable();
        let level = segment.level.saturating_add(1);
        let place = (segment.table, &segment.tenant, segment.day);
        let new = SegmentMeta { thinned, ..self.new_segment(self.moment()?, place, level) };
        let origin = Origin { lsns: segment.lsns.clone(), first: None, inputs: vec![segment.id.clone()] };
        let write = |writer: &mut SegmentWriter| self.thin_into(writer, segment, over);
        let written = match self.write_segment(new, &origin, Effort::Compact, write) {
            Err(WorkError::Read(ReadError::Damaged { reason, .. })) => {
                return self.set_aside_segment(segment, &reason);
            }
            written => written?,
        };
        let (tenant, signal) = (segment.tenant.clone(), segment.table.signal());
        let expired = segment.rows.saturating_sub(written.rows);
        let at_unix_ms = crate::clock::unix_ms(&*self.clock);
        let id = segment.id.clone();
        let commit = if written.rows == 0 {
            self.take_back(std::slice::from_ref(&written));
            let remove = vec![Removal { id, reason: RemovalReason::Expired, at_unix_ms }];
            Commit { remove, ..Commit::default() }
        } else {
            Commit {
                remove: vec![Removal { id, reason: RemovalReason::Compacted, at_unix_ms }],
                add: vec![written.clone()],
                expired: vec![ExpiredRows { tenant, signal, rows: expired }],
                ..Commit::default()
            }
        };
        let committed = self.commit(commit, None);
        if !matches!(committed, Ok(true)) && written.rows > 0 {
            // Or it was merged meanwhile: next time.
            self.take_back(std::slice::from_ref(&written));
        }
        if committed? {
            tracing::info!(
                path = segment.path,
                rows = expired,
                "removed points that are older than their tier"
            );
        }
        Ok(())
    }

    fn thin_into(
        &self,
        writer: &mut SegmentWriter,
        segment: &Arc<SegmentMeta>,
        over: &[u64],
    ) -> Result<(), WorkError> {
        let file = SegmentFile::new(&self.objects, segment);
        let metadata = file.metadata(Wanted::Pages)?;
        let limit = (64 << 20).min(self.budget.limit() / 16);
        let keeps = |name: &str| !over.contains(&self.rules.all()[self.rules.of(name)].key);
        for group in 0..metadata.num_row_groups() {
            if segment.table != Table::Samples {
                let batches = file.group(&metadata, group)?;
                self.write_kept_rows(writer, batches, &keeps, limit)?;
                continue;
            }
            let source = Part::new(&file, &metadata, group).open()?;
            self.write_kept(writer, source, &keeps, limit)?;
        }
        Ok(())
    }

    /// As `write_kept`, of tables whose rows are not merged series by series.
    fn write_kept_rows(
        &self,
        writer: &mut SegmentWriter,
        batches: impl Iterator<Item = Result<RecordBatch, ReadError>>,
        keeps: &dyn Fn(&str) -> bool,
        limit: u64,
    ) -> Result<(), WorkError> {
        let table = writer.table();
        let (mut chunks, mut series) = (Vec::new(), FileSeries::default());
        let mut write = |chunks: &mut Vec<Chunk>, series: &mut FileSeries| {
            let (chunks, series) = (std::mem::take(chunks), std::mem::take(series));
            let Some(rows) = Rows::new(table, &chunks, &series.catalog) else { return Ok(()) };
            self.write_rows(writer, &rows, &order(&rows))
        };
        for batch in batches {
            let batch = batch?;
            let names = batch.column(0).as_string::<i32>();
            let kept: BooleanArray = names.iter().map(|name| name.map(keeps)).collect();
            let encode = |source| WorkError::Encode { table: table.as_str(), source };
            let kept = filter_record_batch(&batch, &kept).map_err(|error| encode(error.into()))?;
            if kept.num_rows() > 0 {
                chunks.push(unfile(table, &kept, &mut series, &self.budget));
            }
            if chunks.iter().map(Chunk::bytes).sum::<u64>() >= limit {
                write(&mut chunks, &mut series)?;
            }
        }
        write(&mut chunks, &mut series)
    }
}
