use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use crate::memtable::SeriesCatalog;
use crate::segment::order::Pick;

/// The texts or ids of an array.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    offsets: &'a [i32],
    bytes: &'a [u8],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Texts<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        let (offsets, bytes): (&[i32], &[u8]) = match array.data_type() {
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                (array.value_offsets(), array.value_data())
            }
            _ => {
                let array = array.as_string::<i32>();
                (array.value_offsets(), array.value_data())
            }
        };
        Self { offsets, bytes, nulls: array.nulls() }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(&self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize])
    }

    /// Whether all texts are empty, and none is null.
    fn is_empty(&self) -> bool {
        self.has_no_nulls() && self.offsets.first() == self.offsets.last()
    }

    #[inline]
    pub(super) fn has_no_nulls(&self) -> bool {
        self.nulls.is_none_or(|nulls| nulls.null_count() == 0)
    }

    /// Looks at where a text begins, so that it is in the cache when it is needed.
    #[inline]
    fn touch(&self, row: usize) -> u8 {
        let start = self.offsets.get(row).copied().unwrap_or(0);
        self.bytes.get(start as usize).copied().unwrap_or(0)
    }

    /// The bytes of several texts, which have no nulls, and their ends.
    pub(super) fn run(&self, from: usize, to: usize) -> (&'a [u8], &'a [i32]) {
        let offsets = &self.offsets[from..=to];
        (&self.bytes[offsets[0] as usize..offsets[to - from] as usize], offsets)
    }
}

/// What every record has.
pub(super) enum Uniform {
    Empty,
    Null,
}

/// Where a column of texts comes from.
pub(super) enum TextSource<'a> {
    /// The record itself, per chunk.
    Own(Vec<Texts<'a>>),
    /// What the record belongs to.
    Shared(Texts<'a>),
    Names(&'a SeriesCatalog),
    Ids(&'a SeriesCatalog),
}

impl<'a> TextSource<'a> {
    pub(super) fn own(arrays: &[&'a ArrayRef]) -> Self {
        Self::Own(arrays.iter().map(|array| Texts::of(array)).collect())
    }

    pub(super) fn shared(array: &'a ArrayRef) -> Self {
        Self::Shared(Texts::of(array))
    }

    /// What all records have, where that can be told without a look at each.
    pub(super) fn uniform(&self) -> Option<Uniform> {
        let Self::Own(chunks) = self else { return None };
        if chunks.iter().all(Texts::is_empty) {
            return Some(Uniform::Empty);
        }
        let is_null = |texts: &Texts<'_>| texts.nulls.is_some_and(|nulls| nulls.null_count() == nulls.len());
        chunks.iter().all(is_null).then_some(Uniform::Null)
    }

    /// How many owners there are; nothing when each record has a value of its own.
    pub(super) fn owners(&self) -> Option<usize> {
        match self {
            Self::Own(_) => None,
            Self::Shared(texts) => Some(texts.offsets.len() - 1),
            Self::Names(catalog) | Self::Ids(catalog) => Some(catalog.ids.len()),
        }
    }

    /// Looks at the texts of some records: rows that follow each other in the file lie anywhere in
    /// memory, and loads that do not wait for each other are done at once.
    pub(super) fn touch(&self, picks: &[Pick]) {
        if let Self::Own(chunks) = self {
            let touch = |pick: &Pick| chunks[pick.chunk as usize].touch(pick.row as usize);
            std::hint::black_box(picks.iter().fold(0, |all, pick| all ^ touch(pick)));
        }
    }

    #[inline]
    pub(super) fn get(&self, pick: Pick, owner: u32) -> Option<&[u8]> {
        match self {
            Self::Own(chunks) => chunks[pick.chunk as usize].get(pick.row as usize),
            Self::Shared(texts) => texts.get(owner as usize),
            Self::Names(catalog) => Some(catalog.name(owner).as_bytes()),
            Self::Ids(catalog) => Some(&catalog.ids[owner as usize]),
        }
    }
}

/// Maps of an array.
#[derive(Clone, Copy)]
pub(super) struct Maps<'a> {
    offsets: &'a [i32],
    pub(super) keys: Texts<'a>,
    pub(super) values: Texts<'a>,
}

impl<'a> Maps<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        let map = array.as_map();
        Self { offsets: map.value_offsets(), keys: Texts::of(map.keys()), values: Texts::of(map.values()) }
    }

    #[inline]
    fn touch(&self, row: usize) -> u8 {
        let first = self.offsets[row] as usize;
        self.keys.touch(first) ^ self.values.touch(first)
    }

    /// The entries of a row.
    pub(super) fn entries(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }
}

/// Where a column of maps comes from.
pub(super) enum MapSource<'a> {
    /// The record itself, per chunk.
    Own(Vec<Maps<'a>>),
    /// What the record belongs to.
    Shared(Maps<'a>),
}

impl<'a> MapSource<'a> {
    pub(super) fn own(arrays: &[&'a ArrayRef]) -> Self {
        Self::Own(arrays.iter().map(|array| Maps::of(array)).collect())
    }

    pub(super) fn shared(array: &'a ArrayRef) -> Self {
        Self::Shared(Maps::of(array))
    }

    /// Whether no map has an entry.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |maps: &Maps<'_>| maps.offsets.first() == maps.offsets.last();
        match self {
            Self::Own(chunks) => chunks.iter().all(is_empty),
            Self::Shared(maps) => is_empty(maps),
        }
    }

    /// As [`TextSource::touch`].
    pub(super) fn touch(&self, picks: &[Pick]) {
        if let Self::Own(chunks) = self {
            let touch = |pick: &Pick| chunks[pick.chunk as usize].touch(pick.row as usize);
            std::hint::black_box(picks.iter().fold(0, |all, pick| all ^ touch(pick)));
        }
    }

    /// The maps and the row in them.
    #[inline]
    pub(super) fn get(&self, pick: Pick, owner: u32) -> (&Maps<'a>, usize) {
        match self {
            Self::Own(chunks) => (&chunks[pick.chunk as usize], pick.row as usize),
            Self::Shared(maps) => (maps, owner as usize),
        }
    }

    /// How many owners there are; nothing when each record has a map of its own.
    pub(super) fn owners(&self) -> Option<usize> {
        match self {
            Self::Own(_) => None,
            Self::Shared(maps) => Some(maps.offsets.len() - 1),
        }
    }
}
