/// A statement of SQL with `?` for every text and number in it, so that it can be shown: what it
/// asks, and not about whom. It is no parser: what it does not know it leaves out rather than in.
///
/// Servers differ in what a text is, and by their settings, too. So what is in double quotes counts as
/// one, which it is for MySQL and may be for SQLite, and nothing is shown after a quote with a
/// backslash before it, which ends a text for some and not for others. [`sanitized_for`] knows more.
///
/// ```
/// use fresnel_sdk::instrument::sanitized;
/// let shown = sanitized("SELECT * FROM users WHERE mail = 'a''b@c.de' AND n IN (1, 2.5) -- why");
/// assert_eq!(shown, "SELECT * FROM users WHERE mail = ? AND n IN (?, ?) ");
/// assert_eq!(sanitized(r"SELECT * FROM files WHERE path = 'C:\' AND pin = '1'"), "SELECT * FROM files WHERE path = ?");
/// ```
pub fn sanitized(statement: &str) -> String {
    shown(statement, false)
}

/// As [`sanitized`], of a system by OpenTelemetry's name. Those of which it is certain show their names
/// in double quotes: `postgresql`, `cockroachdb`, `oracle.db`, `microsoft.sql_server`.
///
/// ```
/// use fresnel_sdk::instrument::sanitized_for;
/// let statement = r#"SELECT "id" FROM "users" WHERE mail = 'a@b.c'"#;
/// assert_eq!(sanitized_for("postgresql", statement), r#"SELECT "id" FROM "users" WHERE mail = ?"#);
/// assert_eq!(sanitized_for("mysql", statement), "SELECT ? FROM ? WHERE mail = ?");
/// ```
pub fn sanitized_for(system: &str, statement: &str) -> String {
    shown(statement, matches!(system, "postgresql" | "cockroachdb" | "oracle.db" | "microsoft.sql_server"))
}

/// `standard`: double quotes stand around names, and `#` begins no comment.
fn shown(statement: &str, standard: bool) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                out.push('?');
                text_length(rest, '\'')
            }
            '"' if !standard => {
                out.push('?');
                text_length(rest, '"')
            }
            // Quotes within a name end nothing.
            '"' | '`' => {
                let length = name_length(rest, first);
                out.push_str(&rest[..length]);
                length
            }
            '#' if !standard => rest.find('\n').unwrap_or(rest.len()),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
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
                let word = &rest[..length];
                out.push_str(word);
                // Oracle's `q'[it's]'` ends where its own bracket does.
                if rest[length..].starts_with('\'') && ["q", "Q", "nq", "NQ", "nQ", "Nq"].contains(&word) {
                    out.push('?');
                    return out;
                }
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

/// Of a text in quotes, a quote in which is doubled; all that follows where that is uncertain.
fn text_length(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    let mut escaped = false;
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => escaped = !escaped,
            _ if char == quote && escaped => return text.len(),
            _ if char == quote && chars.peek().is_some_and(|(_, next)| *next == quote) => drop(chars.next()),
            _ if char == quote => return at + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Of a name in quotes, a quote in which is doubled: as two names it is as long.
fn name_length(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

/// Of a comment. Comments in it count: for some servers they end it, and then too much is left out.
fn comment_length(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_u32);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    text.len()
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
