//! A pull parser for JSON: what comes next is asked for, and errors say at which line and column.
//!
//! Numbers are kept as they are written, so that 64-bit integers stay exact and doubles are read to
//! the last bit. Half of a surrogate pair, which JavaScript's texts may have, becomes U+FFFD.

use std::borrow::Cow;

use crate::proto::Malformed;

/// How deep objects and arrays may nest.
const DEPTH_MAX: usize = 128;

/// A position in a JSON text.
pub(crate) struct Parser<'a> {
    text: &'a str,
    pos: usize,
    depth: usize,
}

/// What a value is, by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

impl<'a> Parser<'a> {
    /// # Errors
    /// When the bytes are not UTF-8.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, Malformed> {
        match simdutf8::compat::from_utf8(text) {
            Ok(text) => Ok(Self { text, pos: 0, depth: 0 }),
            Err(error) => {
                let (valid, _) = text.split_at(error.valid_up_to());
                let valid = String::from_utf8_lossy(valid);
                Err(Parser { pos: valid.len(), text: &valid, depth: 0 }.error("not UTF-8"))
            }
        }
    }

    /// What is wrong, where the parser is.
    #[cold]
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> Malformed {
        let before = self.text.get(..self.pos).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        Malformed::Json(format!("{what} at line {line} column {column}"))
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// Takes a character if it is the next.
    #[inline]
    fn take(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(wanted);
        self.pos += usize::from(found);
        found
    }

    #[inline]
    fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.error(format_args!("expected `{}`", char::from(wanted))))
        }
    }

    /// What the next value is.
    pub(crate) fn kind(&mut self) -> Result<Kind, Malformed> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("the text ends where a value should be")),
        }
    }

    fn enter(&mut self, open: u8) -> Result<(), Malformed> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.error("nested too deeply")) } else { Ok(()) }
    }

    /// Reads an object; `entry` is called with each key and reads its value.
    pub(crate) fn object(
        &mut self,
        mut entry: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter(b'{')?;
        if !self.take(b'}') {
            loop {
                let key = self.text()?;
                self.expect(b':')?;
                entry(self, key)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array; `element` reads each element.
    pub(crate) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter(b'[')?;
        if !self.take(b']') {
            loop {
                element(self)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b']')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a text; one without escapes is not copied.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.expect(b'"')?;
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.pos += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            // A backslash or a quote; `plain` stops at nothing else.
            self.pos += 1;
            text.push(self.escape()?);
            text.push_str(self.plain()?);
            if self.peek() == Some(b'"') {
                self.pos += 1;
                return Ok(Cow::Owned(text));
            }
        }
    }

    /// Characters up to the next backslash or quote.
    fn plain(&mut self) -> Result<&'a str, Malformed> {
        let start = self.pos;
        loop {
            match self.peek() {
                Some(b'"' | b'\\') => return Ok(self.text.get(start..self.pos).unwrap_or_default()),
                Some(0..0x20) => return Err(self.error("control character in a text")),
                Some(_) => self.pos += 1,
                None => return Err(self.error("the text ends within a text")),
            }
        }
    }

    /// The character of an escape after its backslash.
    fn escape(&mut self) -> Result<char, Malformed> {
        let escaped = self.peek();
        self.pos += usize::from(escaped.is_some());
        match escaped {
            Some(b'n') => Ok('\n'),
            Some(b't') => Ok('\t'),
            Some(b'r') => Ok('\r'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(same @ (b'"' | b'\\' | b'/')) => Ok(char::from(same)),
            Some(b'u') => self.unicode_escape(),
            _ => Err(self.error("unknown escape")),
        }
    }

    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let pos = self.pos;
        if self.text.get(pos..).is_some_and(|rest| rest.starts_with("\\u")) {
            self.pos += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.pos = pos;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.get(self.pos..self.pos + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
        self.pos += 4;
        Ok(code)
    }

    /// Reads a number as it is written.
    pub(crate) fn number(&mut self) -> Result<&'a str, Malformed> {
        self.skip_space();
        let start = self.pos;
        self.pos += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        let integer = self.digits();
        if integer == 0 || zero && integer > 1 {
            return Err(self.error("invalid number"));
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            if self.digits() == 0 {
                return Err(self.error("invalid number"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            self.pos += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.error("invalid number"));
            }
        }
        Ok(self.text.get(start..self.pos).unwrap_or_default())
    }

    fn digits(&mut self) -> usize {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
        self.pos - start
    }

    /// Reads `true` or `false`.
    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        match self.word("true") {
            Ok(()) => Ok(true),
            Err(_) => self.word("false").map(|()| false),
        }
    }

    /// Reads `null`.
    pub(crate) fn null(&mut self) -> Result<(), Malformed> {
        self.word("null")
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        self.skip_space();
        if self.text.get(self.pos..).is_some_and(|rest| rest.starts_with(word)) {
            self.pos += word.len();
            Ok(())
        } else {
            Err(self.error(format_args!("expected `{word}`")))
        }
    }

    /// Reads a value of which nothing is wanted.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        match self.kind()? {
            Kind::Object => self.object(|parser, _| parser.skip()),
            Kind::Array => self.array(Self::skip),
            Kind::Text => self.text().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Bool => self.bool().map(drop),
            Kind::Null => self.null(),
        }
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.pos < self.text.len() { Err(self.error("characters after the value")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
