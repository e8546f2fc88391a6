//! A page as it is in a file: its header, which is Thrift's compact form, and what it has when it is
//! decompressed.

use std::ops::Range;

use parquet::basic::{Compression, Encoding};
use parquet::errors::{ParquetError, Result};
use zstd::bulk::Decompressor;

/// Most bytes that a page may say it has: ours have at most some hundred thousand.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// How deep headers are nested at most.
const DEPTH_MAX: usize = 8;

/// Decompresses pages. What it needs for that is allocated once.
pub(super) struct Codec {
    zstd: Decompressor<'static>,
    buffer: Vec<u8>,
}

/// One for the dictionary of a column, which stays, and one for its pages.
pub(super) struct Codecs {
    pub(super) dictionary: Codec,
    pub(super) pages: Codec,
    pub(super) scratch: Scratch,
}

/// What the values of a page are put into.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) dictionary: Vec<i64>,
    pub(super) values: Vec<i64>,
    pub(super) valid: Vec<bool>,
    /// Those that are no nulls.
    pub(super) dense: Vec<i64>,
}

impl Codecs {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { dictionary: Codec::new()?, pages: Codec::new()?, scratch: Scratch::default() })
    }
}

/// The values of a page that is decompressed, with their levels.
pub(super) struct Page<'a> {
    pub(super) encoding: Encoding,
    /// How many entries it has, nulls among them.
    pub(super) entries: usize,
    pub(super) body: &'a [u8],
}

impl Codec {
    pub(super) fn new() -> Result<Self> {
        let zstd = Decompressor::new().map_err(|error| ParquetError::External(error.into()))?;
        Ok(Self { zstd, buffer: Vec::new() })
    }

    /// The first page of these bytes.
    pub(super) fn page<'a>(&'a mut self, bytes: &'a [u8], compression: Compression) -> Result<Page<'a>> {
        let mut reader = Compact { bytes };
        let header = Header::read(&mut reader)?;
        let encoding = header.encoding.ok_or_else(|| broken("its encoding is not known"))?;
        let (len, packed_len) = (size(header.len)?, size(header.packed_len)?);
        let packed = reader.bytes.get(..packed_len).ok_or_else(|| broken("it is cut off"))?;
        if header.crc.is_some_and(|crc| crc.cast_unsigned() != crc32fast::hash(packed)) {
            return Err(broken("its checksum is another"));
        }
        let body = match compression {
            Compression::UNCOMPRESSED => packed,
            Compression::ZSTD(_) => {
                if self.buffer.len() < len {
                    self.buffer.resize(len, 0);
                }
                let found = self.zstd.decompress_to_buffer(packed, &mut self.buffer[..len]);
                let found = found.map_err(|error| ParquetError::External(error.into()))?;
                &self.buffer[..found]
            }
            other => return Err(ParquetError::NYI(format!("pages are not read as {other}"))),
        };
        if body.len() != len {
            return Err(broken("it has another length"));
        }
        Ok(Page { encoding, entries: size(header.entries)?, body })
    }
}

impl<'a> Page<'a> {
    /// Which entries are no nulls, nothing where none is one; then the values. A column without nulls has
    /// no levels.
    pub(super) fn split(&self, may_be_null: bool) -> Result<(Option<Levels<'a>>, &'a [u8])> {
        if !may_be_null {
            return Ok((None, self.body));
        }
        let (len, rest) = self.body.split_first_chunk().ok_or_else(|| broken("it has no levels"))?;
        let len = u32::from_le_bytes(*len) as usize;
        let (levels, values) = rest.split_at_checked(len).ok_or_else(|| broken("its levels are cut off"))?;
        let levels = Levels::new(levels, self.entries)?;
        Ok((levels.has_nulls().then_some(levels), values))
    }
}

/// Which entries of a page are no nulls.
pub(super) struct Levels<'a> {
    /// Where each run begins.
    runs: Vec<(usize, Run<'a>)>,
}

impl<'a> Levels<'a> {
    fn new(bytes: &'a [u8], entries: usize) -> Result<Self> {
        let mut start = 0;
        let place = |run: Result<Run<'a>>| {
            let run = run?;
            start += run.len();
            Ok((start - run.len(), run))
        };
        Ok(Self { runs: Hybrid::new(bytes, 1, entries).map(place).collect::<Result<_>>()? })
    }

    fn has_nulls(&self) -> bool {
        self.runs.iter().any(|(_, run)| match run {
            Run::Same { value, .. } => *value != 1,
            Run::Packed { .. } => true,
        })
    }

    /// The runs that have some of these entries, and which of the run these are.
    fn runs(&self, range: &Range<usize>) -> impl Iterator<Item = (&Run<'a>, Range<usize>)> {
        let first = self.runs.partition_point(|(start, run)| start + run.len() <= range.start);
        let (from, to) = (range.start, range.end);
        let own = move |(start, run): &'_ (usize, Run<'a>)| {
            from.saturating_sub(*start)..to.saturating_sub(*start).min(run.len())
        };
        let runs = self.runs[first..].iter().map(move |of| (&of.1, own(of)));
        runs.take_while(|(_, own)| own.start < own.end)
    }

    /// The entries in words of up to 64: the bits, lowest first, and how many.
    pub(super) fn words(&self, range: &Range<usize>, mut each: impl FnMut(u64, usize)) {
        for (run, Range { mut start, end }) in self.runs(range) {
            while start < end {
                let len = (end - start).min(64);
                let bits = match run {
                    Run::Same { value: 1, .. } => u64::MAX,
                    Run::Same { .. } => 0,
                    Run::Packed { bytes, .. } => word(bytes, start),
                };
                each(bits & (u64::MAX >> (64 - len)), len);
                start += len;
            }
        }
    }

    /// How many of these are no nulls.
    pub(super) fn count(&self, range: &Range<usize>) -> usize {
        let of_run = |(run, own): (&Run<'a>, Range<usize>)| match run {
            Run::Same { value: 1, .. } => own.len(),
            Run::Same { .. } => 0,
            Run::Packed { bytes, .. } => {
                let of_word = |start: usize| {
                    let len = (own.end - start).min(64);
                    (word(bytes, start) & (u64::MAX >> (64 - len))).count_ones() as usize
                };
                own.clone().step_by(64).map(of_word).sum()
            }
        };
        self.runs(range).map(of_run).sum()
    }

    pub(super) fn is_valid(&self, entry: usize) -> bool {
        self.count(&(entry..entry + 1)) == 1
    }
}

/// 64 bits from one on; zeros behind the end.
#[inline]
fn word(bytes: &[u8], bit: usize) -> u64 {
    let (byte, shift) = (bit / 8, bit % 8);
    let low = match bytes.get(byte..).and_then(<[u8]>::first_chunk::<8>) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => {
            let mut eight = [0; 8];
            let rest = bytes.get(byte..).unwrap_or_default();
            eight[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(eight)
        }
    };
    if shift == 0 {
        return low;
    }
    let ninth = bytes.get(byte + 8).copied().unwrap_or_default();
    low >> shift | u64::from(ninth) << (64 - shift)
}

/// What pages say before they begin.
#[derive(Default)]
struct Header {
    len: i64,
    packed_len: i64,
    crc: Option<i32>,
    entries: i64,
    encoding: Option<Encoding>,
}

impl Header {
    fn read(reader: &mut Compact<'_>) -> Result<Self> {
        let mut header = Self::default();
        let mut field = 0;
        while let Some(kind) = reader.field(&mut field)? {
            match (field, kind) {
                (2, Compact::I32) => header.len = reader.zigzag()?,
                (3, Compact::I32) => header.packed_len = reader.zigzag()?,
                (4, Compact::I32) => header.crc = i32::try_from(reader.zigzag()?).ok(),
                // Of a data page, and of a dictionary.
                (5 | 7, Compact::STRUCT) => header.of_values(reader)?,
                (_, kind) => reader.skip(kind, 0)?,
            }
        }
        Ok(header)
    }

    fn of_values(&mut self, reader: &mut Compact<'_>) -> Result<()> {
        let mut field = 0;
        while let Some(kind) = reader.field(&mut field)? {
            match (field, kind) {
                (1, Compact::I32) => self.entries = reader.zigzag()?,
                (2, Compact::I32) => self.encoding = encoding(reader.zigzag()?),
                (_, kind) => reader.skip(kind, 0)?,
            }
        }
        Ok(())
    }
}

/// Those that we write.
fn encoding(code: i64) -> Option<Encoding> {
    Some(match code {
        0 => Encoding::PLAIN,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        2 | 8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return None,
    })
}

fn size(value: i64) -> Result<usize> {
    let size = usize::try_from(value).ok().filter(|size| *size <= PAGE_BYTES_MAX);
    size.ok_or_else(|| broken("it says that it is far too long"))
}

pub(super) fn broken(reason: &str) -> ParquetError {
    ParquetError::General(format!("a page makes no sense: {reason}"))
}

/// Thrift's compact protocol, as far as headers of pages need it.
struct Compact<'a> {
    bytes: &'a [u8],
}

impl Compact<'_> {
    const I32: u8 = 5;
    const STRUCT: u8 = 12;

    /// The kind of the next field, whose number is added up; nothing at the end.
    fn field(&mut self, number: &mut i64) -> Result<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *number = match byte >> 4 {
            0 => self.zigzag()?,
            more => number.saturating_add(i64::from(more)),
        };
        Ok(Some(byte & 15))
    }

    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().ok_or_else(|| broken("its header is cut off"))?;
        self.bytes = rest;
        Ok(*first)
    }

    fn zigzag(&mut self) -> Result<i64> {
        zigzag(&mut self.bytes)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(broken("its header is too deep"));
        }
        match kind {
            // A boolean is in its kind.
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.zigzag()?),
            7 => self.pass(8)?,
            8 => {
                let len = varint(&mut self.bytes)?;
                self.pass(usize::try_from(len).unwrap_or(usize::MAX))?;
            }
            9 | 10 => {
                let head = self.byte()?;
                let len = if head >> 4 == 15 { varint(&mut self.bytes)? } else { u64::from(head >> 4) };
                for _ in 0..len {
                    match head & 15 {
                        1 | 2 => drop(self.byte()?),
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
            }
            Self::STRUCT => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => return Err(broken("its header has a field of no known kind")),
        }
        Ok(())
    }

    fn pass(&mut self, len: usize) -> Result<()> {
        self.bytes = self.bytes.get(len..).ok_or_else(|| broken("its header is cut off"))?;
        Ok(())
    }
}

pub(super) fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or_else(|| broken("a number is cut off"))?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(broken("a number is too long"))
}

pub(super) fn zigzag(bytes: &mut &[u8]) -> Result<i64> {
    let value = varint(bytes)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Small numbers: runs of one value, and runs of packed ones.
pub(super) struct Hybrid<'a> {
    bytes: &'a [u8],
    width: u32,
    left: usize,
}

/// Numbers that follow each other.
#[derive(Clone, Copy)]
pub(super) enum Run<'a> {
    Same { value: u64, len: usize },
    Packed { bytes: &'a [u8], width: u32, len: usize },
}

impl<'a> Hybrid<'a> {
    /// So many numbers of so many bits.
    pub(super) fn new(bytes: &'a [u8], width: u32, len: usize) -> Self {
        Self { bytes, width, left: len }
    }

    fn run(&mut self) -> Result<Run<'a>> {
        let header = varint(&mut self.bytes)?;
        let count = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        let cut_off = || broken("a run is cut off");
        if header & 1 == 0 {
            let (own, rest) =
                self.bytes.split_at_checked(self.width.div_ceil(8) as usize).ok_or_else(cut_off)?;
            self.bytes = rest;
            let value = own.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            let len = count.min(self.left);
            return Ok(Run::Same { value, len });
        }
        let len = count.saturating_mul(8).min(self.left);
        // The last run may end with its last number.
        let full = count.saturating_mul(self.width as usize).min(self.bytes.len());
        if full.saturating_mul(8) < len.saturating_mul(self.width as usize) {
            return Err(cut_off());
        }
        let (bytes, rest) = self.bytes.split_at(full);
        self.bytes = rest;
        Ok(Run::Packed { bytes, width: self.width, len })
    }
}

impl<'a> Iterator for Hybrid<'a> {
    type Item = Result<Run<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let run = match self.run() {
            Ok(run) if run.len() == 0 => Err(broken("a run has nothing")),
            other => other,
        };
        self.left = run.as_ref().map_or(0, |run| self.left - run.len());
        Some(run)
    }
}

impl Run<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Same { len, .. } | Self::Packed { len, .. } => *len,
        }
    }

    /// Some of its numbers.
    pub(super) fn each(&self, range: Range<usize>, mut each: impl FnMut(u64)) {
        match self {
            Self::Same { value, .. } => range.for_each(|_| each(*value)),
            Self::Packed { bytes, width, .. } => range.for_each(|place| each(unpacked(bytes, *width, place))),
        }
    }
}

/// The number at a place, of numbers of so many bits, at most 64.
#[inline]
pub(super) fn unpacked(bytes: &[u8], width: u32, place: usize) -> u64 {
    if width == 0 {
        return 0;
    }
    word(bytes, place * width as usize) & (u64::MAX >> (64 - width))
}
