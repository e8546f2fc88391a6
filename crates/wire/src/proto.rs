//! Protobuf's wire format: a cursor over a message that never leaves its bounds.
//!
//! Semantics are prost's, the oracle of the tests: repeated scalars and oneofs take the last value,
//! a repeated sub-message is merged (which is what decoding its parts' concatenation does), unknown
//! fields are skipped, a known field with another wire type is an error.

use std::borrow::Cow;

mod write;

pub(crate) use write::{Writer, put_varint};

/// How deep unknown groups may nest; prost's limit.
const GROUP_DEPTH_MAX: usize = 100;
/// Texts up to this length, or twice it, are copied as one block where the body goes on long enough.
pub(crate) const BLOCK: usize = 32;

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
        /// [`crate::Limits::records_max`]
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
    /// Not a whole body of Prometheus' text or of OpenMetrics; says what is wrong, in which line.
    #[error("exposition: {0}")]
    Exposition(String),
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
///
/// Reading a number or a field cannot fail at once: what goes on past its message leaves the reader
/// broken, from then on all there is is zeros, and [`Reader::more`] says what happened. So a field
/// costs no check of its own, and a reader stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    body: &'a [u8],
    pos: usize,
    end: usize,
}

/// Where a broken reader is: after a field that ends after its message.
const TRUNCATED: usize = usize::MAX;
/// Where a broken reader is: after a varint of more than 64 bits.
const OVERLONG: usize = usize::MAX - 1;

/// Where a field is in its body; at first an empty one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slot {
    pos: u32,
    end: u32,
}

/// See [`Reader::attribute`].
pub(crate) struct Attribute<'a> {
    pub(crate) key: Reader<'a>,
    pub(crate) value: Value<'a>,
}

/// The value of an attribute.
pub(crate) enum Value<'a> {
    /// A text.
    Text(Reader<'a>),
    /// A message that is not, or not only, a text.
    Other(Reader<'a>),
}

impl<'a> Reader<'a> {
    pub(crate) const EMPTY: Reader<'static> = Reader { body: &[], pos: 0, end: 0 };

    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { body, pos: 0, end: body.len() }
    }

    /// The first bytes of a longer text.
    pub(crate) fn start(body: &'a [u8], length: usize) -> Self {
        Self { body, pos: 0, end: length.min(body.len()) }
    }

    /// Whether there is another field.
    ///
    /// # Errors
    /// When a field was not within its message. What was read since the last call is worthless then.
    #[inline(always)]
    pub(crate) fn more(&self) -> Result<bool, Refused> {
        if self.pos < self.end {
            Ok(true)
        } else if self.pos == self.end {
            Ok(false)
        } else {
            Err(broken(self.pos))
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.end.saturating_sub(self.pos)
    }

    /// How many bytes the body has from here on, those behind the message included.
    pub(crate) fn behind(&self) -> usize {
        self.body.len().saturating_sub(self.pos)
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.pos == self.end
    }

    /// The bytes that are left.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.body.get(self.pos..self.end).unwrap_or_default()
    }

    /// The bytes that are left, if they are exactly `N`.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes().try_into().ok()
    }

    /// Appends what is left. Short texts, which is nearly all, go as one block of fixed size where the
    /// body goes on: that is a few instructions instead of a call, and what is too much is taken back.
    #[inline(always)]
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        let length = self.len();
        let rest = self.body.get(self.pos..).unwrap_or_default();
        if length <= BLOCK
            && let Some(block) = rest.first_chunk::<BLOCK>()
        {
            append(out, block, length);
        } else if length <= 2 * BLOCK
            && let Some(block) = rest.first_chunk::<{ 2 * BLOCK }>()
        {
            append(out, block, length);
        } else {
            out.extend_from_slice(self.bytes());
        }
    }

    /// Appends what is left `count` times.
    #[inline(always)]
    pub(crate) fn copy_repeated(&self, out: &mut Vec<u8>, count: usize) {
        let length = self.len();
        let (start, rest) = (out.len(), self.body.get(self.pos..).unwrap_or_default());
        if length <= BLOCK
            && let Some(block) = rest.first_chunk::<BLOCK>()
        {
            // Each block's end, which is too much, is under the next one.
            out.resize(start + count * length + BLOCK, 0);
            let mut blocks = out.get_mut(start..).unwrap_or_default();
            for _ in 0..count {
                if let Some(to) = blocks.first_chunk_mut() {
                    *to = *block;
                }
                blocks = blocks.get_mut(length..).unwrap_or_default();
            }
            out.truncate(start + count * length);
        } else {
            (0..count).for_each(|_| self.copy_to(out));
        }
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> u64 {
        match self.body.get(self.pos..) {
            Some(&[byte @ 0..0x80, ..]) => {
                self.pos += 1;
                u64::from(byte)
            }
            Some(&[low, high @ 0..0x80, ..]) => {
                self.pos += 2;
                u64::from(low & 0x7f) | u64::from(high) << 7
            }
            _ => {
                let (value, pos) = long_varint(self.body, self.pos);
                self.pos = pos;
                value
            }
        }
    }

    /// A varint of which protobuf keeps the lower 32 bits.
    #[inline(always)]
    pub(crate) fn varint32(&mut self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "protobuf truncates")]
        let low = self.varint() as u32;
        low
    }

    /// A zigzag varint of 32 bits.
    pub(crate) fn sint32(&mut self) -> i32 {
        let value = self.varint32();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    /// A zigzag varint of 64 bits.
    #[inline(always)]
    pub(crate) fn sint64(&mut self) -> i64 {
        let value = self.varint();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        match self.body.get(self.pos..).and_then(<[u8]>::first_chunk::<N>) {
            Some(bytes) => {
                self.pos += N;
                *bytes
            }
            None => {
                self.pos = TRUNCATED;
                [0; N]
            }
        }
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> u64 {
        u64::from_le_bytes(self.fixed())
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self) -> u32 {
        u32::from_le_bytes(self.fixed())
    }

    #[inline(always)]
    pub(crate) fn double(&mut self) -> f64 {
        f64::from_le_bytes(self.fixed())
    }

    /// The key of the next field. Whether it is a valid one is found where it is not a known one.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> u64 {
        self.varint()
    }

    /// Whether the key of the next field is `key`, which is one byte.
    #[inline(always)]
    pub(crate) fn is_key(&self, key: u8) -> bool {
        self.pos < self.end && self.body.get(self.pos) == Some(&key)
    }

    /// Takes the key of the next field if it is `key`, which is one byte.
    #[inline(always)]
    pub(crate) fn take_key(&mut self, key: u8) -> bool {
        let found = self.is_key(key);
        self.pos += usize::from(found);
        found
    }

    /// The numbers of a packed field of fixed 64 bits each.
    #[inline(always)]
    pub(crate) fn words(&self) -> Result<&'a [[u8; 8]], Refused> {
        match self.bytes().as_chunks() {
            (words, []) => Ok(words),
            _ => Err(broken(TRUNCATED)),
        }
    }

    /// Takes so many bytes, if there are as many.
    #[inline(always)]
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes().get(..length)?;
        self.pos += length;
        Some(bytes)
    }

    /// Takes these bytes if they come next.
    #[inline(always)]
    pub(crate) fn take_exactly(&mut self, bytes: &[u8]) -> bool {
        let found = !bytes.is_empty() && self.bytes().starts_with(bytes);
        self.pos += if found { bytes.len() } else { 0 };
        found
    }

    /// A field with a length: text, bytes, message, packed numbers.
    #[inline(always)]
    pub(crate) fn field(&mut self) -> Reader<'a> {
        let length = self.varint();
        let pos = self.pos;
        if length > self.len() as u64 {
            *self = self.broken();
            return Reader { pos: self.end, ..*self };
        }
        #[expect(clippy::cast_possible_truncation, reason = "not more than a usize, see above")]
        let end = pos + length as usize;
        self.pos = end;
        Reader { body: self.body, pos, end }
    }

    #[cold]
    fn broken(self) -> Self {
        Self { pos: TRUNCATED, ..self }
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
        let key = Reader { body: self.body, pos: start, end: start + key };
        let message = Reader { body: self.body, pos: key.end + 2, end };
        let is_text = text_tag == 0x0a && text + 2 == value && value > 1;
        let text = Reader { pos: key.end + 4, ..message };
        Some(Attribute { key, value: if is_text { Value::Text(text) } else { Value::Other(message) } })
    }

    /// A field with a length, as where it is: eight bytes to be kept instead of four words.
    #[inline(always)]
    pub(crate) fn slot(&mut self) -> Slot {
        let Reader { pos, end, .. } = self.field();
        #[expect(clippy::cast_possible_truncation, reason = "no body is as long, see BODY_BYTES_MAX")]
        Slot { pos: pos as u32, end: end as u32 }
    }

    /// The field in a slot of the same body.
    #[inline(always)]
    pub(crate) fn at(&self, slot: Slot) -> Self {
        Self { body: self.body, pos: slot.pos as usize, end: slot.end as usize }
    }

    /// The value of the attribute whose key was read, if it begins so: field 1 with a key that is
    /// known, and the key of field 2; and if it has lengths of one byte. Else nothing is read.
    #[inline(always)]
    pub(crate) fn expected_attribute(&mut self, beginning: &[u8]) -> Option<Value<'a>> {
        let rest = self.body.get(self.pos..)?;
        let (&[length @ 0..0x80], rest) = rest.split_first_chunk()? else { return None };
        let (found, rest) = rest.split_at_checked(beginning.len())?;
        let [value @ 0..0x80, text_tag, text] = *rest.first_chunk()? else { return None };
        let (length, value, text) = (usize::from(length), usize::from(value), usize::from(text));
        let start = self.pos + beginning.len() + 2;
        let end = start + value;
        if length != beginning.len() + 1 + value || end > self.end || !equal(found, beginning) {
            return None;
        }
        self.pos = end;
        let message = Reader { body: self.body, pos: start, end };
        let is_text = text_tag == 0x0a && text + 2 == value && value > 1;
        Some(if is_text { Value::Text(Reader { pos: start + 2, ..message }) } else { Value::Other(message) })
    }

    /// What lies between this reader and a later one of the same message.
    #[inline(always)]
    pub(crate) fn until(&self, later: &Self) -> Self {
        Self { end: later.pos, ..*self }
    }

    /// The content of field 1 if it is all there is.
    #[inline(always)]
    pub(crate) fn only_text(&self) -> Option<Reader<'a>> {
        let mut fields = *self;
        let is_text = fields.key() == 0x0a;
        let text = fields.field();
        (is_text && fields.is_empty() && !self.is_empty()).then_some(text)
    }

    /// Skips a field that is not known; refuses a known one that came with another wire type.
    #[inline(always)]
    pub(crate) fn unknown(&mut self, key: u64, known: &Known) -> Result<(), Refused> {
        *self = skip_unknown(*self, key, known)?;
        Ok(())
    }

    fn skip(&mut self, field: u32, wire_type: u32) -> Result<(), Refused> {
        match wire_type {
            3 => self.skip_group(field)?,
            4 => return Err(Malformed::Group.into()),
            _ => self.skip_plain(wire_type),
        }
        Ok(())
    }

    fn skip_plain(&mut self, wire_type: u32) {
        match wire_type {
            0 => drop(self.varint()),
            1 => drop(self.fixed::<8>()),
            2 => drop(self.field()),
            _ => drop(self.fixed::<4>()),
        }
    }

    fn skip_group(&mut self, field: u32) -> Result<(), Refused> {
        let mut open = vec![field];
        while let Some(&innermost) = open.last() {
            if !self.more()? {
                return Err(Malformed::Group.into());
            }
            let (field, wire_type) = split(self.key())?;
            match wire_type {
                3 if open.len() >= GROUP_DEPTH_MAX => return Err(Malformed::Group.into()),
                3 => open.push(field),
                4 if field == innermost => drop(open.pop()),
                4 => return Err(Malformed::Group.into()),
                _ => self.skip_plain(wire_type),
            }
        }
        Ok(())
    }
}

#[cold]
fn broken(pos: usize) -> Refused {
    if pos == OVERLONG { Malformed::Varint.into() } else { Malformed::Truncated.into() }
}

/// A varint of any length: its value, and where it ends.
#[inline(never)]
fn long_varint(body: &[u8], start: usize) -> (u64, usize) {
    let bytes = body.get(start..).unwrap_or_default();
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        if index == 9 && *byte > 1 {
            return (0, OVERLONG);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return (value, start + index + 1);
        }
    }
    (0, if bytes.len() < 10 { TRUNCATED } else { OVERLONG })
}

/// The reader after an unknown field.
#[cold]
fn skip_unknown<'a>(mut reader: Reader<'a>, key: u64, known: &Known) -> Result<Reader<'a>, Refused> {
    // The key may be what a broken reader gives.
    reader.more()?;
    let (field, wire_type) = split(key)?;
    if field < 64 && known.fields >> field & 1 == 1 {
        return Err(Malformed::WireType { message: known.message, field, wire_type }.into());
    }
    reader.skip(field, wire_type)?;
    Ok(reader)
}

/// Whether two texts are the same. Short ones, as keys are, need two pairs of words that overlap,
/// and no call.
#[inline(always)]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => a.first_chunk::<8>() == b.first_chunk() && a.last_chunk::<8>() == b.last_chunk(),
        17..=32 => a.first_chunk::<16>() == b.first_chunk() && a.last_chunk::<16>() == b.last_chunk(),
        _ => a == b,
    }
}

/// Appends the first bytes of a block.
#[inline(always)]
fn append<const N: usize>(out: &mut Vec<u8>, block: &[u8; N], length: usize) {
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
