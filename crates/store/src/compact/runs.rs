//! Row groups of points, read side by side: those of samples run after run, in the order of the files.
//!
//! Enters: row groups, each in the order of the files. Leaves: the runs of all, of a series first those of the
//! first row group. Must hold: a row group is open only from where its first series may come to its
//! end. Those of one file mostly follow each other, and take the memory of one or two.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::courtesy::give_way;
use crate::error::ReadError;
use crate::memtable::{SeriesId, series_id};
use crate::segment::{SegmentFile, group_len};

/// What an open row group takes beside its bytes: a page of each column.
const OPEN_BYTES: u64 = 1 << 20;
/// Rows that an open row group has decoded.
pub(crate) const BATCH_ROWS: usize = 1024;

/// A row group that is to be read.
pub(crate) struct Part {
    file: SegmentFile,
    metadata: Arc<ParquetMetaData>,
    group: usize,
    span: Span,
}

/// From where to where a row group is open, and what it takes then.
struct Span {
    /// No series in it comes before.
    first: (Arc<str>, SeriesId),
    /// None comes after; nothing where that is not known.
    last: Option<(Vec<u8>, SeriesId)>,
    bytes: u64,
}

impl Part {
    pub(crate) fn new(file: &SegmentFile, metadata: &Arc<ParquetMetaData>, group: usize) -> Self {
        // Of a metric that is in many row groups, most have no other: then the least id of all is that of
        // the first row.
        let (least, greatest) = bounds(metadata, group, "metric_name").unzip();
        let (least_id, greatest_id) = bounds(metadata, group, "series_id").unzip();
        let name = least.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        let span = Span {
            first: (name.into(), least_id.map(series_id).unwrap_or_default()),
            last: greatest.zip(greatest_id).map(|(name, id)| (name.to_vec(), series_id(id))),
            bytes: group_len(metadata, group) + OPEN_BYTES,
        };
        Self { file: file.clone(), metadata: Arc::clone(metadata), group, span }
    }

    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.row_group(self.group).num_rows()).unwrap_or(0)
    }

    /// What no series in it comes before.
    pub(crate) fn first(&self) -> (Arc<str>, SeriesId) {
        self.span.first.clone()
    }

    /// All its rows in the file schema.
    pub(crate) fn batches(
        &self,
        rows: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
        self.file.group_by(&self.metadata, self.group, rows)
    }

    pub(crate) fn open(&self) -> Result<Source, ReadError> {
        Source::new(Box::new(self.file.points(&self.metadata, self.group, BATCH_ROWS)?))
    }
}

/// The least and the greatest value of a column, if the footer tells, or what is less and greater than all.
fn bounds<'a>(metadata: &'a ParquetMetaData, group: usize, name: &str) -> Option<(&'a [u8], &'a [u8])> {
    let columns = metadata.row_group(group).columns();
    let column = columns.iter().find(|column| column.column_path().parts() == [name])?;
    match column.statistics()? {
        Statistics::ByteArray(texts) => texts.min_bytes_opt().zip(texts.max_bytes_opt()),
        _ => None,
    }
}

impl Span {
    /// Whether it may be open when the other one is opened.
    fn is_open_at(&self, other: &Self) -> bool {
        let (name, id) = &other.first;
        let is_before =
            |(last, last_id): &(Vec<u8>, SeriesId)| (last.as_slice(), last_id) < (name.as_bytes(), id);
        self.first <= other.first && !self.last.as_ref().is_some_and(is_before)
    }
}

/// Of each number of the first parts, what those of them take that are open at the same time.
pub(crate) fn open_bytes(parts: &[Part]) -> impl Iterator<Item = u64> {
    open_at_once(parts.iter().map(|part| &part.span))
}

fn open_at_once<'a>(spans: impl Iterator<Item = &'a Span>) -> impl Iterator<Item = u64> {
    // The most is open when one was just opened: what that is, of each.
    let mut before: Vec<(&Span, u64)> = Vec::new();
    spans.map(move |span| {
        let mut own = span.bytes;
        for (other, open) in &mut before {
            if span.is_open_at(other) {
                *open += span.bytes;
            }
            if other.is_open_at(span) {
                own += other.bytes;
            }
        }
        before.push((span, own));
        before.iter().map(|(_, open)| *open).max().unwrap_or(0)
    })
}

/// Parts that are read side by side.
pub(crate) struct Runs<'a> {
    parts: &'a [Part],
    /// Those of them that are open.
    open: Vec<Option<Source>>,
    /// What comes next in each that is open, and what may come first in those that are not yet.
    heads: BinaryHeap<Reverse<Head>>,
    /// Whose run was given last.
    last: Option<usize>,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(parts: &'a [Part]) -> Self {
        let head = |(source, part): (usize, &Part)| {
            let (name, id) = part.first();
            Reverse(Head { name, id, source })
        };
        let heads = parts.iter().enumerate().map(head).collect();
        Self { parts, open: parts.iter().map(|_| None).collect(), heads, last: None }
    }

    /// The series that comes next, and what has its rows; as far as they are decoded they have to be
    /// taken.
    pub(crate) fn next(&mut self) -> Result<Option<(Head, &mut Source)>, ReadError> {
        if let Some(last) = self.last.take() {
            self.look(last)?;
        }
        while let Some(Reverse(head)) = self.heads.pop() {
            let place = head.source;
            if self.open[place].is_some() {
                self.last = Some(place);
                return Ok(self.open[place].as_mut().map(|source| (head, source)));
            }
            self.open[place] = Some(self.parts[place].open()?);
            self.look(place)?;
        }
        Ok(None)
    }

    /// Notes what comes next in an open part; at its end it is closed.
    fn look(&mut self, place: usize) -> Result<(), ReadError> {
        let head = self.open[place].as_mut().map(|source| source.head(place)).transpose()?.flatten();
        match head {
            Some(head) => self.heads.push(Reverse(head)),
            None => self.open[place] = None,
        }
        Ok(())
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ReadError>>>;

/// The series that comes next in a source; the least goes first, and of the same series the first
/// source.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head {
    pub(crate) name: Arc<str>,
    pub(crate) id: SeriesId,
    pub(crate) source: usize,
}

/// A row group, read from the first row to the last.
pub(crate) struct Source {
    batches: Batches,
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
        self.row = 0;
        self.points = None;
        for batch in self.batches.by_ref() {
            give_way();
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.points = Some(Points::of(&batch));
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn head(&mut self, source: usize) -> Result<Option<Head>, ReadError> {
        if self.points.as_ref().is_some_and(|points| self.row == points.len()) {
            self.advance()?;
        }
        let Some(points) = &self.points else { return Ok(None) };
        let name = points.names.value(usize::try_from(points.name_of[self.row]).unwrap_or(0));
        if *self.name != *name {
            self.name = name.into();
        }
        let id = series_id(points.ids.value(usize::try_from(points.id_of[self.row]).unwrap_or(0)));
        Ok(Some(Head { name: Arc::clone(&self.name), id, source }))
    }

    /// Where the run of the series that comes next ends, as far as it is decoded.
    fn run_end(&self, points: &Points) -> usize {
        let (name, id) = (points.name_of[self.row], points.id_of[self.row]);
        let ids = points.id_of[self.row..].iter().zip(&points.name_of[self.row..]);
        self.row + ids.take_while(|own| own == &(&id, &name)).count()
    }

    /// Goes past the rows of the series that comes next, as far as they are decoded; gives them.
    pub(crate) fn take_run(&mut self) -> Option<(&Points, Range<usize>)> {
        let points = self.points.as_ref()?;
        let run = self.row..self.run_end(points);
        self.row = run.end;
        Some((points, run))
    }

    /// Goes through time, value and flags of the series that comes next, as far as they are decoded.
    pub(crate) fn each_of_run(&mut self, mut each: impl FnMut(i64, f64, i32)) {
        let Some((points, run)) = self.take_run() else { return };
        for row in run {
            each(points.times.value(row), points.values.value(row), points.flags.value(row));
        }
    }
}

/// A decoded batch.
pub(crate) struct Points {
    names: StringArray,
    name_of: ScalarBuffer<i32>,
    ids: BinaryArray,
    id_of: ScalarBuffer<i32>,
    pub(crate) times: Int64Array,
    pub(crate) starts: Int64Array,
    pub(crate) values: Float64Array,
    pub(crate) integers: Int64Array,
    pub(crate) flags: Int32Array,
}

impl Points {
    fn of(batch: &RecordBatch) -> Self {
        let column = |name: &str| batch.column_by_name(name).expect("the reader was asked for it");
        let (names, ids) = (
            column("metric_name").as_dictionary::<Int32Type>(),
            column("series_id").as_dictionary::<Int32Type>(),
        );
        let int = |name: &str| column(name).as_primitive::<Int64Type>().clone();
        Self {
            names: names.values().as_string::<i32>().clone(),
            name_of: names.keys().values().clone(),
            ids: ids.values().as_binary::<i32>().clone(),
            id_of: ids.keys().values().clone(),
            times: int("time_unix_nano"),
            starts: int("start_time_unix_nano"),
            values: column("value").as_primitive::<Float64Type>().clone(),
            integers: int("value_int"),
            flags: column("flags").as_primitive::<Int32Type>().clone(),
        }
    }

    fn len(&self) -> usize {
        self.times.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: (&str, u8), last: Option<(&str, u8)>) -> Span {
        let last = last.map(|(name, id)| (name.as_bytes().to_vec(), [id; 16]));
        Span { first: (first.0.into(), [first.1; 16]), last, bytes: 10 }
    }

    #[test]
    fn what_follows_each_other_is_not_open_at_the_same_time() {
        let open = |spans: &[Span]| open_at_once(spans.iter()).collect::<Vec<_>>();
        let file = || {
            [
                span(("cpu", 1), Some(("cpu", 7))),
                span(("cpu", 8), Some(("disk", 9))),
                // Its first id may be any of its ids.
                span(("disk", 0), Some(("load", 3))),
                span(("load", 4), Some(("up", 9))),
            ]
        };
        assert_eq!(open(&file()), [10, 10, 20, 20]);
        // Of three files one each, and where one ends and the next begins two.
        let files: Vec<_> = (0..3).flat_map(|_| file()).collect();
        assert_eq!(open(&files), [10, 10, 20, 20, 20, 30, 40, 40, 40, 50, 60, 60]);
        // One that does not tell where it ends is open from its beginning on.
        assert_eq!(open(&[span(("", 0), None), span(("cpu", 1), Some(("cpu", 2)))]), [10, 20]);
        assert_eq!(open(&[span(("up", 0), None), span(("cpu", 1), Some(("cpu", 2)))]), [10, 10]);
    }
}
