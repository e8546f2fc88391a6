//! Strings as Go writes them: into quotes for messages and the printer, and out of them.

use std::fmt::Write as _;

/// In double quotes, with Go's escapes (`%q`).
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            c => push_escaped(&mut quoted, c),
        }
    }
    quoted.push('"');
    quoted
}

/// In single quotes (`%q` of a rune); no character is U+FFFD, as Go shows the end of input.
pub(super) fn quote_char(c: Option<char>) -> String {
    let mut quoted = String::from("'");
    match c {
        None | Some(char::REPLACEMENT_CHARACTER) => quoted.push(char::REPLACEMENT_CHARACTER),
        Some('\'') => quoted.push_str("\\'"),
        Some(c) => push_escaped(&mut quoted, c),
    }
    quoted.push('\'');
    quoted
}

/// `U+0041 'A'` (`%#U`).
pub(super) fn code_point(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if is_printable(c) { format!("{number} '{c}'") } else { number }
}

fn push_escaped(text: &mut String, c: char) {
    let written = match c {
        '\\' => text.write_str("\\\\"),
        '\x07' => text.write_str("\\a"),
        '\x08' => text.write_str("\\b"),
        '\x0c' => text.write_str("\\f"),
        '\n' => text.write_str("\\n"),
        '\r' => text.write_str("\\r"),
        '\t' => text.write_str("\\t"),
        '\x0b' => text.write_str("\\v"),
        // The lexer takes it for broken UTF-8, so it only comes back as an escape.
        char::REPLACEMENT_CHARACTER => text.write_str("\\ufffd"),
        c if is_printable(c) => text.write_char(c),
        c if u32::from(c) < 0x80 => write!(text, "\\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x1_0000 => write!(text, "\\u{:04x}", u32::from(c)),
        c => write!(text, "\\U{:08x}", u32::from(c)),
    };
    written.expect("a string takes everything");
}

fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // `Debug` of a string escapes what is not printable, and at the start what combines.
    let shown = format!("{:?}", String::from_iter(['a', c]));
    !shown.contains('\\')
}

/// The value of a string that the lexer let through, quotes included. Bytes that are no UTF-8
/// (`"\xff"`) become U+FFFD: there is no label with such a value.
pub(super) fn unquote(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    if quoted.starts_with('`') || !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape(&rest[at + 1..], &mut bytes);
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}

/// Appends what the escape after a backslash stands for and gives the text after it.
fn unescape<'a>(escape: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let mut chars = escape.chars();
    let first = chars.next().unwrap_or('\\');
    let (skip, digits, base) = match first {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => {
            let simple = match first {
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                other => other,
            };
            bytes.extend_from_slice(simple.encode_utf8(&mut [0; 4]).as_bytes());
            return chars.as_str();
        }
    };
    let end = (skip + digits).min(escape.len());
    let value = u32::from_str_radix(&escape[skip..end], base).unwrap_or_default();
    if matches!(first, 'u' | 'U') {
        let c = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(value).unwrap_or(u8::MAX));
    }
    &escape[end..]
}
