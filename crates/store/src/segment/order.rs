use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use model::{Table, day_of};

use super::encode::{BLOCK_ROWS, Dictionary};
use super::rows::{Belongs, Rows};
use crate::courtesy::give_way;
use crate::memtable::{SeriesCatalog, stream_ids, times};

/// A row of one of the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) chunk: u32,
    pub(crate) row: u32,
}

/// Most files that one table of one generation is split into.
pub(crate) const PARTS_MAX: usize = 64;

/// All rows in the order of the files: by group (stream; service and name; series), then time.
///
/// Rows of a group mostly come in the order of their times, so a counting sort by group leaves
/// little to sort.
pub(crate) fn order(rows: &Rows<'_>) -> Vec<Pick> {
    let groups = Groups::of(rows);
    let mut places = groups.starts();
    let mut picks = vec![Pick { chunk: 0, row: 0 }; rows.len()];
    let mut group_of = groups.of_row.iter();
    for (number, chunk) in rows.chunks.iter().enumerate() {
        give_way();
        for row in 0..chunk.len() {
            let group = *group_of.next().expect("one group a row") as usize;
            picks[places[group]] = Pick { chunk: number as u32, row: row as u32 };
            places[group] += 1;
        }
    }
    let times: Vec<_> = rows.chunks.iter().map(|chunk| times(rows.table, &chunk.rows)).collect();
    let time = |pick: &Pick| times[pick.chunk as usize][pick.row as usize];
    let (mut start, mut looked_at) = (0, 0);
    for end in places {
        let group = &mut picks[start..end];
        looked_at += group.len();
        if looked_at >= BLOCK_ROWS {
            give_way();
            looked_at = 0;
        }
        if !group.is_sorted_by_key(time) {
            group.sort_by_key(time);
        }
        start = end;
    }
    picks
}

/// The picks by UTC day, each in the order that it had.
pub(crate) fn by_day(rows: &Rows<'_>, picks: Vec<Pick>) -> Vec<(i32, Vec<Pick>)> {
    let min = rows.chunks.iter().map(|chunk| chunk.time_min).min().unwrap_or(0);
    let max = rows.chunks.iter().map(|chunk| chunk.time_max).max().unwrap_or(0);
    if day_of(min) == day_of(max) {
        return vec![(day_of(min), picks)];
    }
    let times: Vec<_> = rows.chunks.iter().map(|chunk| times(rows.table, &chunk.rows)).collect();
    let day = |pick: &Pick| day_of(times[pick.chunk as usize][pick.row as usize]);
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    picks.iter().for_each(|pick| *counts.entry(day(pick)).or_default() += 1);
    let part_of = parts(counts);
    let mut parts: BTreeMap<i32, Vec<Pick>> = BTreeMap::new();
    for pick in picks {
        parts.entry(part_of[&day(&pick)]).or_default().push(pick);
    }
    parts.into_iter().collect()
}

/// Which part each day goes to: its own, or for days with few rows beyond the limit, one that is
/// named after the latest of them.
fn parts(counts: BTreeMap<i32, usize>) -> HashMap<i32, i32> {
    let mut days: Vec<_> = counts.into_iter().collect();
    days.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let rest = days.split_off(days.len().min(PARTS_MAX - 1));
    let latest = rest.iter().map(|(day, _)| *day).max();
    let own = days.into_iter().map(|(day, _)| (day, day));
    own.chain(rest.into_iter().map(|(day, _)| (day, latest.unwrap_or(day)))).collect()
}

/// Spreads two small numbers in one: what would keep off guessed collisions costs more than the rest
/// of the look-up, and nobody chooses these.
#[derive(Default)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, value: u64) {
        let wide = u128::from(self.0 ^ value ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A group per row, numbered in the order of the files.
struct Groups {
    of_row: Vec<u32>,
    len: usize,
}

impl Groups {
    fn of(rows: &Rows<'_>) -> Self {
        match (&rows.belongs, rows.table) {
            (Belongs::Streams { streams, .. }, Table::Spans) => {
                Self::by_text(rows, "name", &services(streams))
            }
            (Belongs::Streams { .. }, Table::Series) => Self::by_series(rows),
            (Belongs::Streams { streams, .. }, _) => {
                let services = services(streams);
                let ids = stream_ids(streams);
                let mut sorted: Vec<u32> = (0..streams.num_rows() as u32).collect();
                sorted.sort_by_key(|stream| (services[*stream as usize], ids.value(*stream as usize)));
                Self::by_owner(rows, &sorted)
            }
            (Belongs::Series(catalog), _) => Self::by_owner(rows, &series_order(rows, catalog)),
        }
    }

    /// A group is a stream or series; `sorted` are those that occur, in order.
    fn by_owner(rows: &Rows<'_>, sorted: &[u32]) -> Self {
        let places = sorted.iter().max().map_or(0, |last| *last as usize + 1);
        let mut rank = vec![0; places];
        for (place, owner) in sorted.iter().enumerate() {
            rank[*owner as usize] = place as u32;
        }
        let mut of_row = Vec::with_capacity(rows.len());
        for (number, chunk) in rows.chunks.iter().enumerate() {
            give_way();
            let index = chunk.index().iter().map(|own| *own as usize);
            match &rows.belongs {
                Belongs::Streams { places, .. } => {
                    let ranks: Vec<u32> = places[number].iter().map(|place| rank[*place as usize]).collect();
                    of_row.extend(index.map(|own| ranks[own]));
                }
                Belongs::Series(_) => of_row.extend(index.map(|own| rank[own])),
            }
        }
        Self { of_row, len: sorted.len() }
    }

    /// A group is a service and a text of the record.
    fn by_text(rows: &Rows<'_>, column: &str, services: &[&str]) -> Self {
        let mut names = services.to_vec();
        names.sort_unstable();
        names.dedup();
        let service = |name: &&str| names.partition_point(|other| other < name) as u32;
        let service_of: Vec<u32> = services.iter().map(service).collect();
        let mut texts = Dictionary::new();
        let mut known: HashMap<u64, u32, BuildHasherDefault<PairHasher>> = HashMap::default();
        let mut of_row = Vec::with_capacity(rows.len());
        for (number, chunk) in rows.chunks.iter().enumerate() {
            give_way();
            let values = chunk.rows.column_by_name(column).expect("in the schema").as_string::<i32>();
            for row in 0..chunk.len() {
                let pick = Pick { chunk: number as u32, row: row as u32 };
                let text = texts.intern(values.value(row).as_bytes());
                let key = u64::from(service_of[rows.owner(pick) as usize]) << 32 | u64::from(text);
                let next = known.len() as u32;
                of_row.push(*known.entry(key).or_insert(next));
            }
        }
        let mut sorted: Vec<_> = known.into_iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| (key >> 32, texts.get(*key as u32)));
        let len = sorted.len();
        let mut rank = vec![0; len];
        for (place, (_, group)) in sorted.into_iter().enumerate() {
            rank[group as usize] = place as u32;
        }
        of_row.iter_mut().for_each(|group| *group = rank[*group as usize]);
        Self { of_row, len }
    }

    /// A group is a metric's name and a series id, both of the record: few rows, any way will do.
    fn by_series(rows: &Rows<'_>) -> Self {
        let mut keys = Vec::with_capacity(rows.len());
        for chunk in &rows.chunks {
            let column = |name| chunk.rows.column_by_name(name).expect("in the schema");
            let names = column("metric_name").as_string::<i32>();
            let ids = column("series_id").as_binary::<i32>();
            keys.extend((0..chunk.len()).map(|row| (names.value(row), ids.value(row))));
        }
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let place = |key| sorted.binary_search(key).expect("it is one of them") as u32;
        Self { of_row: keys.iter().map(place).collect(), len: sorted.len() }
    }

    /// Where each group begins.
    fn starts(&self) -> Vec<usize> {
        let mut counts = vec![0usize; self.len];
        self.of_row.iter().for_each(|group| counts[*group as usize] += 1);
        let mut start = 0;
        for count in &mut counts {
            start += std::mem::replace(count, start);
        }
        counts
    }
}

fn services(streams: &arrow_array::RecordBatch) -> Vec<&str> {
    let services = streams.column_by_name("service_name").expect("in the schema").as_string::<i32>();
    (0..services.len()).map(|row| services.value(row)).collect()
}

/// The series that occur, by metric name and id.
fn series_order(rows: &Rows<'_>, catalog: &SeriesCatalog) -> Vec<u32> {
    let mut occurs = vec![false; catalog.ids.len()];
    rows.chunks.iter().flat_map(|chunk| chunk.index()).for_each(|series| occurs[*series as usize] = true);
    let mut name_rank = vec![0u32; catalog.names.len()];
    let mut names: Vec<u32> = (0..catalog.names.len() as u32).collect();
    names.sort_unstable_by_key(|name| &catalog.names[*name as usize]);
    for (rank, name) in names.into_iter().enumerate() {
        name_rank[name as usize] = rank as u32;
    }
    let mut sorted: Vec<u32> =
        (0..catalog.ids.len() as u32).filter(|series| occurs[*series as usize]).collect();
    sorted.sort_unstable_by_key(|series| {
        let series = *series as usize;
        (name_rank[catalog.name_of[series] as usize], catalog.ids[series])
    });
    sorted
}
