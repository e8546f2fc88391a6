use serde_json::Value;

use super::REDACTED;
use crate::logging::entry::Fields;

/// A place in named values: names between dots. A name may have dots itself, as attributes have.
#[derive(Clone, Debug)]
pub(super) struct Path {
    whole: String,
    parts: Vec<String>,
}

impl Path {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('.').map(str::to_owned).collect();
        (!parts.iter().any(String::is_empty)).then(|| Self { whole: text.to_owned(), parts })
    }

    /// Whether a name by itself is the place.
    pub(super) fn is(&self, name: &str) -> bool {
        self.whole == name
    }

    pub(super) fn hide(&self, fields: &mut Fields) {
        hide(fields, &self.parts);
    }
}

fn hide(fields: &mut Fields, parts: &[String]) {
    if parts[0] == "*" {
        fields.values_mut().for_each(|value| inside(value, &parts[1..]));
    }
    for length in 1..=parts.len() {
        if let Some(value) = fields.get_mut(&parts[..length].join(".")) {
            inside(value, &parts[length..]);
        }
    }
}

fn inside(value: &mut Value, parts: &[String]) {
    match value {
        _ if parts.is_empty() => *value = REDACTED.into(),
        Value::Object(fields) => hide(fields, parts),
        // What holds for one holds for all of them.
        Value::Array(items) if parts[0] == "*" => items.iter_mut().for_each(|it| inside(it, &parts[1..])),
        Value::Array(items) => items.iter_mut().for_each(|it| inside(it, parts)),
        _ => {}
    }
}
