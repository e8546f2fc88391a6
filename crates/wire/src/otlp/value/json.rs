use std::collections::HashMap;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::attribute;
use super::{DEPTH_MAX, Value, number};
use crate::judge::{Judge, Reason};
use crate::proto::{Known, Parts, Reader, Refused};

const ARRAY: Known = Known::new("ArrayValue", &[1]);
const MAP: Known = Known::new("KeyValueList", &[1]);

/// Writes a value as JSON text at the end of a buffer. What becomes longer than a value may be is
/// rejected and not kept, so that it cannot fill the memory either.
pub(super) struct Json<'o, 'j, 'a> {
    out: &'o mut Vec<u8>,
    start: usize,
    judge: &'j mut Judge<'a>,
}

impl<'o, 'j, 'a> Json<'o, 'j, 'a> {
    pub(super) fn new(out: &'o mut Vec<u8>, judge: &'j mut Judge<'a>) -> Self {
        let start = out.len();
        Self { out, start, judge }
    }

    /// Checks the length of what was written.
    pub(super) fn finish(&mut self) {
        let written = self.out.len() - self.start;
        if written > self.judge.limits.value_bytes_max {
            self.judge.reject(Reason::ValueTooLong, written as u64);
            self.out.truncate(self.start);
        }
    }

    /// Checks that a value is well-formed; keeps nothing.
    pub(super) fn check(&mut self, value: &Value<'_>, depth: usize) -> Result<(), Refused> {
        let mut scratch = Vec::new();
        Json::new(&mut scratch, self.judge).value(value, depth)
    }

    pub(super) fn raw(&mut self, text: Reader<'_>) {
        text.copy_to(self.out);
    }

    pub(super) fn value(&mut self, value: &Value<'_>, depth: usize) -> Result<(), Refused> {
        match value {
            Value::Absent => self.out.extend_from_slice(b"null"),
            Value::Text(text) => self.text(text.bytes()),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Int(value) => number::int(self.out, *value),
            Value::Double(value) => number::double(self.out, *value),
            Value::Bytes(bytes) => self.base64(bytes.bytes()),
            Value::Array(_) | Value::Map(_) if depth >= DEPTH_MAX => {
                self.judge.reject(Reason::NestedTooDeep, 0);
            }
            Value::Array(parts) => self.array(parts, depth + 1)?,
            Value::Map(parts) => self.map(parts, depth + 1)?,
        }
        self.finish();
        Ok(())
    }

    fn array(&mut self, parts: &Parts<'_>, depth: usize) -> Result<(), Refused> {
        self.out.push(b'[');
        let mut first = true;
        for part in parts.each() {
            let mut fields = *part;
            while fields.more()? {
                match fields.key() {
                    0x0a => {
                        let element = fields.field();
                        self.comma(&mut first);
                        let element = Value::read(&[element], self)?;
                        self.value(&element, depth)?;
                    }
                    key => fields.unknown(key, &ARRAY)?,
                }
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, parts: &Parts<'_>, depth: usize) -> Result<(), Refused> {
        let last = self.last_of_each_key(parts)?;
        self.out.push(b'{');
        let mut first = true;
        let mut entry = 0;
        for part in parts.each() {
            each_entry(*part, |key, value| {
                let value = Value::read(value, self)?;
                if last.as_ref().is_none_or(|last| last.get(key.bytes()) == Some(&entry)) {
                    self.comma(&mut first);
                    self.text(key.bytes());
                    self.out.push(b':');
                    self.value(&value, depth)?;
                } else {
                    self.check(&value, depth)?;
                }
                entry += 1;
                Ok(())
            })?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Which entry has each key last, where some key comes twice.
    fn last_of_each_key<'b>(
        &mut self,
        parts: &Parts<'b>,
    ) -> Result<Option<HashMap<&'b [u8], usize>>, Refused> {
        let mut entries = 0_usize;
        for part in parts.each() {
            each_entry(*part, |_, _| {
                entries += 1;
                Ok(())
            })?;
        }
        if entries > self.judge.limits.attributes_max {
            self.judge.reject(Reason::TooManyAttributes, entries as u64);
            return Ok(None);
        }
        let mut last = HashMap::with_capacity(entries);
        let mut entry = 0;
        for part in parts.each() {
            each_entry(*part, |key, _| {
                last.insert(key.bytes(), entry);
                entry += 1;
                Ok(())
            })?;
        }
        Ok((last.len() < entries).then_some(last))
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push(b',');
        }
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        self.out.push(b'"');
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                8 => self.out.extend_from_slice(b"\\b"),
                12 => self.out.extend_from_slice(b"\\f"),
                0..0x20 => write!(self.out, "\\u{byte:04x}").expect("a Vec takes every byte"),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }
}

/// Calls `entry` with key and value of each entry of a `KeyValueList`.
fn each_entry<'b>(
    list: Reader<'b>,
    mut entry: impl FnMut(Reader<'b>, &[Reader<'b>]) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut fields = list;
    while fields.more()? {
        match fields.key() {
            0x0a => {
                let (key, value) = attribute::key_value(fields.field())?;
                entry(key, value.each())?;
            }
            key => fields.unknown(key, &MAP)?,
        }
    }
    Ok(())
}
