use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{BooleanArray, RecordBatch};
use model::{Table, schema};

use super::super::stream::Stream;
use super::sets::{Run, Sets};
use super::{Data, Kind, Metric};
use crate::canonical::{self, Canonical};
use crate::columns::{self, Attributes, Id, Ids, NotUtf8, OptionalText, Rest, Text, Validity};
use crate::judge::Judge;
use crate::points::{Known, words};
use crate::proto::{Reader, Refused};

/// What the series of a metric share.
pub(super) struct Owner<'a> {
    pub(super) kind: Kind,
    stream: u32,
    name: Reader<'a>,
    description: Reader<'a>,
    unit: Reader<'a>,
    kind_text: Reader<'static>,
    temporality: Option<Reader<'static>>,
    is_monotonic: Option<bool>,
    /// Hash of all that identifies a series of it, but for the point's attributes.
    identity: Id<16>,
}

impl<'a> Owner<'a> {
    fn new(stream: &Stream, metric: &Metric<'a>, kind: Kind, data: Data, canonical: &mut Canonical) -> Self {
        let temporality = match data.temporality {
            1 => Some(Reader::start(&words::DELTA.0, words::DELTA.1)),
            2 => Some(Reader::start(&words::CUMULATIVE.0, words::CUMULATIVE.1)),
            _ => None,
        };
        let kind_text = kind.word();
        let is_monotonic = (kind == Kind::Sum).then_some(data.is_monotonic);
        canonical.restart(&stream.identity);
        canonical.text(metric.name.bytes());
        canonical.text(metric.unit.bytes());
        canonical.text(kind_text.bytes());
        canonical.text(temporality.map_or(&[], |text| text.bytes()));
        canonical.byte(u8::from(data.is_monotonic));
        let Metric { name, description, unit, .. } = *metric;
        Self {
            kind,
            kind_text,
            stream: stream.row,
            name,
            description,
            unit,
            temporality,
            is_monotonic,
            identity: canonical.id(),
        }
    }
}

/// Columns of [`Table::Series`].
#[derive(Default)]
pub(super) struct Series {
    stream: Vec<u32>,
    time: Vec<i64>,
    series_id: Ids<16>,
    name: Text,
    unit: Text,
    description: Text,
    kind: Text,
    temporality: OptionalText,
    is_monotonic: Vec<bool>,
    has_monotonic: Validity,
    attributes: Attributes,
    known: Known,
    canonical: Canonical,
    /// Identities of the metrics so far.
    owners: Ids<16>,
    known_owners: Known,
    /// Whether the open metric's series are looked for by their ids among all that there are. They
    /// need not be if the request had no such metric before and all attributes are sets that are
    /// known: then the sets say it.
    by_id: bool,
    /// Sets, in rows that follow each other, of which the last rows were made; their attributes are
    /// copied together.
    pending: Range<usize>,
    /// Whether the last row was made for the point being read; of which set, if not by id.
    is_fresh: bool,
    fresh_set: usize,
}

impl Series {
    pub(super) fn rows(&self) -> usize {
        self.time.len()
    }

    /// Makes room for more rows, whose texts are expected to be like those of the rows so far.
    pub(super) fn expect(&mut self, rest: Rest) {
        let rows = self.rows();
        self.name.reserve_like(rows, rest);
        self.unit.reserve_like(rows, rest);
        self.description.reserve_like(rows, rest);
        self.kind.reserve_like(rows, rest);
        self.temporality.text.reserve_like(rows, rest);
        self.stream.reserve(rest.records);
        self.time.reserve(rest.records);
        self.series_id.reserve(rest.records);
        self.is_monotonic.reserve(rest.records);
        self.attributes.reserve_like(rows, rest);
    }

    /// Begins a metric.
    pub(super) fn begin<'a>(
        &mut self,
        stream: &Stream,
        metric: &Metric<'a>,
        kind: Kind,
        data: Data,
        sets: &mut Sets,
    ) -> Owner<'a> {
        let owner = Owner::new(stream, metric, kind, data, &mut self.canonical);
        self.by_id = self.known_owners.find_or_add(&owner.identity, &self.owners).is_some();
        if !self.by_id {
            self.owners.push(&owner.identity);
        }
        sets.begin_metric();
        owner
    }

    /// The row of the series that a point with these attributes belongs to; a new one if it is the
    /// first.
    #[inline(always)]
    pub(super) fn resolve(
        &mut self,
        owner: &Owner<'_>,
        attributes: &Run<'_>,
        time: i64,
        judge: &mut Judge<'_>,
        sets: &mut Sets,
    ) -> Result<u32, Refused> {
        match sets.find(attributes) {
            Some(set) if !self.by_id => Ok(self.resolve_set(owner, set, time, sets)),
            found => self.resolve_by_id(owner, attributes, found, time, judge, sets),
        }
    }

    /// Whether a set tells which series of the open metric it is.
    #[inline(always)]
    pub(super) fn is_by_set(&self) -> bool {
        !self.by_id
    }

    /// As [`Series::resolve`], for a set of a metric of which all series are told by their sets.
    #[inline(always)]
    pub(super) fn resolve_set(&mut self, owner: &Owner<'_>, set: usize, time: i64, sets: &mut Sets) -> u32 {
        if let Some(known) = sets.series(set) {
            self.is_fresh = false;
            return known;
        }
        let row = row_number(self.rows());
        sets.set_series(set, Some(row));
        self.fresh_set = set;
        self.expect_set(owner, set, sets);
        self.is_fresh = true;
        self.time.push(time);
        row
    }

    #[inline(never)]
    fn resolve_by_id(
        &mut self,
        owner: &Owner<'_>,
        attributes: &Run<'_>,
        found: Option<usize>,
        time: i64,
        judge: &mut Judge<'_>,
        sets: &mut Sets,
    ) -> Result<u32, Refused> {
        if !self.by_id {
            self.copy_pending(owner, sets);
            self.by_id = true;
        }
        let row = self.rows();
        let set = match found {
            Some(set) => sets.id(set),
            None => {
                self.copy_pending(owner, sets);
                sets.read(&mut self.attributes, owner.kind.attributes_tag(), attributes, judge)?
            }
        };
        let id = canonical::join(&owner.identity, &set);
        if let Some(known) = self.known.find_or_add(&id, &self.series_id) {
            self.is_fresh = false;
            if found.is_none() {
                self.attributes.truncate(row);
            }
            return Ok(known);
        }
        if let Some(set) = found {
            self.expect_set(owner, set, sets);
        }
        self.is_fresh = true;
        self.time.push(time);
        self.series_id.push(&id);
        Ok(row_number(row))
    }

    /// The attributes of the next row are a set.
    #[inline(always)]
    fn expect_set(&mut self, owner: &Owner<'_>, set: usize, sets: &Sets) {
        if self.pending.end != set {
            self.copy_pending(owner, sets);
            self.pending = set..set;
        }
        self.pending.end += 1;
    }

    /// Makes what rows have of the sets that they were made of: attributes and, where that is not
    /// done yet, ids.
    fn copy_pending(&mut self, owner: &Owner<'_>, sets: &Sets) {
        let pending = std::mem::take(&mut self.pending);
        let without_id = self.rows() - self.series_id.len();
        for set in pending.end - without_id..pending.end {
            self.series_id.push(&canonical::join(&owner.identity, &sets.id(set)));
        }
        self.attributes.copy_rows(sets.attributes(), pending);
    }

    /// Fills the columns that all series of a metric share, for the rows that were made since.
    pub(super) fn share(&mut self, owner: &Owner<'_>, sets: &Sets) {
        self.copy_pending(owner, sets);
        let rows = self.rows();
        self.stream.resize(rows, owner.stream);
        self.name.fill(owner.name, rows);
        self.unit.fill(owner.unit, rows);
        self.description.fill(owner.description, rows);
        self.kind.fill(owner.kind_text, rows);
        self.temporality.fill(owner.temporality, rows);
        let (before, count) = (self.is_monotonic.len(), rows - self.is_monotonic.len());
        self.has_monotonic.push_n(before, count, owner.is_monotonic.is_some());
        self.is_monotonic.resize(rows, owner.is_monotonic.unwrap_or_default());
    }

    /// A point of the series at `time` was accepted.
    #[inline(always)]
    pub(super) fn seen(&mut self, row: u32, time: i64) {
        if !self.is_fresh
            && let Some(first) = self.time.get_mut(row as usize)
        {
            *first = time.min(*first);
        }
    }

    pub(super) fn check_tail(&mut self, owner: &Owner<'_>, sets: &Sets) -> Result<(), NotUtf8> {
        self.share(owner, sets);
        let checked = [
            self.name.check_tail(),
            self.unit.check_tail(),
            self.description.check_tail(),
            self.attributes.check_tail(),
        ];
        checked.into_iter().collect()
    }

    #[cold]
    pub(super) fn truncate(&mut self, rows: usize, owner: &Owner<'_>, sets: &mut Sets) {
        self.copy_pending(owner, sets);
        if self.is_fresh && !self.by_id {
            sets.set_series(self.fresh_set, None);
        } else if self.is_fresh
            && let Some(last) = self.series_id.len().checked_sub(1)
        {
            self.known.take_back(self.series_id.row(last), &self.series_id);
        }
        self.stream.truncate(rows);
        self.time.truncate(rows);
        self.series_id.truncate(rows);
        self.name.truncate(rows);
        self.unit.truncate(rows);
        self.description.truncate(rows);
        self.kind.truncate(rows);
        self.temporality.truncate(rows);
        self.is_monotonic.truncate(rows);
        self.has_monotonic.truncate(rows);
        self.attributes.truncate(rows);
    }

    pub(super) fn finish(self) -> Result<RecordBatch, NotUtf8> {
        let is_monotonic = BooleanArray::new(self.is_monotonic.into(), self.has_monotonic.finish());
        let columns = vec![
            columns::numbers::<UInt32Type>(self.stream),
            columns::numbers::<Int64Type>(self.time),
            self.series_id.finish(),
            self.name.finish()?,
            self.unit.finish()?,
            self.description.finish()?,
            self.kind.finish()?,
            self.temporality.finish()?,
            Arc::new(is_monotonic),
            self.attributes.finish()?,
        ];
        Ok(columns::batch(schema::rows(Table::Series), columns))
    }
}

fn row_number(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}
