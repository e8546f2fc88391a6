use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, MapArray};
use arrow_schema::{DataType, FieldRef};

use super::list::struct_of;
use super::{NotUtf8, Offsets, OptionalText, Rest, Text};
use crate::proto::Reader;

/// Up to this many keys are compared each with each.
const PAIRWISE_MAX: usize = 16;

/// A column of attributes: a map from text to text or null in each row.
///
/// Keys are unique within a row: of several entries with one key the last is kept, as in the
/// OpenTelemetry SDKs.
///
/// Most rows have the keys of the row before. As long as this is so for the open row, its keys are
/// only compared, and such rows are only counted: the keys of all are written together when another
/// row comes, or when they are asked for ([`Attributes::settle`]).
#[derive(Default)]
pub(crate) struct Attributes {
    ends: Offsets,
    keys: Text,
    pub(crate) values: OptionalText,
    /// The keys of the row before.
    before: Text,
    /// What comes before the values in the attributes of the row before, one after another: field 1
    /// with the key, and the key of field 2.
    beginnings: Vec<u8>,
    beginning_lengths: Vec<u8>,
    /// Where in `beginnings` the next one is.
    beginning: usize,
    /// How many rows were ended that have the keys of the row before and are not in `keys` yet.
    repeats: usize,
    /// How many entries of the open row have the keys of the row before and are not in `keys` yet.
    same: usize,
    /// An entry of the open row has another key than the row before.
    differs: bool,
    /// Where entries are put in another order.
    spare: (Text, OptionalText),
}

impl Attributes {
    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Makes room for what the rest has if it is like the first `records`.
    pub(crate) fn reserve_like(&mut self, records: usize, rest: Rest) {
        self.settle();
        self.ends.reserve(rest.records);
        self.keys.reserve_like(records, rest);
        self.values.text.reserve_like(records, rest);
    }

    /// Begins an entry of the open row; its value must follow.
    #[inline(always)]
    pub(crate) fn key(&mut self, key: Reader<'_>) {
        if !self.differs && self.before.is_row(self.same, key.bytes()) {
            self.same_key();
        } else {
            self.other_key(key);
        }
    }

    /// How the next attribute of the open row begins if it has the key that is next in the row
    /// before: see [`Reader::expected_attribute`].
    #[inline(always)]
    pub(crate) fn expected(&self) -> Option<&[u8]> {
        let length = *self.beginning_lengths.get(self.same)?;
        self.beginnings.get(self.beginning..self.beginning + usize::from(length))
    }

    /// Begins an entry of the open row that has the key that is next in the row before.
    #[inline(always)]
    pub(crate) fn same_key(&mut self) {
        let length = self.beginning_lengths.get(self.same).copied().unwrap_or_default();
        self.beginning += usize::from(length);
        self.same += 1;
    }

    #[inline(never)]
    fn other_key(&mut self, key: Reader<'_>) {
        self.copy_same();
        self.differs = true;
        // Nothing is expected any more.
        self.beginning_lengths.clear();
        self.keys.push(key);
    }

    /// Writes the keys of the rows that were only counted.
    #[inline(always)]
    pub(crate) fn settle(&mut self) {
        if self.repeats > 0 {
            self.keys.repeat(&self.before, std::mem::take(&mut self.repeats));
        }
    }

    /// Copies the keys that the open row has in common with the row before.
    #[inline(always)]
    fn copy_same(&mut self) {
        self.settle();
        self.keys.extend(&self.before, 0..self.same);
        self.same = 0;
        self.beginning = 0;
    }

    /// Entries of the open row.
    #[inline(always)]
    fn open(&self) -> Range<usize> {
        self.ends.end_of(self.ends.len())..self.values.text.len()
    }

    /// Ends the open row; says how many entries were sent.
    #[inline(always)]
    pub(crate) fn end_row(&mut self) -> usize {
        let open = self.open();
        if !self.differs && self.same == self.before.len() {
            self.repeats += 1;
            self.same = 0;
            self.beginning = 0;
        } else {
            self.copy_same();
            if self.differs {
                self.remove_duplicates(open.clone());
                self.remember();
            }
        }
        self.ends.push(self.values.text.len());
        open.len()
    }

    /// Keeps the open row's keys for the next one.
    fn remember(&mut self) {
        self.before.truncate(0);
        self.beginnings.clear();
        self.beginning_lengths.clear();
        for entry in self.open() {
            let key = self.keys.row(entry);
            self.before.push_bytes(key);
            let length = match u8::try_from(key.len()) {
                Ok(length @ 0..0x80) => {
                    self.beginnings.extend_from_slice(&[0x0a, length]);
                    self.beginnings.extend_from_slice(key);
                    self.beginnings.push(0x12);
                    length + 3
                }
                // None begins so: it is compared as other keys are.
                _ => 0,
            };
            self.beginning_lengths.push(length);
        }
        self.differs = false;
    }

    /// Ends the open row with its entries in the order of their keys; says how many were sent.
    #[inline(always)]
    pub(crate) fn end_row_sorted(&mut self) -> usize {
        let open = self.open();
        self.copy_same();
        if self.differs {
            self.sort(open.clone());
            self.remember();
        }
        self.ends.push(self.keys.len());
        open.len()
    }

    #[inline(never)]
    fn sort(&mut self, open: Range<usize>) {
        let mut order: Vec<usize> = open.clone().collect();
        order.sort_by_key(|entry| self.keys.row(*entry));
        // The sort is stable: the last of several equal keys is the one that was sent last.
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        for entry in order {
            match kept.last_mut() {
                Some(last) if self.keys.row(*last) == self.keys.row(entry) => *last = entry,
                _ => kept.push(entry),
            }
        }
        if kept.len() < open.len() || !kept.is_sorted() {
            self.rewrite(open.start, &kept);
        }
    }

    #[inline(never)]
    fn remove_duplicates(&mut self, open: Range<usize>) {
        let kept: Vec<usize> = if open.len() <= PAIRWISE_MAX {
            let replaced = |entry: usize| {
                (entry + 1..open.end).any(|later| self.keys.row(later) == self.keys.row(entry))
            };
            if !open.clone().any(replaced) {
                return;
            }
            open.clone().filter(|entry| !replaced(*entry)).collect()
        } else {
            let mut last = HashMap::with_capacity(open.len());
            last.extend(open.clone().map(|entry| (self.keys.row(entry), entry)));
            open.clone().filter(|entry| last.get(self.keys.row(*entry)) == Some(entry)).collect()
        };
        if kept.len() < open.len() {
            self.rewrite(open.start, &kept);
        }
    }

    /// Replaces the open row's entries, which begin at `start`, by these of them.
    fn rewrite(&mut self, start: usize, kept: &[usize]) {
        let (mut keys, mut values) = std::mem::take(&mut self.spare);
        keys.truncate(0);
        values.truncate(0);
        for entry in kept {
            keys.extend(&self.keys, *entry..entry + 1);
            values.extend(&self.values, *entry..entry + 1);
        }
        self.keys.truncate(start);
        self.values.truncate(start);
        self.keys.extend(&keys, 0..kept.len());
        self.values.extend(&values, 0..kept.len());
        self.spare = (keys, values);
    }

    /// Appends rows of another column.
    #[inline(always)]
    pub(crate) fn copy_rows(&mut self, other: &Self, rows: Range<usize>) {
        debug_assert_eq!(other.repeats, 0, "settled");
        self.settle();
        let entries = other.ends.end_of(rows.start)..other.ends.end_of(rows.end);
        let (from, to) = (entries.start, self.keys.len());
        self.keys.extend(&other.keys, entries.clone());
        self.values.extend(&other.values, entries);
        self.ends.extend(&other.ends, rows, from, to);
    }

    /// Entries of all rows that were ended.
    pub(crate) fn entries(&self) -> usize {
        self.ends.end_of(self.ends.len())
    }

    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.text.bytes()
    }

    /// Forgets the open row's entries.
    fn abandon(&mut self) {
        let ended = self.ends.end_of(self.ends.len());
        self.keys.truncate(ended);
        self.values.truncate(ended);
        self.same = 0;
        self.beginning = 0;
    }

    /// Cuts back to the first `rows` rows; forgets the open one.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.settle();
        self.ends.truncate(rows);
        self.abandon();
    }

    /// How many entries a row has.
    #[inline(always)]
    pub(crate) fn row_len(&self, row: usize) -> usize {
        self.ends.range(row).len()
    }

    /// Entries of a row, in its order. Rows must be settled.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        debug_assert_eq!(self.repeats, 0, "settled");
        self.ends.range(row).map(|entry| (self.keys.row(entry), self.values.row(entry)))
    }

    pub(crate) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        self.settle();
        // Both, so that both are known to be checked.
        let keys = self.keys.check_tail();
        self.values.text.check_tail().and(keys)
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef, NotUtf8> {
        self.settle();
        static ENTRIES: LazyLock<FieldRef> = LazyLock::new(|| match model::schema::attributes_type() {
            DataType::Map(entries, _) => entries,
            _ => unreachable!("attributes are a map"),
        });
        let columns = vec![self.keys.finish()?, self.values.finish()?];
        let entries = struct_of(&ENTRIES, columns);
        let map = MapArray::try_new(Arc::clone(&ENTRIES), self.ends.finish(), entries, None, false);
        Ok(Arc::new(map.expect("the entries are made for this type")))
    }
}
