//! Windows of histograms as rows of their table.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int32Builder, Int64Builder};
use arrow_array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    UInt32Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, FieldRef};
use model::{Table, schema};

use super::super::histogram::{Bucket, Point, Window};
use crate::memtable::SeriesId;
use crate::segment::FileSeries;

/// Rows on their way into the file.
pub(super) struct HistogramRows {
    series: FileSeries,
    resolution_ms: i64,
    number: u32,
    rows: Vec<Row>,
    bytes: u64,
}

/// What is kept of a window.
struct Row {
    number: u32,
    time: i64,
    first_time: i64,
    points: i64,
    stale_time: Option<i64>,
    part: &'static str,
    point: Point,
}

impl HistogramRows {
    pub(super) fn new(resolution_ms: u64) -> Self {
        let resolution_ms = i64::try_from(resolution_ms).unwrap_or(i64::MAX);
        Self { series: FileSeries::default(), resolution_ms, number: 0, rows: Vec::new(), bytes: 0 }
    }

    /// What they take until they are written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The windows that follow are of this series.
    pub(super) fn begin(&mut self, id: SeriesId, name: &str) {
        self.number = self.series.number(id, name);
    }

    pub(super) fn add(&mut self, window: Window) {
        let Window { time, first_time, points, stale_time, parts } = window;
        for (part, point) in parts {
            let lists = 2 * (point.positive.len() + point.negative.len()) + point.bounds.len();
            // Twice: as they are, and as columns.
            self.bytes += 2 * (size_of::<Row>() + 8 * (lists + 2 * point.quantiles.len())) as u64;
            self.rows.push(Row { number: self.number, time, first_time, points, stale_time, part, point });
        }
    }

    pub(super) fn finish(self) -> (RecordBatch, FileSeries) {
        let rows = &self.rows;
        let window: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.number))),
            longs(rows, |row| row.time),
            longs(rows, |_| self.resolution_ms),
            longs(rows, |row| row.first_time),
            longs(rows, |row| row.points),
            maybe_longs(rows, |row| row.stale_time),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.part))),
        ];
        let columns = window.into_iter().chain(own(rows)).collect();
        let rows = RecordBatch::try_new(schema::rows(Table::DownsampledHistograms), columns);
        (rows.expect("these are the columns of downsampled histograms, in their order"), self.series)
    }
}

/// The columns that histograms have, too, but for their time.
fn own(rows: &[Row]) -> [ArrayRef; 21] {
    let double = |of: fn(&Point) -> f64| move |row: &Row| row.point.is_double.then(|| of(&row.point));
    [
        maybe_longs(rows, |row| row.point.start),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.point.flags))),
        longs(rows, |row| rounded(row.point.count)),
        maybe_doubles(rows, |row| row.point.sum),
        maybe_doubles(rows, |row| row.point.min),
        maybe_doubles(rows, |row| row.point.max),
        maybe_ints(rows, |row| row.point.schema),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.point.zero_threshold))),
        longs(rows, |row| rounded(row.point.zero_count)),
        spans(rows, |point| &point.positive),
        counts(rows, |point| &point.positive),
        spans(rows, |point| &point.negative),
        counts(rows, |point| &point.negative),
        doubles(rows, |point| Some(point.bounds.clone())),
        doubles(rows, |point| Some(point.quantiles.clone())),
        doubles(rows, |point| Some(point.quantile_values.clone())),
        maybe_ints(rows, |row| row.point.reset_hint),
        maybe_doubles(rows, double(|point| point.count)),
        maybe_doubles(rows, double(|point| point.zero_count)),
        doubles(rows, |point| point.is_double.then(|| values(&point.positive))),
        doubles(rows, |point| point.is_double.then(|| values(&point.negative))),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "what does not fit is the greatest that does")]
fn rounded(count: f64) -> i64 {
    count.round() as i64
}

fn values(buckets: &[Bucket]) -> Vec<f64> {
    buckets.iter().map(|(_, count)| *count).collect()
}

fn longs(rows: &[Row], of: impl Fn(&Row) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
}

fn maybe_longs(rows: &[Row], of: impl Fn(&Row) -> Option<i64>) -> ArrayRef {
    let mut builder = Int64Builder::with_capacity(rows.len());
    rows.iter().for_each(|row| builder.append_option(of(row)));
    Arc::new(builder.finish())
}

fn maybe_ints(rows: &[Row], of: impl Fn(&Row) -> Option<i32>) -> ArrayRef {
    let mut builder = Int32Builder::with_capacity(rows.len());
    rows.iter().for_each(|row| builder.append_option(of(row)));
    Arc::new(builder.finish())
}

fn maybe_doubles(rows: &[Row], of: impl Fn(&Row) -> Option<f64>) -> ArrayRef {
    let mut builder = Float64Builder::with_capacity(rows.len());
    rows.iter().for_each(|row| builder.append_option(of(row)));
    Arc::new(builder.finish())
}

fn counts(rows: &[Row], of: fn(&Point) -> &Vec<Bucket>) -> ArrayRef {
    let counts = rows.iter().flat_map(|row| of(&row.point)).map(|(_, count)| rounded(*count));
    let lengths = rows.iter().map(|row| of(&row.point).len());
    let field = element(&schema::list(DataType::Int64));
    list(&field, OffsetBuffer::from_lengths(lengths), Arc::new(Int64Array::from_iter_values(counts)), None)
}

fn doubles(rows: &[Row], of: impl Fn(&Point) -> Option<Vec<f64>>) -> ArrayRef {
    let lists: Vec<_> = rows.iter().map(|row| of(&row.point)).collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.as_ref().map_or(0, Vec::len)));
    let valid: Vec<bool> = lists.iter().map(Option::is_some).collect();
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(lists.into_iter().flatten().flatten()));
    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
    list(&element(&schema::list(DataType::Float64)), offsets, values, nulls)
}

/// Runs of buckets: the gap to the one before, and how many.
fn runs(buckets: &[Bucket]) -> Vec<(i32, i32)> {
    let (mut runs, mut end): (Vec<(i32, i32)>, i32) = (Vec::new(), 0);
    for (index, _) in buckets {
        match runs.last_mut() {
            Some((_, length)) if *index == end => *length += 1,
            _ => runs.push((index.wrapping_sub(end), 1)),
        }
        end = index.wrapping_add(1);
    }
    runs
}

fn spans(rows: &[Row], of: fn(&Point) -> &Vec<Bucket>) -> ArrayRef {
    let all: Vec<_> = rows.iter().map(|row| runs(of(&row.point))).collect();
    let offsets = OffsetBuffer::from_lengths(all.iter().map(Vec::len));
    let field = element(&schema::bucket_spans_type());
    let DataType::Struct(fields) = field.data_type() else { unreachable!("spans are structures") };
    let column = |of: fn(&(i32, i32)) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(all.iter().flatten().map(of)))
    };
    let columns = vec![column(|(offset, _)| *offset), column(|(_, length)| *length)];
    let values = Arc::new(StructArray::new(fields.clone(), columns, None));
    list(&field, offsets, values, None)
}

fn list(
    field: &FieldRef,
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    Arc::new(ListArray::new(Arc::clone(field), offsets, values, nulls))
}

fn element(kind: &DataType) -> FieldRef {
    let DataType::List(field) = kind else { unreachable!("it is a list") };
    Arc::clone(field)
}
