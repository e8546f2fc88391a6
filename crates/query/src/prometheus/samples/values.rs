//! Numbers and places in a dictionary, out of the values of a page.

use std::ops::Range;

use parquet::basic::{Encoding, Type};
use parquet::errors::{ParquetError, Result};

use super::page::{Hybrid, Run, broken, unpacked, varint, zigzag};

/// Appends some of the numbers of a page, given by their places among those that are no nulls, as 64 bits
/// each. `dictionary` is that of the column.
pub(super) fn numbers(
    kind: Type,
    encoding: Encoding,
    values: &[u8],
    range: Range<usize>,
    dictionary: &[i64],
    out: &mut Vec<i64>,
) -> Result<()> {
    match (encoding, kind) {
        (Encoding::PLAIN, Type::INT64 | Type::DOUBLE) => {
            let (all, _) = values.as_chunks::<8>();
            let own = all.get(range).ok_or_else(cut_off)?;
            out.extend(own.iter().map(|value| i64::from_le_bytes(*value)));
        }
        (Encoding::PLAIN, Type::INT32) => {
            let (all, _) = values.as_chunks::<4>();
            let own = all.get(range).ok_or_else(cut_off)?;
            out.extend(own.iter().map(|value| i64::from(i32::from_le_bytes(*value))));
        }
        (Encoding::BYTE_STREAM_SPLIT, Type::INT64 | Type::DOUBLE) => split(values, range, out)?,
        (Encoding::DELTA_BINARY_PACKED, Type::INT64 | Type::INT32) => {
            deltas(values, range, out)?;
        }
        (Encoding::RLE_DICTIONARY, _) => {
            let mut known = true;
            places(values, range.end, |run| known &= run.look_up(overlap(&range, run), dictionary, out))?;
            if !known {
                return Err(broken(NOT_IN_DICTIONARY));
            }
        }
        (other, _) => return Err(not_read(other)),
    }
    Ok(())
}

/// Appends single numbers of a page: of each pair of `wanted`, ascending in them, the second is its place
/// among those that are no nulls.
pub(super) fn picked(
    kind: Type,
    encoding: Encoding,
    values: &[u8],
    wanted: &[(usize, usize)],
    dictionary: &[i64],
    out: &mut Vec<i64>,
) -> Result<()> {
    let (Some((_, first)), Some((_, last))) = (wanted.first(), wanted.last()) else { return Ok(()) };
    if encoding != Encoding::RLE_DICTIONARY {
        let mut all = Vec::new();
        numbers(kind, encoding, values, *first..last + 1, dictionary, &mut all)?;
        out.extend(wanted.iter().map(|(_, place)| all[place - first]));
        return Ok(());
    }
    let (mut next, mut known) = (0, true);
    places(values, last + 1, |run| {
        while let Some((_, place)) = wanted.get(next).filter(|(_, place)| *place < run.start + run.len()) {
            let own = place - run.start;
            run.each(own..own + 1, |entry| {
                let value = usize::try_from(entry).ok().and_then(|entry| dictionary.get(entry));
                known &= value.is_some();
                out.push(value.copied().unwrap_or_default());
            });
            next += 1;
        }
    })?;
    if known { Ok(()) } else { Err(broken(NOT_IN_DICTIONARY)) }
}

const NOT_IN_DICTIONARY: &str = "it names what its dictionary does not have";

pub(super) fn not_read(encoding: Encoding) -> ParquetError {
    ParquetError::NYI(format!("samples are not read as {encoding}"))
}

fn cut_off() -> ParquetError {
    broken("it has fewer values than it says")
}

/// A run of a page, and at which place it begins.
pub(super) struct Placed<'a> {
    pub(super) start: usize,
    run: Run<'a>,
}

impl Placed<'_> {
    pub(super) fn len(&self) -> usize {
        self.run.len()
    }

    /// The number that all of them are, if the run is of one.
    pub(super) fn same(&self) -> Option<u64> {
        match self.run {
            Run::Same { value, .. } => Some(value),
            Run::Packed { .. } => None,
        }
    }

    /// Appends what a dictionary has at some of these places; whether it has all of them.
    fn look_up(&self, range: Range<usize>, dictionary: &[i64], out: &mut Vec<i64>) -> bool {
        let Some(last) = dictionary.len().checked_sub(1) else { return range.is_empty() };
        let last = last as u64;
        let at = |place: u64| dictionary[usize::try_from(place.min(last)).unwrap_or(0)];
        match self.run {
            Run::Same { value, .. } => {
                out.extend(std::iter::repeat_n(at(value), range.len()));
                value <= last || range.is_empty()
            }
            Run::Packed { bytes, width, .. } => {
                let mut most = 0;
                out.extend(range.map(|place| {
                    let place = unpacked(bytes, width, place);
                    most = most.max(place);
                    at(place)
                }));
                most <= last
            }
        }
    }

    pub(super) fn each(&self, range: Range<usize>, each: impl FnMut(u64)) {
        self.run.each(range, each);
    }
}

/// The part of a range that a run has, counted from the begin of the run.
pub(super) fn overlap(range: &Range<usize>, run: &Placed<'_>) -> Range<usize> {
    let from = range.start.saturating_sub(run.start).min(run.len());
    let to = range.end.saturating_sub(run.start).min(run.len());
    from..to
}

/// The runs of places in a dictionary, of the first `len` values of a page.
pub(super) fn places(values: &[u8], len: usize, mut each: impl FnMut(&Placed<'_>)) -> Result<()> {
    let (width, runs) = values.split_first().ok_or_else(cut_off)?;
    if *width > 32 {
        return Err(broken("its numbers are too wide"));
    }
    let mut start = 0;
    for run in Hybrid::new(runs, u32::from(*width), len) {
        let run = Placed { start, run: run? };
        each(&run);
        start += run.len();
    }
    Ok(())
}

fn split(values: &[u8], range: Range<usize>, out: &mut Vec<i64>) -> Result<()> {
    let len = values.len() / 8;
    if range.end > len {
        return Err(cut_off());
    }
    let start = out.len();
    out.resize(start + range.len(), 0);
    for (place, bytes) in values.chunks_exact(len.max(1)).enumerate().take(8) {
        let own = out[start..].iter_mut().zip(&bytes[range.clone()]);
        own.for_each(|(value, byte)| *value |= (u64::from(*byte) << (8 * place)).cast_signed());
    }
    Ok(())
}

/// Parts of a block, in which differences have the same number of bits.
const PARTS_MAX: usize = 64;
/// Values of a part, nearly everywhere.
const PART: usize = 32;
/// Numbers of so many bits are in eight bytes, wherever in a byte they begin.
const WIDTH_MAX: u32 = 56;

/// The numbers of a part, with room behind them: each is had by one load of eight bytes.
struct Packed {
    bytes: [u8; PART * WIDTH_MAX as usize / 8 + 8],
    width: usize,
    mask: u64,
}

impl Packed {
    /// Of at most [`WIDTH_MAX`] bits each.
    fn new(own: &[u8], width: u32) -> Self {
        let mut bytes = [0; PART * WIDTH_MAX as usize / 8 + 8];
        bytes[..own.len()].copy_from_slice(own);
        Self { bytes, width: width as usize, mask: (1 << width) - 1 }
    }

    #[inline(always)]
    fn at(&self, place: usize) -> u64 {
        let bit = place * self.width;
        let eight = self.bytes[bit / 8..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        eight >> (bit % 8) & self.mask
    }
}

/// Numbers of which each is given by what it is above the one before; gives the bytes after them.
pub(super) fn deltas<'a>(mut bytes: &'a [u8], range: Range<usize>, out: &mut Vec<i64>) -> Result<&'a [u8]> {
    let number = |bytes: &mut &[u8]| varint(bytes).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let (block, parts, len) = (number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?);
    let mut value = zigzag(&mut bytes)?;
    if range.end > len {
        return Err(cut_off());
    }
    if parts == 0 || parts > PARTS_MAX || block > 1 << 16 || !block.is_multiple_of(parts * 32) || block == 0 {
        return Err(broken("its blocks have no possible length"));
    }
    out.reserve(range.len());
    if range.start == 0 && range.end > 0 {
        out.push(value);
    }
    let (part, mut next) = (block / parts, 1);
    while next < range.end {
        let least = zigzag(&mut bytes)?;
        let (widths, rest) = bytes.split_at_checked(parts).ok_or_else(cut_off)?;
        bytes = rest;
        for width in widths {
            // Parts that have no value any more have no bytes either.
            if next >= len {
                break;
            }
            let width = u32::from(*width);
            if width > 64 {
                return Err(broken("its numbers are too wide"));
            }
            let (own, rest) = bytes.split_at_checked(part / 8 * width as usize).ok_or_else(cut_off)?;
            bytes = rest;
            let count = part.min(len - next);
            let passed = range.start.saturating_sub(next).min(count);
            let taken = range.end.saturating_sub(next).min(count).max(passed);
            let mut add = |delta: u64| {
                value = value.wrapping_add(least).wrapping_add(delta.cast_signed());
                value
            };
            if width <= WIDTH_MAX && part == PART {
                let packed = Packed::new(own, width);
                for place in 0..passed {
                    add(packed.at(place));
                }
                out.extend((passed..taken).map(|place| add(packed.at(place))));
            } else {
                for place in 0..passed {
                    add(unpacked(own, width, place));
                }
                out.extend((passed..taken).map(|place| add(unpacked(own, width, place))));
            }
            next += count;
            if next >= range.end && taken < count {
                break;
            }
        }
    }
    Ok(bytes)
}
