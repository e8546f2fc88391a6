//! A column of a row group: which of its pages have wanted rows, and their values.

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::PageLocation;

use super::deltas::{At, Sink, deltas};
use super::page::{Codec, Codecs, Page, Scratch, broken};
use super::values::{cut_off, not_read, numbers, picked, places};

/// Bytes of an id.
const ID_LEN: usize = 16;
/// Of an id in a dictionary: its length comes before it.
const ENTRY_LEN: usize = 4 + ID_LEN;

/// A column of a row group, and the bytes of what is read of it.
pub(super) struct Column<'a> {
    kind: Type,
    compression: Compression,
    may_be_null: bool,
    chunk: &'a ColumnChunkMetaData,
    pages: Vec<PageRows>,
    dictionary: Bytes,
}

/// A page with wanted rows.
struct PageRows {
    /// Which of the row group.
    rows: Range<usize>,
    place: Range<u64>,
    bytes: Bytes,
}

impl PageRows {
    /// Which of its rows a run has.
    fn own(&self, run: &RunRows) -> Range<usize> {
        let (from, to) = (run.rows.start.max(self.rows.start), run.rows.end.min(self.rows.end));
        from - self.rows.start..to - self.rows.start
    }
}

/// Takes the numbers of a page as those of the row group.
struct OfPage<'a, S> {
    /// The number of the first run.
    first: usize,
    start: usize,
    sink: &'a mut S,
}

impl<S> OfPage<'_, S> {
    fn at(&self, at: At) -> At {
        At { range: self.first + at.range, place: self.start + at.place }
    }
}

impl<S: Sink> Sink for OfPage<'_, S> {
    fn numbers(&mut self, at: At, numbers: &[i64]) {
        self.sink.numbers(self.at(at), numbers);
    }

    fn sums(&mut self, at: At, before: i64, deltas: &[i64]) -> i64 {
        self.sink.sums(self.at(at), before, deltas)
    }

    fn steps(&mut self, at: At, before: i64, step: i64, count: usize) {
        self.sink.steps(self.at(at), before, step, count);
    }
}

/// What was read of a file.
pub(super) struct Read {
    /// Ascending and apart.
    pub(super) places: Vec<Range<u64>>,
    /// Of each place.
    pub(super) bytes: Vec<Bytes>,
}

impl Read {
    fn at(&self, wanted: &Range<u64>) -> Result<Bytes> {
        let number = self.places.partition_point(|place| place.end < wanted.end);
        let of = self.places.get(number).zip(self.bytes.get(number));
        let within = of.and_then(|(place, bytes)| {
            let from = usize::try_from(wanted.start.checked_sub(place.start)?).ok()?;
            let to = usize::try_from(wanted.end - place.start).ok()?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        });
        within.ok_or_else(|| broken("the file is cut off"))
    }
}

/// Runs of rows of one series, ascending and apart.
#[derive(Clone, Debug)]
pub(super) struct RunRows {
    /// Of the series among those that are sought.
    pub(super) place: usize,
    pub(super) rows: Range<usize>,
}

impl<'a> Column<'a> {
    /// The column of this name, if the file has it.
    pub(super) fn of(
        footer: &'a ParquetMetaData,
        group: usize,
        name: &str,
        wanted: &[Range<usize>],
    ) -> Result<Option<Self>> {
        let columns = footer.row_group(group).columns();
        let Some(leaf) = columns.iter().position(|column| column.column_path().parts() == [name]) else {
            return Ok(None);
        };
        let chunk = &columns[leaf];
        let index = footer.offset_index().and_then(|index| index.get(group)?.get(leaf));
        let index = index.ok_or_else(|| ParquetError::General("it has no index of pages".to_owned()))?;
        let rows = usize::try_from(footer.row_group(group).num_rows()).unwrap_or(0);
        let description = chunk.column_descr();
        Ok(Some(Self {
            kind: description.physical_type(),
            compression: chunk.compression(),
            may_be_null: description.max_def_level() > 0,
            chunk,
            pages: pages_with(index.page_locations(), rows, wanted),
            dictionary: Bytes::new(),
        }))
    }

    /// Where what has to be read is.
    pub(super) fn places(&self) -> impl Iterator<Item = Range<u64>> {
        self.dictionary_place().into_iter().chain(self.pages.iter().map(|page| page.place.clone()))
    }

    /// Takes what was read.
    pub(super) fn fill(&mut self, read: &Read) -> Result<()> {
        if let Some(place) = self.dictionary_place() {
            self.dictionary = read.at(&place)?;
        }
        for page in &mut self.pages {
            page.bytes = read.at(&page.place)?;
        }
        Ok(())
    }

    fn dictionary_place(&self) -> Option<Range<u64>> {
        let start = u64::try_from(self.chunk.dictionary_page_offset()?).ok()?;
        let end = u64::try_from(self.chunk.data_page_offset()).ok()?;
        (start < end && !self.pages.is_empty()).then_some(start..end)
    }

    /// The numbers of its dictionary.
    fn dictionary(&self, codec: &mut Codec, dictionary: &mut Vec<i64>) -> Result<()> {
        dictionary.clear();
        if self.dictionary.is_empty() {
            return Ok(());
        }
        let page = codec.page(&self.dictionary, self.compression)?;
        let all = 0..page.entries;
        numbers(self.kind, Encoding::PLAIN, page.body, std::slice::from_ref(&all), &[], dictionary)
    }

    /// For each run and each of its pages: the number of the run, its values there, and which of them are
    /// none, if any. A null is 0.
    pub(super) fn each(
        &self,
        codecs: &mut Codecs,
        runs: &[RunRows],
        mut each: impl FnMut(usize, &[i64], Option<&[bool]>),
    ) -> Result<()> {
        let Codecs { pages: codec, scratch, .. } = codecs;
        self.dictionary(codec, &mut scratch.dictionary)?;
        let mut wanted = Vec::new();
        self.pages_of(runs, |page, first, own| {
            wanted.clear();
            for rows in own.iter().map(|run| page.own(run)) {
                match wanted.last_mut() {
                    Some(Range { end, .. }) if *end == rows.start => *end = rows.end,
                    _ => wanted.push(rows),
                }
            }
            self.values(codec, page, &wanted, scratch)?;
            let (values, valid) = (&scratch.values, &scratch.valid);
            let mut start = 0;
            for (number, run) in own.iter().enumerate() {
                let rows = start..start + page.own(run).len();
                start = rows.end;
                each(first + number, &values[rows.clone()], valid.get(rows));
            }
            Ok(())
        })
    }

    /// The numbers of all runs, of which none is null, for one who need not have them one by one: the range
    /// of each is the number of its run, its place that in the row group.
    pub(super) fn walk(&self, codecs: &mut Codecs, runs: &[RunRows], sink: &mut impl Sink) -> Result<()> {
        let Codecs { pages: codec, scratch, .. } = codecs;
        self.dictionary(codec, &mut scratch.dictionary)?;
        let mut wanted = Vec::new();
        self.pages_of(runs, |page, first, own| {
            wanted.clear();
            wanted.extend(own.iter().map(|run| page.own(run)));
            let mut sink = OfPage { first, start: page.rows.start, sink: &mut *sink };
            let opened = self.open(codec, page)?;
            let (levels, values) = opened.split(self.may_be_null)?;
            if levels.is_some() {
                return Err(broken("a row has no number"));
            }
            if opened.encoding == Encoding::DELTA_BINARY_PACKED {
                return deltas(values, &wanted, &mut sink).map(|_| ());
            }
            let Scratch { dictionary, values: out, .. } = &mut *scratch;
            out.clear();
            numbers(self.kind, opened.encoding, values, &wanted, dictionary, out)?;
            let mut rest = &out[..];
            for (range, rows) in wanted.iter().enumerate() {
                let own;
                (own, rest) = rest.split_at_checked(rows.len()).ok_or_else(cut_off)?;
                sink.numbers(At { range, place: rows.start }, own);
            }
            Ok(())
        })
    }

    /// Goes through the pages that have some of these runs: the number of the first run, and all of them.
    fn pages_of(
        &self,
        runs: &[RunRows],
        mut each: impl FnMut(&PageRows, usize, &[RunRows]) -> Result<()>,
    ) -> Result<()> {
        let mut first = 0;
        for page in &self.pages {
            first += runs[first..].partition_point(|run| run.rows.end <= page.rows.start);
            let count = runs[first..].partition_point(|run| run.rows.start < page.rows.end);
            if let Some(own) = runs.get(first..first + count).filter(|own| !own.is_empty()) {
                each(page, first, own)?;
            }
        }
        Ok(())
    }

    /// Makes the values of some rows of a page and, unless all of them are, which are some.
    fn values(
        &self,
        codec: &mut Codec,
        page: &PageRows,
        wanted: &[Range<usize>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Scratch { dictionary, values: out, valid, dense } = scratch;
        out.clear();
        valid.clear();
        let page = self.open(codec, page)?;
        let (levels, values) = page.split(self.may_be_null)?;
        let Some(levels) = levels else {
            return numbers(self.kind, page.encoding, values, wanted, dictionary, out);
        };
        let (mut row, mut place) = (0, 0);
        let mut some = Vec::with_capacity(wanted.len());
        for rows in wanted {
            place += levels.count(&(row..rows.start));
            let start = place;
            place += levels.count(rows);
            row = rows.end;
            if start < place {
                some.push(start..place);
            }
        }
        let len = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).sum::<usize>();
        if len(&some) == len(wanted) {
            return numbers(self.kind, page.encoding, values, &some, dictionary, out);
        }
        dense.clear();
        if !some.is_empty() {
            numbers(self.kind, page.encoding, values, &some, dictionary, dense)?;
        }
        let mut dense = &dense[..];
        for rows in wanted {
            levels.words(rows, |bits, len| {
                valid.extend((0..len).map(|bit| bits >> bit & 1 == 1));
                let (own, rest) = dense.split_at(bits.count_ones() as usize);
                dense = rest;
                if own.len() == len {
                    out.extend_from_slice(own);
                    return;
                }
                let start = out.len();
                out.resize(start + len, 0);
                let mut bits = bits;
                for value in own {
                    out[start + bits.trailing_zeros() as usize] = *value;
                    bits &= bits - 1;
                }
            });
        }
        Ok(())
    }

    /// The value of the first row of each run, 0 where that is null.
    pub(super) fn firsts(&self, codecs: &mut Codecs, runs: &[RunRows]) -> Result<Vec<i64>> {
        let Codecs { pages: codec, scratch: Scratch { dictionary, .. }, .. } = codecs;
        self.dictionary(codec, dictionary)?;
        let mut firsts = vec![0; runs.len()];
        let (mut first, mut wanted, mut found) = (0, Vec::new(), Vec::new());
        for rows in &self.pages {
            first += runs[first..].partition_point(|run| run.rows.start < rows.rows.start);
            let count = runs[first..].partition_point(|run| run.rows.start < rows.rows.end);
            if count == 0 {
                continue;
            }
            let page = self.open(codec, rows)?;
            let (levels, values) = page.split(self.may_be_null)?;
            wanted.clear();
            let (mut row, mut place) = (0, 0);
            for (number, run) in runs.iter().enumerate().skip(first).take(count) {
                let own = run.rows.start - rows.rows.start;
                match &levels {
                    None => wanted.push((number, own)),
                    Some(levels) => {
                        place += levels.count(&(row..own));
                        row = own;
                        if levels.is_valid(own) {
                            wanted.push((number, place));
                        }
                    }
                }
            }
            found.clear();
            picked(self.kind, page.encoding, values, &wanted, dictionary, &mut found)?;
            wanted.iter().zip(&found).for_each(|((number, _), value)| firsts[*number] = *value);
        }
        Ok(firsts)
    }

    fn open<'b>(&self, codec: &'b mut Codec, page: &'b PageRows) -> Result<Page<'b>> {
        let rows = page.rows.len();
        let page = codec.page(&page.bytes, self.compression)?;
        if page.entries != rows { Err(broken("it has another number of rows")) } else { Ok(page) }
    }

    /// The runs of rows of sought series, of this column of ids. `sought` says where one is.
    pub(super) fn runs(
        &self,
        codecs: &mut Codecs,
        wanted: &[Range<usize>],
        sought: impl Fn(&[u8; ID_LEN]) -> Option<usize>,
    ) -> Result<Vec<RunRows>> {
        let Codecs { dictionary, pages, .. } = codecs;
        let mut entries = Entries::of(self, dictionary)?;
        let mut runs = Runs { runs: Vec::new(), wanted };
        for rows in &self.pages {
            let page = self.open(pages, rows)?;
            let (valid, values) = page.split(self.may_be_null)?;
            if valid.is_some() {
                return Err(broken("a row has no id"));
            }
            match page.encoding {
                Encoding::RLE_DICTIONARY => places(values, page.entries, |run| {
                    let start = rows.rows.start + run.start;
                    if let Some(entry) = run.same() {
                        runs.push(entries.place(entry, &sought), start..start + run.len());
                        return;
                    }
                    let mut row = start;
                    run.each(0..run.len(), |entry| {
                        runs.push(entries.place(entry, &sought), row..row + 1);
                        row += 1;
                    });
                })?,
                Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                    let mut lens = Vec::with_capacity(page.entries);
                    let all = 0..page.entries;
                    let ids = deltas(values, std::slice::from_ref(&all), &mut lens)?;
                    let (ids, rest) = ids.as_chunks::<ID_LEN>();
                    if !rest.is_empty() || ids.len() != page.entries || lens.iter().any(|len| *len != 16) {
                        return Err(broken(ID_LENGTH));
                    }
                    let mut row = rows.rows.start;
                    for run in ids.chunk_by(|a, b| a == b) {
                        runs.push(place_of(&run[0], &sought), row..row + run.len());
                        row += run.len();
                    }
                }
                other => return Err(not_read(other)),
            }
        }
        entries.check().map(|()| runs.runs)
    }
}

const ID_LENGTH: &str = "ids have another length";

fn place_of(id: &[u8; ID_LEN], sought: impl Fn(&[u8; ID_LEN]) -> Option<usize>) -> u32 {
    sought(id).and_then(|place| u32::try_from(place).ok()).unwrap_or(NOWHERE)
}

/// A dictionary of ids. Where the series of one is, is looked up when it is first met.
struct Entries<'a> {
    entries: &'a [[u8; ENTRY_LEN]],
    places: Vec<u32>,
    /// A row had what is no id.
    broken: bool,
}

impl<'a> Entries<'a> {
    fn of(column: &'a Column<'_>, codec: &'a mut Codec) -> Result<Self> {
        let mut entries: &[[u8; ENTRY_LEN]] = &[];
        if !column.dictionary.is_empty() {
            let page = codec.page(&column.dictionary, column.compression)?;
            let rest;
            (entries, rest) = page.body.as_chunks();
            if !rest.is_empty() || entries.len() != page.entries {
                return Err(broken(ID_LENGTH));
            }
        }
        Ok(Self { entries, places: vec![UNKNOWN; entries.len()], broken: false })
    }

    fn place(&mut self, entry: u64, sought: impl Fn(&[u8; ID_LEN]) -> Option<usize>) -> u32 {
        let entry = usize::try_from(entry).unwrap_or(usize::MAX);
        let Some(place) = self.places.get_mut(entry) else {
            self.broken = true;
            return NOWHERE;
        };
        if *place == UNKNOWN {
            let id = self.entries[entry].last_chunk::<ID_LEN>();
            let id = id.filter(|_| self.entries[entry].starts_with(&[16, 0, 0, 0]));
            self.broken |= id.is_none();
            *place = id.map_or(NOWHERE, |id| place_of(id, sought));
        }
        *place
    }

    fn check(&self) -> Result<()> {
        if self.broken { Err(broken("it names what its dictionary does not have")) } else { Ok(()) }
    }
}

/// Stands for a series of which it is not known where it is.
const UNKNOWN: u32 = u32::MAX - 1;
/// Stands for a series that is not sought.
const NOWHERE: u32 = u32::MAX;

struct Runs<'a> {
    runs: Vec<RunRows>,
    /// Only rows of these are among the runs; ascending.
    wanted: &'a [Range<usize>],
}

impl Runs<'_> {
    fn push(&mut self, place: u32, rows: Range<usize>) {
        if place == NOWHERE {
            return;
        }
        let place = place as usize;
        let first = self.wanted.partition_point(|wanted| wanted.end <= rows.start);
        for wanted in self.wanted[first..].iter().take_while(|wanted| wanted.start < rows.end) {
            let own = wanted.start.max(rows.start)..wanted.end.min(rows.end);
            match self.runs.last_mut() {
                Some(last) if last.place == place && last.rows.end == own.start => last.rows.end = own.end,
                _ => self.runs.push(RunRows { place, rows: own }),
            }
        }
    }
}

/// The pages that have some of these rows.
fn pages_with(locations: &[PageLocation], rows: usize, wanted: &[Range<usize>]) -> Vec<PageRows> {
    let begin = |page: usize| {
        let location = locations.get(page);
        location.map_or(rows, |location| usize::try_from(location.first_row_index).unwrap_or(rows))
    };
    let mut pages = Vec::new();
    let mut wanted = wanted.iter().peekable();
    for (number, location) in locations.iter().enumerate() {
        let own = begin(number)..begin(number + 1);
        while wanted.next_if(|wanted| wanted.end <= own.start).is_some() {}
        let Some(next) = wanted.peek() else { break };
        let place =
            u64::try_from(location.offset).ok().zip(u64::try_from(location.compressed_page_size).ok());
        if let Some((start, len)) = place.filter(|_| next.start < own.end) {
            pages.push(PageRows { rows: own, place: start..start.saturating_add(len), bytes: Bytes::new() });
        }
    }
    pages
}
