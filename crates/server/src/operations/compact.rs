use api::dto::{CompactLine, Compacted, MergedFiles, NotMergedFiles};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use store::{Compaction, Merged, NotMerged};
use tokio_util::sync::CancellationToken;

use crate::sink::chain;

/// A line for each merge, and one for all of them; merges while the lines are read. When the server
/// stops, the rest is left.
pub fn lines(compaction: Compaction, stop: CancellationToken) -> BoxStream<'static, CompactLine> {
    let begun = Some((compaction, Compacted { complete: true, ..Compacted::default() }));
    let step = move |state: Option<(Compaction, Compacted)>| {
        let stop = stop.clone();
        async move {
            let (mut compaction, mut sum) = state?;
            if stop.is_cancelled() {
                sum.complete = false;
                return Some((CompactLine::Done(sum), None));
            }
            let line = match compaction.next().await {
                None => return Some((CompactLine::Done(sum), None)),
                Some(Ok(merged)) => merged_line(merged, &mut sum),
                Some(Err(failed)) => failed_line(failed, &mut sum),
            };
            Some((line, Some((compaction, sum))))
        }
    };
    stream::unfold(begun, step).boxed()
}

fn merged_line(merged: Merged, sum: &mut Compacted) -> CompactLine {
    let Merged { table, tenant, day, files, bytes_before, bytes, rows } = merged;
    sum.merges += 1;
    sum.files += files;
    sum.bytes_before += bytes_before;
    sum.bytes += bytes;
    let (table, tenant, day) = (table.to_string(), tenant.to_string(), model::day_text(day));
    CompactLine::Merged(MergedFiles { table, tenant, day, files, bytes_before, bytes, rows })
}

fn failed_line(failed: NotMerged, sum: &mut Compacted) -> CompactLine {
    let NotMerged { place, error } = failed;
    sum.complete = false;
    sum.failed += 1;
    let error = chain(&error);
    tracing::error!(?place, error, "could not merge what was asked for");
    let (table, tenant, day) = match place {
        Some((table, tenant, day)) => {
            (Some(table.to_string()), Some(tenant.to_string()), Some(model::day_text(day)))
        }
        None => (None, None, None),
    };
    CompactLine::Failed(NotMergedFiles { table, tenant, day, error })
}
