//! The points of series as PromQL takes them.
//!
//! Enters: the part of a metric's series and their ids. Leaves: for each series what gives its samples as
//! columns, ascending in time, one a millisecond: of several the one that was written last.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use model::scaled;
use promql::Chunk;
use promql::histogram::{Histogram, STALE_NAN_BITS};

use super::exposed::Part;
use super::histogram::{BUCKETS, Histograms, NATIVE, NO_RECORDED_VALUE};
use super::memory::Memory;
use super::pieces::Pieces;
use super::prune::{SeriesId, Wanted};
use super::rows::Rows;
use super::series::{column, id_of, misfit};
use super::tiers::{
    Form, Found, HISTOGRAM_WINDOW_COLUMNS, HistogramWindows, LeftOut, Plan, Reading, WINDOW_COLUMNS, Windows,
    tell,
};
use crate::{QueryError, Segment};

/// Bytes of a number with its time.
pub(super) const SAMPLE_BYTES: usize = 16;
pub(super) const NANOS_PER_MS: i64 = 1_000_000;
pub(super) const START_TIME: &str = "start_time_unix_nano";

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
    /// How, where samples were downsampled.
    pub(super) reading: Reading,
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
pub(super) struct Points {
    memory: Memory,
    /// Where each series is.
    places: ById<usize>,
    /// What files have as it came, before all that is in the chunks.
    pieces: Pieces,
    chunks: Vec<Chunk>,
    times: (i64, i64),
    starts: bool,
    form: Form,
}

impl Points {
    pub(super) fn new(sought: &Sought<'_>, memory: Memory) -> Self {
        Self {
            memory,
            places: sought.ids.iter().copied().zip(0..).collect(),
            pieces: Pieces::default(),
            chunks: sought.ids.iter().map(|_| Chunk::default()).collect(),
            times: nanos(sought.times_ms),
            starts: sought.starts,
            form: sought.reading.form,
        }
    }

    /// Reads numbers: windows where the plan has some of a series, else samples.
    pub(super) fn read_samples(
        &mut self,
        rows: &Rows<'_>,
        downsampled: &Rows<'_>,
        sought: &Sought<'_>,
    ) -> Result<(), QueryError> {
        let plan = Plan::new(downsampled.segments(), rows.segments(), self.times, &sought.reading);
        if plan.is_empty() {
            return self.read_as_they_came(rows, sought, &LeftOut::new());
        }
        let (windows, found) = self.read_windows(downsampled, sought, &plan)?;
        tell(rows.scan(), &windows.resolutions, &sought.reading);
        // The series that are not read of each file.
        let without = plan.left_out(rows.segments(), found);
        self.read_as_they_came(rows, sought, &without)?;
        let given = windows.give(self.form, self.starts, &mut self.chunks);
        self.memory.grow(given * SAMPLE_BYTES)
    }

    fn read_windows(
        &self,
        downsampled: &Rows<'_>,
        sought: &Sought<'_>,
        plan: &Plan<'_>,
    ) -> Result<(Windows, Found), QueryError> {
        let memory = self.memory.another("Windows");
        let (mut windows, mut found) = (Windows::default(), Found::new());
        for rule in plan.rules() {
            let paths = plan.paths(rule);
            let which = |segment: &Segment| paths.contains(segment.path.as_str());
            let parts = downsampled.decode(
                &WINDOW_COLUMNS,
                &sought.wanted(),
                &which,
                &|part: &mut Windows, batch| {
                    let before = part.len();
                    part.add(batch, &self.places, self.times)?;
                    memory.grow((part.len() - before) * 2 * Windows::BYTES)
                },
            )?;
            parts.into_iter().for_each(|part| windows.join(part, rule, &mut found));
        }
        Ok((windows, found))
    }

    /// Reads samples as they came, but of some files not those of some series.
    fn read_as_they_came(
        &mut self,
        rows: &Rows<'_>,
        sought: &Sought<'_>,
        without: &LeftOut<'_>,
    ) -> Result<(), QueryError> {
        let mut columns = vec!["series_id", "time_unix_nano", "flags"];
        columns.extend(scaled::COLUMNS);
        columns.extend(self.starts.then_some(START_TIME));
        let wanted = sought.wanted();
        let memory = self.memory.another("Decoded");
        let decode = |wanted: &Wanted<'_>, places: &ById<usize>, which: &dyn Fn(&Segment) -> bool| {
            rows.samples(wanted, which, places, (sought.reading.apart, self.starts), &memory)
        };
        let mut runs = Vec::new();
        for (path, found) in without {
            let ids: Vec<SeriesId> = sought
                .ids
                .iter()
                .enumerate()
                .filter(|(place, _)| !found.contains(place))
                .map(|(_, id)| *id)
                .collect();
            if !ids.is_empty() {
                let places = ids.iter().map(|id| (*id, self.places[id])).collect();
                runs.extend(decode(&Wanted { ids: &ids, ..wanted }, &places, &|segment| {
                    segment.path == *path
                })?);
            }
        }
        runs.extend(decode(&wanted, &self.places, &|segment| !without.contains_key(segment.path.as_str()))?);
        self.pieces = Pieces::new(runs, sought.ids.len(), memory);
        // Each thread of the evaluation has those of one series once more.
        let longest = (0..sought.ids.len()).map(|place| self.pieces.len(place)).max();
        self.memory.grow(2 * longest.unwrap_or(0) * SAMPLE_BYTES)?;
        let mut chunks = std::mem::take(&mut self.chunks);
        self.read_memory(rows, &columns, &wanted, (&self.places, &mut chunks))?;
        if self.form == Form::Count {
            chunks.iter_mut().for_each(|chunk| count_each(&mut chunk.values));
        }
        self.chunks = chunks;
        Ok(())
    }

    /// Reads records in memory, which are in the order in which they came.
    fn read_memory(
        &self,
        rows: &Rows<'_>,
        columns: &[&str],
        wanted: &Wanted<'_>,
        (places, chunks): (&ById<usize>, &mut [Chunk]),
    ) -> Result<(), QueryError> {
        let mut numbered = NumberedChunks::default();
        for chunk in rows.memory(wanted.times) {
            let Some(series) = chunk.series() else {
                for window in chunk.windows() {
                    self.add_samples(&chunk.read(columns, window)?, places, chunks)?;
                }
                continue;
            };
            let places = numbered.places(series.numbering, || chunk.series_numbers(wanted.ids));
            let place =
                |number: &u32| places.get(*number as usize).copied().filter(|place| *place != NOWHERE);
            if !series.rows.iter().any(|number| place(number).is_some()) {
                continue;
            }
            let batch = chunk.read(&columns[1..], 0..series.rows.len())?;
            let numbers = Numbers::of(&batch)?;
            let mut added = 0;
            for (row, number) in series.rows.iter().enumerate() {
                if let Some(place) = place(number) {
                    added +=
                        numbers.append(row..row + 1, self.times, self.starts, &mut chunks[place as usize]);
                }
            }
            self.memory.grow(added * SAMPLE_BYTES)?;
        }
        Ok(())
    }

    fn add_samples(
        &self,
        batch: &RecordBatch,
        places: &ById<usize>,
        chunks: &mut [Chunk],
    ) -> Result<(), QueryError> {
        let numbers = Numbers::of(batch)?;
        let ids = column(batch, "series_id")?.as_binary_opt::<i32>().ok_or_else(|| misfit("series_id"))?;
        let (mut row, mut added) = (0, 0);
        while row < batch.num_rows() {
            let id = ids.value(row);
            let mut end = row + 1;
            while end < batch.num_rows() && ids.value(end) == id {
                end += 1;
            }
            if let Some(place) = places.get(&id_of(id)) {
                added += numbers.append(row..end, self.times, self.starts, &mut chunks[*place]);
            }
            row = end;
        }
        self.memory.grow(added * SAMPLE_BYTES)
    }

    /// Reads one side of histograms or summaries: windows where there are some of a series, else points as
    /// they came.
    pub(super) fn read_histograms(
        &mut self,
        (rows, downsampled): (&Rows<'_>, &Rows<'_>),
        sought: &Sought<'_>,
        part: Part,
        delta: &dyn Fn(&SeriesId) -> bool,
    ) -> Result<(), QueryError> {
        let columns: &[&str] = match part {
            Part::Sum => &["series_id", "time_unix_nano", "flags", "sum"],
            Part::Count => &["series_id", "time_unix_nano", "flags", "count", "count_double"],
            _ => &NATIVE,
        };
        let (form, starts, memory) = (sought.reading.form, self.starts, &self.memory);
        let number = move |histograms: &Histograms<'_>, row| match part {
            _ if histograms.is_stale(row) => Some(f64::from_bits(STALE_NAN_BITS)),
            Part::Sum => histograms.double("sum", row),
            _ => Some(histograms.count(row)),
        };
        let tables = Tables { rows, downsampled, columns, sought, memory };
        let (places, chunks) = (&self.places, &mut self.chunks);
        if matches!(part, Part::Sum | Part::Count) {
            let windows = tables.read(&number, &mut |histograms, row, id| {
                let Some(chunk) = places.get(&id).map(|place| &mut chunks[*place]) else { return 0 };
                let Some(mut value) = number(histograms, row) else { return 0 };
                if form == Form::Count {
                    count_each(std::slice::from_mut(&mut value));
                }
                push(chunk, histograms.times.value(row), value);
                fill_start(chunk, starts.then(|| histograms.start(row)));
                SAMPLE_BYTES
            })?;
            return windows.each(|piece| {
                let chunk = &mut chunks[piece.place];
                piece
                    .numbers(|value| Some(*value))
                    .give(form, &mut |time_ms, value| push_ms(chunk, time_ms, value));
                fill_start(chunk, starts.then_some(0));
                Ok(())
            });
        }
        let native = |histograms: &Histograms<'_>, row| {
            histograms.native(row, delta(&id_of(histograms.ids.value(row))))
        };
        let windows = tables.read(&native, &mut |histograms, row, id| {
            let Some(chunk) = places.get(&id).map(|place| &mut chunks[*place]) else { return 0 };
            let Some(histogram) = native(histograms, row) else { return 0 };
            let bytes = SAMPLE_BYTES + histogram.size_bytes();
            push_histogram(chunk, histograms.times.value(row).div_euclid(NANOS_PER_MS), histogram);
            fill_start(chunk, starts.then(|| histograms.start(row)));
            bytes
        })?;
        windows.each(|piece| {
            let chunk = &mut chunks[piece.place];
            let before = chunk.times_ms.len();
            piece.give_histograms(form, chunk);
            fill_start(chunk, starts.then_some(0));
            memory.grow((chunk.times_ms.len() - before) * SAMPLE_BYTES)
        })
    }

    /// What gives the samples of each series.
    pub(super) fn finish(self) -> Read {
        let Self { places, pieces, chunks, form, memory, .. } = self;
        Read { places, pieces: Arc::new(pieces), chunks, form, _memory: memory }
    }
}

/// The samples of some series. Each is given once.
pub(super) struct Read {
    places: ById<usize>,
    pieces: Arc<Pieces>,
    chunks: Vec<Chunk>,
    form: Form,
    _memory: Memory,
}

impl Read {
    /// What gives the samples of a series, if it has some.
    pub(super) fn take(&mut self, id: &SeriesId) -> Option<Given> {
        let place = *self.places.get(id)?;
        let own = std::mem::take(self.chunks.get_mut(place)?);
        if own.times_ms.is_empty() && self.pieces.len(place) == 0 {
            return None;
        }
        Some(Given { pieces: Arc::clone(&self.pieces), place, own, form: self.form })
    }
}

/// Gives the samples of one series.
pub(super) struct Given {
    pieces: Arc<Pieces>,
    place: usize,
    own: Chunk,
    form: Form,
}

impl Given {
    /// Into an empty chunk, in order.
    pub(super) fn into(self, chunk: &mut Chunk) {
        self.pieces.append(self.place, chunk);
        if self.form == Form::Count {
            count_each(&mut chunk.values);
        }
        join(chunk, self.own);
        settle(chunk);
        if self.form == Form::Count {
            let histograms = chunk.histograms.drain(..).zip(&mut chunk.values);
            histograms.filter(|(histogram, _)| histogram.is_some()).for_each(|(_, value)| *value = 1.0);
        }
    }
}

/// Each sample is one, but for markers of staleness.
fn count_each(values: &mut [f64]) {
    values.iter_mut().filter(|value| value.to_bits() != STALE_NAN_BITS).for_each(|value| *value = 1.0);
}

/// Stands for a series that is not sought.
const NOWHERE: u32 = u32::MAX;

/// By numbering: for each number of a series its place among those that are sought.
#[derive(Default)]
struct NumberedChunks(HashMap<usize, Vec<u32>>);

impl NumberedChunks {
    fn places(&mut self, numbering: usize, numbers: impl FnOnce() -> Vec<Option<u32>>) -> &[u32] {
        self.0.entry(numbering).or_insert_with(|| {
            let numbers = numbers();
            let most = numbers.iter().flatten().max().map_or(0, |most| *most as usize + 1);
            let mut places = vec![NOWHERE; most];
            for (number, place) in numbers.into_iter().zip(0..) {
                if let Some(number) = number {
                    places[number as usize] = place;
                }
            }
            places
        })
    }
}

/// The number columns of samples.
struct Numbers<'a> {
    times: &'a Int64Array,
    values: Float64Array,
    /// None where all are zero.
    flags: Option<&'a Int32Array>,
    starts: Option<&'a Int64Array>,
}

impl<'a> Numbers<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        let column = |name| column(batch, name);
        let times = column("time_unix_nano")?.as_primitive_opt::<Int64Type>();
        let values = scaled::values_of(batch).ok();
        let values = values.and_then(|values| values.as_primitive_opt::<Float64Type>().cloned());
        let flags = match batch.column_by_name("flags") {
            Some(flags) => Some(flags.as_primitive_opt::<Int32Type>().ok_or_else(|| misfit("flags"))?),
            None => None,
        };
        Ok(Self {
            times: times.ok_or_else(|| misfit("time_unix_nano"))?,
            values: values.ok_or_else(|| misfit(scaled::RAW))?,
            flags,
            starts: batch.column_by_name(START_TIME).and_then(|starts| starts.as_primitive_opt()),
        })
    }

    /// Takes a run of one series over; gives how many samples fit.
    fn append(&self, rows: Range<usize>, times: (i64, i64), starts: bool, chunk: &mut Chunk) -> usize {
        let before = chunk.times_ms.len();
        if self.all_fit(rows.clone(), times) {
            // What nearly all runs are.
            let own = self.times.values()[rows.clone()].iter();
            chunk.times_ms.extend(own.map(|time| time.div_euclid(NANOS_PER_MS)));
            chunk.values.extend_from_slice(&self.values.values()[rows.clone()]);
            if starts {
                chunk.start_times_ms.extend(rows.map(|row| self.start_ms(row)));
            }
            return chunk.times_ms.len() - before;
        }
        for row in rows {
            let time = self.times.value(row);
            if time < times.0 || time > times.1 {
                continue;
            }
            chunk.times_ms.push(time.div_euclid(NANOS_PER_MS));
            let stale = self.flags.is_some_and(|flags| flags.value(row) & NO_RECORDED_VALUE != 0);
            chunk.values.push(if stale { f64::from_bits(STALE_NAN_BITS) } else { self.values.value(row) });
            if starts {
                chunk.start_times_ms.push(self.start_ms(row));
            }
        }
        chunk.times_ms.len() - before
    }

    /// Whether all of these rows are within the times, and none says that nothing was recorded.
    fn all_fit(&self, rows: Range<usize>, times: (i64, i64)) -> bool {
        let within = self.times.values()[rows.clone()].iter().all(|time| (times.0..=times.1).contains(time));
        let recorded = |flags: &i32| flags & NO_RECORDED_VALUE == 0;
        within && self.flags.is_none_or(|flags| flags.values()[rows].iter().all(recorded))
    }

    fn start_ms(&self, row: usize) -> i64 {
        let start = self.starts.filter(|starts| starts.is_valid(row)).map(|starts| starts.value(row));
        start.unwrap_or(0).div_euclid(NANOS_PER_MS)
    }
}

/// Adds a number.
pub(super) fn push(chunk: &mut Chunk, time_nano: i64, value: f64) {
    push_ms(chunk, time_nano.div_euclid(NANOS_PER_MS), value);
}

fn push_ms(chunk: &mut Chunk, time_ms: i64, value: f64) {
    chunk.times_ms.push(time_ms);
    chunk.values.push(value);
    fill_start(chunk, None);
}

/// Adds a histogram.
pub(super) fn push_histogram(chunk: &mut Chunk, time_ms: i64, histogram: Arc<Histogram>) {
    chunk.histograms.resize(chunk.times_ms.len(), None);
    chunk.histograms.push(Some(histogram));
    chunk.times_ms.push(time_ms);
    chunk.values.push(0.0);
    fill_start(chunk, None);
}

/// Says when what the last sample adds up began, in nanoseconds. Those before, of which nobody said it, began at
/// an unknown time; a chunk in which nobody says it has none.
fn fill_start(chunk: &mut Chunk, start_nano: Option<i64>) {
    if start_nano.is_some() || !chunk.start_times_ms.is_empty() {
        chunk.start_times_ms.resize(chunk.times_ms.len(), 0);
    }
    if let Some((last, start)) = chunk.start_times_ms.last_mut().zip(start_nano) {
        *last = start.div_euclid(NANOS_PER_MS);
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
    if is_ascending(&chunk.times_ms) {
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

/// Whether each time is after the one before. Many are looked at together, without a branch for each:
/// differences of milliseconds do not overflow.
fn is_ascending(times_ms: &[i64]) -> bool {
    const TOGETHER: usize = 64;
    let later = times_ms.get(1..).unwrap_or_default();
    let falls = |(times, later): (&[i64], &[i64])| {
        let pairs = times.iter().zip(later);
        pairs.fold(0, |signs, (time, later)| signs | later.wrapping_sub(*time).wrapping_sub(1)) < 0
    };
    !times_ms.chunks(TOGETHER).zip(later.chunks(TOGETHER)).any(falls)
}

/// The numbers of each value of the label that tells a part's series apart: `le`, `quantile`.
pub(super) type Split = Vec<(f64, Chunk)>;

/// Reads the series of bounds or quantiles; of the label alone where no samples are wanted.
pub(super) fn read_split(
    (rows, downsampled): (&Rows<'_>, &Rows<'_>),
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
    let values = |histograms: &Histograms<'_>, row| {
        Some(if part == Part::Quantile { histograms.quantiles(row) } else { histograms.classic(row) })
    };
    let form = sought.reading.form;
    let tables = Tables { rows, downsampled, columns, sought, memory };
    let windows = tables.read(&values, &mut |histograms, row, id| {
        let (Some(series), time) = (split.get_mut(&id), histograms.times.value(row)) else { return 0 };
        if histograms.is_stale(row) {
            series.iter_mut().for_each(|(_, chunk)| push(chunk, time, f64::from_bits(STALE_NAN_BITS)));
            return 0;
        }
        let mut added = 0;
        for (number, (bound, value)) in values(histograms, row).into_iter().flatten().enumerate() {
            let chunk = chunk_of(series, number, bound);
            if !labels_only {
                push(chunk, time, if form == Form::Count { 1.0 } else { value });
                added += SAMPLE_BYTES;
            }
        }
        added
    })?;
    windows.each(|piece| {
        let Some(series) = split.get_mut(&sought.ids[piece.place]) else { return Ok(()) };
        if piece.points == 0 {
            let nothing = f64::from_bits(STALE_NAN_BITS);
            series.iter_mut().for_each(|(_, chunk)| push_ms(chunk, piece.time_ms, nothing));
            return Ok(());
        }
        let mut added = 0;
        for (number, (bound, _)) in piece.last.into_iter().flatten().enumerate() {
            let chunk = chunk_of(series, number, *bound);
            if labels_only {
                continue;
            }
            let own = piece.numbers(|values| values.get(number).map(|(_, value)| *value));
            own.give(form, &mut |time_ms, value| {
                push_ms(chunk, time_ms, value);
                added += SAMPLE_BYTES;
            });
        }
        memory.grow(added)
    })?;
    split.values_mut().flatten().for_each(|(_, chunk)| settle(chunk));
    Ok(split)
}

/// Histograms and what they were downsampled to.
struct Tables<'a, 's> {
    rows: &'a Rows<'a>,
    downsampled: &'a Rows<'a>,
    columns: &'a [&'a str],
    sought: &'a Sought<'s>,
    memory: &'a Memory,
}

impl Tables<'_, '_> {
    /// Goes through points of sought series as they came, where no windows of them are read, and gives
    /// these: of each row what `value` makes of it. `each` says how many bytes it took.
    fn read<T>(
        &self,
        value: &dyn Fn(&Histograms<'_>, usize) -> Option<T>,
        each: &mut dyn FnMut(&Histograms<'_>, usize, SeriesId) -> usize,
    ) -> Result<HistogramWindows<T>, QueryError> {
        let (wanted, reading) = (self.sought.wanted(), &self.sought.reading);
        let places: ById<usize> = self.sought.ids.iter().copied().zip(0..).collect();
        let plan = Plan::new(self.downsampled.segments(), self.rows.segments(), wanted.times, reading);
        let (mut windows, mut found) = (HistogramWindows::default(), Found::new());
        let mut columns = self.columns.to_vec();
        columns.extend(HISTOGRAM_WINDOW_COLUMNS);
        for rule in plan.rules() {
            let (paths, mut of_rule) = (plan.paths(rule), HistogramWindows::default());
            let which = |segment: &Segment| paths.contains(segment.path.as_str());
            self.downsampled.each_of(&columns, &wanted, &which, &mut |batch, _| {
                let bytes = of_rule.add(batch, &places, wanted.times, value)?;
                self.memory.grow(bytes)
            })?;
            windows.join(of_rule, rule, &mut found);
        }
        tell(self.rows.scan(), &windows.resolutions, reading);
        let left_out = plan.left_out(self.rows.segments(), found);
        let mut columns = self.columns.to_vec();
        columns.extend(self.sought.starts.then_some(START_TIME));
        self.rows.each_of(&columns, &wanted, &|_| true, &mut |batch, file| {
            let without = file.and_then(|file| left_out.get(file.path.as_str()));
            let histograms = Histograms::of(batch)?;
            let mut bytes = 0;
            for row in 0..batch.num_rows() {
                let (id, time) = (id_of(histograms.ids.value(row)), histograms.times.value(row));
                let Some(place) = places.get(&id) else { continue };
                if (wanted.times.0..=wanted.times.1).contains(&time)
                    && without.is_none_or(|without| !without.contains(place))
                {
                    bytes += each(&histograms, row, id);
                }
            }
            self.memory.grow(bytes)
        })?;
        Ok(windows)
    }
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
