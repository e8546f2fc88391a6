use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{BooleanArray, RecordBatch};
use model::{Table, schema};
use xxhash_rust::xxh3::xxh3_128;

use super::labels::Sets;
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
    description: Text,
    attributes: Attributes,
    known: Known,
    /// Sets of labels, in rows that follow each other, of which the last rows were made; they are
    /// copied together.
    pending: Range<usize>,
}

impl Series {
    /// The row of the series with these labels, of which a point at `time` was accepted.
    #[inline(always)]
    pub(super) fn row(&mut self, set: usize, time: i64, description: Reader<'_>, sets: &Sets) -> u32 {
        let id = sets.id(set);
        match self.known.find_or_add(id, &self.series_id) {
            Some(row) => {
                if let Some(first) = self.time.get_mut(row as usize) {
                    *first = time.min(*first);
                }
                row
            }
            None => self.add(set, time, description, sets),
        }
    }

    #[inline(never)]
    fn add(&mut self, set: usize, time: i64, description: Reader<'_>, sets: &Sets) -> u32 {
        let row = self.time.len();
        self.series_id.push(sets.id(set));
        self.service.push(self.services.row(sets.service(set)));
        self.time.push(time);
        self.name.push_bytes(sets.name(set));
        self.description.push(description);
        if self.pending.end != set {
            self.settle(sets);
            self.pending = set..set;
        }
        self.pending.end += 1;
        u32::try_from(row).unwrap_or(u32::MAX)
    }

    /// Copies the labels of the rows made so far. Before a set becomes another one this must be done.
    pub(super) fn settle(&mut self, sets: &Sets) {
        let pending = std::mem::take(&mut self.pending);
        self.attributes.copy_rows(sets.labels(), pending);
    }

    /// The streams and the series; [`Series::settle`] comes before.
    pub(super) fn finish(self) -> (RecordBatch, RecordBatch) {
        let rows = self.time.len();
        let (mut unit, mut kind, mut temporality) =
            (Text::default(), Text::default(), OptionalText::default());
        let mut has_monotonic = Validity::default();
        unit.fill(Reader::EMPTY, rows);
        kind.fill(Reader::start(&words::UNKNOWN.0, words::UNKNOWN.1), rows);
        temporality.fill(None, rows);
        has_monotonic.push_n(0, rows, false);
        let columns = vec![
            columns::numbers::<UInt32Type>(self.service),
            columns::numbers::<Int64Type>(self.time),
            self.series_id.finish(),
            self.name.finish().expect(CHECKED),
            unit.finish().expect(CHECKED),
            self.description.finish().expect(CHECKED),
            kind.finish().expect(CHECKED),
            temporality.finish().expect(CHECKED),
            Arc::new(BooleanArray::new(vec![false; rows].into(), has_monotonic.finish())),
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
