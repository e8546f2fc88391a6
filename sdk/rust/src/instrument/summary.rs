//! What a statement of SQL does, and to what, in two words.

/// The words after which a table is named.
const BEFORE_TABLE: [&str; 4] = ["FROM", "INTO", "UPDATE", "TABLE"];
const OPERATIONS: [&str; 22] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "REPLACE",
    "CREATE",
    "ALTER",
    "DROP",
    "TRUNCATE",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "PRAGMA",
    "SET",
    "SHOW",
    "EXPLAIN",
    "CALL",
    "VACUUM",
    "ANALYZE",
];

/// The operation and the first table, which is empty where none is found. It is no parser: what is in
/// parentheses belongs to something else, and after `WITH` the operation is what comes behind them. Quotes
/// around a name are left out, but for those within one that has a schema.
pub(super) fn summary(sql: &str) -> (&'static str, &str) {
    let mut words = outer_words(sql);
    let operation = words.find_map(|word| OPERATIONS.into_iter().find(|it| it.eq_ignore_ascii_case(word)));
    let Some(operation) = operation else { return ("_OTHER", "") };
    let before = |word: &str| BEFORE_TABLE.into_iter().any(|it| it.eq_ignore_ascii_case(word));
    let filler =
        |word: &&str| !["ONLY", "IF", "NOT", "EXISTS"].iter().any(|it| it.eq_ignore_ascii_case(word));
    let found = before(operation) || words.any(before);
    let table = if found { words.find(filler) } else { None };
    (operation, table.map(unquoted).unwrap_or_default())
}

/// The words outside of parentheses and comments.
fn outer_words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let mut depth = 0_u32;
        loop {
            let first = rest.chars().next()?;
            let length = match first {
                '(' | ')' => {
                    depth = if first == '(' { depth + 1 } else { depth.saturating_sub(1) };
                    1
                }
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
                first if is_of_word(first) => rest.find(|it| !is_of_word(it)).unwrap_or(rest.len()),
                first => first.len_utf8(),
            };
            let (word, after) = rest.split_at(length);
            rest = after;
            if depth == 0 && is_of_word(first) {
                return Some(word);
            }
        }
    })
}

/// Names may be quoted, and have a schema before them.
fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '"' | '`')
}

fn unquoted(name: &str) -> &str {
    name.trim_matches(['"', '`'])
}
