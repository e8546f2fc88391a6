//! The points of series as PromQL takes them.
//!
//! Enters: the part of a metric's series and their ids. Leaves: for each series its samples as
//! columns, ascending in time, one a millisecond: of several the one that was written last.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use model::scaled;
use promql::Chunk;
use promql::histogram::STALE_NAN_BITS;

use super::exposed::Part;
use super::histogram::{BUCKETS, Histograms, NATIVE, NO_RECORDED_VALUE};
use super::memory::Memory;
use super::prune::{SeriesId, Wanted};
use super::rows::Rows;
use super::series::{column, id_of, misfit};
use crate::QueryError;

/// Bytes of a number with its time.
const SAMPLE_BYTES: usize = 16;
const NANOS_PER_MS: i64 = 1_000_000;

/// What is read, and of which series.
pub(super) struct Sought<'a> {
    /// Ascending.
    pub(super) metrics: &'a [&'a str],
    /// Ascending.
    pub(super) ids: &'a [SeriesId],
    /// Milliseconds, both included.
    pub(super) times_ms: (i64, i64),
    /// With start times.
    pub(super) starts: bool,
}

impl<'a> Sought<'a> {
    fn wanted(&self) -> Wanted<'a> {
        Wanted { metrics: self.metrics, ids: self.ids, times: nanos(self.times_ms) }
    }
}

/// From the first nanosecond of the first millisecond to the last of the last.
pub(super) fn nanos((from, to): (i64, i64)) -> (i64, i64) {
    let end = to.saturating_add(1).saturating_mul(NANOS_PER_MS);
    (from.saturating_mul(NANOS_PER_MS), end.saturating_sub(1))
}

/// Series ids are hashes already.
#[derive(Default)]
pub(super) struct OfId(u64);

impl Hasher for OfId {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let first = bytes.first_chunk::<8>().copied().unwrap_or_default();
        self.0 ^= u64::from_ne_bytes(first);
    }
}

pub(super) type ById<T> = HashMap<SeriesId, T, BuildHasherDefault<OfId>>;

/// The samples of each series.
pub(super) struct Points<'m> {
    memory: &'m Memory,
    chunks: ById<Chunk>,
    times: (i64, i64),
    starts: bool,
}

impl<'m> Points<'m> {
    pub(super) fn new(sought: &Sought<'_>, memory: &'m Memory) -> Self {
        let chunks = sought.ids.iter().map(|id| (*id, Chunk::default())).collect();
        Self { memory, chunks, times: nanos(sought.times_ms), starts: sought.starts }
    }

    /// Reads numbers.
    pub(super) fn read_samples(&mut self, rows: &Rows<'_>, sought: &Sought<'_>) -> Result<(), QueryError> {
        let mut columns = vec!["series_id", "time_unix_nano", "flags"];
        columns.extend(scaled::COLUMNS);
        columns.extend(self.starts.then_some("start_time_unix_nano"));
        rows.each(&columns, &sought.wanted(), &mut |batch| self.add_samples(batch))
    }

    fn add_samples(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let numbers = Numbers::of(batch)?;
        let ids = column(batch, "series_id")?.as_binary_opt::<i32>().ok_or_else(|| misfit("series_id"))?;
        let (mut row, mut added) = (0, 0);
        while row < batch.num_rows() {
            let id = ids.value(row);
            let mut end = row + 1;
            while end < batch.num_rows() && ids.value(end) == id {
                end += 1;
            }
            if let Some(chunk) = self.chunks.get_mut(&id_of(id)) {
                added += numbers.append(row..end, self.times, self.starts, chunk);
            }
            row = end;
        }
        self.memory.grow(added * SAMPLE_BYTES)
    }

    /// Reads one side of histograms or summaries.
    pub(super) fn read_histograms(
        &mut self,
        rows: &Rows<'_>,
        sought: &Sought<'_>,
        part: Part,
        delta: &dyn Fn(&SeriesId) -> bool,
    ) -> Result<(), QueryError> {
        let columns: &[&str] = match part {
            Part::Sum => &["series_id", "time_unix_nano", "flags", "sum"],
            Part::Count => &["series_id", "time_unix_nano", "flags", "count", "count_double"],
            _ => &NATIVE,
        };
        rows.each(columns, &sought.wanted(), &mut |batch| {
            let histograms = Histograms::of(batch)?;
            let mut bytes = 0;
            for row in 0..batch.num_rows() {
                let id = id_of(histograms.ids.value(row));
                let time = histograms.times.value(row);
                if time < self.times.0 || time > self.times.1 {
                    continue;
                }
                let Some(chunk) = self.chunks.get_mut(&id) else { continue };
                bytes += SAMPLE_BYTES;
                match part {
                    Part::Sum | Part::Count => {
                        let value = if histograms.is_stale(row) {
                            Some(f64::from_bits(STALE_NAN_BITS))
                        } else if part == Part::Sum {
                            histograms.double("sum", row)
                        } else {
                            Some(histograms.count(row))
                        };
                        value.into_iter().for_each(|value| push(chunk, time, value));
                    }
                    _ => {
                        let Some(histogram) = histograms.native(row, delta(&id)) else { continue };
                        bytes += histogram.size_bytes();
                        chunk.histograms.resize(chunk.times_ms.len(), None);
                        chunk.histograms.push(Some(histogram));
                        chunk.times_ms.push(time.div_euclid(NANOS_PER_MS));
                        chunk.values.push(0.0);
                        fill_starts(chunk);
                    }
                }
            }
            self.memory.grow(bytes)
        })
    }

    /// The samples of each series, in order.
    pub(super) fn finish(self) -> ById<Chunk> {
        let mut chunks = self.chunks;
        chunks.values_mut().for_each(settle);
        chunks
    }
}

/// The number columns of samples.
struct Numbers<'a> {
    times: &'a Int64Array,
    values: Float64Array,
    flags: &'a Int32Array,
    starts: Option<&'a Int64Array>,
}

impl<'a> Numbers<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        let column = |name| column(batch, name);
        let times = column("time_unix_nano")?.as_primitive_opt::<Int64Type>();
        let values = scaled::values_of(batch).ok();
        let values = values.and_then(|values| values.as_primitive_opt::<Float64Type>().cloned());
        let flags = column("flags")?.as_primitive_opt::<Int32Type>();
        Ok(Self {
            times: times.ok_or_else(|| misfit("time_unix_nano"))?,
            values: values.ok_or_else(|| misfit(scaled::RAW))?,
            flags: flags.ok_or_else(|| misfit("flags"))?,
            starts: batch.column_by_name("start_time_unix_nano").and_then(|starts| starts.as_primitive_opt()),
        })
    }

    /// Takes a run of one series over; gives how many samples fit.
    fn append(
        &self,
        rows: std::ops::Range<usize>,
        times: (i64, i64),
        starts: bool,
        chunk: &mut Chunk,
    ) -> usize {
        let before = chunk.times_ms.len();
        for row in rows {
            let time = self.times.value(row);
            if time < times.0 || time > times.1 {
                continue;
            }
            chunk.times_ms.push(time.div_euclid(NANOS_PER_MS));
            let stale = self.flags.value(row) & NO_RECORDED_VALUE != 0;
            chunk.values.push(if stale { f64::from_bits(STALE_NAN_BITS) } else { self.values.value(row) });
            if starts {
                let start = self.starts.filter(|starts| starts.is_valid(row)).map(|starts| starts.value(row));
                chunk.start_times_ms.push(start.unwrap_or(0).div_euclid(NANOS_PER_MS));
            }
        }
        chunk.times_ms.len() - before
    }
}

/// Adds a number.
pub(super) fn push(chunk: &mut Chunk, time_nano: i64, value: f64) {
    chunk.times_ms.push(time_nano.div_euclid(NANOS_PER_MS));
    chunk.values.push(value);
    fill_starts(chunk);
}

fn fill_starts(chunk: &mut Chunk) {
    if !chunk.start_times_ms.is_empty() {
        chunk.start_times_ms.resize(chunk.times_ms.len(), 0);
    }
}

/// Adds the samples of another chunk; they count as written later.
pub(super) fn join(chunk: &mut Chunk, other: Chunk) {
    let (before, after) = (chunk.times_ms.len(), chunk.times_ms.len() + other.times_ms.len());
    if !chunk.histograms.is_empty() || !other.histograms.is_empty() {
        chunk.histograms.resize(before, None);
        chunk.histograms.extend(other.histograms);
        chunk.histograms.resize(after, None);
    }
    if !chunk.start_times_ms.is_empty() || !other.start_times_ms.is_empty() {
        chunk.start_times_ms.resize(before, 0);
        chunk.start_times_ms.extend(other.start_times_ms);
        chunk.start_times_ms.resize(after, 0);
    }
    chunk.times_ms.extend(other.times_ms);
    chunk.values.extend(other.values);
}

/// Brings samples into the order of their times; of those at one time the last one stays.
pub(super) fn settle(chunk: &mut Chunk) {
    let length = chunk.times_ms.len();
    if !chunk.histograms.is_empty() {
        chunk.histograms.resize(length, None);
    }
    if chunk.times_ms.windows(2).all(|two| two[0] < two[1]) {
        return;
    }
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by_key(|place| chunk.times_ms[*place]);
    let last_of_its_time = |number: &usize| {
        order.get(number + 1).is_none_or(|next| chunk.times_ms[*next] != chunk.times_ms[order[*number]])
    };
    let kept: Vec<usize> = (0..length).filter(last_of_its_time).map(|number| order[number]).collect();
    fn pick<T: Clone>(column: &mut Vec<T>, kept: &[usize]) {
        if !column.is_empty() {
            *column = kept.iter().map(|place| column[*place].clone()).collect();
        }
    }
    pick(&mut chunk.times_ms, &kept);
    pick(&mut chunk.values, &kept);
    pick(&mut chunk.histograms, &kept);
    pick(&mut chunk.start_times_ms, &kept);
}

/// The numbers of each value of the label that tells a part's series apart: `le`, `quantile`.
pub(super) type Split = Vec<(f64, Chunk)>;

/// Reads the series of bounds or quantiles; of the label alone where no samples are wanted.
pub(super) fn read_split(
    rows: &Rows<'_>,
    sought: &Sought<'_>,
    part: Part,
    labels_only: bool,
    memory: &Memory,
) -> Result<ById<Split>, QueryError> {
    let columns: &[&str] = match part {
        Part::Quantile => &["series_id", "time_unix_nano", "flags", "quantiles", "quantile_values"],
        _ => &BUCKETS,
    };
    let mut split: ById<Split> = sought.ids.iter().map(|id| (*id, Split::new())).collect();
    let times = nanos(sought.times_ms);
    rows.each(columns, &sought.wanted(), &mut |batch| {
        let histograms = Histograms::of(batch)?;
        let mut added = 0;
        for row in 0..batch.num_rows() {
            let time = histograms.times.value(row);
            let Some(series) = split.get_mut(&id_of(histograms.ids.value(row))) else { continue };
            if time < times.0 || time > times.1 {
                continue;
            }
            if histograms.is_stale(row) {
                series.iter_mut().for_each(|(_, chunk)| push(chunk, time, f64::from_bits(STALE_NAN_BITS)));
                continue;
            }
            let values =
                if part == Part::Quantile { histograms.quantiles(row) } else { histograms.classic(row) };
            for (number, (bound, value)) in values.into_iter().enumerate() {
                let chunk = chunk_of(series, number, bound);
                if !labels_only {
                    push(chunk, time, value);
                    added += 1;
                }
            }
        }
        memory.grow(added * SAMPLE_BYTES)
    })?;
    split.values_mut().flatten().for_each(|(_, chunk)| settle(chunk));
    Ok(split)
}

/// The samples of a bound: mostly at the same place as in the row before.
fn chunk_of(series: &mut Split, number: usize, bound: f64) -> &mut Chunk {
    let same = |other: f64| other.to_bits() == bound.to_bits();
    let place = if series.get(number).is_some_and(|(known, _)| same(*known)) {
        number
    } else {
        series.iter().position(|(known, _)| same(*known)).unwrap_or_else(|| {
            series.push((bound, Chunk::default()));
            series.len() - 1
        })
    };
    &mut series[place].1
}
