use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{BooleanArray, RecordBatch};
use model::{Table, schema};

use super::super::judge::{Judge, Reason};
use super::super::stream::Stream;
use super::series_hash::Seeded;
use super::{Data, Kind, Metric};
use crate::canonical::Canonical;
use crate::columns::{self, Attributes, Id, Ids, NotUtf8, OptionalText, Rest, Text, Validity};
use crate::proto::Reader;

/// What the series of a metric share.
pub(super) struct Owner<'a> {
    pub(super) kind: Kind,
    stream: u32,
    name: Reader<'a>,
    description: Reader<'a>,
    unit: Reader<'a>,
    temporality: Option<&'static str>,
    is_monotonic: Option<bool>,
    /// Hash of all that identifies a series of it, but for the point's attributes.
    identity: Id<16>,
}

impl<'a> Owner<'a> {
    pub(super) fn new(stream: &Stream, metric: &Metric<'a>, kind: Kind, data: Data) -> Self {
        let temporality = match data.temporality {
            1 => Some("delta"),
            2 => Some("cumulative"),
            _ => None,
        };
        let is_monotonic = (kind == Kind::Sum).then_some(data.is_monotonic);
        let mut canonical = Canonical::default();
        canonical.restart(&stream.identity);
        canonical.text(metric.name.bytes());
        canonical.text(metric.unit.bytes());
        canonical.text(kind.as_str().as_bytes());
        canonical.text(temporality.unwrap_or("").as_bytes());
        canonical.byte(u8::from(data.is_monotonic));
        let Metric { name, description, unit, .. } = *metric;
        Self {
            kind,
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

/// Columns of [`Table::Series`]. The open row of `attributes` is that of the point being read.
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
    pub(super) attributes: Attributes,
    known: HashMap<Id<16>, u32, Seeded>,
    canonical: Canonical,
    /// Id of the last row if it was made for the point being read.
    fresh: Option<Id<16>>,
}

impl Series {
    pub(super) fn rows(&self) -> usize {
        self.stream.len()
    }

    pub(super) fn expect(&mut self, rest: Rest) {
        let rows = self.rows();
        self.stream.reserve(rest.records);
        self.time.reserve(rest.records);
        self.series_id.reserve(rest.records);
        self.known.reserve(rest.records);
        self.is_monotonic.reserve(rest.records);
        if rows > 0 {
            self.attributes.reserve_like(rows, rest);
        }
    }

    /// The row of the series that a point belongs to, whose attributes have been read; a new one if
    /// it is the first.
    #[inline(always)]
    pub(super) fn resolve(&mut self, owner: &Owner<'_>, time: i64, judge: &mut Judge<'_>) -> u32 {
        let row = self.rows();
        let sent = self.attributes.end_row_sorted();
        if sent > judge.limits.attributes_max {
            judge.reject(Reason::TooManyAttributes, sent as u64);
        }
        self.canonical.restart(&owner.identity);
        self.canonical.sorted_attributes(self.attributes.row_len(row), self.attributes.row(row));
        let id = self.canonical.id();
        match self.known.entry(id) {
            Entry::Occupied(known) => {
                let known = *known.get();
                self.fresh = None;
                self.attributes.truncate(row);
                known
            }
            Entry::Vacant(slot) => {
                let new = u32::try_from(row).unwrap_or(u32::MAX);
                slot.insert(new);
                self.fresh = Some(id);
                self.push(owner, &id, time);
                new
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, owner: &Owner<'_>, id: &Id<16>, time: i64) {
        self.stream.push(owner.stream);
        self.time.push(time);
        self.series_id.push(id);
        self.name.push(owner.name);
        self.unit.push(owner.unit);
        self.description.push(owner.description);
        self.kind.push_bytes(owner.kind.as_str().as_bytes());
        match owner.temporality {
            Some(temporality) => self.temporality.push(temporality.as_bytes()),
            None => self.temporality.push_null(),
        }
        self.has_monotonic.push(self.is_monotonic.len(), owner.is_monotonic.is_some());
        self.is_monotonic.push(owner.is_monotonic.unwrap_or_default());
    }

    /// A point of the series at `time` was accepted.
    #[inline(always)]
    pub(super) fn seen(&mut self, row: u32, time: i64) {
        if let Some(first) = self.time.get_mut(row as usize) {
            *first = time.min(*first);
        }
    }

    pub(super) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let checked = [
            self.name.check_tail(),
            self.unit.check_tail(),
            self.description.check_tail(),
            self.attributes.check_tail(),
        ];
        checked.into_iter().collect()
    }

    #[cold]
    pub(super) fn truncate(&mut self, rows: usize) {
        if let Some(id) = self.fresh.take() {
            self.known.remove(&id);
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
