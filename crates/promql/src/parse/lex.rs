//! From text to words.
//!
//! What a character means depends on where it stands: inside braces keywords are labels, inside
//! brackets letters are units and a colon parts range and step. The lexer keeps track of that by
//! itself, as Prometheus' does, so its complaints come with the same words.

use super::escape::quote_char;
use super::token::{Kind, Token, duration_keyword, keyword};
use super::{Fault, Parsed};
use crate::ast::{BinaryOp, Span};

pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) pos: usize,
    /// Where the word begins that is being read.
    pub(super) start: usize,
    paren_depth: usize,
    brace_open: bool,
    bracket_open: bool,
    /// After `[` and before the first number, where only a duration is expected.
    duration_expected: bool,
    got_colon: bool,
    got_duration: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            start: 0,
            paren_depth: 0,
            brace_open: false,
            bracket_open: false,
            duration_expected: false,
            got_colon: false,
            got_duration: false,
        }
    }

    /// The next word; after an error there is none.
    pub(super) fn next_token(&mut self) -> Parsed<Token> {
        self.skip_blank();
        self.start = self.pos;
        let kind = if self.brace_open {
            self.inside_braces()?
        } else if self.duration_expected {
            self.inside_brackets()?
        } else {
            self.statement()?
        };
        Ok(Token { kind, span: Span { start: self.start, end: self.pos } })
    }

    /// Spaces, and comments where they may stand.
    fn skip_blank(&mut self) {
        loop {
            while self.peek().is_some_and(is_space) {
                self.pos += 1;
            }
            if self.peek() != Some('#') || (self.duration_expected && !self.brace_open) {
                return;
            }
            let comment = &self.text[self.pos..];
            self.pos += comment.find(['\n', '\r']).unwrap_or(comment.len());
        }
    }

    fn statement(&mut self) -> Parsed<Kind> {
        let Some(c) = self.next_char() else {
            return match () {
                () if self.paren_depth != 0 => Err(self.fault("unclosed left parenthesis")),
                () if self.bracket_open => Err(self.fault("unclosed left bracket")),
                () => Ok(Kind::End),
            };
        };
        match c {
            ',' => Ok(Kind::Comma),
            '@' => Ok(Kind::At),
            '+' | '-' | '*' | '/' | '%' | '^' => Ok(Kind::Operator(arithmetic(c))),
            '=' | '!' | '<' | '>' => self.comparison(c),
            '"' | '\'' => self.string(c),
            '`' => self.raw_string(),
            '(' | ')' => self.parenthesis(c),
            '{' => {
                self.brace_open = true;
                Ok(Kind::LeftBrace)
            }
            '[' => self.left_bracket(),
            ']' => self.right_bracket(),
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => self.number_or_duration(),
            c if c.is_ascii_digit() => self.number_or_duration(),
            c if is_alpha(c) || c == ':' => {
                if self.bracket_open {
                    self.letter_in_brackets(c)
                } else {
                    Ok(self.word())
                }
            }
            c => Err(self.fault(format!("unexpected character: {}", quote_char(Some(c))))),
        }
    }

    fn comparison(&mut self, first: char) -> Parsed<Kind> {
        let (one, other) = match (first, self.peek()) {
            ('=', Some('~')) => {
                return Err(self.fault(format!("unexpected character after '=': {}", quote_char(Some('~')))));
            }
            ('=', Some('=')) => (BinaryOp::Equal, true),
            ('=', _) => return Ok(Kind::Assign),
            ('!', Some('=')) => (BinaryOp::NotEqual, true),
            ('!', other) => {
                self.next_char();
                return Err(self.fault(format!("unexpected character after '!': {}", quote_char(other))));
            }
            ('<', Some('=')) => (BinaryOp::LessEqual, true),
            ('<', Some('/')) => (BinaryOp::TrimUpper, true),
            ('<', _) => (BinaryOp::Less, false),
            (_, Some('=')) => (BinaryOp::GreaterEqual, true),
            (_, Some('/')) => (BinaryOp::TrimLower, true),
            (_, _) => (BinaryOp::Greater, false),
        };
        self.pos += usize::from(other);
        Ok(Kind::Operator(one))
    }

    fn parenthesis(&mut self, c: char) -> Parsed<Kind> {
        if c == '(' {
            self.paren_depth += 1;
            return Ok(Kind::LeftParen);
        }
        match self.paren_depth.checked_sub(1) {
            Some(depth) => {
                self.paren_depth = depth;
                Ok(Kind::RightParen)
            }
            None => Err(self.fault_behind("unexpected right parenthesis ')'")),
        }
    }

    fn left_bracket(&mut self) -> Parsed<Kind> {
        if self.bracket_open {
            return Err(self.fault("unexpected left bracket '['"));
        }
        self.bracket_open = true;
        self.duration_expected = true;
        self.got_colon = false;
        self.got_duration = false;
        Ok(Kind::LeftBracket)
    }

    fn right_bracket(&mut self) -> Parsed<Kind> {
        if !self.bracket_open {
            return Err(self.fault("unexpected right bracket ']'"));
        }
        self.bracket_open = false;
        self.duration_expected = false;
        Ok(Kind::RightBracket)
    }

    /// After the first number of a pair of brackets.
    fn letter_in_brackets(&mut self, c: char) -> Parsed<Kind> {
        if c == ':' {
            if self.got_colon {
                return Err(self.fault("unexpected colon ':'"));
            }
            self.got_colon = true;
            return Ok(Kind::Colon);
        }
        self.duration_word()
            .ok_or_else(|| self.fault(format!("unexpected character: {}, expected ':'", quote_char(Some(c)))))
    }

    /// Before the first number of a pair of brackets.
    fn inside_brackets(&mut self) -> Parsed<Kind> {
        let Some(c) = self.next_char() else {
            return Err(self.fault("unexpected end of input in duration expression"));
        };
        match c {
            ']' => self.right_bracket(),
            ':' if !self.got_duration => {
                Err(self.fault_behind("unexpected colon before duration in duration expression"))
            }
            ':' if self.got_colon => {
                Err(self.fault_behind("unexpected repeated colon in duration expression"))
            }
            ':' => {
                self.got_colon = true;
                Ok(Kind::Colon)
            }
            '(' | ')' => self.parenthesis(c),
            '+' | '-' | '*' | '/' | '%' | '^' => Ok(Kind::Operator(arithmetic(c))),
            ',' => Ok(Kind::Comma),
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => self.number_or_duration(),
            c if c.is_ascii_digit() => self.number_or_duration(),
            c => {
                let word = if is_alpha(c) { self.duration_word() } else { None };
                word.ok_or_else(|| {
                    self.fault(format!(
                        "unexpected character in duration expression: {}",
                        quote_char(Some(c))
                    ))
                })
            }
        }
    }

    /// `step`, `range`, `min_of`, `max_of`. The call of one is a duration, so that a colon may follow.
    fn duration_word(&mut self) -> Option<Kind> {
        let rest = &self.text[self.start..];
        let end = rest.find(|c| !is_alpha(c)).unwrap_or(rest.len());
        let kind = duration_keyword(rest[..end].to_ascii_lowercase().as_bytes())?;
        self.pos = self.start + end;
        self.got_duration = true;
        Some(kind)
    }

    fn number_or_duration(&mut self) -> Parsed<Kind> {
        self.pos = self.start;
        self.duration_expected = false;
        self.got_duration = true;
        self.scan_number_or_duration()
    }

    fn inside_braces(&mut self) -> Parsed<Kind> {
        let Some(c) = self.next_char() else {
            return Err(self.fault("unexpected end of input inside braces"));
        };
        match (c, self.peek()) {
            (',', _) => Ok(Kind::Comma),
            ('"' | '\'', _) => self.string(c),
            ('`', _) => self.raw_string(),
            ('=', Some('~')) => self.two(Kind::RegexMatch),
            ('=', _) => Ok(Kind::Assign),
            ('!', Some('~')) => self.two(Kind::RegexMiss),
            ('!', Some('=')) => self.two(Kind::Operator(BinaryOp::NotEqual)),
            ('!', other) => {
                Err(self
                    .fault(format!("unexpected character after '!' inside braces: {}", quote_char(other))))
            }
            ('{', _) => Err(self.fault("unexpected left brace '{'")),
            ('}', _) => {
                self.brace_open = false;
                Ok(Kind::RightBrace)
            }
            (c, _) if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                Ok(Kind::Identifier)
            }
            (c, _) => Err(self.fault(format!("unexpected character inside braces: {}", quote_char(Some(c))))),
        }
    }

    fn two(&mut self, kind: Kind) -> Parsed<Kind> {
        self.pos += 1;
        Ok(kind)
    }

    fn word(&mut self) -> Kind {
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let word = &self.text[self.start..self.pos];
        match keyword(word) {
            // Metrics of these names were there before the keywords.
            Some(Kind::Fill | Kind::FillLeft | Kind::FillRight) if !self.parenthesis_follows() => {
                Kind::Identifier
            }
            Some(kind) => kind,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        }
    }

    fn parenthesis_follows(&self) -> bool {
        self.text[self.pos..].trim_start_matches(is_space).starts_with('(')
    }

    pub(super) fn skip_while(&mut self, fits: impl Fn(char) -> bool) {
        let rest = &self.text[self.pos..];
        self.pos += rest.find(|c| !fits(c)).unwrap_or(rest.len());
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.pos..].chars().next()
    }

    pub(super) fn next_char(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// About the word that is being read.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(Span { start: self.start, end: self.text.len() }, message)
    }

    /// About the word that was just read: Prometheus complains behind it.
    fn fault_behind(&self, message: &str) -> Fault {
        Fault::new(Span { start: self.pos, end: self.text.len() }, message)
    }
}

fn arithmetic(c: char) -> BinaryOp {
    match c {
        '+' => BinaryOp::Add,
        '-' => BinaryOp::Sub,
        '*' => BinaryOp::Mul,
        '/' => BinaryOp::Div,
        '%' => BinaryOp::Mod,
        _ => BinaryOp::Pow,
    }
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

pub(super) fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

pub(super) fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}
