use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{ArrowError, SchemaRef};
#[cfg(test)]
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use model::{Table, schema};

use super::order::Pick;
use crate::memtable::{Chunk, SeriesCatalog, merge_streams};

/// Chunks of one table that are to be sorted and written, or read, together.
pub(crate) struct Rows<'a> {
    pub(crate) table: Table,
    pub(crate) chunks: Vec<&'a Chunk>,
    pub(crate) belongs: Belongs<'a>,
}

/// What the first column of the chunks refers to.
pub(crate) enum Belongs<'a> {
    /// Streams of all chunks, and per chunk the places of its own among them.
    Streams { streams: RecordBatch, places: Vec<Vec<u32>> },
    /// Series by their number.
    Series(&'a SeriesCatalog),
}

impl<'a> Rows<'a> {
    /// The chunks of a generation or of files; the catalog is used for points of metrics only.
    /// Nothing of no chunks.
    pub(crate) fn new(
        table: Table,
        chunks: impl IntoIterator<Item = &'a Chunk>,
        catalog: &'a SeriesCatalog,
    ) -> Option<Self> {
        let chunks: Vec<_> = chunks.into_iter().collect();
        if chunks.is_empty() {
            return None;
        }
        let belongs = if schema::has_streams(table) {
            let streams: Vec<_> = chunks
                .iter()
                .map(|chunk| chunk.streams.as_ref().expect("chunks of such tables have streams"))
                .collect();
            let merged = merge_streams(&streams);
            Belongs::Streams { streams: merged.rows, places: merged.places }
        } else {
            Belongs::Series(catalog)
        };
        Some(Self { table, chunks, belongs })
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// The stream or series of a row, counted over all chunks.
    pub(crate) fn owner(&self, pick: Pick) -> u32 {
        let own = self.chunks[pick.chunk as usize].index()[pick.row as usize];
        match &self.belongs {
            Belongs::Streams { places, .. } => places[pick.chunk as usize][own as usize],
            Belongs::Series(_) => own,
        }
    }

    /// The picked rows in the file schema: what a file of them has to say when it is read.
    #[cfg(test)]
    pub(crate) fn gather(&self, picks: &[Pick]) -> Result<RecordBatch, ArrowError> {
        let places: Vec<_> = picks.iter().map(|pick| (pick.chunk as usize, pick.row as usize)).collect();
        let own = (1..self.chunks[0].rows.num_columns()).map(|column| {
            let parts: Vec<&dyn Array> =
                self.chunks.iter().map(|chunk| chunk.rows.column(column).as_ref()).collect();
            interleave(&parts, &places)
        });
        let own: Vec<ArrayRef> = own.collect::<Result<_, _>>()?;
        let owners = picks.iter().map(|pick| self.owner(*pick));
        let columns = match &self.belongs {
            Belongs::Streams { streams, .. } => {
                let owners = UInt32Array::from_iter_values(owners);
                let shared = stream_columns(streams).iter().map(|column| take(column, &owners, None));
                own.into_iter().map(Ok).chain(shared).collect::<Result<_, _>>()?
            }
            Belongs::Series(catalog) => {
                let owners: Vec<_> = owners.collect();
                let names: ArrayRef = Arc::new(name_column(catalog, &owners));
                let ids: ArrayRef = Arc::new(id_column(catalog, &owners));
                [names, ids].into_iter().chain(own).collect()
            }
        };
        RecordBatch::try_new(schema::file(self.table), columns)
    }
}

/// The columns of streams that are stored with each record: all but the id.
pub(super) fn stream_columns(streams: &RecordBatch) -> &[ArrayRef] {
    &streams.columns()[..streams.num_columns() - 1]
}

fn name_column(catalog: &SeriesCatalog, owners: &[u32]) -> arrow_array::StringArray {
    let mut names = StringBuilder::with_capacity(owners.len(), owners.len() * 24);
    owners.iter().for_each(|owner| names.append_value(catalog.name(*owner)));
    names.finish()
}

fn id_column(catalog: &SeriesCatalog, owners: &[u32]) -> arrow_array::BinaryArray {
    let mut ids = BinaryBuilder::with_capacity(owners.len(), owners.len() * 16);
    owners.iter().for_each(|owner| ids.append_value(catalog.ids[*owner as usize]));
    ids.finish()
}

/// Rows `offset..offset + len` of a chunk in the file schema, of these columns only.
///
/// A column of the record itself is not copied.
pub(crate) fn project(
    table: Table,
    chunk: &Chunk,
    catalog: &SeriesCatalog,
    range: std::ops::Range<usize>,
    columns: &[usize],
) -> Result<RecordBatch, ArrowError> {
    let file = schema::file(table);
    let owners = &chunk.index()[range.clone()];
    let own_columns = chunk.rows.num_columns() - 1;
    let arrays = columns.iter().map(|column| match &chunk.streams {
        Some(_) if *column < own_columns => Ok(chunk.rows.column(column + 1).slice(range.start, range.len())),
        Some(streams) => {
            let owners = UInt32Array::from(owners.to_vec());
            take(stream_columns(streams)[column - own_columns].as_ref(), &owners, None)
        }
        None => Ok::<ArrayRef, _>(match column {
            0 => Arc::new(name_column(catalog, owners)),
            1 => Arc::new(id_column(catalog, owners)),
            own => chunk.rows.column(own - 1).slice(range.start, range.len()),
        }),
    });
    let arrays = arrays.collect::<Result<_, _>>()?;
    let schema: SchemaRef = Arc::new(file.project(columns)?);
    let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
    RecordBatch::try_new_with_options(schema, arrays, &options)
}
