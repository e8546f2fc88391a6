use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{BooleanArray, RecordBatch};
use model::{Table, schema};

use super::super::judge::Judge;
use super::super::stream::Stream;
use super::known::Known;
use super::sets::{Run, Sets};
use super::{Data, Kind, Metric, words};
use crate::canonical::Canonical;
use crate::columns::{self, Attributes, Id, Ids, NotUtf8, OptionalText, Rest, Text, Validity};
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
    pub(super) fn new(stream: &Stream, metric: &Metric<'a>, kind: Kind, data: Data) -> Self {
        let temporality = match data.temporality {
            1 => Some(Reader::start(&words::DELTA.0, words::DELTA.1)),
            2 => Some(Reader::start(&words::CUMULATIVE.0, words::CUMULATIVE.1)),
            _ => None,
        };
        let kind_text = kind.word();
        let is_monotonic = (kind == Kind::Sum).then_some(data.is_monotonic);
        let mut canonical = Canonical::default();
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
    /// Sets, in rows that follow each other, of which the last rows were made; their attributes are
    /// copied together.
    pending: Range<usize>,
    /// Whether the last row was made for the point being read.
    is_fresh: bool,
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
        self.known.reserve(rows + rest.records, &self.series_id);
        self.is_monotonic.reserve(rest.records);
        self.attributes.reserve_like(rows, rest);
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
        let row = self.rows();
        let found = sets.find(attributes);
        let set = match found {
            Some(set) => sets.id(set),
            None => {
                self.copy_pending(sets);
                sets.read(&mut self.attributes, owner.kind.attributes_tag(), attributes, judge)?
            }
        };
        self.canonical.restart(&owner.identity);
        self.canonical.part(&set);
        let id = self.canonical.id();
        if let Some(known) = self.known.find_or_add(&id, &self.series_id) {
            self.is_fresh = false;
            if found.is_none() {
                self.attributes.truncate(row);
            }
            return Ok(known);
        }
        if let Some(set) = found {
            if self.pending.end != set {
                self.copy_pending(sets);
                self.pending = set..set;
            }
            self.pending.end += 1;
        }
        self.is_fresh = true;
        self.push(&id, time);
        Ok(u32::try_from(row).unwrap_or(u32::MAX))
    }

    /// Copies the attributes of rows that were made of sets.
    fn copy_pending(&mut self, sets: &Sets) {
        let pending = std::mem::take(&mut self.pending);
        self.attributes.copy_rows(sets.attributes(), pending);
    }

    #[inline(always)]
    fn push(&mut self, id: &Id<16>, time: i64) {
        self.time.push(time);
        self.series_id.push(id);
    }

    /// Fills the columns that all series of a metric share, for the rows that were made since.
    pub(super) fn share(&mut self, owner: &Owner<'_>, sets: &Sets) {
        self.copy_pending(sets);
        let rows = self.rows();
        self.stream.resize(rows, owner.stream);
        self.name.fill(owner.name, rows);
        self.unit.fill(owner.unit, rows);
        self.description.fill(owner.description, rows);
        self.kind.fill(owner.kind_text, rows);
        self.temporality.fill(owner.temporality, rows);
        while self.is_monotonic.len() < rows {
            self.has_monotonic.push(self.is_monotonic.len(), owner.is_monotonic.is_some());
            self.is_monotonic.push(owner.is_monotonic.unwrap_or_default());
        }
    }

    /// A point of the series at `time` was accepted.
    #[inline(always)]
    pub(super) fn seen(&mut self, row: u32, time: i64) {
        if let Some(first) = self.time.get_mut(row as usize) {
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
    pub(super) fn truncate(&mut self, rows: usize, sets: &Sets) {
        self.copy_pending(sets);
        if self.is_fresh
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
