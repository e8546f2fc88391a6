use std::sync::Arc;

use model::Table;
use parquet::basic::{BoundaryOrder, Compression, ConvertedType, Encoding, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::Encoded;
use super::bits::{Levels, zigzag};
use super::buffers::{Buffers, ColumnBytes, Spare};
use super::numbers::Bounds;
use crate::courtesy::give_way;
use crate::segment::properties::{Effort, Treatment, page_rows, shortest_match};

/// Compresses pages; its tables are allocated once.
pub(crate) struct Codec {
    compressor: Compressor<'static>,
    compression: Compression,
    /// Of texts.
    shortest_match: Option<u32>,
    page_rows: usize,
    buffer: Vec<u8>,
    /// Buffers of columns that are done, for the next ones.
    spare: Spare,
}

impl Codec {
    pub(crate) fn new(table: Table, effort: Effort, buffers: &Buffers) -> Result<Self> {
        let level = effort.level(table);
        let compressor = Compressor::new(level.compression_level())
            .map_err(|error| ParquetError::External(error.into()))?;
        let compression = Compression::ZSTD(level);
        let page_rows = page_rows(table, effort);
        let (shortest_match, spare) = (shortest_match(table, effort), buffers.borrow());
        Ok(Self { compressor, compression, shortest_match, page_rows, buffer: Vec::new(), spare })
    }

    /// Prepares for the pages of a column of texts or of anything else.
    fn begin(&mut self, is_text: bool) -> Result<()> {
        let Some(shortest) = self.shortest_match else { return Ok(()) };
        // Zero is what the level says.
        let parameter = CParameter::MinMatch(if is_text { shortest } else { 0 });
        self.compressor.set_parameter(parameter).map_err(|error| ParquetError::External(error.into()))
    }

    /// Rows of a page.
    pub(super) fn page_rows(&self) -> usize {
        self.page_rows
    }

    /// Memory that is kept from page to page and column to column.
    pub(crate) fn bytes(&self) -> usize {
        self.buffer.capacity() + self.spare.bytes()
    }

    /// The buffers of a column that is written, for the next ones.
    pub(crate) fn reuse(&mut self, column: ColumnBytes) {
        column.into_buffers().for_each(|buffer| self.spare.put(buffer));
    }

    /// How long these bytes are when they are compressed.
    pub(super) fn packed_len(&mut self, bytes: &[u8]) -> Result<usize> {
        self.pack(bytes).map(<[u8]>::len)
    }

    /// The page compressed; in a buffer of the codec, which the next one takes over.
    fn pack(&mut self, page: &[u8]) -> Result<&[u8]> {
        let bound = zstd::zstd_safe::compress_bound(page.len());
        if self.buffer.len() < bound {
            if self.buffer.capacity() < bound {
                let larger = self.spare.take_for(bound);
                self.spare.put(std::mem::replace(&mut self.buffer, larger));
            }
            self.buffer.resize(bound, 0);
        }
        let len = self.compressor.compress_to_buffer(page, self.buffer.as_mut_slice());
        let len = len.map_err(|error| ParquetError::External(error.into()))?;
        Ok(&self.buffer[..len])
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        self.spare.put(std::mem::take(&mut self.buffer));
    }
}

/// The least and the greatest of a page, as the file has them.
pub(super) struct PageBounds {
    pub(super) min: Vec<u8>,
    pub(super) max: Vec<u8>,
}

/// A data page before it is compressed.
#[derive(Default)]
pub(super) struct Page {
    pub(super) rows: usize,
    /// Entries of the level streams: values, nulls and empty lists.
    pub(super) entries: usize,
    pub(super) nulls: usize,
    pub(super) body: Vec<u8>,
}

impl Page {
    /// An empty page in the memory of this one.
    pub(super) fn renew(&mut self) {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        *self = Self { body, ..Self::default() };
    }
}

/// One column of a row group, being written.
pub(super) struct Column {
    pub(super) leaf: ColumnDescPtr,
    pub(super) treatment: Treatment,
    data: Vec<u8>,
    /// Per page: where it begins in `data`, its length, its first row.
    pages: Vec<(usize, usize, usize)>,
    bounds: Option<ColumnIndexBuilder>,
    rows: usize,
    entries: usize,
    nulls: usize,
    uncompressed: usize,
    encodings: Vec<Encoding>,
    compression: Compression,
    /// How many distinct values it has, where that is told.
    distinct: Option<u64>,
    /// How many values of a page say how it is written.
    pub(super) judged: usize,
}

/// Values of a page that say how it is written.
pub(super) const JUDGED: usize = 1024;
/// The same where they are of one or two series: what suits one need not suit the other.
const JUDGED_LONG: usize = 8192;

/// A column of ids or numbers of which the first page loses less than one part in so many by being
/// compressed is stored as it is: that would cost time both ways and save nothing.
const WORTH_PART: usize = 16;
/// More than the header of a page takes.
const HEADER_BYTES: usize = 64;
/// Shorter pages judge nothing.
const JUDGE_BYTES: usize = 4096;

impl Column {
    pub(super) fn new(leaf: &ColumnDescPtr, treatment: Treatment) -> Self {
        Self {
            leaf: Arc::clone(leaf),
            treatment,
            data: Vec::new(),
            pages: Vec::new(),
            bounds: treatment.pages.then(|| ColumnIndexBuilder::new(leaf.physical_type())),
            rows: 0,
            entries: 0,
            nulls: 0,
            uncompressed: 0,
            encodings: vec![Encoding::RLE],
            compression: Compression::UNCOMPRESSED,
            distinct: None,
            judged: JUDGED,
        }
    }

    /// Pages have the values of few series.
    pub(super) fn with_long_runs(mut self) -> Self {
        self.judged = JUDGED_LONG;
        self
    }

    /// Tells how many distinct values it has.
    pub(super) fn with_distinct(mut self, distinct: Option<u64>) -> Self {
        self.distinct = distinct;
        self
    }

    pub(super) fn definition_levels(&self) -> Levels {
        Levels::new(self.leaf.max_def_level())
    }

    pub(super) fn repetition_levels(&self) -> Levels {
        Levels::new(self.leaf.max_rep_level())
    }

    /// Appends a data page. `bounds` is nothing where all are null or none are known.
    pub(super) fn page(
        &mut self,
        codec: &mut Codec,
        page: &Page,
        encoding: Encoding,
        bounds: Option<PageBounds>,
    ) -> Result<()> {
        if self.pages.is_empty() {
            self.data = codec.spare.take();
            codec.begin(self.is_text())?;
        }
        give_way();
        let packed = self.pack(codec, &page.body, encoding)?;
        let start = self.data.len();
        // Type 0 is a data page; its own header is the fifth field.
        header(&mut self.data, 0, page.body.len(), packed);
        self.data.push(0x1c);
        for value in [page.entries as i64, code(encoding), code(Encoding::RLE), code(Encoding::RLE)] {
            self.data.push(0x15);
            zigzag(&mut self.data, value);
        }
        self.data.extend_from_slice(&[0, 0]);
        let header_len = self.data.len() - start;
        self.data.extend_from_slice(packed);
        self.pages.push((start, self.data.len() - start, self.rows));
        self.uncompressed += header_len + page.body.len();
        self.rows += page.rows;
        self.entries += page.entries;
        self.nulls += page.nulls;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        if let Some(index) = &mut self.bounds {
            let nulls = i64::try_from(page.nulls).unwrap_or(0);
            match bounds {
                Some(PageBounds { min, max }) => index.append(false, min, max, nulls),
                None if page.nulls == page.entries => index.append(true, Vec::new(), Vec::new(), nulls),
                None => index.to_invalid(),
            }
        }
        Ok(())
    }

    /// The bytes of a page as the file has them. The first page decides for all, since a column has one
    /// codec.
    fn pack<'a>(&mut self, codec: &'a mut Codec, body: &'a [u8], encoding: Encoding) -> Result<&'a [u8]> {
        let stored = !self.pages.is_empty() && self.compression == Compression::UNCOMPRESSED;
        if stored || self.treatment.stored {
            return Ok(body);
        }
        let compression = codec.compression;
        let packed = codec.pack(body)?;
        if self.pages.is_empty() && self.may_be_stored(encoding, body) {
            let saved = body.len().saturating_sub(packed.len());
            if saved < body.len() / WORTH_PART {
                return Ok(body);
            }
        }
        self.compression = compression;
        Ok(packed)
    }

    /// Texts differ from sender to sender, scaled values from series to series, and a dictionary is compressed
    /// like its pages.
    fn may_be_stored(&self, encoding: Encoding, body: &[u8]) -> bool {
        let differs = self.is_text() || self.treatment.sampled;
        !differs && encoding != Encoding::RLE_DICTIONARY && body.len() >= JUDGE_BYTES
    }

    fn is_text(&self) -> bool {
        self.leaf.converted_type() == ConvertedType::UTF8
    }

    /// A column in which every row is an empty list.
    pub(super) fn nothing(mut self, codec: &mut Codec, rows: usize) -> Result<Encoded> {
        let (mut repetitions, mut definitions) = (self.repetition_levels(), self.definition_levels());
        let mut page = Page { rows, entries: rows, ..Page::default() };
        repetitions.put_run(0, rows);
        definitions.put_run(0, rows);
        repetitions.drain_into(&mut page.body);
        definitions.drain_into(&mut page.body);
        self.page(codec, &page, Encoding::PLAIN, None)?;
        self.finish(codec, None, None)
    }

    /// A column that is not repeated and has no value.
    pub(super) fn nulls(mut self, codec: &mut Codec, rows: usize) -> Result<Encoded> {
        let mut definitions = self.definition_levels();
        let mut page = Page { rows, entries: rows, nulls: rows, ..Page::default() };
        definitions.put_run(0, rows);
        definitions.drain_into(&mut page.body);
        self.page(codec, &page, Encoding::PLAIN, None)?;
        self.finish(codec, None, None)
    }

    /// The column as it will be in the file: the dictionary, of so many entries, before the pages.
    pub(super) fn finish(
        mut self,
        codec: &mut Codec,
        dictionary: Option<(&[u8], usize)>,
        bounds: Option<Bounds>,
    ) -> Result<Encoded> {
        let mut first = Vec::new();
        if let Some((plain, entries)) = dictionary {
            first = codec.spare.take_for(zstd::zstd_safe::compress_bound(plain.len()) + HEADER_BYTES);
            let packed = if self.treatment.stored { plain } else { codec.pack(plain)? };
            // Type 2 is a dictionary page; its own header is the seventh field.
            header(&mut first, 2, plain.len(), packed);
            first.push(0x3c);
            for value in [entries as i64, code(Encoding::PLAIN)] {
                first.push(0x15);
                zigzag(&mut first, value);
            }
            first.extend_from_slice(&[0, 0]);
            self.uncompressed += first.len() + plain.len();
            first.extend_from_slice(packed);
            if !self.encodings.contains(&Encoding::PLAIN) {
                self.encodings.push(Encoding::PLAIN);
            }
        }
        let bytes = ColumnBytes::new(first, std::mem::take(&mut self.data));
        let close = self.close(bytes.first_page(), bytes.len(), dictionary.is_some(), bounds)?;
        Ok((bytes, close))
    }

    fn close(
        self,
        first_page: usize,
        len: usize,
        has_dictionary: bool,
        bounds: Option<Bounds>,
    ) -> Result<ColumnCloseResult> {
        let mut offsets = OffsetIndexBuilder::new();
        let starts = self.pages.iter().map(|(_, _, first_row)| *first_row).chain([self.rows]);
        let rows = starts.clone().zip(starts.skip(1)).map(|(start, end)| end - start);
        for ((start, len, _), rows) in self.pages.iter().zip(rows) {
            offsets.append_row_count(i64::try_from(rows)?);
            offsets.append_offset_and_size(i64::try_from(first_page + start)?, i32::try_from(*len)?);
        }
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(&self.leaf))
            .set_compression(self.compression)
            .set_encodings(self.encodings)
            .set_num_values(i64::try_from(self.entries)?)
            .set_total_compressed_size(i64::try_from(len)?)
            .set_total_uncompressed_size(i64::try_from(self.uncompressed)?)
            .set_data_page_offset(i64::try_from(first_page)?)
            .set_dictionary_page_offset(has_dictionary.then_some(0));
        // Who reads need not begin with a column that is null throughout.
        let nulls = self.nulls as u64;
        let statistics = match bounds {
            Some(bounds) => Some(bounds.statistics(nulls, self.distinct)),
            None => only_nulls(&self.leaf, nulls),
        };
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let index = self.bounds.filter(ColumnIndexBuilder::valid).map(|mut index| {
            index.set_boundary_order(BoundaryOrder::UNORDERED);
            index.build()
        });
        Ok(ColumnCloseResult {
            bytes_written: len as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: index.transpose()?,
            offset_index: Some(offsets.build()),
        })
    }
}

/// The statistics of a column of numbers that has no bounds.
fn only_nulls(leaf: &ColumnDescPtr, nulls: u64) -> Option<Statistics> {
    if leaf.max_rep_level() > 0 {
        return None;
    }
    match leaf.physical_type() {
        Type::INT32 => Some(Statistics::int32(None, None, None, Some(nulls), false)),
        Type::INT64 => Some(Statistics::int64(None, None, None, Some(nulls), false)),
        Type::DOUBLE => Some(Statistics::double(None, None, None, Some(nulls), false)),
        _ => None,
    }
}

/// The fields that every page's header begins with, in Thrift's compact protocol; the fourth is the
/// checksum of what follows, so that a flipped bit is an error and not an answer.
fn header(out: &mut Vec<u8>, kind: i64, len: usize, packed: &[u8]) {
    let crc = crc32fast::hash(packed).cast_signed();
    for value in [kind, len as i64, packed.len() as i64, i64::from(crc)] {
        out.push(0x15);
        zigzag(out, value);
    }
}

/// Parquet's number of an encoding.
fn code(encoding: Encoding) -> i64 {
    match encoding {
        Encoding::PLAIN => 0,
        Encoding::RLE => 3,
        Encoding::DELTA_BINARY_PACKED => 5,
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 6,
        Encoding::RLE_DICTIONARY => 8,
        Encoding::BYTE_STREAM_SPLIT => 9,
        other => unreachable!("{other} is not written"),
    }
}
