use std::sync::Arc;

use crate::error::{ReadError, WorkError};
use crate::manifest::SegmentMeta;
use crate::names::made_ms;
use crate::objects::{Objects, failed};
use crate::segment::{Origin, SegmentFile, Stamp, Wanted, parse_path};
use crate::tiers::end_of_day;

/// A segment that no commit names, and what it says of itself.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) meta: SegmentMeta,
    pub(super) origin: Origin,
    /// Who wrote it.
    pub(super) store: String,
}

/// What lies in the folder and is not named.
pub(super) enum Found {
    /// Something that somebody put there.
    NotOurs,
    /// What was being written when the process ended.
    Draft,
    /// Ours by its name, but it does not say of what it was made.
    Unknown(String),
    Segment(Box<Orphan>),
}

/// Looks at a file below the segments.
pub(super) fn look_at(objects: &Arc<Objects>, path: &str, now_ms: i64) -> Result<Found, WorkError> {
    if let Some(name) = path.strip_suffix(".draft") {
        let draft = named_by(&format!("{name}.parquet"), now_ms).is_some();
        return Ok(if draft { Found::Draft } else { Found::NotOurs });
    }
    let Some(named) = named_by(path, now_ms) else { return Ok(Found::NotOurs) };
    let Some(bytes) = objects.len(path).map_err(|error| failed(path, error))? else {
        return Ok(Found::NotOurs);
    };
    match read(objects, SegmentMeta { bytes, ..named }) {
        Ok(Some(orphan)) => Ok(Found::Segment(Box::new(orphan))),
        Ok(None) => {
            Ok(Found::Unknown("no commit names it, and it does not say where it came from".to_owned()))
        }
        Err(ReadError::Damaged { reason, .. }) => Ok(Found::Unknown(reason)),
        Err(error) => Err(error.into()),
    }
}

/// What the path of a segment says; nothing of another file.
fn named_by(path: &str, now_ms: i64) -> Option<SegmentMeta> {
    let (table, tenant, day, id) = parse_path(path)?;
    // A name may be ahead of the clock, and what goes by the clock is not to wait for that.
    let created_unix_ms = made_ms(id)?.min(now_ms);
    let (id, path) = (id.to_owned(), path.to_owned());
    Some(SegmentMeta {
        id,
        table,
        tenant,
        day,
        path,
        rows: 0,
        bytes: 0,
        min_time: 0,
        max_time: 0,
        level: 0,
        created_unix_ms,
        tail: None,
        lsns: Vec::new(),
        tier: None,
        thinned: Vec::new(),
    })
}

fn read(objects: &Arc<Objects>, named: SegmentMeta) -> Result<Option<Orphan>, ReadError> {
    let named = Arc::new(named);
    let file = SegmentFile::new(objects, &named);
    file.check()?;
    let metadata = file.metadata(Wanted::Groups)?;
    // Before anything is believed of what it says.
    let tail = Some(file.found_tail(&metadata)?);
    let Some(stamp) = file.stamp(&metadata) else { return Ok(None) };
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let (min_time, max_time) = match rows {
        // It says that nothing of some samples of that day is in a tier.
        0 => (end_of_day(named.day), end_of_day(named.day)),
        _ => file.times(&metadata)?,
    };
    let Stamp { store, level, origin, tier, thinned } = stamp;
    let lsns = origin.lsns.clone();
    let named = Arc::unwrap_or_clone(named);
    let meta = SegmentMeta { rows, min_time, max_time, level, tail, lsns, tier, thinned, ..named };
    Ok(Some(Orphan { meta, origin, store }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use model::{Signal, Table};

    use super::*;
    use crate::Disk;
    use crate::disk::ForgetfulDisk;
    use crate::fatal::Fatal;
    use crate::tests::fixture::*;

    /// Whatever is altered in the end of a segment, which says all that is known of it, it is not believed.
    #[tokio::test]
    async fn an_altered_end_says_nothing() {
        let (dir, disk) = (Path::new("/store"), ForgetfulDisk::new());
        let store = open_with(options(config(dir), Arc::new(disk.clone()), &TestClock::new(NOON))).await;
        let rows = (0..50).map(|id| Row { id, stream: (id % 7) as u8, time: NOON + id as i64 });
        for signal in Signal::ALL {
            append(&store, signal, rows.clone()).await;
        }
        store.seal_all().await.unwrap();
        let named = [Table::Logs, Table::Spans, Table::Samples, Table::Series]
            .map(|table| store.snapshot(&tenant(), table).segments[0].clone());
        drop(store);
        let objects = Arc::new(Objects::local(Arc::new(disk.clone()), dir, Fatal::default()).unwrap());
        let now_ms = NOON / 1_000_000;
        for segment in named {
            let file = dir.join(&segment.path);
            let found = look_at(&objects, &segment.path, now_ms).unwrap();
            assert!(matches!(found, Found::Segment(orphan) if orphan.meta.rows == segment.rows), "{file:?}");
            let bytes = disk.read(&file).unwrap();
            let tail = usize::try_from(segment.tail.unwrap().len).unwrap();
            for at in bytes.len() - tail..bytes.len() {
                for change in [1 << (at % 8), 0xff] {
                    disk.alter(&file, |bytes| bytes[at] ^= change);
                    let found = look_at(&objects, &segment.path, now_ms).unwrap();
                    assert!(matches!(found, Found::Unknown(_)), "{file:?}: {change:x} at {at}");
                    disk.alter(&file, |bytes| bytes[at] ^= change);
                }
            }
        }
    }
}
