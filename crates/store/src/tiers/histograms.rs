//! Histograms and summaries of a rule on their way into windows, series by series.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};

use self::rows::HistogramRows;
use super::downsample::Job;
use super::histogram::{Bucket, Folding, Point};
use super::window::NANOS_PER_MS;
use crate::compact::runs::Part;
use crate::error::{ReadError, WorkError};
use crate::memtable::{SeriesId, series_id};
use crate::segment::SegmentWriter;
use crate::store::Inner;

mod rows;

/// Rows that an open row group has decoded: a histogram has a hundred times the bytes of a number.
const BATCH_ROWS: usize = 256;

impl Inner {
    /// Adds the windows of these row groups, of which `limit` bytes at most wait to be written.
    pub(super) fn downsample_histograms(
        &self,
        writer: &mut SegmentWriter,
        job: &Job,
        parts: &[Part],
        limit: u64,
    ) -> Result<(), WorkError> {
        let mut sources = Sources::new(parts);
        let mut windows = HistogramRows::new(job.level.resolution_ms);
        let mut folding = Folding::new(job.level.resolution_ms);
        let mut series: Option<(Arc<str>, SeriesId)> = None;
        let mut is_own = false;
        while let Some((head, source)) = sources.next()? {
            let same_name = series.as_ref().is_some_and(|(name, _)| *name == head.name);
            if !same_name {
                is_own = self.rules.of(&head.name) == job.rule;
            }
            if !same_name || series.as_ref().is_none_or(|(_, id)| *id != head.id) {
                folding.finish(&mut |window| windows.add(window));
                if windows.bytes() >= limit {
                    let (rows, series) = windows.finish();
                    self.write_windows(writer, rows, &series)?;
                    windows = HistogramRows::new(job.level.resolution_ms);
                }
                if is_own {
                    windows.begin(head.id, &head.name);
                }
                series = Some((head.name, head.id));
            }
            if is_own {
                folding.push(source.point(), &mut |window| windows.add(window));
            }
        }
        folding.finish(&mut |window| windows.add(window));
        let (rows, series) = windows.finish();
        self.write_windows(writer, rows, &series)
    }
}

/// Row groups that are read side by side, each open only from where its first series may come to its end.
struct Sources<'a> {
    parts: &'a [Part],
    open: Vec<Option<Source>>,
    /// What comes next in each that is open, and what may come first in those that are not yet.
    heads: BinaryHeap<Reverse<Head>>,
    /// Whose point was given last.
    last: Option<usize>,
}

impl<'a> Sources<'a> {
    fn new(parts: &'a [Part]) -> Self {
        let head = |(source, part): (usize, &Part)| {
            let (name, id) = part.first();
            Reverse(Head { name, id, time_ms: i64::MIN, source })
        };
        let heads = parts.iter().enumerate().map(head).collect();
        Self { parts, open: parts.iter().map(|_| None).collect(), heads, last: None }
    }

    /// The point that comes next, and what has it.
    fn next(&mut self) -> Result<Option<(Head, &Source)>, ReadError> {
        if let Some(last) = self.last.take() {
            self.open[last].as_mut().map(Source::go_on).transpose()?;
            self.look(last);
        }
        while let Some(Reverse(head)) = self.heads.pop() {
            let place = head.source;
            if self.open[place].is_some() {
                self.last = Some(place);
                return Ok(self.open[place].as_ref().map(|source| (head, source)));
            }
            self.open[place] = Some(Source::new(Box::new(self.parts[place].batches(BATCH_ROWS)?))?);
            self.look(place);
        }
        Ok(None)
    }

    /// Notes what comes next in an open part; at its end it is closed.
    fn look(&mut self, place: usize) {
        match self.open[place].as_mut().and_then(|source| source.head(place)) {
            Some(head) => self.heads.push(Reverse(head)),
            None => self.open[place] = None,
        }
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ReadError>>>;

/// The point that comes next in a source: the least goes first, and of those of a series within a
/// millisecond that of the first source.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    name: Arc<str>,
    id: SeriesId,
    time_ms: i64,
    source: usize,
}

/// A row group, read from the first row to the last.
struct Source {
    batches: Batches,
    /// One with rows; none at the end.
    points: Option<Points>,
    row: usize,
    /// The last metric's name.
    name: Arc<str>,
}

impl Source {
    fn new(batches: Batches) -> Result<Self, ReadError> {
        let mut source = Self { batches, points: None, row: 0, name: "".into() };
        source.advance()?;
        Ok(source)
    }

    /// Goes on to the next batch with rows.
    fn advance(&mut self) -> Result<(), ReadError> {
        (self.row, self.points) = (0, None);
        for batch in self.batches.by_ref() {
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.points = Some(Points { batch });
                break;
            }
        }
        Ok(())
    }

    /// Goes on to the next row.
    fn go_on(&mut self) -> Result<(), ReadError> {
        self.row += 1;
        let is_over = self.points.as_ref().is_none_or(|points| self.row == points.batch.num_rows());
        if is_over { self.advance() } else { Ok(()) }
    }

    fn head(&mut self, source: usize) -> Option<Head> {
        let points = self.points.as_ref()?;
        let name = points.names().value(self.row);
        if *self.name != *name {
            self.name = name.into();
        }
        let id = series_id(points.column("series_id").as_binary::<i32>().value(self.row));
        let time_ms = points.time(self.row).div_euclid(NANOS_PER_MS);
        Some(Head { name: Arc::clone(&self.name), id, time_ms, source })
    }

    /// The point that [`Source::head`] announced.
    fn point(&self) -> Point {
        self.points.as_ref().map(|points| points.point(self.row)).unwrap_or_default()
    }
}

/// A decoded batch in the file schema.
struct Points {
    batch: RecordBatch,
}

impl Points {
    fn column(&self, name: &str) -> &ArrayRef {
        self.batch.column_by_name(name).expect("the reader gives all columns of the table")
    }

    fn names(&self) -> &StringArray {
        self.column("metric_name").as_string::<i32>()
    }

    fn time(&self, row: usize) -> i64 {
        self.column("time_unix_nano").as_primitive::<Int64Type>().value(row)
    }

    fn long(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn int(&self, name: &str, row: usize) -> Option<i32> {
        let column = self.column(name).as_primitive::<Int32Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn double(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.column(name).as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn doubles(&self, name: &str, row: usize) -> Vec<f64> {
        let lists = self.column(name).as_list::<i32>();
        if lists.is_null(row) {
            return Vec::new();
        }
        lists.value(row).as_primitive::<Float64Type>().values().to_vec()
    }

    #[expect(clippy::cast_precision_loss, reason = "whoever reads counts has doubles")]
    fn count(&self, double: &str, int: &str, row: usize) -> f64 {
        self.double(double, row).unwrap_or_else(|| self.long(int, row).unwrap_or(0) as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "whoever reads counts has doubles")]
    fn buckets(&self, [spans, ints, doubles]: [&str; 3], row: usize) -> Vec<Bucket> {
        let mut counts = self.doubles(doubles, row);
        if counts.is_empty() {
            let ints = self.column(ints).as_list::<i32>().value(row);
            counts = ints.as_primitive::<Int64Type>().values().iter().map(|count| *count as f64).collect();
        }
        let indexes = indexes(self.column(spans).as_list::<i32>(), row);
        indexes.into_iter().zip(counts).collect()
    }

    fn point(&self, row: usize) -> Point {
        let positive = ["positive_spans", "positive_buckets", "positive_buckets_double"];
        let negative = ["negative_spans", "negative_buckets", "negative_buckets_double"];
        Point {
            time: self.time(row),
            start: self.long("start_time_unix_nano", row),
            flags: self.int("flags", row).unwrap_or(0),
            count: self.count("count_double", "count", row),
            sum: self.double("sum", row),
            min: self.double("min", row),
            max: self.double("max", row),
            schema: self.int("schema", row),
            zero_threshold: self.double("zero_threshold", row).unwrap_or(0.0),
            zero_count: self.count("zero_count_double", "zero_count", row),
            positive: self.buckets(positive, row),
            negative: self.buckets(negative, row),
            bounds: self.doubles("custom_bounds", row),
            quantiles: self.doubles("quantiles", row),
            quantile_values: self.doubles("quantile_values", row),
            reset_hint: self.int("reset_hint", row),
            is_double: self.double("count_double", row).is_some(),
        }
    }
}

/// The indexes of a row's buckets. There are no more of them than fit into a batch, whatever the spans
/// say.
fn indexes(spans: &ListArray, row: usize) -> Vec<i32> {
    const BUCKETS_MAX: usize = 1 << 20;
    let spans = spans.value(row);
    let column = |place: usize| spans.as_struct().column(place).as_primitive::<Int32Type>().values().to_vec();
    let (mut indexes, mut index) = (Vec::new(), 0_i32);
    for (offset, length) in column(0).into_iter().zip(column(1)) {
        index = index.wrapping_add(offset);
        for _ in 0..length.max(0) {
            if indexes.len() == BUCKETS_MAX {
                return indexes;
            }
            indexes.push(index);
            index = index.wrapping_add(1);
        }
    }
    indexes
}
