//! YAML as a configuration is written: in blocks, with texts in quotes that could be something else.

use serde_json::Value;

const STEP: usize = 2;

/// A document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    if is_block(value) {
        block(&mut out, value, 0);
    } else {
        out = flow(value) + "\n";
    }
    out
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(pairs) => !pairs.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Lines, the first of them too, so far to the right.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(pairs) => pairs.iter().for_each(|(key, value)| pair(out, (key, value), indent)),
        Value::Array(items) => items.iter().for_each(|value| item(out, value, indent)),
        _ => {}
    }
}

fn pair(out: &mut String, (key, value): (&str, &Value), indent: usize) {
    out.push_str(&format!("{:indent$}{}:", "", text(key)));
    if is_block(value) {
        out.push('\n');
        // Items stand below their key.
        block(out, value, if value.is_array() { indent } else { indent + STEP });
    } else {
        out.push_str(&format!(" {}\n", flow(value)));
    }
}

fn item(out: &mut String, value: &Value, indent: usize) {
    let start = out.len() + indent;
    if is_block(value) {
        block(out, value, indent + STEP);
        out.replace_range(start..start + STEP, "- ");
    } else {
        out.push_str(&format!("{:indent$}- {}\n", "", flow(value)));
    }
}

/// On a line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        // What is empty, numbers, and words are the same in JSON.
        other => other.to_string(),
    }
}

fn text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

/// Whether a text can be taken for nothing else, in whichever version of YAML.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan"];
    let mut rest = text.chars();
    let Some(first) = rest.next() else { return false };
    if first.is_ascii_digit() {
        let is_number = text.parse::<f64>().is_ok() || text.get(1..2).is_some_and(|it| "xob".contains(it));
        return !is_number && rest.all(|it| it.is_ascii_alphanumeric() || it == '.');
    }
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '/' | '-');
    let begins = first.is_ascii_alphabetic() || matches!(first, '_' | '/');
    begins && rest.all(fits) && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}
