use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{BooleanArray, RecordBatch};
use model::{Table, schema};
use xxhash_rust::xxh3::xxh3_128;

use super::about::{Kind, Told};
use super::labels::{Sets, UNKNOWN_SERVICE};
use crate::canonical::Canonical;
use crate::columns::{self, Attributes, Ids, OptionalText, Text, Validity};
use crate::points::{Known, words};
use crate::proto::Reader;

/// Columns of [`Table::Series`] that differ from series to series.
#[derive(Default)]
pub(super) struct Series {
    services: Services,
    service: Vec<u32>,
    time: Vec<i64>,
    series_id: Ids<16>,
    name: Text,
    unit: Text,
    description: Text,
    kind: Text,
    is_monotonic: Vec<bool>,
    attributes: Attributes,
    known: Known,
    /// Sets of labels, in rows that follow each other, of which the last rows were made; they are
    /// copied together.
    pending: Range<usize>,
}

impl Series {
    /// The row of the series with these labels, of which a point at `time` was accepted.
    #[inline(always)]
    pub(super) fn row(&mut self, set: usize, time: i64, told: Told<'_>, sets: &Sets) -> u32 {
        let id = sets.id(set);
        match self.known.find_or_add(id, &self.series_id) {
            Some(row) => {
                if let Some(first) = self.time.get_mut(row as usize) {
                    *first = time.min(*first);
                }
                row
            }
            None => self.add(set, time, told, sets),
        }
    }

    #[inline(never)]
    fn add(&mut self, set: usize, time: i64, told: Told<'_>, sets: &Sets) -> u32 {
        let row = self.time.len();
        self.series_id.push(sets.id(set));
        self.service.push(self.services.row(sets.service(set)));
        self.time.push(time);
        self.name.push_bytes(sets.name(set));
        self.description.push(told.help);
        if told.kind != Kind::Unknown || !told.unit.is_empty() {
            self.know(row, told);
        }
        if self.pending.end != set {
            self.settle(sets);
            self.pending = set..set;
        }
        self.pending.end += 1;
        u32::try_from(row).unwrap_or(u32::MAX)
    }

    /// A row that says what a metric is, whichever series it has; no point refers to it.
    pub(super) fn describe(&mut self, name: Reader<'_>, told: Told<'_>, time: i64, sets: &Sets) {
        // What is said is what identifies it: of what senders say differently all is kept.
        let kind = told.kind.as_str();
        let (word, length) = &words::METADATA;
        let own_kind = Reader::start(word, *length);
        let mut canonical = Canonical::default();
        [own_kind.bytes(), name.bytes(), kind.as_bytes(), told.help.bytes(), told.unit.bytes()]
            .into_iter()
            .for_each(|text| canonical.text(text));
        let id = canonical.id();
        if self.known.find_or_add(&id, &self.series_id).is_some() {
            return;
        }
        self.settle(sets);
        self.know_nothing(self.time.len());
        self.series_id.push(&id);
        self.service.push(self.services.row(UNKNOWN_SERVICE));
        self.time.push(time);
        self.name.push(name);
        self.description.push(told.help);
        self.unit.push(told.unit);
        self.kind.push(own_kind);
        self.is_monotonic.push(false);
        self.attributes.key(Reader::new(b"type"));
        self.attributes.values.push_text(|to| to.extend_from_slice(kind.as_bytes()));
        self.attributes.end_row_sorted();
    }

    /// Type and unit of a row. Those of rows of which nothing is told are filled in together.
    fn know(&mut self, row: usize, told: Told<'_>) {
        self.know_nothing(row);
        self.unit.push(told.unit);
        self.kind.push(told.kind.word());
        self.is_monotonic.push(told.kind.is_monotonic());
    }

    /// The rows up to this one have no more told of them than they have by now.
    fn know_nothing(&mut self, rows: usize) {
        self.unit.fill(Reader::EMPTY, rows);
        self.kind.fill(Kind::Unknown.word(), rows);
        self.is_monotonic.resize(rows, false);
    }

    /// Copies the labels of the rows made so far. Before a set becomes another one this must be done.
    pub(super) fn settle(&mut self, sets: &Sets) {
        let pending = std::mem::take(&mut self.pending);
        sets.copy_labels(pending, &mut self.attributes);
    }

    /// The streams and the series; [`Series::settle`] comes before.
    pub(super) fn finish(mut self) -> (RecordBatch, RecordBatch) {
        let rows = self.time.len();
        self.know_nothing(rows);
        let (mut temporality, mut has_monotonic) = (OptionalText::default(), Validity::default());
        temporality.fill(None, rows);
        for (row, is_monotonic) in self.is_monotonic.iter().enumerate() {
            has_monotonic.push(row, *is_monotonic);
        }
        let columns = vec![
            columns::numbers::<UInt32Type>(self.service),
            columns::numbers::<Int64Type>(self.time),
            self.series_id.finish(),
            self.name.finish().expect(CHECKED),
            self.unit.finish().expect(CHECKED),
            self.description.finish().expect(CHECKED),
            self.kind.finish().expect(CHECKED),
            temporality.finish().expect(CHECKED),
            Arc::new(BooleanArray::new(self.is_monotonic.into(), has_monotonic.finish())),
            self.attributes.finish().expect(CHECKED),
        ];
        (self.services.finish(), columns::batch(schema::rows(Table::Series), columns))
    }
}

const CHECKED: &str = "text is checked as it is read";

/// Columns of [`schema::streams`]: a stream has a service and nothing else.
#[derive(Default)]
struct Services {
    name: Text,
    stream_id: Ids<16>,
    known: HashMap<Vec<u8>, u32>,
}

impl Services {
    /// The row of a service.
    fn row(&mut self, name: &[u8]) -> u32 {
        // Mostly that of the series before.
        let rows = self.stream_id.len();
        if let Some(last) = rows.checked_sub(1)
            && self.name.is_row(last, name)
        {
            return u32::try_from(last).unwrap_or(u32::MAX);
        }
        if let Some(row) = self.known.get(name) {
            return *row;
        }
        let row = u32::try_from(rows).unwrap_or(u32::MAX);
        self.known.insert(name.to_vec(), row);
        self.name.push_bytes(name);
        self.stream_id.push(&xxh3_128(&[b"prometheus ", name].concat()).to_be_bytes());
        row
    }

    fn finish(self) -> RecordBatch {
        let rows = self.stream_id.len();
        let nothing = || {
            let mut text = Text::default();
            text.fill(Reader::EMPTY, rows);
            text.finish().expect(CHECKED)
        };
        let no_attributes = || {
            let mut attributes = Attributes::default();
            (0..rows).for_each(|_| {
                attributes.end_row();
            });
            attributes.finish().expect(CHECKED)
        };
        let zeros = || columns::numbers::<Int32Type>(vec![0; rows]);
        let columns = vec![
            self.name.finish().expect(CHECKED),
            no_attributes(),
            zeros(),
            nothing(),
            nothing(),
            nothing(),
            no_attributes(),
            zeros(),
            nothing(),
            self.stream_id.finish(),
        ];
        columns::batch(schema::streams(), columns)
    }
}
