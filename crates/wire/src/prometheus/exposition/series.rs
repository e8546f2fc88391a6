use std::borrow::Cow;

use super::cursor::{Cursor, quote_end};
use super::{BLANKS, Labels, Wrong};

const METRIC_NAME: &str = "__name__";

/// A series as it is written, and what follows it. Whether it can be read is found by [`labels`].
pub(super) fn split(line: &str) -> Result<(&str, &str), Wrong> {
    let named = line.find(|character| character == '{' || BLANKS.contains(&character));
    let named = named.ok_or(Wrong::Value)?;
    let braces = line.get(named..).unwrap_or_default().trim_start_matches(BLANKS);
    let end = match braces.strip_prefix('{') {
        Some(inner) => line.len() - inner.len() + braces_end(inner.as_bytes()).ok_or(Wrong::Open)? + 1,
        None => named,
    };
    line.split_at_checked(end).ok_or(Wrong::Open)
}

/// Where the brace is that ends labels.
fn braces_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let found = memchr::memchr2(b'"', b'}', rest)?;
        at += found + 1;
        if rest.get(found) == Some(&b'}') {
            return Some(at - 1);
        }
        at += quote_end(text.get(at..)?)? + 1;
    }
}

/// Reads the labels of a series as it is written, its name as `__name__` among them; or those of an
/// exemplar, which has no name. `to` is emptied first.
///
/// # Errors
/// What is wrong with it; `to` then has what was read before.
pub fn labels<'a>(series: &'a str, to: &mut Labels<'a>) -> Result<(), Wrong> {
    to.clear();
    let mut cursor = Cursor::new(series);
    let mut named = false;
    if series.starts_with('"') {
        return Err(Wrong::MetricName);
    }
    if !series.starts_with('{') {
        to.push((Cow::Borrowed(METRIC_NAME), cursor.metric_name()?));
        named = true;
    }
    cursor.skip_blanks();
    if !cursor.take('{') {
        return if cursor.rest().is_empty() { Ok(()) } else { Err(Wrong::MetricName) };
    }
    loop {
        cursor.skip_blanks();
        if cursor.take('}') {
            return if cursor.rest().is_empty() { Ok(()) } else { Err(Wrong::Trailing) };
        }
        let label = label(&mut cursor, &mut named)?;
        to.push(label);
        cursor.skip_blanks();
        if !cursor.take(',') && !cursor.rest().starts_with('}') {
            return Err(Wrong::Comma);
        }
    }
}

/// A label, or the metric's name, which is a text in quotes without a value.
fn label<'a>(cursor: &mut Cursor<'a>, named: &mut bool) -> Result<(Cow<'a, str>, Cow<'a, str>), Wrong> {
    let in_quotes = cursor.rest().starts_with('"');
    let name = if in_quotes { cursor.quoted()? } else { Cow::Borrowed(cursor.label_name()?) };
    cursor.skip_blanks();
    if !cursor.take('=') {
        return match (in_quotes, *named) {
            (false, _) => Err(Wrong::Equals),
            (true, true) => Err(Wrong::TwoNames),
            (true, false) => {
                *named = true;
                Ok((Cow::Borrowed(METRIC_NAME), name))
            }
        };
    }
    cursor.skip_blanks();
    Ok((name, cursor.quoted()?))
}
