//! Variables in a file: `.env` and `.env.local`.
//!
//! A line is `NAME=value`, with `export` before it or not. A value is as it stands up to a comment,
//! or in single quotes as it stands, or in double quotes with `\n`, `\r`, `\t` and `\` before a
//! quote, a dollar sign or itself; quoted ones may go on over lines. Nothing is put in for `$NAME`.

use std::io;
use std::path::Path;

use super::env::Variable;
use super::error::Problem;
use super::file::{self, Source};

/// The variables of a file, in its order; none when it is not there.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Variable> {
    let source = Source::new(path);
    match file::read_text(path) {
        Ok(text) => Lines { rest: &text, text: &text, source: source.with_lines(&text) }.read(problems),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            problems.push(source.problem(format!("cannot be read: {error}")));
            Vec::new()
        }
    }
}

struct Lines<'a> {
    text: &'a str,
    rest: &'a str,
    source: Source,
}

/// What is wrong with a line. Its text is not in it: it may be a secret's.
type Wrong = &'static str;

impl Lines<'_> {
    fn read(mut self, problems: &mut Vec<Problem>) -> Vec<Variable> {
        self.rest = self.rest.strip_prefix('\u{feff}').unwrap_or(self.rest);
        let mut variables = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return variables;
            }
            let origin = self.source.at_offset(self.text, self.text.len() - self.rest.len());
            match self.line() {
                Ok(Some((name, value))) => variables.push(Variable { name, value: Some(value), origin }),
                Ok(None) => {}
                Err(wrong) => {
                    problems.push(Problem::new(origin, &Default::default(), wrong));
                    self.skip_line();
                }
            }
        }
    }

    /// The next variable; nothing for a comment, and for a name without a value, which only passes
    /// something on.
    fn line(&mut self) -> Result<Option<(String, String)>, Wrong> {
        let line = self.rest.lines().next().unwrap_or_default();
        let assigned = line.find('=').filter(|_| !line.starts_with('#'));
        let Some(at) = assigned else {
            self.skip_line();
            return Ok(None);
        };
        let name = line[..at].trim();
        let name =
            name.strip_prefix("export").filter(|it| it.starts_with([' ', '\t'])).unwrap_or(name).trim();
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(legal) {
            return Err("is not `NAME=value`");
        }
        let name = name.to_owned();
        self.rest = self.rest[at + 1..].trim_start_matches([' ', '\t']);
        let value = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.plain(),
        };
        Ok(Some((name, value)))
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// Up to a comment, which begins after a space, or to the end of the line.
    fn plain(&mut self) -> String {
        let line = self.rest.lines().next().unwrap_or_default();
        let comment = line.match_indices('#').map(|(at, _)| at);
        let end = comment
            .into_iter()
            .find(|at| line[..*at].chars().next_back().is_none_or(char::is_whitespace))
            .unwrap_or(line.len());
        let value = line[..end].trim().to_owned();
        self.skip_line();
        value
    }

    fn quoted(&mut self, quote: char) -> Result<String, Wrong> {
        let mut value = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        let end = loop {
            let (at, letter) = letters.next().ok_or("has a quote that does not end")?;
            match letter {
                _ if letter == quote => break at + 1,
                '\\' if quote == '"' => match letters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, plain @ ('"' | '\\' | '$'))) => value.push(plain),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => {}
                },
                _ => value.push(letter),
            }
        };
        self.rest = &self.rest[end..];
        let behind = self.rest.lines().next().unwrap_or_default().trim();
        if !behind.is_empty() && !behind.starts_with('#') {
            return Err("has something behind the closing quote");
        }
        self.skip_line();
        Ok(value)
    }
}
