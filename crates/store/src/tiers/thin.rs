//! Samples that expire before others of their segment.

use std::sync::Arc;

use model::Table;

use super::{Tiers, has_expired};
use crate::compact::runs::Part;
use crate::error::{ReadError, WorkError};
use crate::manifest::{Commit, ExpiredRows, Removal, RemovalReason, SegmentMeta};
use crate::segment::{Effort, Origin, SegmentFile, SegmentWriter, Wanted};
use crate::store::Inner;

impl Inner {
    /// Removes the samples of rules that expired from segments that hold others, too.
    pub(crate) fn thin_all(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let state = self.state();
        for ((tenant, table), segments) in &state.segments {
            if *table != Table::Samples {
                continue;
            }
            let (tiers, general) = (Tiers::of(&state, tenant), self.config.retention.of(tenant, *table));
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
        let new =
            SegmentMeta { thinned, ..self.new_segment(Table::Samples, &segment.tenant, segment.day, level) };
        let origin = Origin { lsns: segment.lsns.clone(), first: None, inputs: vec![segment.id.clone()] };
        let write = |writer: &mut SegmentWriter| self.thin_into(writer, segment, over);
        let written = match self.write_segment(new, &origin, Effort::Compact, write) {
            Err(WorkError::Read(ReadError::Damaged { reason, .. })) => {
                return self.set_aside_segment(segment, &reason);
            }
            written => written?,
        };
        let (tenant, signal) = (segment.tenant.clone(), Table::Samples.signal());
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
                "removed samples that are older than their tier"
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
            let source = Part::new(&file, &metadata, group).open()?;
            self.write_kept(writer, source, &keeps, limit)?;
        }
        Ok(())
    }
}
