use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::bits::Levels;
use super::page::{Codec, Column, Page};
use super::source::{MapSource, Maps};
use super::texts::Values;
use super::{AHEAD, BLOCK_ROWS, Encoded, Group};
use crate::courtesy::give_way;
use crate::segment::properties::treatment;

/// Definition levels: an empty map, an entry (of the keys) or a null (of the values), a value.
const EMPTY: u64 = 0;
const ENTRY: u64 = 1;
const VALUE: u64 = 2;
/// Stands for a null among places in a dictionary.
const NO_VALUE: u32 = u32::MAX;

/// A column of maps of text to text: its keys and its values.
pub(super) fn encode(
    group: &Group<'_>,
    source: &MapSource<'_>,
    leaves: &[ColumnDescPtr],
    codec: &mut Codec,
) -> Result<Vec<Encoded>> {
    if source.is_empty() {
        let mut nothing = |leaf| Column::new(leaf, treatment(leaf)).nothing(codec, group.len());
        return leaves.iter().map(&mut nothing).collect();
    }
    let mut writer = Writer::new(leaves);
    let mut cache: Vec<Option<Row>> = Vec::new();
    cache.resize_with(source.owners().unwrap_or(0), || None);
    for (number, (pick, owner)) in group.picks.iter().zip(&group.owners).enumerate() {
        if number % BLOCK_ROWS == 0 {
            give_way();
        }
        if number % AHEAD == 0 {
            source.touch(&group.picks[number..group.len().min(number + AHEAD)]);
        }
        let (maps, row) = source.get(*pick, *owner);
        let entries = maps.entries(row);
        writer.begin_row(entries.len(), codec)?;
        if entries.is_empty() {
            continue;
        }
        let known = cache.get(*owner as usize).and_then(Option::as_ref);
        match known.filter(|_| writer.is_interning()) {
            Some(known) => writer.repeat(known),
            None => {
                writer.put_keys(maps, entries.clone());
                writer.put_values(maps, entries);
                if let Some(place) = cache.get_mut(*owner as usize) {
                    *place = Some(writer.row.clone());
                }
            }
        }
    }
    writer.finish(codec)
}

/// Places in the dictionaries of a row's entries.
#[derive(Clone, Default)]
struct Row {
    keys: Vec<u32>,
    values: Vec<u32>,
}

/// One of the two columns.
struct Side {
    column: Column,
    values: Values,
    repetitions: Levels,
    definitions: Levels,
    page: Page,
    used_dictionary: bool,
}

/// Both columns; their pages end at the same rows.
struct Writer {
    keys: Side,
    values: Side,
    /// Whether every row of the page is empty.
    empty: bool,
    /// The row that was put last, where dictionaries are used.
    row: Row,
    /// Keys of rows before: senders have few sets of them, which alternate.
    sets: Vec<KeySet>,
    /// Which of them gives way to the next one.
    oldest: usize,
}

/// How many sets of keys are remembered.
const KEY_SETS: usize = 8;
/// And how long their keys are at most.
const KEY_SET_BYTES: usize = 4 << 10;

/// The keys of a row.
#[derive(Default)]
struct KeySet {
    /// All bytes, and where each begins and ends.
    bytes: Vec<u8>,
    ends: Vec<i32>,
    /// Their places in the dictionary.
    ids: Vec<u32>,
}

impl KeySet {
    /// Whether these are the keys; ends count from the first.
    fn is(&self, bytes: &[u8], ends: &[i32]) -> bool {
        let base = ends.first().copied().unwrap_or(0);
        self.bytes.len() == bytes.len()
            && self.ends.len() == ends.len()
            && self.bytes == bytes
            && self.ends.iter().zip(ends).all(|(own, end)| *own == end - base)
    }
}

impl Side {
    fn new(leaf: &ColumnDescPtr) -> Self {
        let column = Column::new(leaf, treatment(leaf));
        Self {
            values: Values::new(column.treatment.dictionary),
            repetitions: column.repetition_levels(),
            definitions: column.definition_levels(),
            column,
            page: Page::default(),
            used_dictionary: false,
        }
    }

    fn end_page(&mut self, codec: &mut Codec) -> Result<()> {
        self.repetitions.drain_into(&mut self.page.body);
        self.definitions.drain_into(&mut self.page.body);
        let encoding = self.values.drain_into(&mut self.page.body);
        self.used_dictionary |= encoding == parquet::basic::Encoding::RLE_DICTIONARY;
        self.column.page(codec, &self.page, encoding, None)?;
        self.page.renew();
        Ok(())
    }

    fn finish(self, codec: &mut Codec) -> Result<Encoded> {
        self.column.finish(codec, self.values.dictionary(self.used_dictionary), None)
    }
}

impl Writer {
    fn new(leaves: &[ColumnDescPtr]) -> Self {
        Self {
            keys: Side::new(&leaves[0]),
            values: Side::new(&leaves[1]),
            empty: true,
            row: Row::default(),
            sets: Vec::new(),
            oldest: 0,
        }
    }

    fn is_interning(&self) -> bool {
        self.keys.values.is_interning() && self.values.values.is_interning()
    }

    /// Begins a row of so many entries: all but the levels of the values, which may be null.
    fn begin_row(&mut self, entries: usize, codec: &mut Codec) -> Result<()> {
        let rows = self.keys.page.rows;
        let full = rows >= codec.page_rows() || self.keys.values.is_full() || self.values.values.is_full();
        if full && !(self.empty && entries == 0) {
            self.end_page(codec)?;
        }
        self.empty &= entries == 0;
        for side in [&mut self.keys, &mut self.values] {
            side.page.rows += 1;
            side.page.entries += entries.max(1);
            side.repetitions.put(0);
            side.repetitions.put_run(1, entries.saturating_sub(1));
        }
        if entries == 0 {
            self.keys.definitions.put(EMPTY);
            self.values.definitions.put(EMPTY);
        } else {
            self.keys.definitions.put_run(ENTRY, entries);
        }
        Ok(())
    }

    /// Keys are mostly those of a row shortly before.
    fn put_keys(&mut self, maps: &Maps<'_>, entries: std::ops::Range<usize>) {
        let (bytes, ends) = maps.keys.run(entries.start, entries.end);
        self.row.keys.clear();
        let interning = self.keys.values.is_interning();
        if let Some(known) = self.sets.iter().find(|set| interning && set.is(bytes, ends)) {
            self.keys.values.push_ids(&known.ids);
            self.row.keys.extend_from_slice(&known.ids);
            return;
        }
        let base = ends.first().copied().unwrap_or(0);
        for pair in ends.windows(2) {
            let key = &bytes[(pair[0] - base) as usize..(pair[1] - base) as usize];
            match self.keys.values.intern(key) {
                Some(id) => {
                    self.keys.values.push_id(id);
                    self.row.keys.push(id);
                }
                None => self.keys.values.push_plain(key),
            }
        }
        if interning && bytes.len() <= KEY_SET_BYTES {
            self.remember(bytes, ends);
        }
    }

    /// The keys of this row may be those of the next ones.
    fn remember(&mut self, bytes: &[u8], ends: &[i32]) {
        if self.sets.len() < KEY_SETS {
            self.sets.push(KeySet::default());
        }
        let set = &mut self.sets[self.oldest];
        self.oldest = (self.oldest + 1) % KEY_SETS;
        let base = ends.first().copied().unwrap_or(0);
        set.bytes.clear();
        set.bytes.extend_from_slice(bytes);
        set.ends.clear();
        set.ends.extend(ends.iter().map(|end| end - base));
        set.ids.clear();
        set.ids.extend_from_slice(&self.row.keys);
    }

    fn put_values(&mut self, maps: &Maps<'_>, entries: std::ops::Range<usize>) {
        self.row.values.clear();
        let all_valid = maps.values.has_no_nulls();
        if all_valid {
            self.values.definitions.put_run(VALUE, entries.len());
            if !self.values.values.is_interning() {
                let (bytes, ends) = maps.values.run(entries.start, entries.end);
                return self.values.values.push_plain_run(bytes, ends);
            }
        }
        for entry in entries {
            let Some(value) = maps.values.get(entry) else {
                self.put_null();
                self.row.values.push(NO_VALUE);
                continue;
            };
            if !all_valid {
                self.values.definitions.put(VALUE);
            }
            match self.values.values.intern(value) {
                Some(id) => {
                    self.values.values.push_id(id);
                    self.row.values.push(id);
                }
                None => self.values.values.push_plain(value),
            }
        }
    }

    fn put_null(&mut self) {
        self.values.definitions.put(ENTRY);
        self.values.page.nulls += 1;
    }

    /// Puts a row that was put before.
    fn repeat(&mut self, known: &Row) {
        self.keys.values.push_ids(&known.keys);
        if known.values.contains(&NO_VALUE) {
            for id in &known.values {
                if *id == NO_VALUE {
                    self.put_null();
                } else {
                    self.values.definitions.put(VALUE);
                    self.values.values.push_id(*id);
                }
            }
        } else {
            self.values.definitions.put_run(VALUE, known.values.len());
            self.values.values.push_ids(&known.values);
        }
    }

    fn end_page(&mut self, codec: &mut Codec) -> Result<()> {
        self.empty = true;
        self.keys.end_page(codec)?;
        self.values.end_page(codec)
    }

    fn finish(mut self, codec: &mut Codec) -> Result<Vec<Encoded>> {
        if self.keys.page.rows > 0 {
            self.end_page(codec)?;
        }
        Ok(vec![self.keys.finish(codec)?, self.values.finish(codec)?])
    }
}
