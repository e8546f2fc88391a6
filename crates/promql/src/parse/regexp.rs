//! Regular expressions of matchers: RE2's syntax, as Prometheus takes it, for the `regex` crate.
//!
//! The two mean the same but for details, which are rewritten: in RE2 a brace that is no repetition
//! is a brace (`/api/{id}`), classes do not nest, `\d`, `\s`, `\w` and `\b` are ASCII, and
//! `\Q…\E` quotes.

use regex::{Regex, RegexBuilder};

use super::escape::quote;

/// Of a compiled expression.
const SIZE_MAX_BYTES: usize = 10 << 20;

/// Anchored at both ends; `.` matches a newline too.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&format!("^(?s:{translated})$"))
        .size_limit(SIZE_MAX_BYTES)
        .build()
        .map_err(|error| format!("error parsing regexp: {}: {}", reason(&error), shown(pattern)))
}

fn shown(pattern: &str) -> String {
    if pattern.contains('`') { quote(pattern) } else { format!("`{pattern}`") }
}

/// The last line of what the crate says; the ones before draw the place.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "expression too large".into(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => escape(after, &mut out, false)?,
            '[' => class(after, &mut out)?,
            '{' if !is_repetition(after) => {
                out.push_str("\\{");
                after
            }
            c => {
                out.push(c);
                after
            }
        };
    }
    Ok(out)
}

/// `{n}`, `{n,}` and `{n,m}`, from behind the brace on.
fn is_repetition(after: &str) -> bool {
    let skip_digits =
        |text: &'_ str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let least = skip_digits(after);
    let rest = &after[least..];
    let rest = rest.strip_prefix(',').map_or(rest, |most| &most[skip_digits(most)..]);
    least > 0 && rest.starts_with('}')
}

/// From behind the backslash on; gives what is left.
fn escape<'a>(escape: &'a str, out: &mut String, in_class: bool) -> Result<&'a str, String> {
    let Some(c) = escape.chars().next() else {
        return Err("error parsing regexp: trailing backslash at end of expression: ``".into());
    };
    let rest = &escape[c.len_utf8()..];
    let perl = match c {
        'd' => "0-9",
        'D' => "^0-9",
        's' => "\\t\\n\\x0c\\r\\x20",
        'S' => "^\\t\\n\\x0c\\r\\x20",
        'w' => "0-9A-Za-z_",
        'W' => "^0-9A-Za-z_",
        'b' if !in_class => {
            out.push_str("(?-u:\\b)");
            return Ok(rest);
        }
        'Q' if !in_class => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return Ok(rest);
        }
        // Octal; RE2 knows no references.
        '0' => {
            let digits = rest.len() - rest.trim_start_matches(|c: char| ('0'..='7').contains(&c)).len();
            let (octal, rest) = rest.split_at(digits.min(2));
            let value = u32::from_str_radix(octal, 8).unwrap_or_default();
            out.push_str(&format!("\\x{{{value:x}}}"));
            return Ok(rest);
        }
        // Known to both, and of the same meaning.
        'A' | 'B' | 'z' if !in_class => "",
        'a' | 'f' | 'n' | 'r' | 't' | 'v' => "",
        'p' | 'P' | 'x' => {
            out.extend(['\\', c]);
            if !rest.starts_with('{') {
                return Ok(rest);
            }
            let invalid = || format!("error parsing regexp: invalid escape sequence: {}", shown(escape));
            let (name, rest) = rest.split_once('}').ok_or_else(invalid)?;
            out.push_str(name);
            out.push('}');
            return Ok(rest);
        }
        // Word boundaries only for the crate.
        '<' | '>' => {
            out.push(c);
            return Ok(rest);
        }
        c if c.is_ascii_alphanumeric() || !c.is_ascii() => {
            return Err(format!("error parsing regexp: invalid escape sequence: `\\{c}`"));
        }
        _ => "",
    };
    if perl.is_empty() {
        out.push('\\');
        out.push(c);
    } else {
        out.push('[');
        out.push_str(perl);
        out.push(']');
    }
    Ok(rest)
}

/// From behind the bracket on; gives what is left. Brackets, `&`, `-` and `~` have a meaning for
/// the crate that they do not have here.
fn class<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    let missing = || format!("error parsing regexp: missing closing ]: {}", shown(&format!("[{after}")));
    out.push('[');
    let mut rest = after;
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    let mut first = true;
    loop {
        let c = rest.chars().next().ok_or_else(missing)?;
        let next = &rest[c.len_utf8()..];
        rest = match c {
            ']' if !first => {
                out.push(']');
                return Ok(next);
            }
            '\\' => escape(next, out, true)?,
            '[' => named_class(next, out)?,
            '-' if first || next.starts_with(']') || (out.ends_with('-') && !out.ends_with("\\-")) => {
                out.push_str("\\-");
                next
            }
            ']' | '&' | '~' | '^' => {
                out.push('\\');
                out.push(c);
                next
            }
            c => {
                out.push(c);
                next
            }
        };
        first = false;
    }
}

const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Where a name may end, so that not every bracket looks at the whole rest.
const CLASS_NAME_ENDS_MAX: usize = 16;

/// `[:alpha:]` or just a bracket, from behind it on; gives what is left.
fn named_class<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    let named = after.strip_prefix(':').and_then(|name| {
        let close = name.as_bytes().windows(2).take(CLASS_NAME_ENDS_MAX).position(|two| two == b":]")?;
        Some((&name[..close], &name[close + 2..]))
    });
    let Some((name, rest)) = named else {
        out.push_str("\\[");
        return Ok(after);
    };
    if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(format!("error parsing regexp: invalid character class range: `[:{name}:]`"));
    }
    out.push_str(&format!("[:{name}:]"));
    Ok(rest)
}
