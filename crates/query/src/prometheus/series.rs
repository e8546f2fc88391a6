//! The series of the table `series`, each once.
//!
//! First only what names are made of is read, and of the rows whose name fits, everything.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Int64Array, MapArray, RecordBatch, StringArray,
};
use arrow::datatypes::Int64Type;
use model::{NANOS_PER_DAY, day_of};
use parquet::arrow::arrow_reader::RowSelection;

use super::known::{self, Acquaintance, KnownFile, KnownSeries};
use super::memory::Memory;
use super::names::{self, Shape};
use super::points::OfId;
use super::promoted::Promoted;
use super::prune::{SeriesId, joined};
use super::rows::{File, Rows};
use crate::QueryError;

/// What is read of every row.
const NAMING: [&str; 6] = ["series_id", "time_unix_nano", "metric_name", "unit", "kind", "is_monotonic"];

/// What is read of the rows whose name fits.
const WHOLE: [&str; 10] = [
    "series_id",
    "time_unix_nano",
    "metric_name",
    "unit",
    "kind",
    "is_monotonic",
    "description",
    "temporality",
    "attributes",
    "resource_attributes",
];

/// Bytes that a series is remembered with.
const SEEN_BYTES: usize = 32;

/// Those that came already.
type Seen = HashSet<SeriesId, BuildHasherDefault<OfId>>;

/// A row.
pub(super) struct Row<'a> {
    pub(super) id: SeriesId,
    /// When it was first seen on its day.
    pub(super) time: i64,
    pub(super) shape: Shape<'a>,
    pub(super) description: &'a str,
    pub(super) delta: bool,
    pub(super) attributes: Pairs<'a>,
    pub(super) resource: Pairs<'a>,
}

/// Which rows.
pub(super) struct Which<'a> {
    /// Nanoseconds of points, both included.
    pub(super) times: (i64, i64),
    /// The one name that may fit, where there is only one.
    pub(super) name: Option<&'a str>,
    /// May say yes to a name that does not fit. Takes the name that is made of the shape, too.
    pub(super) name_may_fit: &'a dyn Fn(Shape<'_>, &str) -> bool,
    /// A series has a row for each day: all of them, or only one.
    pub(super) every_row: bool,
}

/// What is done with a row.
pub(super) type EachRow<'a> = dyn FnMut(&Row<'_>) -> Result<(), QueryError> + 'a;

/// Goes through the series that were written on the days of the times.
pub(super) fn each(
    memory: &Memory,
    rows: &Rows<'_>,
    which: &Which<'_>,
    each: &mut EachRow<'_>,
) -> Result<(), QueryError> {
    each_but(memory, rows, which, &|_| false, each)
}

/// As [`each`], but not of these files.
pub(super) fn each_but(
    memory: &Memory,
    rows: &Rows<'_>,
    which: &Which<'_>,
    without: &dyn Fn(&File<'_>) -> bool,
    each: &mut EachRow<'_>,
) -> Result<(), QueryError> {
    let first_day = i64::from(day_of(which.times.0)).saturating_mul(NANOS_PER_DAY);
    let times = (first_day, which.times.1);
    let mut seen = Seen::default();
    for file in rows.files(times).filter(|file| !without(file)) {
        each_of_file(memory, &file, which, (times, &mut seen), each)?;
    }
    each_in_memory(rows, which, (times, &mut seen), each)
}

/// As [`each`], with what PromQL needs of the rows: files that fit into the memory for it are decoded
/// once, and kept.
pub(super) fn known(
    memory: &Memory,
    rows: &Rows<'_>,
    promoted: &Promoted,
    which: &Which<'_>,
    each: &mut dyn FnMut(&KnownSeries) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let first_day = i64::from(day_of(which.times.0)).saturating_mul(NANOS_PER_DAY);
    let times = (first_day, which.times.1);
    let (mut seen, mut acquaintance) = (Seen::default(), Acquaintance::new(promoted));
    for file in rows.files(times) {
        let Some(all) = kept(&file, promoted)? else {
            let mut each = |row: &Row<'_>| each(&acquaintance.of(row));
            each_of_file(memory, &file, which, (times, &mut seen), &mut each)?;
            continue;
        };
        let before = seen.len();
        let mut metric = |of_metric: &[KnownSeries]| {
            let metric = of_metric.first().map(|first| &first.metric);
            if !metric.is_some_and(|metric| (which.name_may_fit)(metric.shape(), &metric.translated)) {
                return Ok(());
            }
            let within = of_metric.iter().filter(|series| (times.0..=times.1).contains(&series.time));
            within.filter(|series| seen.insert(series.id)).try_for_each(&mut *each)
        };
        match which.name {
            Some(name) => all.named(name).try_for_each(&mut metric)?,
            None => all.by_metric().try_for_each(&mut metric)?,
        }
        memory.grow((seen.len() - before) * SEEN_BYTES)?;
    }
    each_in_memory(rows, which, (times, &mut seen), &mut |row| each(&acquaintance.of(row)))
}

/// The series of a file from the cache, in which they are put; nothing where they have no room.
fn kept(file: &File<'_>, promoted: &Promoted) -> Result<Option<Arc<KnownFile>>, QueryError> {
    if let Some(known) = file.cached(promoted) {
        return Ok(Some(known));
    }
    let bytes = known::bytes_at_most(file.len(), promoted);
    let Some(mut reservation) = file.reserve(bytes) else { return Ok(None) };
    let (mut all, mut acquaintance) = (Vec::new(), Acquaintance::new(promoted));
    let every = |footer: &parquet::file::metadata::ParquetMetaData| {
        ((0..footer.num_row_groups()).collect::<Vec<_>>(), None)
    };
    file.read(&WHOLE, &every, &mut |batch| {
        let columns = Columns::of(batch)?;
        all.extend((0..batch.num_rows()).map(|row| acquaintance.of(&columns.row(row))));
        Ok(())
    })?;
    let known = Arc::new(KnownFile::new(promoted.clone(), all));
    // Where it has fewer, it could not be read, and the answer says so.
    if known.len() == file.len() {
        reservation.settle(known.bytes() as u64);
        file.keep(&known, reservation);
    }
    Ok(Some(known))
}

fn each_of_file(
    memory: &Memory,
    file: &File<'_>,
    which: &Which<'_>,
    (times, seen): ((i64, i64), &mut Seen),
    each: &mut EachRow<'_>,
) -> Result<(), QueryError> {
    let (mut fitting, mut begin) = (Vec::new(), 0);
    let all = |footer: &parquet::file::metadata::ParquetMetaData| {
        ((0..footer.num_row_groups()).collect::<Vec<_>>(), None)
    };
    file.read(&NAMING, &all, &mut |batch| {
        let before = seen.len();
        fitting.extend(fits(batch, which, times, seen)?.into_iter().map(|row| begin + row));
        begin += batch.num_rows();
        memory.grow((seen.len() - before) * SEEN_BYTES)
    })?;
    if fitting.is_empty() {
        return Ok(());
    }
    let ranges = joined(fitting.into_iter().map(|row| row..row + 1));
    let selected = |footer: &parquet::file::metadata::ParquetMetaData| {
        let selection = RowSelection::from_consecutive_ranges(ranges.iter().cloned(), begin);
        ((0..footer.num_row_groups()).collect::<Vec<_>>(), Some(selection))
    };
    file.read(&WHOLE, &selected, &mut |batch| {
        let columns = Columns::of(batch)?;
        (0..batch.num_rows()).try_for_each(|row| each(&columns.row(row)))
    })
}

fn each_in_memory(
    rows: &Rows<'_>,
    which: &Which<'_>,
    (times, seen): ((i64, i64), &mut Seen),
    each: &mut EachRow<'_>,
) -> Result<(), QueryError> {
    for chunk in rows.memory(times) {
        for window in chunk.windows() {
            let fitting = fits(&chunk.read(&NAMING, window.clone())?, which, times, seen)?;
            let (Some(first), Some(last)) = (fitting.first(), fitting.last()) else { continue };
            let batch = chunk.read(&WHOLE, window.start + first..window.start + last + 1)?;
            let columns = Columns::of(&batch)?;
            fitting.iter().try_for_each(|row| each(&columns.row(row - first)))?;
        }
    }
    Ok(())
}

/// The rows of a batch that may be wanted and come for the first time.
fn fits(
    batch: &RecordBatch,
    which: &Which<'_>,
    times: (i64, i64),
    seen: &mut Seen,
) -> Result<Vec<usize>, QueryError> {
    let naming = Naming::of(batch)?;
    let mut known: HashMap<Shape<'_>, bool> = HashMap::new();
    let mut fitting = Vec::new();
    for row in 0..batch.num_rows() {
        let time = naming.times.value(row);
        if time < times.0 || time > times.1 {
            continue;
        }
        let shape = naming.shape(row);
        let fits = || (which.name_may_fit)(shape, &names::metric(shape));
        let fits = *known.entry(shape).or_insert_with(fits);
        if fits && (which.every_row || seen.insert(naming.id(row))) {
            fitting.push(row);
        }
    }
    Ok(fitting)
}

/// The columns of [`NAMING`].
struct Naming<'a> {
    ids: &'a BinaryArray,
    times: &'a Int64Array,
    names: &'a StringArray,
    units: &'a StringArray,
    kinds: &'a StringArray,
    monotonic: &'a BooleanArray,
}

impl<'a> Naming<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        let column = |name| column(batch, name);
        Ok(Self {
            ids: column("series_id")?.as_binary_opt().ok_or_else(|| misfit("series_id"))?,
            times: column("time_unix_nano")?
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| misfit("time_unix_nano"))?,
            names: texts(batch, "metric_name")?,
            units: texts(batch, "unit")?,
            kinds: texts(batch, "kind")?,
            monotonic: column("is_monotonic")?.as_boolean_opt().ok_or_else(|| misfit("is_monotonic"))?,
        })
    }

    fn id(&self, row: usize) -> SeriesId {
        id_of(self.ids.value(row))
    }

    fn shape(&self, row: usize) -> Shape<'a> {
        Shape {
            name: self.names.value(row),
            unit: self.units.value(row),
            kind: self.kinds.value(row),
            monotonic: self.monotonic.is_valid(row) && self.monotonic.value(row),
        }
    }
}

/// The columns of [`WHOLE`].
struct Columns<'a> {
    naming: Naming<'a>,
    descriptions: &'a StringArray,
    temporalities: &'a StringArray,
    attributes: &'a MapArray,
    resources: &'a MapArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        let map = |name| column(batch, name)?.as_map_opt().ok_or_else(|| misfit(name));
        Ok(Self {
            naming: Naming::of(batch)?,
            descriptions: texts(batch, "description")?,
            temporalities: texts(batch, "temporality")?,
            attributes: map("attributes")?,
            resources: map("resource_attributes")?,
        })
    }

    fn row(&self, row: usize) -> Row<'a> {
        let delta = self.temporalities.is_valid(row) && self.temporalities.value(row) == "delta";
        Row {
            id: self.naming.id(row),
            time: self.naming.times.value(row),
            shape: self.naming.shape(row),
            description: self.descriptions.value(row),
            delta,
            attributes: Pairs { map: self.attributes, row },
            resource: Pairs { map: self.resources, row },
        }
    }
}

/// Keys and values of a row of a map.
#[derive(Clone, Copy)]
pub(super) struct Pairs<'a> {
    map: &'a MapArray,
    row: usize,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(map: &'a MapArray, row: usize) -> Self {
        Self { map, row }
    }

    /// Those that have a value.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (keys, values) =
            (self.map.keys().as_string_opt::<i32>(), self.map.values().as_string_opt::<i32>());
        let offsets = self.map.value_offsets();
        let bound = |place: usize| usize::try_from(offsets[place]).unwrap_or(0);
        let places = if self.map.is_null(self.row) { 0..0 } else { bound(self.row)..bound(self.row + 1) };
        let pair = move |place: usize| {
            let (keys, values) = (keys?, values?);
            values.is_valid(place).then(|| (keys.value(place), values.value(place)))
        };
        places.filter_map(pair)
    }

    pub(super) fn get(self, key: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array, QueryError> {
    batch.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| misfit(name))
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, QueryError> {
    column(batch, name)?.as_string_opt().ok_or_else(|| misfit(name))
}

/// A file that has other columns than its table says.
pub(super) fn misfit(name: &str) -> QueryError {
    QueryError::Internal { message: format!("the column `{name}` is not what it should be") }
}

/// An id of another length than all have is that of no series.
pub(super) fn id_of(bytes: &[u8]) -> SeriesId {
    SeriesId::try_from(bytes).unwrap_or_default()
}
