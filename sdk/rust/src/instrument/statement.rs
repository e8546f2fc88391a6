/// A statement of SQL with `?` for every text and number in it, so that it can be shown: what it
/// asks, and not about whom. It is no parser: what it does not know it leaves out rather than in, and
/// where databases differ about where a text or a comment ends it stops.
///
/// ```
/// use fresnel_sdk::instrument::sanitized;
/// let shown = sanitized("SELECT * FROM users WHERE mail = 'a''b@c.de' AND n IN (1, 2.5) -- why");
/// assert_eq!(shown, "SELECT * FROM users WHERE mail = ? AND n IN (?, ?) ");
/// ```
pub fn sanitized(statement: &str) -> String {
    masked(statement, Dialect::Standard)
}

/// How a database reads what others read in another way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Double quotes are around names.
    Standard,
    /// They are around texts, and `#` begins a comment.
    MySql,
}

impl Dialect {
    /// By the conventions' name of the system.
    pub(super) fn of(system: &str) -> Self {
        if matches!(system, "mysql" | "mariadb") { Self::MySql } else { Self::Standard }
    }
}

pub(super) fn masked(statement: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                out.push('?');
                text_length(rest, '\'')
            }
            '"' if dialect == Dialect::MySql => {
                out.push('?');
                text_length(rest, '"')
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '#' if dialect == Dialect::MySql => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment_length(rest),
            '$' if dollar_length(rest).is_some() => {
                out.push('?');
                dollar_length(rest).unwrap_or(rest.len())
            }
            '0'..='9' => {
                out.push('?');
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            first if first.is_alphabetic() || matches!(first, '_' | '$' | '@' | ':' | '?') => {
                let end = rest[first.len_utf8()..].find(|c: char| !c.is_alphanumeric() && c != '_');
                let length = end.map_or(rest.len(), |end| end + first.len_utf8());
                out.push_str(&rest[..length]);
                length
            }
            first => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// Of a text in quotes, a quote in which is doubled. After a backslash some databases take it for
/// part of the text, others for its end: all that follows may be text then.
fn text_length(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' if chars.next().is_some_and(|(_, next)| next == quote) => break,
            char if char != quote => {}
            _ if chars.peek().is_some_and(|(_, next)| *next == quote) => drop(chars.next()),
            _ => return at + 1,
        }
    }
    text.len()
}

/// Of a comment. One in a comment ends both for some databases.
fn comment_length(text: &str) -> usize {
    let Some(end) = text.find("*/") else { return text.len() };
    if text[2..end].contains("/*") { text.len() } else { end + 2 }
}

/// The first line of what a database says of an error, without what is in quotes or parentheses:
/// there are the values that it does not like. One that is not closed goes to the end.
pub(super) fn without_values(error: &str) -> String {
    let mut out = String::new();
    let mut rest = error.lines().next().unwrap_or_default();
    while let Some(at) = rest.find(['\'', '"', '`', '(']) {
        let (before, quoted) = rest.split_at(at);
        out.push_str(before);
        out.push('?');
        // To the last one, as there may be quotes within.
        let end = if quoted.starts_with('(') { quoted.rfind(')') } else { quoted.rfind(&quoted[..1]) };
        rest = end.filter(|end| *end > 0).map_or("", |end| &quoted[end + 1..]);
    }
    out + rest
}

/// Of PostgreSQL's `$tag$…$tag$`; none for a parameter such as `$1`.
fn dollar_length(text: &str) -> Option<usize> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let is_tag = tag[1..end - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
    let starts_well = !tag[1..].starts_with(|c: char| c.is_ascii_digit());
    (is_tag && starts_well).then(|| text[end..].find(tag).map_or(text.len(), |at| end + at + end))
}
