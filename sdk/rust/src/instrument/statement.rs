/// A statement of SQL with `?` for every text and number in it, so that it can be shown: what it
/// asks, and not about whom. It is no parser: what it does not know it leaves out rather than in.
///
/// ```
/// use fresnel_sdk::instrument::sanitized;
/// let shown = sanitized("SELECT * FROM users WHERE mail = 'a''b@c.de' AND n IN (1, 2.5) -- why");
/// assert_eq!(shown, "SELECT * FROM users WHERE mail = ? AND n IN (?, ?) ");
/// ```
pub fn sanitized(statement: &str) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                out.push('?');
                text_length(rest)
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' if dollar_length(rest).is_some() => {
                out.push('?');
                dollar_length(rest).unwrap_or(rest.len())
            }
            '0'..='9' => {
                out.push('?');
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            first if first.is_alphabetic() || matches!(first, '_' | '$' | '@' | ':') => {
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

/// Of a text in quotes, a quote in which is doubled or after a backslash.
fn text_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Of PostgreSQL's `$tag$…$tag$`; none for a parameter such as `$1`.
fn dollar_length(text: &str) -> Option<usize> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let is_tag = tag[1..end - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
    let starts_well = !tag[1..].starts_with(|c: char| c.is_ascii_digit());
    (is_tag && starts_well).then(|| text[end..].find(tag).map_or(text.len(), |at| end + at + end))
}
