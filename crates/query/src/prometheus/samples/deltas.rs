//! Numbers of which each is given by what it is above the one before (`DELTA_BINARY_PACKED`): those that
//! are wanted are made, of the others only the sum is known.

use std::ops::Range;

use parquet::errors::Result;

use super::page::{broken, unpacked, varint, zigzag};
use super::values::cut_off;

/// Parts of a block, in which differences have the same number of bits.
const PARTS_MAX: usize = 64;
/// Values of a part, as everybody but the general writer has it.
const PART: usize = 32;
/// Numbers of so many bits are in eight bytes, wherever in a byte they begin.
const WIDTH_MAX: usize = 56;

/// Where a number is that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The number of its range among those that are wanted.
    pub(super) range: usize,
    /// Its place among all numbers.
    pub(super) place: usize,
}

impl At {
    pub(super) fn after(self, numbers: usize) -> Self {
        Self { place: self.place + numbers, ..self }
    }
}

/// Takes the numbers that are wanted, in their order.
pub(super) trait Sink {
    /// Numbers, the first of which is there.
    fn numbers(&mut self, at: At, numbers: &[i64]);

    /// What differences add up to from the number before; gives the last one.
    fn sums(&mut self, at: At, before: i64, deltas: &[i64]) -> i64 {
        let (mut value, mut place) = (before, at);
        for deltas in deltas.chunks(PART) {
            let mut own = [0; PART];
            for (own, delta) in own.iter_mut().zip(deltas) {
                value = value.wrapping_add(*delta);
                *own = value;
            }
            self.numbers(place, &own[..deltas.len()]);
            place = place.after(deltas.len());
        }
        value
    }

    /// So many numbers, each of them `step` above the one before.
    fn steps(&mut self, at: At, before: i64, step: i64, count: usize);
}

impl Sink for Vec<i64> {
    fn numbers(&mut self, _: At, numbers: &[i64]) {
        self.extend_from_slice(numbers);
    }

    fn sums(&mut self, _: At, before: i64, deltas: &[i64]) -> i64 {
        let mut value = before;
        self.extend(deltas.iter().map(|delta| {
            value = value.wrapping_add(*delta);
            value
        }));
        value
    }

    fn steps(&mut self, _: At, before: i64, step: i64, count: usize) {
        self.extend((1..=count).map(|times| stepped(before, step, times)));
    }
}

fn stepped(value: i64, step: i64, times: usize) -> i64 {
    value.wrapping_add(step.wrapping_mul(times as i64))
}

/// Gives the wanted ones, ascending and apart, to `out`; returns the bytes after all of them, if the last is
/// wanted.
pub(super) fn deltas<'a>(
    mut bytes: &'a [u8],
    wanted: &[Range<usize>],
    out: &mut impl Sink,
) -> Result<&'a [u8]> {
    let number = |bytes: &mut &[u8]| varint(bytes).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let (block, parts, len) = (number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?);
    let first = zigzag(&mut bytes)?;
    let end = wanted.last().map_or(0, |last| last.end);
    if end > len {
        return Err(cut_off());
    }
    if parts == 0 || parts > PARTS_MAX || block > 1 << 16 || !block.is_multiple_of(parts * PART) || block == 0
    {
        return Err(broken("its blocks have no possible length"));
    }
    let mut taken = Taken { wanted, range: 0, value: first, next: 0, out };
    taken.take(&[0]);
    let part = block / parts;
    while taken.next < end {
        let least = zigzag(&mut bytes)?;
        let (widths, rest) = bytes.split_at_checked(parts).ok_or_else(cut_off)?;
        bytes = rest;
        for width in widths.iter().map(|width| usize::from(*width)) {
            // Parts that have no value any more have no bytes either.
            if taken.next >= len {
                break;
            }
            if width > 64 {
                return Err(broken("its numbers are too wide"));
            }
            let packed = bytes;
            bytes = bytes.get(part / 8 * width..).ok_or_else(cut_off)?;
            let count = part.min(len - taken.next);
            if width == 0 {
                taken.same(least, count);
                continue;
            }
            for start in (0..count).step_by(PART) {
                let mut own = [least; PART];
                unpack(&packed[start / 8 * width..], width, &mut own);
                taken.take(&own[..PART.min(count - start)]);
            }
        }
    }
    Ok(bytes)
}

/// Adds the numbers of a part to what is there. The bytes may go on behind them.
fn unpack(bytes: &[u8], width: usize, own: &mut [i64; PART]) {
    if width > WIDTH_MAX {
        let width = u32::try_from(width).unwrap_or(64);
        for (place, own) in own.iter_mut().enumerate() {
            *own = own.wrapping_add(unpacked(bytes, width, place).cast_signed());
        }
        return;
    }
    // Each number is had by one load of eight bytes, also the last one.
    let len = PART / 8 * width + 8;
    let mut padded = [0; PART / 8 * WIDTH_MAX + 8];
    let bytes = match bytes.get(..len) {
        Some(bytes) => bytes,
        None => {
            padded[..bytes.len()].copy_from_slice(bytes);
            &padded[..len]
        }
    };
    UNPACK[width](bytes, own);
}

type Unpack = fn(&[u8], &mut [i64; PART]);

fn unpack_of<const WIDTH: usize>(bytes: &[u8], own: &mut [i64; PART]) {
    // So that it is known that all of them are there.
    let Some(bytes) = bytes.get(..PART / 8 * WIDTH + 8) else { return };
    let mask = (1_u64 << WIDTH) - 1;
    for (place, own) in own.iter_mut().enumerate() {
        let bit = place * WIDTH;
        let eight = bytes[bit / 8..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        *own = own.wrapping_add((eight >> (bit % 8) & mask).cast_signed());
    }
}

/// For each width what is made for it: its shifts and masks are then known to the compiler.
static UNPACK: [Unpack; WIDTH_MAX + 1] = {
    macro_rules! each {
        ($($width:literal)*) => { [$(unpack_of::<$width>),*] };
    }
    each!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35
        36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56)
};

/// What is made of the differences.
struct Taken<'a, S> {
    /// What is still wanted.
    wanted: &'a [Range<usize>],
    /// The number of the first of these.
    range: usize,
    value: i64,
    next: usize,
    out: &'a mut S,
}

impl<S: Sink> Taken<'_, S> {
    /// Goes on by some differences; the first of all is none.
    fn take(&mut self, deltas: &[i64]) {
        let mut rest = deltas;
        while let Some((range, passed, own)) = self.step(rest.len()) {
            let (before, from) = rest.split_at(passed);
            let (own, after) = from.split_at(own);
            self.pass(before);
            self.value = self.out.sums(At { range, place: self.next }, self.value, own);
            self.next += own.len();
            rest = after;
        }
        self.pass(rest);
    }

    fn pass(&mut self, deltas: &[i64]) {
        self.value = deltas.iter().fold(self.value, |value, delta| value.wrapping_add(*delta));
        self.next += deltas.len();
    }

    /// Goes on by the same difference so many times.
    fn same(&mut self, delta: i64, count: usize) {
        let mut left = count;
        while let Some((range, passed, own)) = self.step(left) {
            let before = stepped(self.value, delta, passed);
            self.out.steps(At { range, place: self.next + passed }, before, delta, own);
            self.value = stepped(before, delta, own);
            self.next += passed + own;
            left -= passed + own;
        }
        self.value = stepped(self.value, delta, left);
        self.next += left;
    }

    /// Of so many that come: the range that some are wanted of, how many are passed before, and how many these are.
    fn step(&mut self, coming: usize) -> Option<(usize, usize, usize)> {
        let (first, rest) = self.wanted.split_first()?;
        let end = self.next + coming;
        if coming == 0 || first.start >= end {
            return None;
        }
        let passed = first.start.saturating_sub(self.next);
        let own = first.end.min(end).saturating_sub(self.next + passed);
        let range = self.range;
        if first.end <= end {
            self.wanted = rest;
            self.range += 1;
        }
        Some((range, passed, own))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

    use proptest::prelude::*;

    use super::*;

    fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn zigzag(value: i64, out: &mut Vec<u8>) {
        varint((value << 1 ^ value >> 63).cast_unsigned(), out);
    }

    /// As the specification of Parquet has it, a bit at a time, in blocks of 128 with four parts.
    fn packed(values: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        for head in [128, 4, values.len() as u64] {
            varint(head, &mut out);
        }
        zigzag(values[0], &mut out);
        let deltas: Vec<_> = values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        for block in deltas.chunks(128) {
            let least = *block.iter().min().unwrap();
            zigzag(least, &mut out);
            let above = |delta: &i64| delta.wrapping_sub(least).cast_unsigned();
            let width =
                |part: &[i64]| part.iter().map(|delta| 64 - above(delta).leading_zeros()).max().unwrap();
            let parts: Vec<_> = block.chunks(PART).collect();
            out.extend((0..4).map(|part| parts.get(part).map_or(0, |part| width(part) as u8)));
            for part in parts {
                let width = width(part) as usize;
                let mut bytes = vec![0_u8; PART / 8 * width];
                for (place, delta) in part.iter().enumerate() {
                    for bit in (0..width).filter(|bit| above(delta) >> bit & 1 == 1) {
                        let at = place * width + bit;
                        bytes[at / 8] |= 1 << (at % 8);
                    }
                }
                out.extend(bytes);
            }
        }
        out
    }

    prop_compose! {
        fn numbers()(widths in prop::collection::vec(0_u32..=64, 1..20))(
            values in widths.iter().map(|width| {
                let most = u64::MAX.checked_shr(64 - width).unwrap_or(0);
                prop::collection::vec(0..=most, 20..60)
            }).collect::<Vec<_>>(),
        ) -> Vec<i64> {
            let mut value = 0_i64;
            let each = values.into_iter().flatten().map(|delta| {
                value = value.wrapping_add(delta.cast_signed());
                value
            });
            each.collect()
        }
    }

    proptest! {
        #[test]
        fn what_is_wanted_comes_out(
            values in numbers(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut bytes = packed(&values);
            let end = bytes.len();
            bytes.extend([0xff; 3]);
            let mut out = Vec::new();
            let all = 0..values.len();
            let rest = deltas(&bytes, std::slice::from_ref(&all), &mut out).unwrap();
            prop_assert_eq!(rest.len(), 3, "of {}", end);
            prop_assert_eq!(&out, &values);

            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(values.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.dedup();
            let wanted: Vec<_> = cuts.as_chunks::<2>().0.iter().map(|[from, to]| *from..*to).collect();
            out.clear();
            deltas(&bytes[..end], &wanted, &mut out).unwrap();
            let expected: Vec<_> = wanted.iter().flat_map(|range| values[range.clone()].iter().copied()).collect();
            prop_assert_eq!(out, expected);
        }
    }
}
