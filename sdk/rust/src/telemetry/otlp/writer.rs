/// Writes protobuf fields one after the other. A nested message's length is put in when it is
/// known, by moving what was written up by the few bytes that the length takes.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

/// What a writer that is used again may keep.
const SPARE_BYTES_MAX: usize = 64 << 10;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Begins anew. The memory is kept, unless it is more than what is usually needed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(SPARE_BYTES_MAX);
    }

    #[inline]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    #[inline]
    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// An unsigned or signed integer or an enum; nothing for zero.
    #[inline]
    pub(crate) fn integer(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.always_integer(field, value);
        }
    }

    /// As [`Writer::integer`], but also zero: for the members of a `oneof`.
    #[inline]
    pub(crate) fn always_integer(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    #[inline]
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.always_fixed64(field, value);
        }
    }

    #[inline]
    pub(crate) fn always_fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.tag(field, FIXED32);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A text or bytes; nothing when empty.
    #[inline]
    pub(crate) fn bytes(&mut self, field: u32, value: impl AsRef<[u8]>) {
        if !value.as_ref().is_empty() {
            self.always_bytes(field, value);
        }
    }

    #[inline]
    pub(crate) fn always_bytes(&mut self, field: u32, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.tag(field, LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A text from anything that prints, without a string between.
    pub(crate) fn display(&mut self, field: u32, value: std::fmt::Arguments<'_>) {
        match value.as_str() {
            Some(text) => self.always_bytes(field, text),
            None => self.message(field, |writer| {
                // Only a broken `Display` fails; what it wrote before stays.
                let _ = std::fmt::Write::write_fmt(writer, value);
            }),
        }
    }

    /// 64-bit values in one packed field.
    pub(crate) fn packed64(&mut self, field: u32, values: impl ExactSizeIterator<Item = u64>) {
        if values.len() > 0 {
            self.tag(field, LENGTH);
            self.varint(values.len() as u64 * 8);
            values.for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
        }
    }

    /// A signed integer in zig-zag; nothing for zero.
    pub(crate) fn signed(&mut self, field: u32, value: i32) {
        self.integer(field, u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
    }

    /// Integers in one packed field.
    pub(crate) fn packed_integers(&mut self, field: u32, values: impl Iterator<Item = u64>) {
        self.message(field, |writer| values.for_each(|value| writer.varint(value)));
    }

    /// A nested message, written even when empty.
    #[inline]
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.sized::<1>(field, write);
    }

    /// As [`Writer::message`], for one of more than 127 bytes as records are: nothing is moved when it
    /// is as large as it seems.
    #[inline]
    pub(crate) fn record(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.sized::<2>(field, write);
    }

    /// Leaves so many bytes for the length.
    #[inline]
    fn sized<const LEFT: usize>(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let length_at = self.0.len();
        self.0.extend_from_slice(&[0; LEFT]);
        write(self);
        let mut length = self.0.len() - length_at - LEFT;
        let bytes = (1..).find(|bytes| length >> (7 * bytes) == 0).unwrap_or(1);
        if bytes != LEFT {
            self.shift(length_at, LEFT, bytes);
        }
        for byte in &mut self.0[length_at..length_at + bytes] {
            *byte = (length & 0x7f) as u8 | 0x80;
            length >>= 7;
        }
        self.0[length_at + bytes - 1] &= 0x7f;
    }

    /// Moves what was written behind a length, which takes `to` bytes instead of `from`.
    #[cold]
    fn shift(&mut self, length_at: usize, from: usize, to: usize) {
        let end = self.0.len();
        self.0.resize(end + to.saturating_sub(from), 0);
        self.0.copy_within(length_at + from..end, length_at + to);
        self.0.truncate(end + to - from);
    }

    /// What was already written elsewhere.
    #[inline]
    pub(crate) fn raw(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }
}

/// Appends text within a field that is being written.
impl std::fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Writer {
    /// Takes away the entries of `field` whose key, their first field, is `key`. Every field that
    /// was written so far must be a nested message. Says whether there was one.
    pub(crate) fn remove_entry(&mut self, field: u32, key: &str) -> bool {
        let mut at = 0;
        let before = self.0.len();
        while let Some((number, content)) = self.message_at(at) {
            let end = content.end;
            let entry = Self(self.0[content].to_vec());
            let same =
                entry.message_at(0).is_some_and(|(first, it)| first == 1 && entry.0[it] == *key.as_bytes());
            if number == field && same {
                self.0.drain(at..end);
            } else {
                at = end;
            }
        }
        self.0.len() < before
    }

    /// Number and content of the length-delimited field that begins at `at`.
    fn message_at(&self, at: usize) -> Option<(u32, std::ops::Range<usize>)> {
        let (tag, after_tag) = self.varint_at(at)?;
        let (length, start) = self.varint_at(after_tag)?;
        let end = start.checked_add(usize::try_from(length).ok()?).filter(|end| *end <= self.0.len())?;
        Some((u32::try_from(tag >> 3).ok()?, start..end))
    }

    fn varint_at(&self, at: usize) -> Option<(u64, usize)> {
        let mut value = 0;
        for (index, byte) in self.0.get(at..)?.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Some((value, at + index + 1));
            }
        }
        None
    }
}
