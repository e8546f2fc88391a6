use parquet::basic::Encoding;
use parquet::errors::Result;

use super::bits::{Levels, indices};
use super::delta::length_byte_array;
use super::dictionary::Dictionary;
use super::numbers::Bounds;
use super::page::{Codec, Column, Page, PageBounds};
use super::source::{TextSource, Uniform};
use super::{AHEAD, BLOCK_ROWS, Encoded, Group, PAGE_BYTES};
use crate::courtesy::give_way;

/// Bytes of a dictionary from which on values are written as they are.
const DICTIONARY_BYTES: usize = 512 << 10;
/// Values of a first page that say whether a dictionary is worth it.
const SAMPLE: usize = 256;
/// Longest least or greatest value that is kept.
const BOUND_BYTES: usize = 64;
/// A place of a cache that is not filled yet.
const UNKNOWN: u32 = u32::MAX;

/// Values of a page: places in the dictionary, or the texts.
pub(super) struct Values {
    dictionary: Option<Dictionary>,
    /// Whether this page and those after it use the dictionary.
    interning: bool,
    ids: Vec<u32>,
    mixed: bool,
    lengths: Vec<i64>,
    bytes: Vec<u8>,
    /// Values of all pages with the dictionary.
    seen: usize,
}

impl Values {
    pub(super) fn new(has_dictionary: bool) -> Self {
        Self {
            dictionary: has_dictionary.then(Dictionary::new),
            interning: has_dictionary,
            ids: Vec::new(),
            mixed: false,
            lengths: Vec::new(),
            bytes: Vec::new(),
            seen: 0,
        }
    }

    /// The place of the value in the dictionary, if one is used.
    #[inline]
    pub(super) fn intern(&mut self, value: &[u8]) -> Option<u32> {
        if self.interning { self.dictionary.as_mut().map(|known| known.intern(value)) } else { None }
    }

    /// Puts a value by its place, several times. When the dictionary was given up since it was
    /// interned, the value is put as it is.
    fn push_run(&mut self, id: u32, times: usize) {
        if !self.interning {
            return (0..times).for_each(|_| self.push_known(id));
        }
        self.mixed |= self.ids.first().is_some_and(|first| *first != id);
        self.ids.resize(self.ids.len() + times, id);
    }

    #[inline]
    pub(super) fn push_id(&mut self, id: u32) {
        self.ids.push(id);
    }

    pub(super) fn push_ids(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
    }

    /// Puts a value as it is.
    #[inline]
    pub(super) fn push_plain(&mut self, value: &[u8]) {
        self.lengths.push(value.len() as i64);
        self.bytes.extend_from_slice(value);
    }

    /// Puts values that follow each other as they are: all bytes, and where each begins and the last ends.
    pub(super) fn push_plain_run(&mut self, bytes: &[u8], ends: &[i32]) {
        self.lengths.extend(ends.windows(2).map(|pair| i64::from(pair[1] - pair[0])));
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether places in the dictionary, once known, may be pushed again.
    pub(super) fn is_interning(&self) -> bool {
        self.interning
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len().max(self.ids.len() * size_of::<u32>()) >= PAGE_BYTES
    }

    /// Appends the page's values to its body and begins a new page.
    pub(super) fn drain_into(&mut self, body: &mut Vec<u8>) -> Encoding {
        if let Some(dictionary) = self.dictionary.as_ref().filter(|_| self.interning) {
            self.seen += self.ids.len();
            if self.seen < SAMPLE || dictionary.len() * 2 <= self.seen {
                indices(body, &self.ids, dictionary.len());
                self.interning = dictionary.plain().len() < DICTIONARY_BYTES;
                self.clear();
                return Encoding::RLE_DICTIONARY;
            }
            self.give_up();
        }
        length_byte_array(body, &self.lengths, &self.bytes);
        self.clear();
        Encoding::DELTA_LENGTH_BYTE_ARRAY
    }

    /// The values of this page are written as they are, and those of all after it. Without an
    /// earlier page that used it there is no dictionary at all.
    fn give_up(&mut self) {
        self.interning = false;
        let Some(dictionary) = &self.dictionary else { return };
        for id in &self.ids {
            let value = dictionary.get(*id);
            self.lengths.push(value.len() as i64);
            self.bytes.extend_from_slice(value);
        }
    }

    #[cold]
    fn push_known(&mut self, id: u32) {
        let Some(dictionary) = &self.dictionary else { return };
        let value = dictionary.get(id);
        self.lengths.push(value.len() as i64);
        self.bytes.extend_from_slice(value);
    }

    /// Whether all values of the page are this one.
    fn stays_uniform(&self, id: u32) -> bool {
        self.lengths.is_empty() && !self.mixed && self.ids.first().is_none_or(|first| *first == id)
    }

    fn clear(&mut self) {
        self.ids.clear();
        self.mixed = false;
        self.lengths.clear();
        self.bytes.clear();
    }

    /// The least and the greatest value of the page.
    fn bounds(&self) -> Option<PageBounds> {
        let (min, max) = match self.dictionary.as_ref().filter(|_| !self.ids.is_empty()) {
            Some(dictionary) => {
                // Files are sorted by such columns: the same value mostly comes in a run.
                range(self.ids.chunk_by(|a, b| a == b).map(|run| dictionary.get(run[0])))?
            }
            None => {
                let mut rest = self.bytes.as_slice();
                range(self.lengths.iter().map(|len| {
                    let (value, tail) = rest.split_at(usize::try_from(*len).unwrap_or(0));
                    rest = tail;
                    value
                }))?
            }
        };
        // A longer one would have to be cut, the greatest upwards.
        let short = max.len() <= BOUND_BYTES && min.len() <= BOUND_BYTES;
        short.then(|| PageBounds { min: min.to_vec(), max: max.to_vec() })
    }

    /// The dictionary page and its entries, if any page used it.
    pub(super) fn dictionary(&self, used: bool) -> Option<(&[u8], usize)> {
        let dictionary = self.dictionary.as_ref().filter(|_| used)?;
        Some((dictionary.plain(), dictionary.len()))
    }
}

/// The least and the greatest.
fn range<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<(&'a [u8], &'a [u8])> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((min, max)) => Some((min.min(value), max.max(value))),
    })
}

/// A column of texts or ids.
pub(super) fn encode(
    group: &Group<'_>,
    source: &TextSource<'_>,
    column: Column,
    codec: &mut Codec,
) -> Result<Encoded> {
    let mut writer = Writer::new(column, codec);
    match source.uniform() {
        Some(Uniform::Null) => writer.push_nulls(group.len())?,
        Some(Uniform::Empty) => match writer.values.intern(b"") {
            Some(id) => writer.push_ids(id, group.len())?,
            None => (0..group.len()).try_for_each(|_| writer.push_plain(b""))?,
        },
        None => encode_rows(group, source, &mut writer)?,
    }
    writer.finish()
}

fn encode_rows(group: &Group<'_>, source: &TextSource<'_>, writer: &mut Writer<'_>) -> Result<()> {
    let mut cache = vec![UNKNOWN; source.owners().unwrap_or(0)];
    // The same value in rows that follow each other is put at once.
    let (mut run, mut times) = (UNKNOWN, 0);
    for (number, (pick, owner)) in group.picks.iter().zip(&group.owners).enumerate() {
        if number % BLOCK_ROWS == 0 {
            give_way();
        }
        if number % AHEAD == 0 {
            source.touch(&group.picks[number..group.len().min(number + AHEAD)]);
        }
        let cached = cache.get(*owner as usize).copied().filter(|id| *id != UNKNOWN);
        let value = match cached.filter(|_| writer.values.is_interning()) {
            Some(id) => Coded::Id(id),
            None => match source.get(*pick, *owner) {
                None => Coded::Null,
                Some(value) => match writer.values.intern(value) {
                    Some(id) => {
                        if let Some(place) = cache.get_mut(*owner as usize) {
                            *place = id;
                        }
                        Coded::Id(id)
                    }
                    None => Coded::Plain(value),
                },
            },
        };
        if let Coded::Id(id) = value
            && id == run
        {
            times += 1;
            continue;
        }
        writer.push_ids(run, std::mem::take(&mut times))?;
        run = UNKNOWN;
        match value {
            Coded::Id(id) => (run, times) = (id, 1),
            Coded::Null => writer.push_nulls(1)?,
            Coded::Plain(value) => writer.push_plain(value)?,
        }
    }
    writer.push_ids(run, times)
}

/// A value on its way into a page.
enum Coded<'a> {
    Null,
    Id(u32),
    Plain(&'a [u8]),
}

/// Pages of a column that is not repeated.
struct Writer<'c> {
    codec: &'c mut Codec,
    column: Column,
    values: Values,
    definitions: Levels,
    page: Page,
    used_dictionary: bool,
    bounds: Option<Bounds>,
    /// Whether every page had bounds, or only nulls.
    bounded: bool,
}

impl<'c> Writer<'c> {
    fn new(column: Column, codec: &'c mut Codec) -> Self {
        Self {
            codec,
            values: Values::new(column.treatment.dictionary),
            definitions: column.definition_levels(),
            bounded: column.treatment.pages,
            column,
            page: Page::default(),
            used_dictionary: false,
            bounds: None,
        }
    }

    /// Puts a value by its place, in several rows.
    fn push_ids(&mut self, id: u32, times: usize) -> Result<()> {
        let mut left = times;
        while left > 0 {
            let uniform = self.values.stays_uniform(id) && self.definitions.stays_uniform(1);
            let rows = self.begin_rows(left, uniform)?;
            self.definitions.put_run(1, rows);
            self.values.push_run(id, rows);
            left -= rows;
        }
        Ok(())
    }

    fn push_plain(&mut self, value: &[u8]) -> Result<()> {
        self.begin_rows(1, false)?;
        self.definitions.put(1);
        self.values.push_plain(value);
        Ok(())
    }

    fn push_nulls(&mut self, times: usize) -> Result<()> {
        let mut left = times;
        while left > 0 {
            let uniform = self.definitions.stays_uniform(0);
            let rows = self.begin_rows(left, uniform)?;
            self.definitions.put_run(0, rows);
            self.page.nulls += rows;
            left -= rows;
        }
        Ok(())
    }

    /// Makes room for rows of one value: all of them in a page in which there is no other, or as
    /// many as the page still takes. How many.
    fn begin_rows(&mut self, wanted: usize, uniform: bool) -> Result<usize> {
        let page_rows = self.codec.page_rows();
        let full = self.page.rows >= page_rows || self.values.is_full();
        if full && !uniform {
            self.end_page()?;
        }
        let uniform = uniform || self.page.rows == 0 && wanted >= page_rows;
        let rows = if uniform { wanted } else { wanted.min(page_rows - self.page.rows) };
        self.page.rows += rows;
        self.page.entries += rows;
        Ok(rows)
    }

    fn end_page(&mut self) -> Result<()> {
        if self.page.rows == 0 {
            return Ok(());
        }
        let bounds = if self.bounded { self.values.bounds() } else { None };
        self.bounded &= bounds.is_some() || self.page.nulls == self.page.rows;
        if let Some(PageBounds { min, max }) = &bounds {
            Bounds::widen(&mut self.bounds, Bounds::Bytes(min.clone(), max.clone()));
        }
        self.definitions.drain_into(&mut self.page.body);
        let encoding = self.values.drain_into(&mut self.page.body);
        self.used_dictionary |= encoding == Encoding::RLE_DICTIONARY;
        self.column.page(self.codec, &self.page, encoding, bounds)?;
        self.page.renew();
        Ok(())
    }

    fn finish(mut self) -> Result<Encoded> {
        self.end_page()?;
        let bounds = self.bounds.filter(|_| self.bounded);
        self.column.finish(self.codec, self.values.dictionary(self.used_dictionary), bounds)
    }
}
