//! A place in a line.

use super::DescriptionError;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn error(&self, message: impl Into<String>) -> DescriptionError {
        DescriptionError { message: message.into(), at: self.at }
    }

    pub(super) fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    pub(super) fn eat_text(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// The letters of a word in any case.
    pub(super) fn eat_word(&mut self, wanted: &str) -> bool {
        let found = self.rest().get(..wanted.len()).is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        if found {
            self.at += wanted.len();
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: char) -> Result<(), DescriptionError> {
        if self.eat(wanted) { Ok(()) } else { Err(self.error(format!("expected `{wanted}`"))) }
    }

    pub(super) fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|next| !keep(next)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub(super) fn skip_space(&mut self) -> bool {
        !self.take_while(char::is_whitespace).is_empty()
    }

    /// A string in one of the three quotes.
    pub(super) fn quoted(&mut self) -> Result<String, DescriptionError> {
        let quote = match self.peek() {
            Some(quote @ ('"' | '\'' | '`')) => quote,
            _ => return Err(self.error("expected a quoted string")),
        };
        self.eat(quote);
        let mut value = String::new();
        loop {
            let Some(next) = self.peek() else { return Err(self.error("the string has no end")) };
            self.eat(next);
            match next {
                _ if next == quote => return Ok(value),
                '\\' if quote != '`' => value.push(self.escaped()?),
                _ => value.push(next),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, DescriptionError> {
        let Some(next) = self.peek() else { return Err(self.error("the string has no end")) };
        self.eat(next);
        let digits = match next {
            'a' => return Ok('\x07'),
            'b' => return Ok('\x08'),
            'f' => return Ok('\x0c'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\x0b'),
            '\\' | '\'' | '"' => return Ok(next),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(self.error("unknown escape in a string")),
        };
        let code = self.rest().get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        let value = code.and_then(char::from_u32).ok_or_else(|| self.error("no character has this code"))?;
        self.at += digits;
        Ok(value)
    }

    /// A number as PromQL has it, but not hexadecimal: `0x3` are four zeros.
    pub(super) fn number(&mut self) -> Result<f64, DescriptionError> {
        for (word, value) in [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if self.eat_word(word) {
                return Ok(value);
            }
        }
        let rest = self.rest().as_bytes();
        let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = digits(0);
        if rest.get(length) == Some(&b'.') {
            length += 1;
            length += digits(length);
        }
        if matches!(rest.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits((length + 1 + sign).min(rest.len()));
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
        let number = self.rest()[..length].parse().map_err(|_| self.error("expected a number"))?;
        self.at += length;
        Ok(number)
    }

    /// -1 or 1.
    pub(super) fn sign(&mut self) -> f64 {
        if self.eat('-') {
            return -1.0;
        }
        self.eat('+');
        1.0
    }

    pub(super) fn signed_number(&mut self) -> Result<f64, DescriptionError> {
        Ok(self.sign() * self.number()?)
    }

    /// `x` and a whole number.
    pub(super) fn times(&mut self) -> Result<Option<usize>, DescriptionError> {
        if !self.eat('x') {
            return Ok(None);
        }
        let digits = self.take_while(|next| next.is_ascii_digit());
        digits.parse().map(Some).map_err(|_| self.error("expected how often after `x`"))
    }
}
