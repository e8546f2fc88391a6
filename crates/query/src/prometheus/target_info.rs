//! `target_info`: a series of ones whose labels are the attributes of a resource.
//!
//! Nothing of it is stored. A resource is there from when a series of it was first seen on a day to
//! the end of the day, unless another one with the same identity comes: a service that was
//! restarted has another process id, but is the same target.

use std::collections::BTreeMap;

use model::{NANOS_PER_DAY, day_of};
use promql::histogram::STALE_NAN_BITS;
use promql::{Chunk, Labels};

use super::exposed::Translator;
use super::memory::Memory;
use super::points::nanos;
use super::rows::File;
use super::select::Store;
use super::series::{self, Which};
use crate::QueryError;

/// Bytes that an entry is counted with.
const ENTRY_BYTES: usize = 256;

/// Distance of the ones: half of how far an instant selector looks back by default.
const DISTANCE_MS: i64 = 150_000;

/// When which resource of an identity and a day was first seen.
#[derive(Default)]
pub(super) struct Targets(BTreeMap<((String, String), i32), BTreeMap<Labels, i64>>);

impl Targets {
    pub(super) fn find(store: &Store<'_>, times_ms: (i64, i64)) -> Result<Self, QueryError> {
        let (mut targets, mut translator) = (Self::default(), Translator::default());
        let which = Which { times: nanos(times_ms), name: None, name_may_fit: &|_, _| true, every_row: true };
        // What came from Prometheus has no resource; mostly that is known of a file.
        let without = |file: &File<'_>| file.cached(&store.promoted).is_some_and(|known| known.is_own());
        series::each_but(&store.memory, &store.series, &which, &without, &mut |row| {
            let Some((labels, identity)) = translator.target_info(row) else { return Ok(()) };
            let of_day = targets.0.entry((identity, day_of(row.time))).or_default();
            if !of_day.contains_key(&labels) {
                store.memory.grow(ENTRY_BYTES)?;
            }
            of_day.entry(labels).and_modify(|first| *first = (*first).min(row.time)).or_insert(row.time);
            Ok(())
        })?;
        Ok(targets)
    }

    /// The ones of each resource within the times; where only labels matter, nothing of them.
    pub(super) fn series(
        self,
        times_ms: (i64, i64),
        labels_only: bool,
        memory: &Memory,
    ) -> Result<Vec<(Labels, Chunk)>, QueryError> {
        let mut series = Vec::new();
        for ((_, day), resources) in self.0 {
            let day_end = i64::from(day).saturating_add(1).saturating_mul(NANOS_PER_DAY) / 1_000_000;
            let mut by_time: Vec<_> =
                resources.into_iter().map(|(labels, first)| (first.div_euclid(1_000_000), labels)).collect();
            by_time.sort_unstable();
            let begins: Vec<_> = by_time.iter().map(|(begin, _)| *begin).collect();
            for (number, (begin, labels)) in by_time.into_iter().enumerate() {
                let next = begins.get(number + 1).copied();
                let end = next.unwrap_or(day_end);
                if labels_only {
                    if begin <= times_ms.1 && end > times_ms.0 {
                        series.push((labels, Chunk::default()));
                    }
                    continue;
                }
                let chunk = ones((begin, end), next.is_some(), times_ms);
                memory.grow(chunk.times_ms.capacity() * 2 * size_of::<i64>())?;
                if !chunk.times_ms.is_empty() {
                    series.push((labels, chunk));
                }
            }
        }
        Ok(series)
    }
}

/// Ones from `begin` to before `end`; a series that is followed by another one ends there.
fn ones((begin, end): (i64, i64), followed: bool, times_ms: (i64, i64)) -> Chunk {
    let mut chunk = Chunk::default();
    let mut push = |time: i64, value: f64| {
        if (times_ms.0..=times_ms.1).contains(&time) {
            chunk.times_ms.push(time);
            chunk.values.push(value);
        }
    };
    // From the first one within the times on.
    let skipped = (times_ms.0.saturating_sub(begin) / DISTANCE_MS).max(0);
    let mut time = begin.saturating_add(skipped.saturating_mul(DISTANCE_MS));
    let last = end.min(times_ms.1.saturating_add(1));
    while time < last {
        push(time, 1.0);
        time += DISTANCE_MS;
    }
    if followed {
        push(end, f64::from_bits(STALE_NAN_BITS));
    }
    chunk
}
