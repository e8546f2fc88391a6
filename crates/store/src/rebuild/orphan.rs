use std::sync::Arc;

use crate::error::{ReadError, WorkError};
use crate::manifest::SegmentMeta;
use crate::objects::{Objects, failed};
use crate::seal::id_unix_ms;
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
        let draft = is_ours(&format!("{name}.parquet")).is_some();
        return Ok(if draft { Found::Draft } else { Found::NotOurs });
    }
    let Some((named, made_ms)) = is_ours(path) else { return Ok(Found::NotOurs) };
    if made_ms > now_ms {
        // The clock went back: nobody knows yet whether it is younger than what is named.
        return Ok(Found::NotOurs);
    }
    let Some(bytes) = objects.len(path).map_err(|error| failed(path, error))? else {
        return Ok(Found::NotOurs);
    };
    match read(objects, SegmentMeta { bytes, created_unix_ms: made_ms, ..named }) {
        Ok(Some(orphan)) => Ok(Found::Segment(Box::new(orphan))),
        Ok(None) => {
            Ok(Found::Unknown("no commit names it, and it does not say where it came from".to_owned()))
        }
        Err(ReadError::Damaged { reason, .. }) => Ok(Found::Unknown(reason)),
        Err(error) => Err(error.into()),
    }
}

/// What the path of a segment says, and when it was made; nothing of another file.
fn is_ours(path: &str) -> Option<(SegmentMeta, i64)> {
    let (table, tenant, day, id) = parse_path(path)?;
    let made_ms = id_unix_ms(id)?;
    let (id, path) = (id.to_owned(), path.to_owned());
    let meta = SegmentMeta {
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
        created_unix_ms: made_ms,
        crc: None,
        lsns: Vec::new(),
        tier: None,
        thinned: Vec::new(),
    };
    Some((meta, made_ms))
}

fn read(objects: &Arc<Objects>, named: SegmentMeta) -> Result<Option<Orphan>, ReadError> {
    let named = Arc::new(named);
    let file = SegmentFile::new(objects, &named);
    file.check()?;
    let metadata = file.metadata(Wanted::Groups)?;
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
    let meta = SegmentMeta { rows, min_time, max_time, level, lsns, tier, thinned, ..named };
    Ok(Some(Orphan { meta, origin, store }))
}
