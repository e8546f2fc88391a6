//! Parquet's DELTA_BINARY_PACKED: blocks of 128 differences, packed in four parts by what is above
//! the smallest.

use super::bits::{Bits, pack, varint, zigzag};

const BLOCK: usize = 128;
const PARTS: usize = 4;
const PART: usize = BLOCK / PARTS;

/// Appends the values.
pub(super) fn binary_packed(out: &mut Vec<u8>, values: &[i64]) {
    varint(out, BLOCK as u64);
    varint(out, PARTS as u64);
    varint(out, values.len() as u64);
    let Some(first) = values.first() else {
        zigzag(out, 0);
        return;
    };
    zigzag(out, *first);
    let mut bits = Bits::default();
    let mut deltas = [0i64; BLOCK];
    let mut from = 0;
    while from + 1 < values.len() {
        let len = (values.len() - 1 - from).min(BLOCK);
        let pairs = values[from..=from + len].windows(2);
        deltas.iter_mut().zip(pairs).for_each(|(delta, pair)| *delta = pair[1].wrapping_sub(pair[0]));
        block(out, &mut bits, &deltas[..len]);
        from += len;
    }
}

fn block(out: &mut Vec<u8>, bits: &mut Bits, deltas: &[i64]) {
    let min = deltas.iter().copied().min().unwrap_or(0);
    zigzag(out, min);
    let above = |delta: i64| delta.wrapping_sub(min) as u64;
    let widths = out.len();
    out.extend_from_slice(&[0; PARTS]);
    for (part, deltas) in deltas.chunks(PART).enumerate() {
        let all = deltas.iter().fold(0, |all, delta| all | above(*delta));
        let width = u64::BITS - all.leading_zeros();
        out[widths + part] = width as u8;
        if width > 0 {
            let end = out.len() + PART / 8 * width as usize;
            pack(out, bits, deltas, above, width);
            out.resize(end, 0);
        }
    }
}

/// Appends texts as DELTA_LENGTH_BYTE_ARRAY: their lengths, then all bytes.
pub(super) fn length_byte_array(out: &mut Vec<u8>, lengths: &[i64], bytes: &[u8]) {
    binary_packed(out, lengths);
    out.extend_from_slice(bytes);
}
