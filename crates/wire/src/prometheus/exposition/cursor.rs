use std::borrow::Cow;

use super::Wrong;

/// What is still to be read of a line.
pub(super) struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.0
    }

    /// Takes what stands between here and the next thing.
    pub(super) fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches(super::BLANKS);
    }

    /// Takes a character if it comes next.
    pub(super) fn take(&mut self, character: char) -> bool {
        match self.0.strip_prefix(character) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A metric's name, bare or in quotes.
    pub(super) fn metric_name(&mut self) -> Result<Cow<'a, str>, Wrong> {
        if self.0.starts_with('"') {
            return self.quoted();
        }
        self.bare(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
            .map(Cow::Borrowed)
            .ok_or(Wrong::MetricName)
    }

    /// A label's name that is not in quotes.
    pub(super) fn label_name(&mut self) -> Result<&'a str, Wrong> {
        self.bare(|byte| byte.is_ascii_alphanumeric() || byte == b'_').ok_or(Wrong::LabelName)
    }

    fn bare(&mut self, is_part: impl Fn(u8) -> bool) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| !is_part(byte)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at_checked(end)?;
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        Some(name)
    }

    /// A text in double quotes.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>, Wrong> {
        let text = self.0.strip_prefix('"').ok_or(Wrong::Quote)?;
        let end = quote_end(text.as_bytes()).ok_or(Wrong::Open)?;
        let (inner, rest) = text.split_at_checked(end).ok_or(Wrong::Open)?;
        self.0 = rest.strip_prefix('"').ok_or(Wrong::Open)?;
        Ok(unescaped(inner, true))
    }
}

/// Where the quote is that ends a text.
pub(super) fn quote_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let found = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(found) == Some(&b'"') {
            return Some(at + found);
        }
        at += found + 2;
    }
}

/// A text with its escapes resolved: `\\`, `\n` and, where quotes are escaped, `\"`. A backslash
/// before anything else stands for itself, as in Prometheus.
pub(super) fn unescaped(text: &str, quotes: bool) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let resolved = match (character, characters.peek()) {
            ('\\', Some('\\')) => Some('\\'),
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('"')) if quotes => Some('"'),
            _ => None,
        };
        if resolved.is_some() {
            characters.next();
        }
        out.push(resolved.unwrap_or(character));
    }
    Cow::Owned(out)
}
