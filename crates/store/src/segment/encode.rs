//! Row groups, encoded straight from the chunks.
//!
//! Enters: rows of chunks in the order of the file. Leaves: column chunks in Parquet's format, page
//! by page. The general writer would first have to be given the rows in new arrays, and would look
//! up every value of every row; here what rows share (resource, scope, series, the keys of
//! attributes) is looked up once and repeated. Nested lists that are not empty go the general way.
//! Must hold: other readers find what the general writer would have written.

mod bits;
mod buffers;
mod delta;
mod dictionary;
mod maps;
mod numbers;
mod page;
mod scaled;
mod source;
#[cfg(test)]
mod tests;
mod texts;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use model::schema;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::schema::types::{ColumnDescPtr, SchemaDescPtr};

pub(crate) use self::buffers::Buffers;
use self::buffers::ColumnBytes;
pub(super) use self::dictionary::Dictionary;
pub(super) use self::page::Codec;
use self::page::Column;
use self::scaled::Scaled;
use self::source::{MapSource, TextSource};
use super::order::Pick;
use super::properties::{Effort, SERIES_ID, Treatment, treatment};
use super::rows::{Belongs, Rows, stream_columns};

/// Bytes of values at which a page ends.
const PAGE_BYTES: usize = 256 << 10;

/// Rows whose values are fetched from memory ahead of being looked at.
const AHEAD: usize = 32;

/// Rows after which is asked who else wants the processor.
pub(super) const BLOCK_ROWS: usize = 1024;

/// A column of a row group, as it will be in the file.
pub(super) type Encoded = (ColumnBytes, ColumnCloseResult);

/// Picked rows that become one row group.
pub(super) struct Group<'a> {
    rows: &'a Rows<'a>,
    picks: &'a [Pick],
    /// The stream or series of each.
    owners: Vec<u32>,
    /// Of samples that are merged: the runs of a seal are too short for it.
    scaled: Option<Scaled>,
}

/// Where a field's values come from.
enum Field<'a> {
    /// A column of the record itself, per chunk.
    Own(Vec<&'a ArrayRef>),
    /// A column of what the record belongs to.
    Shared(&'a ArrayRef),
    MetricName,
    SeriesId,
}

/// What became of a field.
pub(super) enum Leaves {
    /// One for each leaf of the field.
    Encoded(Vec<Encoded>),
    /// The general writer has to do it.
    General,
}

impl<'a> Group<'a> {
    pub(super) fn new(rows: &'a Rows<'a>, picks: &'a [Pick], effort: Effort) -> Self {
        let owners = picks.iter().map(|pick| rows.owner(*pick)).collect();
        let mut group = Self { rows, picks, owners, scaled: None };
        if effort == Effort::Compact {
            group.scaled = scaled::of_group(&group);
        }
        group
    }

    pub(super) fn len(&self) -> usize {
        self.picks.len()
    }

    /// Bytes that it keeps beside the picks.
    pub(super) fn bytes(&self) -> u64 {
        let scaled = self.scaled.as_ref().map_or(0, Scaled::bytes);
        (self.owners.len() * size_of::<u32>() + scaled) as u64
    }

    /// Encodes the field at `place` of the stored schema, whose leaves begin at `leaf`.
    pub(super) fn encode(
        &self,
        place: usize,
        leaf: usize,
        columns: &SchemaDescPtr,
        codec: &mut Codec,
    ) -> Result<Leaves> {
        let stored = schema::stored(self.rows.table);
        let field = stored.field(place);
        let leaves: Vec<ColumnDescPtr> =
            (leaf..).take(leaves_of(field.data_type())).map(|leaf| columns.column(leaf)).collect();
        if let Some(encoded) = self.scaled.as_ref().and_then(|scaled| scaled.encode(&leaves[0], codec)) {
            return Ok(Leaves::Encoded(vec![encoded?]));
        }
        if place >= schema::file(self.rows.table).fields().len() {
            // What only merged samples have.
            let column = Column::new(&leaves[0], treatment(&leaves[0]));
            return Ok(Leaves::Encoded(vec![column.nulls(codec, self.len())?]));
        }
        let source = self.field(place);
        let treatment = treatment(&leaves[0]);
        let encoded = match field.data_type() {
            DataType::Utf8 | DataType::Binary => {
                let text = self.texts(&source);
                let column = Column::new(&leaves[0], treatment).with_distinct(self.distinct(field.name()));
                vec![texts::encode(self, &text, column, codec)?]
            }
            DataType::Map(..) => maps::encode(self, &self.maps(&source), &leaves, codec)?,
            DataType::List(_) if self.is_nothing(&source, field.is_nullable()) => {
                let mut empty = |leaf| Column::new(leaf, Treatment::default()).nothing(codec, self.len());
                leaves.iter().map(&mut empty).collect::<Result<_>>()?
            }
            DataType::List(_) => return Ok(Leaves::General),
            _ => match &source {
                Field::Own(arrays) => {
                    vec![numbers::encode(self, arrays, Column::new(&leaves[0], treatment), codec)?]
                }
                Field::Shared(array) => {
                    vec![numbers::encode_shared(self, array, Column::new(&leaves[0], treatment), codec)?]
                }
                Field::MetricName | Field::SeriesId => unreachable!("these are texts"),
            },
        };
        Ok(Leaves::Encoded(encoded))
    }

    /// The own column at `place` of the file schema, per chunk; for the general writer.
    pub(super) fn own(&self, place: usize) -> Vec<&'a dyn Array> {
        self.own_arrays(place).into_iter().map(AsRef::as_ref).collect()
    }

    /// As [`Group::own`], for our own writer.
    fn own_arrays(&self, place: usize) -> Vec<&'a ArrayRef> {
        match self.field(place) {
            Field::Own(arrays) => arrays,
            _ => Vec::new(),
        }
    }

    pub(super) fn picks(&self) -> &'a [Pick] {
        self.picks
    }

    fn field(&self, place: usize) -> Field<'a> {
        let own = |column: usize| {
            Field::Own(self.rows.chunks.iter().map(|chunk| chunk.rows.column(column)).collect())
        };
        match &self.rows.belongs {
            Belongs::Streams { streams, .. } => {
                let own_columns = schema::rows(self.rows.table).fields().len() - 1;
                match place.checked_sub(own_columns) {
                    Some(shared) => Field::Shared(&stream_columns(streams)[shared]),
                    None => own(place + 1),
                }
            }
            Belongs::Series(_) => match place {
                0 => Field::MetricName,
                1 => Field::SeriesId,
                place => own(place - 1),
            },
        }
    }

    /// How many series there are, of samples that are merged.
    fn distinct(&self, column: &str) -> Option<u64> {
        self.scaled.as_ref().filter(|_| column == SERIES_ID).map(Scaled::runs)
    }

    fn texts(&self, field: &Field<'a>) -> TextSource<'a> {
        match (field, &self.rows.belongs) {
            (Field::Own(arrays), _) => TextSource::own(arrays),
            (Field::Shared(array), _) => TextSource::shared(array),
            (Field::MetricName, Belongs::Series(catalog)) => TextSource::Names(catalog),
            (Field::SeriesId, Belongs::Series(catalog)) => TextSource::Ids(catalog),
            (Field::MetricName | Field::SeriesId, Belongs::Streams { .. }) => {
                unreachable!("tables with streams have them as columns")
            }
        }
    }

    fn maps(&self, field: &Field<'a>) -> MapSource<'a> {
        match field {
            Field::Own(arrays) => MapSource::own(arrays),
            Field::Shared(array) => MapSource::shared(array),
            Field::MetricName | Field::SeriesId => unreachable!("these are texts"),
        }
    }

    /// Whether no row of any chunk has an element.
    /// Whether all lists are nothing: null where they may be null, else empty. A file says both alike.
    fn is_nothing(&self, field: &Field<'a>, nullable: bool) -> bool {
        let Field::Own(arrays) = field else { return false };
        arrays.iter().all(|array| {
            let offsets = array.as_list::<i32>().value_offsets();
            offsets.first() == offsets.last() && (!nullable || array.null_count() == array.len())
        })
    }
}

/// How many columns of the file a field is.
pub(super) fn leaves_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves_of(field.data_type())).sum(),
        DataType::Map(field, _) | DataType::List(field) => leaves_of(field.data_type()),
        _ => 1,
    }
}
