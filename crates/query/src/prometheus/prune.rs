//! Which row groups and pages of a file can hold wanted rows, by their statistics.

use std::ops::Range;

use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::statistics::Statistics;

use super::rows::Picked;

/// xxh3-128 of what identifies a series, as stored.
pub(super) type SeriesId = [u8; 16];

/// Rows of some series at some time.
pub(super) struct Wanted<'a> {
    /// What they are points of, in ascending order.
    pub(super) metrics: &'a [&'a str],
    /// In ascending order.
    pub(super) ids: &'a [SeriesId],
    /// The first and the last nanosecond.
    pub(super) times: (i64, i64),
}

/// The row groups that may hold wanted rows, and the rows of their pages that may be some.
pub(super) fn groups(footer: &ParquetMetaData, wanted: &Wanted<'_>) -> Picked {
    let (mut picked, mut ranges, mut before) = (Vec::new(), Vec::new(), 0);
    for group in pages(footer, wanted) {
        ranges.extend(group.ranges.into_iter().map(|range| range.start + before..range.end + before));
        before += group.rows;
        picked.push(group.number);
    }
    let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), before);
    (picked, Some(selection))
}

/// Rows of a row group.
pub(super) struct GroupRows {
    pub(super) number: usize,
    /// How many it has.
    pub(super) rows: usize,
    /// Those that may be wanted, ascending and apart.
    pub(super) ranges: Vec<Range<usize>>,
}

/// The row groups that may hold wanted rows, and which of their rows may be some.
pub(super) fn pages(footer: &ParquetMetaData, wanted: &Wanted<'_>) -> Vec<GroupRows> {
    let columns = Columns::of(footer);
    let groups = footer.row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| columns.group_may_have(group, wanted));
    let rows_of = |(number, group): (usize, &RowGroupMetaData)| {
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        GroupRows { number, rows, ranges: columns.pages_with(footer, number, rows, wanted) }
    };
    groups.map(rows_of).filter(|group| !group.ranges.is_empty()).collect()
}

/// Where the columns that rows are sought by are among the leaves.
struct Columns {
    name: Option<usize>,
    id: Option<usize>,
    time: Option<usize>,
}

impl Columns {
    fn of(footer: &ParquetMetaData) -> Self {
        let leaves = footer.file_metadata().schema_descr().columns();
        let place = |name: &str| leaves.iter().position(|leaf| leaf.path().parts() == [name]);
        Self { name: place("metric_name"), id: place("series_id"), time: place("time_unix_nano") }
    }

    /// The least and the greatest time of a row group.
    fn times_of(&self, group: &RowGroupMetaData) -> Option<(i64, i64)> {
        match group.column(self.time?).statistics()? {
            Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
            _ => None,
        }
    }

    fn group_may_have(&self, group: &RowGroupMetaData, wanted: &Wanted<'_>) -> bool {
        let bytes = |place: Option<usize>| {
            let statistics = group.column(place?).statistics()?;
            Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
        };
        let times = self.times_of(group);
        bytes(self.name).is_none_or(|bounds| wanted.has_metric_within(bounds))
            && bytes(self.id).is_none_or(|bounds| wanted.has_id_within(bounds))
            && times.is_none_or(|bounds| wanted.has_time_within(bounds))
    }

    /// Ranges of rows of a group, ascending and apart.
    fn pages_with(
        &self,
        footer: &ParquetMetaData,
        group: usize,
        rows: usize,
        wanted: &Wanted<'_>,
    ) -> Vec<Range<usize>> {
        let all = joined(std::iter::once(0..rows));
        let pages = |place: Option<usize>| Pages::of(footer, group, place?, rows);
        let by_name = pages(self.name).map(|pages| pages.texts(|bounds| wanted.has_metric_within(bounds)));
        let by_id = pages(self.id).map(|pages| pages.texts(|bounds| wanted.has_id_within(bounds)));
        let times = self.times_of(footer.row_group(group));
        let all_times = times.is_some_and(|(min, max)| wanted.times.0 <= min && max <= wanted.times.1);
        let by_time = pages(self.time.filter(|_| !all_times));
        let by_time = by_time.map(|pages| pages.times(|bounds| wanted.has_time_within(bounds)));
        [by_name, by_id, by_time].into_iter().flatten().fold(all, |kept, other| intersect(&kept, &other))
    }
}

impl Wanted<'_> {
    fn has_metric_within(&self, (min, max): (&[u8], &[u8])) -> bool {
        let first = self.metrics.partition_point(|metric| metric.as_bytes() < min);
        self.metrics.get(first).is_some_and(|metric| metric.as_bytes() <= max)
    }

    fn has_id_within(&self, (min, max): (&[u8], &[u8])) -> bool {
        let first = self.ids.partition_point(|id| id.as_slice() < min);
        self.ids.get(first).is_some_and(|id| id.as_slice() <= max)
    }

    fn has_time_within(&self, (min, max): (i64, i64)) -> bool {
        min <= self.times.1 && self.times.0 <= max
    }
}

/// The pages of a column of a row group.
struct Pages<'a> {
    index: &'a ColumnIndexMetaData,
    locations: &'a [PageLocation],
    /// How many the row group has.
    rows: usize,
}

impl<'a> Pages<'a> {
    fn of(footer: &'a ParquetMetaData, group: usize, column: usize, rows: usize) -> Option<Self> {
        let index = footer.column_index()?.get(group)?.get(column)?;
        let locations = footer.offset_index()?.get(group)?.get(column)?.page_locations();
        let sound = locations.iter().all(|page| page.first_row_index >= 0);
        sound.then_some(Self { index, locations, rows })
    }

    fn texts(&self, may: impl Fn((&[u8], &[u8])) -> bool) -> Vec<Range<usize>> {
        let (ColumnIndexMetaData::BYTE_ARRAY(index) | ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index)) =
            self.index
        else {
            return self.keep(|_| true);
        };
        self.keep(|page| match (index.min_value(page), index.max_value(page)) {
            (Some(min), Some(max)) => may((min, max)),
            _ => true,
        })
    }

    fn times(&self, may: impl Fn((i64, i64)) -> bool) -> Vec<Range<usize>> {
        let ColumnIndexMetaData::INT64(index) = self.index else { return self.keep(|_| true) };
        self.keep(|page| match (index.min_value(page), index.max_value(page)) {
            (Some(min), Some(max)) => may((*min, *max)),
            _ => true,
        })
    }

    fn keep(&self, may: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
        let begin = |page: usize| {
            let row = self.locations.get(page).and_then(|page| usize::try_from(page.first_row_index).ok());
            row.unwrap_or(self.rows)
        };
        let kept = (0..self.locations.len()).filter(|page| may(*page));
        joined(kept.map(|page| begin(page)..begin(page + 1)))
    }
}

/// Ranges that touch become one.
pub(super) fn joined(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    ranges.fold(Vec::new(), |mut joined: Vec<Range<usize>>, range| {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
        joined
    })
}

fn intersect(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut both, mut i, mut j) = (Vec::new(), 0, 0);
    while let (Some(left), Some(right)) = (a.get(i), b.get(j)) {
        let range = left.start.max(right.start)..left.end.min(right.end);
        if !range.is_empty() {
            both.push(range);
        }
        if left.end <= right.end {
            i += 1;
        } else {
            j += 1;
        }
    }
    both
}
