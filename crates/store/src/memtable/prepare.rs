use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, Int64Array, MapArray, RecordBatch, UInt32Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use arrow_select::take::take;
use model::{Batch, Budget, Logs, Metrics, Signal, Spans, Table, day_of};

use super::chunk::{Chunk, time_range, times, with_index};
use super::days::SeriesDays;
use super::series_index::SeriesIndex;

/// A batch made ready on the sender's thread, so that little is left to do when it is published.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) signal: Signal,
    pub(crate) chunks: Vec<(Table, Chunk)>,
    pub(crate) series: Option<PreparedSeries>,
}

/// The series of a request, and when its points say that they were seen.
#[derive(Debug)]
pub(crate) struct PreparedSeries {
    pub(crate) index: Arc<SeriesIndex>,
    streams: RecordBatch,
    rows: RecordBatch,
    /// Per row its number in `index`.
    numbers: Vec<u32>,
    /// A row, a day of its points, and the time of the first of them.
    seen: Vec<(u32, i32, i64)>,
}

impl Prepared {
    /// Bytes that the batch will take from the budget.
    pub(crate) fn bytes_of(batch: &Batch) -> u64 {
        let own = |streams: Option<&RecordBatch>, rows: &RecordBatch| {
            if rows.num_rows() == 0 { 0 } else { Chunk::bytes_of(streams, rows) }
        };
        match batch {
            Batch::Logs(Logs { streams, records }) | Batch::Spans(Spans { streams, records }) => {
                own(Some(streams), records)
            }
            Batch::Metrics(metrics) => {
                let points = [&metrics.samples, &metrics.histograms, &metrics.exemplars];
                points.into_iter().map(|rows| own(None, rows)).sum::<u64>()
                    + own(Some(&metrics.streams), &metrics.series)
            }
        }
    }

    /// Takes the memory of the chunks from `budget`, whatever its limit: admission is the caller's.
    pub(crate) fn new(batch: Batch, index: Option<&Arc<SeriesIndex>>, budget: &Budget) -> Self {
        let signal = batch.signal();
        let stream_chunk = |table, streams, records: RecordBatch| {
            let some = records.num_rows() > 0;
            some.then(|| (table, Chunk::new(table, Some(streams), records, budget))).into_iter().collect()
        };
        match batch {
            Batch::Logs(Logs { streams, records }) => {
                Self { signal, chunks: stream_chunk(Table::Logs, streams, records), series: None }
            }
            Batch::Spans(Spans { streams, records }) => {
                Self { signal, chunks: stream_chunk(Table::Spans, streams, records), series: None }
            }
            Batch::Metrics(metrics) => {
                let index = index.expect("the shard of metrics has an index");
                Self::metrics(metrics, index, budget)
            }
        }
    }

    fn metrics(metrics: Metrics, index: &Arc<SeriesIndex>, budget: &Budget) -> Self {
        let Metrics { streams, series, samples, histograms, exemplars } = metrics;
        let numbers = index.resolve(&series);
        let points =
            [(Table::Samples, samples), (Table::Histograms, histograms), (Table::Exemplars, exemplars)];
        let seen = seen(&series, &points);
        let chunks = points
            .into_iter()
            .filter(|(_, rows)| rows.num_rows() > 0)
            .map(|(table, rows)| {
                let own = request_series(&rows).iter().map(|series| numbers[*series as usize]).collect();
                (table, Chunk::new(table, None, with_index(&rows, own), budget))
            })
            .collect();
        let series = PreparedSeries { index: Arc::clone(index), streams, rows: series, numbers, seen };
        Self { signal: Signal::Metrics, chunks, series: Some(series) }
    }

    /// Moves the points to the numbers of another index: the tenant's was replaced meanwhile.
    pub(crate) fn renumber(&mut self, index: &Arc<SeriesIndex>, budget: &Budget) {
        let Some(series) = &mut self.series else { return };
        if Arc::ptr_eq(&series.index, index) {
            return;
        }
        let numbers = index.resolve(&series.rows);
        let moved: BTreeMap<u32, u32> = series.numbers.iter().copied().zip(numbers.iter().copied()).collect();
        for (table, chunk) in &mut self.chunks {
            let own = chunk.index().iter().map(|number| moved[number]).collect();
            *chunk = Chunk::new(*table, None, with_index(&chunk.rows, own), budget);
        }
        series.index = Arc::clone(index);
        series.numbers = numbers;
    }
}

impl PreparedSeries {
    /// The rows for the table `series`: of those series that are new for a day of their points.
    pub(crate) fn new_rows(&self, days: &mut SeriesDays, budget: &Budget) -> Option<Chunk> {
        let new: Vec<_> =
            self.seen.iter().filter(|(row, day, _)| days.insert(self.numbers[*row as usize], *day)).collect();
        if new.is_empty() {
            return None;
        }
        let picks = UInt32Array::from_iter_values(new.iter().map(|(row, _, _)| *row));
        let schema = self.rows.schema();
        let mut columns: Vec<_> = self.rows.columns().iter().map(|column| taken(column, &picks)).collect();
        let place = schema.index_of(Table::Series.time_column()).expect("every table has it");
        columns[place] = Arc::new(Int64Array::from_iter_values(new.iter().map(|(_, _, time)| *time)));
        let rows = RecordBatch::try_new(schema, columns).expect("the same columns of other rows");
        Some(Chunk::new(Table::Series, Some(self.streams.clone()), rows, budget))
    }
}

/// The picked rows of a column, in as much memory as they need: of maps the general way takes up to twice
/// as much, and most of a series is its map.
fn taken(column: &ArrayRef, picks: &UInt32Array) -> ArrayRef {
    let take = |column: &dyn Array, picks| take(column, picks, None).expect("the picks are rows of it");
    let DataType::Map(field, is_sorted) = column.data_type() else { return take(column, picks) };
    let map = column.as_map();
    let ends = map.value_offsets();
    let of_row = |row: &u32| ends[*row as usize]..ends[*row as usize + 1];
    let offsets = OffsetBuffer::from_lengths(picks.values().iter().map(|row| of_row(row).len()));
    let entries: UInt32Array =
        picks.values().iter().flat_map(of_row).map(i32::cast_unsigned).collect::<Vec<_>>().into();
    let entries = take(map.entries(), &entries).as_struct().clone();
    Arc::new(MapArray::new(Arc::clone(field), offsets, entries, None, *is_sorted))
}

/// Which series of the request each point belongs to.
fn request_series(rows: &RecordBatch) -> &[u32] {
    rows.column(0).as_primitive::<UInt32Type>().values()
}

/// For each series of the request and each day of its points, the time of the first.
fn seen(series: &RecordBatch, points: &[(Table, RecordBatch)]) -> Vec<(u32, i32, i64)> {
    let ranges = points
        .iter()
        .filter(|(_, rows)| rows.num_rows() > 0)
        .map(|(table, rows)| time_range(times(*table, rows)));
    let own = || times(Table::Series, series).iter().enumerate();
    let Some((min, max)) = ranges.reduce(|(a, b), (c, d)| (a.min(c), b.max(d))) else {
        // Series without points say their own time.
        return own().map(|(row, time)| (row_number(row), day_of(*time), *time)).collect();
    };
    let day = day_of(min);
    if day == day_of(max) {
        // The usual case: no look at each point. Only rows without points may be of another day.
        let seen = |(row, time): (usize, &i64)| match (min..=max).contains(time) {
            true => (row_number(row), day, min),
            false => (row_number(row), day_of(*time), *time),
        };
        return own().map(seen).collect();
    }
    let mut first = BTreeMap::new();
    for (table, rows) in points {
        for (row, time) in request_series(rows).iter().zip(times(*table, rows)) {
            first
                .entry((*row, day_of(*time)))
                .and_modify(|first: &mut i64| *first = (*first).min(*time))
                .or_insert(*time);
        }
    }
    for (row, time) in own() {
        let row = row_number(row);
        let has_points = first.range((row, i32::MIN)..=(row, i32::MAX)).next().is_some();
        if !has_points {
            first.insert((row, day_of(*time)), *time);
        }
    }
    first.into_iter().map(|((row, day), time)| (row, day, time)).collect()
}

fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("a request has fewer series than bytes")
}
