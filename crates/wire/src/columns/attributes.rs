use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, MapArray};
use arrow_schema::{DataType, FieldRef};

use super::list::struct_of;
use super::{NotUtf8, Offsets, OptionalText, Rest, Text};
use crate::proto::{Block, Reader};

/// Up to this many keys are compared each with each.
const PAIRWISE_MAX: usize = 16;

/// A column of attributes: a map from text to text or null in each row.
///
/// Keys are unique within a row: of several entries with one key the last is kept, as in the
/// OpenTelemetry SDKs.
#[derive(Default)]
pub(crate) struct Attributes {
    ends: Offsets,
    keys: Text,
    pub(crate) values: OptionalText,
    seen: Seen,
}

/// Fingerprints of the open row's keys. Tells cheaply that all keys differ, which is so in nearly
/// every row; else they are compared.
#[derive(Default)]
struct Seen {
    bits: [u64; 4],
    twice: bool,
}

impl Seen {
    #[inline(always)]
    fn add(&mut self, fingerprint: u8) {
        let word = &mut self.bits[usize::from(fingerprint >> 6)];
        let bit = 1 << (fingerprint & 63);
        self.twice |= *word & bit != 0;
        *word |= bit;
    }
}

/// Eight bits that are equal for equal keys and seldom for others.
#[inline(always)]
fn fingerprint(block: &Block, length: usize) -> u8 {
    let word = |at: usize| {
        let bytes = block.get(at..).and_then(<[u8]>::first_chunk::<8>);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let mask = if length < 8 { (1 << (8 * length)) - 1 } else { u64::MAX };
    let (first, last) = (word(0) & mask, word(length.saturating_sub(8)) & mask);
    let mixed = first ^ last.rotate_left(29) ^ length as u64;
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
}

impl Attributes {
    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Makes room for what the rest has if it is like the first `records`.
    pub(crate) fn reserve_like(&mut self, records: usize, rest: Rest) {
        self.ends.reserve(rest.records);
        self.keys.reserve_like(records, rest);
        self.values.text.reserve_like(records, rest);
    }

    /// Begins an entry of the open row; its value must follow.
    #[inline(always)]
    pub(crate) fn key(&mut self, key: Reader<'_>) {
        match key.block() {
            Some(block) => {
                self.seen.add(fingerprint(block, key.len()));
                self.keys.push_block(block, key.len());
            }
            None => self.long_key(key),
        }
    }

    /// A long key, or one near the end of the body: whether it is another's is found by comparing.
    #[inline(never)]
    fn long_key(&mut self, key: Reader<'_>) {
        self.seen.twice = true;
        self.keys.push(key);
    }

    /// Entries of the open row.
    #[inline(always)]
    fn open(&self) -> Range<usize> {
        self.ends.end_of(self.ends.len())..self.keys.len()
    }

    /// Ends the open row; says how many entries were sent.
    #[inline(always)]
    pub(crate) fn end_row(&mut self) -> usize {
        let open = self.open();
        if self.seen.twice {
            self.remove_duplicates(open.clone());
        }
        self.seen = Seen::default();
        self.ends.push(self.keys.len());
        open.len()
    }

    /// Ends the open row with its entries in the order of their keys; says how many were sent.
    #[inline(always)]
    pub(crate) fn end_row_sorted(&mut self) -> usize {
        let open = self.open();
        let mut entries = open.clone();
        let mut sorted = true;
        if let Some(first) = entries.next() {
            let mut before = self.keys.row(first);
            for entry in entries {
                let key = self.keys.row(entry);
                sorted &= before < key;
                before = key;
            }
        }
        if !sorted {
            self.sort(open.clone());
        }
        self.seen = Seen::default();
        self.ends.push(self.keys.len());
        open.len()
    }

    #[inline(never)]
    fn sort(&mut self, open: Range<usize>) {
        let mut order: Vec<usize> = open.collect();
        order.sort_by_key(|entry| self.keys.row(*entry));
        // The sort is stable: the last of several equal keys is the one that was sent last.
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        for entry in order {
            match kept.last_mut() {
                Some(last) if self.keys.row(*last) == self.keys.row(entry) => *last = entry,
                _ => kept.push(entry),
            }
        }
        self.rewrite(&kept);
    }

    #[inline(never)]
    fn remove_duplicates(&mut self, open: Range<usize>) {
        let kept: Vec<usize> = if open.len() <= PAIRWISE_MAX {
            let replaced = |entry: usize| {
                (entry + 1..open.end).any(|later| self.keys.row(later) == self.keys.row(entry))
            };
            open.clone().filter(|entry| !replaced(*entry)).collect()
        } else {
            let mut last = HashMap::with_capacity(open.len());
            last.extend(open.clone().map(|entry| (self.keys.row(entry), entry)));
            open.clone().filter(|entry| last.get(self.keys.row(*entry)) == Some(entry)).collect()
        };
        if kept.len() < open.len() {
            self.rewrite(&kept);
        }
    }

    /// Replaces the open row's entries by these of them.
    fn rewrite(&mut self, kept: &[usize]) {
        let copy =
            |entry: &usize| (self.keys.row(*entry).to_vec(), self.values.row(*entry).map(<[u8]>::to_vec));
        let entries: Vec<_> = kept.iter().map(copy).collect();
        self.abandon();
        for (key, value) in entries {
            self.keys.push_bytes(&key);
            match value {
                Some(value) => self.values.push(&value),
                None => self.values.push_null(),
            }
        }
    }

    /// Forgets the open row's entries.
    fn abandon(&mut self) {
        let ended = self.ends.end_of(self.ends.len());
        self.keys.truncate(ended);
        self.values.truncate(ended);
        self.seen = Seen::default();
    }

    /// Cuts back to the first `rows` rows; forgets the open one.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.abandon();
    }

    /// How many entries a row has.
    #[inline(always)]
    pub(crate) fn row_len(&self, row: usize) -> usize {
        self.ends.range(row).len()
    }

    /// Entries of a row, in its order.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.ends.range(row).map(|entry| (self.keys.row(entry), self.values.row(entry)))
    }

    pub(crate) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        // Both, so that both are known to be checked.
        let keys = self.keys.check_tail();
        self.values.text.check_tail().and(keys)
    }

    pub(crate) fn finish(self) -> Result<ArrayRef, NotUtf8> {
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
