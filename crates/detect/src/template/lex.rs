//! A template's text into pieces: texts, and actions as tokens.

use super::Fault;

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// What stands outside or inside of the braces.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    /// Where it begins, and what is inside.
    Action(usize, Vec<Token>),
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: usize,
    /// A space stands before it: `.a .b` are two things, `.a.b` is one.
    pub(super) spaced: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `.`
    Dot,
    /// `.name`
    Field(String),
    /// `$name`, or `$` with an empty name.
    Variable(String),
    /// A function or a keyword.
    Word(String),
    Text(String),
    Int(i64),
    Float(f64),
    Open,
    Close,
    Pipe,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// Splits a text.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut place = 0;
    let mut trim = false;
    while let Some(found) = source[place..].find(LEFT) {
        let open = place + found;
        let text = &source[place..open];
        let inside = open + LEFT.len();
        let trim_before = begins_with_trim(&source[inside..]);
        push_text(&mut pieces, text, trim, trim_before);
        let start = if trim_before { inside + 1 } else { inside };
        let comment_at = start + leading_space(&source[start..]);
        let is_comment = source[comment_at..].starts_with("/*") && (comment_at == start || trim_before);
        let end = if is_comment {
            comment_end(source, comment_at)?
        } else {
            let mut lexer = Lexer { source, place: start };
            let tokens = lexer.action(open)?;
            pieces.push(Piece::Action(open, tokens));
            lexer.place
        };
        trim = source[..end].ends_with("-}}") && source[..end - 3].ends_with(is_space);
        place = end;
    }
    push_text(&mut pieces, &source[place..], trim, false);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start_matches(is_space) } else { text };
    let text = if trim_end { text.trim_end_matches(is_space) } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn leading_space(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_space).len()
}

/// `{{- ` takes the space before it away; `{{-3}}` is a number.
fn begins_with_trim(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

/// The place behind the braces that end a comment.
fn comment_end(source: &str, at: usize) -> Result<usize, Fault> {
    let close = source[at..].find("*/").ok_or_else(|| Fault::new(at, "unclosed comment"))?;
    let after = at + close + 2;
    let rest = &source[after..];
    if rest.starts_with(RIGHT) {
        return Ok(after + RIGHT.len());
    }
    let space = leading_space(rest);
    if space > 0 && rest[space..].starts_with("-}}") {
        return Ok(after + space + 3);
    }
    Err(Fault::new(at, "comment ends before closing delimiter"))
}

struct Lexer<'a> {
    source: &'a str,
    place: usize,
}

impl Lexer<'_> {
    /// The tokens up to the closing braces, behind which it stands afterwards.
    fn action(&mut self, open: usize) -> Result<Vec<Token>, Fault> {
        let mut tokens = Vec::new();
        loop {
            let space = leading_space(self.rest());
            self.place += space;
            let spaced = space > 0;
            if self.rest().starts_with(RIGHT) {
                self.place += RIGHT.len();
                return Ok(tokens);
            }
            if spaced && self.rest().starts_with("-}}") {
                self.place += 3;
                return Ok(tokens);
            }
            if self.rest().is_empty() {
                return Err(Fault::new(open, "unclosed action"));
            }
            let at = self.place;
            let kind = self.token()?;
            tokens.push(Token { kind, at, spaced });
        }
    }

    fn rest(&self) -> &str {
        &self.source[self.place..]
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.place, message)
    }

    fn token(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let mut characters = rest.chars();
        let Some(first) = characters.next() else { return Err(self.fault("unclosed action")) };
        let second = characters.next();
        match first {
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            '.' => {
                self.place += 1;
                let name = self.name();
                Ok(if name.is_empty() { Kind::Dot } else { Kind::Field(name) })
            }
            '$' => {
                self.place += 1;
                Ok(Kind::Variable(self.name()))
            }
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '0'..='9' | '+' | '-' => self.number(),
            ':' if second == Some('=') => self.symbol(2, Kind::Declare),
            '=' => self.symbol(1, Kind::Assign),
            '(' => self.symbol(1, Kind::Open),
            ')' => self.symbol(1, Kind::Close),
            '|' => self.symbol(1, Kind::Pipe),
            ',' => self.symbol(1, Kind::Comma),
            c if c.is_alphabetic() || c == '_' => Ok(Kind::Word(self.name())),
            c => Err(self.fault(format!("unexpected {c:?} in command"))),
        }
    }

    fn symbol(&mut self, bytes: usize, kind: Kind) -> Result<Kind, Fault> {
        self.place += bytes;
        Ok(kind)
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        self.place += end;
        name
    }

    fn raw(&mut self) -> Result<Kind, Fault> {
        let inner = &self.rest()[1..];
        let end = inner.find('`').ok_or_else(|| self.fault("unterminated raw quoted string"))?;
        let text = inner[..end].to_owned();
        self.place += end + 2;
        Ok(Kind::Text(text))
    }

    /// `"…"` on one line, with Go's escapes.
    fn quoted(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(at, c)| {
            if escaped {
                escaped = false;
                return None;
            }
            escaped = c == '\\';
            matches!(c, '"' | '\n').then_some((at, c))
        });
        let Some((end, '"')) = end else { return Err(self.fault("unterminated quoted string")) };
        let text = promql::series_description::unquote(&rest[..=end])
            .map_err(|error| self.fault(format!("malformed quoted string: {}", error.message)))?;
        self.place += end + 1;
        Ok(Kind::Text(text))
    }

    /// `'x'`: a number, the code point.
    fn character(&mut self) -> Result<Kind, Fault> {
        let malformed = || Fault::new(self.place, "malformed character constant");
        let inner = &self.rest()[1..];
        let from = usize::from(inner.starts_with('\\'));
        let end = inner.char_indices().skip(1 + from).find(|(_, c)| *c == '\'').map(|(at, _)| at);
        let end = end.ok_or_else(malformed)?;
        let text = if from == 1 {
            let quoted = format!("\"{}\"", &inner[..end]);
            promql::series_description::unquote(&quoted.replace("\\'", "'")).map_err(|_| malformed())?
        } else {
            inner[..end].to_owned()
        };
        let mut characters = text.chars();
        let (Some(c), None) = (characters.next(), characters.next()) else { return Err(malformed()) };
        self.place += end + 2;
        Ok(Kind::Int(i64::from(u32::from(c))))
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let mut before = ' ';
        let end = rest.find(|c: char| {
            let sign = matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E' | 'p' | 'P');
            let part = sign || c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
            before = c;
            !part
        });
        let text = &rest[..end.unwrap_or(rest.len())];
        let number = number(text).ok_or_else(|| self.fault(format!("bad number syntax: {text:?}")))?;
        self.place += text.len();
        Ok(number)
    }
}

fn number(text: &str) -> Option<Kind> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let based = |prefixes: [&str; 2], radix| {
        prefixes
            .iter()
            .find_map(|prefix| digits.strip_prefix(prefix))
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    let integer = based(["0x", "0X"], 16)
        .or_else(|| based(["0b", "0B"], 2))
        .or_else(|| based(["0o", "0O"], 8))
        .or_else(|| digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit())));
    if let Some(integer) = integer {
        return Some(Kind::Int(sign * integer));
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    plain.parse().ok().filter(|_| numeric).map(Kind::Float)
}
