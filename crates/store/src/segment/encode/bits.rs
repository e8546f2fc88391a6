/// Values of a few bits each, one after the other, the lowest bits first.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    filled: u32,
}

impl Bits {
    /// Appends the lowest `bits` of `value`, which has no others.
    #[inline]
    pub(super) fn put(&mut self, value: u64, bits: u32) {
        self.pending |= value << self.filled;
        let filled = self.filled + bits;
        if filled < 64 {
            self.filled = filled;
            return;
        }
        self.bytes.extend_from_slice(&self.pending.to_le_bytes());
        // Shifting by 64 is not defined; then nothing is left either.
        self.pending = value.checked_shr(64 - self.filled).unwrap_or(0);
        self.filled = filled - 64;
    }

    /// Appends all to `out`, filled up to a whole byte, and begins anew.
    pub(super) fn drain_into(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        let rest = self.filled.div_ceil(8) as usize;
        out.extend_from_slice(&self.pending.to_le_bytes()[..rest]);
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.pending = 0;
        self.filled = 0;
    }
}

/// Levels of a page: small numbers, mostly all the same.
#[derive(Debug)]
pub(super) struct Levels {
    width: u32,
    bits: Bits,
    len: usize,
    /// The value of all so far, as long as they are the same.
    same: Option<u64>,
    mixed: bool,
}

impl Levels {
    /// Levels up to `max`.
    pub(super) fn new(max: i16) -> Self {
        let width = u64::BITS - u64::from(max.unsigned_abs()).leading_zeros();
        Self { width, bits: Bits::default(), len: 0, same: None, mixed: false }
    }

    #[inline]
    pub(super) fn put(&mut self, level: u64) {
        self.mixed |= *self.same.get_or_insert(level) != level;
        self.bits.put(level, self.width);
        self.len += 1;
    }

    /// The same level several times.
    #[inline]
    pub(super) fn put_run(&mut self, level: u64, times: usize) {
        if times == 0 {
            return;
        }
        self.mixed |= *self.same.get_or_insert(level) != level;
        self.len += times;
        if self.width == 0 {
            return;
        }
        // A one for each of 64 levels of one bit, or 32 of two.
        let ones = if self.width == 1 { u64::MAX } else { 0x5555_5555_5555_5555 };
        let most = 64 / self.width as usize;
        let mut left = times;
        while left > 0 {
            let bits = left.min(most) as u32 * self.width;
            let mask = u64::MAX.checked_shr(64 - bits).unwrap_or(0);
            self.bits.put(ones.wrapping_mul(level) & mask, bits);
            left -= left.min(most);
        }
    }

    /// Whether one more of `level` leaves all of them the same.
    pub(super) fn stays_uniform(&self, level: u64) -> bool {
        !self.mixed && self.same.is_none_or(|same| same == level)
    }

    /// Appends them as a page has them, with their length before, and begins anew. Nothing where
    /// there can be only one level.
    pub(super) fn drain_into(&mut self, out: &mut Vec<u8>) {
        if self.width > 0 {
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            if self.mixed {
                packed_header(out, self.len);
                self.pad();
                self.bits.drain_into(out);
            } else {
                repeated(out, self.same.unwrap_or(0), self.len, self.width);
            }
            let len = u32::try_from(out.len() - start - 4).expect("pages are small");
            out[start..start + 4].copy_from_slice(&len.to_le_bytes());
        }
        self.bits.clear();
        (self.len, self.same, self.mixed) = (0, None, false);
    }

    /// Fills up to a multiple of eight levels.
    fn pad(&mut self) {
        (self.len..self.len.next_multiple_of(8)).for_each(|_| self.bits.put(0, self.width));
    }
}

/// Appends indices into a dictionary of `len` entries as a page has them: their width, then runs.
pub(super) fn indices(out: &mut Vec<u8>, ids: &[u32], len: usize) {
    // Width 0 would do for one entry, but not every reader knows it.
    let width = (usize::BITS - len.saturating_sub(1).leading_zeros()).max(1);
    out.push(u8::try_from(width).expect("at most 64"));
    let changes = ids.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if changes < ids.len() / 16 {
        for run in ids.chunk_by(|a, b| a == b) {
            repeated(out, u64::from(run[0]), run.len(), width);
        }
        return;
    }
    packed_header(out, ids.len());
    pack(out, &mut Bits::default(), ids, u64::from, width);
}

/// Appends what `bits_of` makes of the values, `width` bits each and no others, the lowest first, and zeros up
/// to a multiple of eight values. There is nothing in `wide`, before and after.
#[inline]
pub(super) fn pack<T: Copy>(
    out: &mut Vec<u8>,
    wide: &mut Bits,
    values: &[T],
    bits_of: impl Fn(T) -> u64,
    width: u32,
) {
    let bytes = width as usize;
    let end = out.len() + values.len().div_ceil(8) * bytes;
    if width > 16 {
        values.iter().for_each(|value| wide.put(bits_of(*value), width));
        wide.drain_into(out);
        return out.resize(end, 0);
    }
    // Four values are a word, eight are whole bytes.
    let word = |four: &[T]| (0..).zip(four).fold(0, |word, (n, value)| word | bits_of(*value) << (n * width));
    let eight = |group: &[T]| {
        let (low, high) = group.split_at(group.len().min(4));
        (u128::from(word(low)) | u128::from(word(high)) << (4 * width)).to_le_bytes()
    };
    let (groups, rest) = values.as_chunks::<8>();
    out.reserve(end - out.len() + size_of::<u128>());
    for group in groups {
        let end = out.len() + bytes;
        out.extend_from_slice(&eight(group));
        out.truncate(end);
    }
    if !rest.is_empty() {
        out.extend_from_slice(&eight(rest)[..bytes]);
    }
}

/// The header of a run of bit-packed values.
fn packed_header(out: &mut Vec<u8>, len: usize) {
    varint(out, (len.div_ceil(8) as u64) << 1 | 1);
}

/// A run of one value.
fn repeated(out: &mut Vec<u8>, value: u64, len: usize, width: u32) {
    varint(out, (len as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn zigzag(out: &mut Vec<u8>, value: i64) {
    varint(out, ((value << 1) ^ (value >> 63)) as u64);
}
