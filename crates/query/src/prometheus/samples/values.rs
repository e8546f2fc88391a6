//! Numbers and places in a dictionary, out of the values of a page.

use std::ops::Range;

use parquet::basic::{Encoding, Type};
use parquet::errors::{ParquetError, Result};

use super::deltas::deltas;
use super::page::{Hybrid, Run, broken, unpacked};

/// Appends some of the numbers of a page, given by their places among those that are no nulls, ascending
/// and apart, as 64 bits each. `dictionary` is that of the column.
pub(super) fn numbers(
    kind: Type,
    encoding: Encoding,
    values: &[u8],
    wanted: &[Range<usize>],
    dictionary: &[i64],
    out: &mut Vec<i64>,
) -> Result<()> {
    match (encoding, kind) {
        (Encoding::PLAIN, Type::INT64 | Type::DOUBLE) => {
            let (all, _) = values.as_chunks::<8>();
            for range in wanted {
                let own = all.get(range.clone()).ok_or_else(cut_off)?;
                out.extend(own.iter().map(|value| i64::from_le_bytes(*value)));
            }
        }
        (Encoding::PLAIN, Type::INT32) => {
            let (all, _) = values.as_chunks::<4>();
            for range in wanted {
                let own = all.get(range.clone()).ok_or_else(cut_off)?;
                out.extend(own.iter().map(|value| i64::from(i32::from_le_bytes(*value))));
            }
        }
        (Encoding::BYTE_STREAM_SPLIT, Type::INT64 | Type::DOUBLE) => {
            wanted.iter().try_for_each(|range| split(values, range.clone(), out))?;
        }
        (Encoding::DELTA_BINARY_PACKED, Type::INT64 | Type::INT32) => {
            out.reserve(wanted.iter().map(Range::len).sum());
            deltas(values, wanted, out)?;
        }
        (Encoding::RLE_DICTIONARY, _) => {
            let end = wanted.last().map_or(0, |last| last.end);
            let (mut known, mut first) = (true, 0);
            places(values, end, |run| {
                first += wanted[first..].partition_point(|range| range.end <= run.start);
                for range in wanted[first..].iter().take_while(|range| range.start < run.start + run.len()) {
                    known &= run.look_up(overlap(range, run), dictionary, out);
                }
            })?;
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
    let span = *first..last + 1;
    if encoding != Encoding::RLE_DICTIONARY {
        let mut all = Vec::new();
        numbers(kind, encoding, values, std::slice::from_ref(&span), dictionary, &mut all)?;
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

pub(super) fn cut_off() -> ParquetError {
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
        let bytes = &bytes[range.clone()];
        // What is small has nothing in most places.
        if bytes.chunks(64).all(|bytes| bytes.iter().fold(0, |any, byte| any | byte) == 0) {
            continue;
        }
        let own = out[start..].iter_mut().zip(bytes);
        own.for_each(|(value, byte)| *value |= (u64::from(*byte) << (8 * place)).cast_signed());
    }
    Ok(())
}
