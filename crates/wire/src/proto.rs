//! Protobuf's wire format: a cursor over a message that never leaves its bounds.
//!
//! Semantics are prost's, the oracle of the tests: repeated scalars and oneofs take the last value,
//! a repeated sub-message is merged (which is what decoding its parts' concatenation does), unknown
//! fields are skipped, a known field with another wire type is an error.

use std::borrow::Cow;

mod write;

pub(crate) use write::Writer;

/// How deep unknown groups may nest; prost's limit.
const GROUP_DEPTH_MAX: usize = 100;
/// Texts up to this length are copied as one block of it where the message goes on long enough.
pub(crate) const BLOCK: usize = 32;
/// So many bytes of a body.
pub(crate) type Block = [u8; BLOCK];

/// A request that is not what its format says. Nothing of it can be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field goes on past the end of its message.
    #[error("protobuf: a field ends after its message")]
    Truncated,
    /// A varint of more than 64 bits.
    #[error("protobuf: varint of more than 64 bits")]
    Varint,
    /// A key without a field number or with a wire type that there is not.
    #[error("protobuf: invalid field key {0:#x}")]
    Key(u64),
    /// A group that ends without having begun, or the reverse, or nested too deeply.
    #[error("protobuf: unbalanced or deeply nested group")]
    Group,
    /// A known field with another type.
    #[error("protobuf: field {field} of {message} has wire type {wire_type}")]
    WireType {
        /// The message's name.
        message: &'static str,
        /// The field's number.
        field: u32,
        /// The wire type it came with.
        wire_type: u32,
    },
    /// More records than one request may have.
    #[error("request has more than {limit} records: send smaller batches")]
    TooManyRecords {
        /// [`crate::otlp::Limits::records_max`]
        limit: usize,
    },
    /// The message is larger than any request may be, or its columns would be.
    #[error("request of {bytes} bytes is over the limit of {limit}: send smaller batches")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest.
        limit: usize,
    },
    /// Not the JSON of such a request; says what is wrong, at which line and column.
    #[error("JSON: {0}")]
    Json(String),
}

impl Malformed {
    /// What kind of failure it is.
    pub fn kind(&self) -> model::ErrorKind {
        model::ErrorKind::InvalidArgument
    }

    /// Whether the same request may succeed later: never.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// [`Malformed`] as it is passed up while a message is read: one word, so that what may fail can
/// answer in registers.
pub(crate) type Refused = Box<Malformed>;

/// The fields of a message that have a meaning here: one bit for each field number below 64.
pub(crate) struct Known {
    pub(crate) message: &'static str,
    pub(crate) fields: u64,
}

impl Known {
    pub(crate) const fn new(message: &'static str, numbers: &[u32]) -> Self {
        let mut fields = 0;
        let mut index = 0;
        while index < numbers.len() {
            fields |= 1 << numbers[index];
            index += 1;
        }
        Self { message, fields }
    }
}

/// A message, or the bytes of a field, within a body: `body[pos..end]`. Reading moves `pos`.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    body: &'a [u8],
    pos: usize,
    end: usize,
}

/// See [`Reader::attribute`].
pub(crate) struct Attribute<'a> {
    pub(crate) key: Reader<'a>,
    /// The text if it is one, else the message.
    pub(crate) value: Reader<'a>,
    pub(crate) is_text: bool,
}

impl<'a> Reader<'a> {
    pub(crate) const EMPTY: Reader<'static> = Reader { body: &[], pos: 0, end: 0 };

    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { body, pos: 0, end: body.len() }
    }

    /// Whether there is another field.
    ///
    /// Single numbers are read within the body only: one that went on past the message's end is
    /// found here, before anything that is longer than a number is read.
    #[inline(always)]
    pub(crate) fn more(&self) -> Result<bool, Refused> {
        if self.pos < self.end {
            Ok(true)
        } else if self.pos == self.end {
            Ok(false)
        } else {
            Err(truncated())
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.end.saturating_sub(self.pos)
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.pos == self.end
    }

    /// The bytes that are left.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        // Within bounds by construction; `get` only spares a panic path.
        self.body.get(self.pos..self.end).unwrap_or_default()
    }

    /// The bytes that are left, if they are exactly `N`.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes().try_into().ok()
    }

    /// What is left and some more, if it is short and the body goes on. A block is copied by a few
    /// instructions where bytes of any number need a call; what is too much is taken back.
    #[inline(always)]
    pub(crate) fn block(&self) -> Option<&'a Block> {
        let block = self.body.get(self.pos..).and_then(<[u8]>::first_chunk::<BLOCK>);
        block.filter(|_| self.len() <= BLOCK)
    }

    /// Appends what is left.
    #[inline(always)]
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        match self.block() {
            Some(block) => append(out, block, self.len()),
            None => out.extend_from_slice(self.bytes()),
        }
    }

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, Refused> {
        let byte = *self.body.get(self.pos).ok_or_else(truncated)?;
        self.pos += 1;
        Ok(byte)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Refused> {
        let first = self.byte()?;
        if first < 0x80 { Ok(u64::from(first)) } else { self.varint_from(first) }
    }

    #[inline(always)]
    fn varint_from(&mut self, first: u8) -> Result<u64, Refused> {
        let second = self.byte()?;
        let value = u64::from(first & 0x7f) | u64::from(second & 0x7f) << 7;
        if second < 0x80 { Ok(value) } else { self.varint_rest(value) }
    }

    #[inline(never)]
    fn varint_rest(&mut self, mut value: u64) -> Result<u64, Refused> {
        for shift in (14..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        // The tenth byte has room for one bit.
        match self.byte()? {
            last @ (0 | 1) => Ok(value | u64::from(last) << 63),
            _ => Err(Malformed::Varint.into()),
        }
    }

    /// A varint of which protobuf keeps the lower 32 bits.
    #[inline(always)]
    pub(crate) fn varint32(&mut self) -> Result<u32, Refused> {
        #[expect(clippy::cast_possible_truncation, reason = "protobuf truncates")]
        self.varint().map(|value| value as u32)
    }

    /// A zigzag varint of 32 bits.
    pub(crate) fn sint32(&mut self) -> Result<i32, Refused> {
        let value = self.varint32()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let chunk = self.body.get(self.pos..).and_then(<[u8]>::first_chunk::<N>);
        let value = *chunk.ok_or_else(truncated)?;
        self.pos += N;
        Ok(value)
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Refused> {
        self.fixed().map(u64::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Refused> {
        self.fixed().map(u32::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn double(&mut self) -> Result<f64, Refused> {
        self.fixed().map(f64::from_le_bytes)
    }

    /// The key of the next field. Whether it is a valid one is found where it is not a known one.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<u64, Refused> {
        self.varint()
    }

    /// A field with a length: text, bytes, message, packed numbers.
    #[inline(always)]
    pub(crate) fn field(&mut self) -> Result<Reader<'a>, Refused> {
        let length = self.varint()?;
        let pos = self.pos;
        let left = self.end.saturating_sub(pos);
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                self.pos = pos + length;
                Ok(Reader { body: self.body, pos, end: self.pos })
            }
            _ => Err(truncated()),
        }
    }

    /// Takes the key of the next field if it is `key`, which is one byte.
    #[inline(always)]
    pub(crate) fn take_key(&mut self, key: u8) -> bool {
        let found = self.pos < self.end && self.body.get(self.pos) == Some(&key);
        self.pos += usize::from(found);
        found
    }

    /// The field whose key was read, if it is an attribute as nearly all are written: a key and then
    /// a value, all lengths in one byte each. Else nothing is read.
    #[inline(always)]
    pub(crate) fn attribute(&mut self) -> Option<Attribute<'a>> {
        let rest = self.body.get(self.pos..)?;
        let [length @ 0..0x80, 0x0a, key @ 0..0x80, _] = *rest.first_chunk::<4>()? else { return None };
        let (length, key) = (usize::from(length), usize::from(key));
        let [0x12, value @ 0..0x80, text_tag, text] = *rest.get(3 + key..)?.first_chunk::<4>()? else {
            return None;
        };
        let (value, text) = (usize::from(value), usize::from(text));
        let start = self.pos + 3;
        let end = start + key + 2 + value;
        if length != key + value + 4 || end > self.end {
            return None;
        }
        self.pos = end;
        let is_text = text_tag == 0x0a && text + 2 == value && value > 1;
        let skipped = if is_text { 4 } else { 2 };
        let key = Reader { body: self.body, pos: start, end: start + key };
        let value = Reader { body: self.body, pos: key.end + skipped, end };
        Some(Attribute { key, value, is_text })
    }

    /// Skips a field that is not known; refuses a known one that came with another wire type.
    #[cold]
    pub(crate) fn unknown(&mut self, key: u64, known: &Known) -> Result<(), Refused> {
        let (field, wire_type) = split(key)?;
        if field < 64 && known.fields >> field & 1 == 1 {
            return Err(Malformed::WireType { message: known.message, field, wire_type }.into());
        }
        self.skip(field, wire_type)
    }

    fn skip(&mut self, field: u32, wire_type: u32) -> Result<(), Refused> {
        match wire_type {
            3 => self.skip_group(field),
            4 => Err(Malformed::Group.into()),
            _ => self.skip_plain(wire_type),
        }
    }

    fn skip_plain(&mut self, wire_type: u32) -> Result<(), Refused> {
        match wire_type {
            0 => self.varint().map(drop),
            1 => self.fixed::<8>().map(drop),
            2 => self.field().map(drop),
            _ => self.fixed::<4>().map(drop),
        }
    }

    fn skip_group(&mut self, field: u32) -> Result<(), Refused> {
        let mut open = vec![field];
        while let Some(&innermost) = open.last() {
            let (field, wire_type) = split(self.key()?)?;
            match wire_type {
                3 if open.len() >= GROUP_DEPTH_MAX => return Err(Malformed::Group.into()),
                3 => open.push(field),
                4 if field == innermost => drop(open.pop()),
                4 => return Err(Malformed::Group.into()),
                _ => self.skip_plain(wire_type)?,
            }
        }
        Ok(())
    }
}

#[cold]
fn truncated() -> Refused {
    Malformed::Truncated.into()
}

/// Appends the first bytes of a block.
#[inline(always)]
pub(crate) fn append(out: &mut Vec<u8>, block: &Block, length: usize) {
    let start = out.len();
    out.extend_from_slice(block);
    out.truncate(start + length);
}

/// Field number and wire type of a key.
fn split(key: u64) -> Result<(u32, u32), Refused> {
    let narrow = u32::try_from(key).map_err(|_| Malformed::Key(key))?;
    match (narrow >> 3, narrow & 7) {
        (0, _) | (_, 6 | 7) => Err(Malformed::Key(key).into()),
        parts => Ok(parts),
    }
}

/// A sub-message that may come in several parts, which count as one.
#[derive(Clone, Default)]
pub(crate) enum Parts<'a> {
    #[default]
    None,
    One(Reader<'a>),
    Many(Vec<Reader<'a>>),
}

impl<'a> Parts<'a> {
    /// Adds a part.
    #[inline]
    pub(crate) fn push(&mut self, part: Reader<'a>) {
        match self {
            Self::None => *self = Self::One(part),
            Self::One(first) => *self = Self::Many(vec![*first, part]),
            Self::Many(parts) => parts.push(part),
        }
    }

    /// Every part as it came.
    pub(crate) fn each(&self) -> &[Reader<'a>] {
        match self {
            Self::None => &[],
            Self::One(part) => std::slice::from_ref(part),
            Self::Many(parts) => parts,
        }
    }

    /// The parts as one message: merging is concatenation. Only a whole whose parts are well-formed
    /// each is; that is for the caller to check.
    pub(crate) fn concat(&self) -> Cow<'a, [u8]> {
        match self.each() {
            [] => Cow::Borrowed(&[]),
            [part] => Cow::Borrowed(part.bytes()),
            parts => Cow::Owned(parts.iter().map(Reader::bytes).collect::<Vec<_>>().concat()),
        }
    }
}

#[cfg(test)]
mod tests;
