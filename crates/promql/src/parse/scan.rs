//! The ends of numbers, durations and strings. What a number is worth is for [`super::number`].

use super::escape::{code_point, quote};
use super::lex::{Lexer, is_alphanumeric};
use super::token::Kind;
use super::{Fault, Parsed};

const DECIMAL: &str = "0123456789";
const HEXADECIMAL: &str = "0123456789abcdefABCDEF";

impl Lexer<'_> {
    /// From its first character on.
    pub(super) fn scan_number_or_duration(&mut self) -> Parsed<Kind> {
        if self.scan_number() {
            return Ok(Kind::Number);
        }
        if self.scan_units() {
            return Ok(Kind::Duration);
        }
        let text = quote(&self.text[self.start..self.pos]);
        Err(self.fault(format!("bad number or duration syntax: {text}")))
    }

    /// Prometheus' own idea of a number: wider than what can be converted afterwards, and narrower
    /// where an `e` is both a hexadecimal digit and an exponent.
    fn scan_number(&mut self) -> bool {
        let begin = self.pos;
        let mut digits = DECIMAL;
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = HEXADECIMAL;
        }
        self.accept(".");
        self.accept(digits);
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            match c {
                '.' if dot => return self.refuse(),
                '.' => {
                    dot = true;
                    self.pos += 1;
                    if self.accept("_.") || digits == HEXADECIMAL {
                        return false;
                    }
                }
                'e' | 'E' if exponent => return self.refuse(),
                'e' | 'E' => {
                    exponent = true;
                    self.pos += 1;
                    self.accept("+-");
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.pos += 1;
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                c if digits.contains(c) => self.skip_while(|c| digits.contains(c)),
                _ => break,
            }
        }
        self.pos != begin && !self.peek().is_some_and(is_alphanumeric)
    }

    /// Takes the character that ends all hope.
    fn refuse(&mut self) -> bool {
        self.next_char();
        false
    }

    /// The unit after a number, and more numbers with units.
    fn scan_units(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept(DECIMAL) {
            self.skip_while(|c| c.is_ascii_digit());
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        if self.peek().is_some_and(is_alphanumeric) { self.refuse() } else { true }
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|c| valid.contains(c));
        self.pos += usize::from(accepted);
        accepted
    }

    /// From behind the opening quote on.
    pub(super) fn string(&mut self, quote: char) -> Parsed<Kind> {
        loop {
            match self.next_char() {
                Some('\\') => self.escape(quote)?,
                Some(char::REPLACEMENT_CHARACTER) => return Err(self.fault("invalid UTF-8 rune")),
                None | Some('\n') => return Err(self.fault("unterminated quoted string")),
                Some(c) if c == quote => return Ok(Kind::String),
                Some(_) => {}
            }
        }
    }

    pub(super) fn raw_string(&mut self) -> Parsed<Kind> {
        loop {
            match self.next_char() {
                Some(char::REPLACEMENT_CHARACTER) => return Err(self.fault("invalid UTF-8 rune")),
                None => return Err(self.fault("unterminated raw string")),
                Some('`') => return Ok(Kind::String),
                Some(_) => {}
            }
        }
    }

    /// From behind the backslash on.
    fn escape(&mut self, quote: char) -> Parsed<()> {
        let unterminated = "escape sequence not terminated";
        let first = self.next_char().ok_or_else(|| self.fault(unterminated))?;
        let (digits, base, max) = match first {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == quote => return Ok(()),
            '0'..='7' => {
                self.pos -= 1;
                (3, 8, 255)
            }
            'x' => (2, 16, 255),
            'u' => (4, 16, 0x10_FFFF),
            'U' => (8, 16, 0x10_FFFF),
            c => return Err(self.fault(format!("unknown escape sequence {}", code_point(c)))),
        };
        let mut value = 0u32;
        for _ in 0..digits {
            let c = self.next_char().ok_or_else(|| self.fault(unterminated))?;
            let digit = c.to_digit(base).ok_or_else(|| self.illegal_digit(c))?;
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > max || (0xD800..0xE000).contains(&value) {
            return Err(self.fault("escape sequence is an invalid Unicode code point"));
        }
        Ok(())
    }

    fn illegal_digit(&self, c: char) -> Fault {
        self.fault(format!("illegal character {} in escape sequence", code_point(c)))
    }
}
