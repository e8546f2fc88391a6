use regex::Regex;
use serde_json::Value;

use super::event::NewEvent;

/// What stands where something was taken out.
const REDACTED: &str = "[REDACTED]";

/// Why a redaction is none.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedactionError {
    /// The path does not begin with `data`, `tags` or `metadata`, or has an empty part.
    #[error("`{0}` is no path: `data`, `tags.NAME` or `metadata.NAME`, and names or `*` between dots")]
    Path(String),
    /// The pattern is no regular expression.
    #[error("the pattern of a redaction is no regular expression")]
    Pattern(#[source] regex::Error),
}

/// Something that is taken out of every event before it is stored or told: what a path leads to, or
/// what a pattern finds in the texts there.
///
/// ```
/// use fresnel_sdk::events::Redaction;
///
/// let whole = Redaction::field("data.card.number")?;
/// let part = Redaction::pattern("data.*", r"\b\d{16}\b", "[CARD]")?;
/// # Ok::<(), fresnel_sdk::events::RedactionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Redaction {
    path: Vec<String>,
    replace: Option<(Regex, String)>,
}

impl Redaction {
    /// All that is at a path becomes `[REDACTED]`. A part `*` means every entry of an object or a
    /// list, and a number the entry of a list. Of the metadata only texts can be redacted, by
    /// their names in JSON (`metadata.userId`).
    ///
    /// # Errors
    /// The path is none.
    pub fn field(path: &str) -> Result<Self, RedactionError> {
        let parts: Vec<_> = path.split('.').map(str::to_owned).collect();
        let wrong = || RedactionError::Path(path.to_owned());
        let right = match parts[0].as_str() {
            "data" => true,
            "tags" | "metadata" => parts.len() == 2,
            _ => false,
        };
        if right && !parts.iter().any(String::is_empty) {
            Ok(Self { path: parts, replace: None })
        } else {
            Err(wrong())
        }
    }

    /// What the pattern finds in the texts at a path, and below it, is replaced; `$1` stands for
    /// what its first group found.
    ///
    /// # Errors
    /// The path or the pattern is none.
    pub fn pattern(path: &str, pattern: &str, replacement: &str) -> Result<Self, RedactionError> {
        let regex = Regex::new(pattern).map_err(RedactionError::Pattern)?;
        Ok(Self { replace: Some((regex, replacement.to_owned())), ..Self::field(path)? })
    }

    /// Takes it out.
    pub(super) fn apply(&self, event: &mut NewEvent) {
        let (root, rest) = (self.path[0].as_str(), &self.path[1..]);
        match root {
            "tags" => {
                let meant = |name: &str| rest[0] == "*" || rest[0] == name;
                for (_, value) in event.tags.iter_mut().filter(|(name, _)| meant(name)) {
                    *value = self.text(value);
                }
            }
            "metadata" => self.apply_metadata(event, &rest[0]),
            _ => self.walk(&mut event.data, rest),
        }
    }

    fn apply_metadata(&self, event: &mut NewEvent, name: &str) {
        let metadata = &mut event.metadata;
        let fields = [
            ("workflowVersion", &mut metadata.workflow_version),
            ("userId", &mut metadata.user_id),
            ("sessionId", &mut metadata.session_id),
            ("requestId", &mut metadata.request_id),
            ("correlationId", &mut metadata.correlation_id),
            ("causationId", &mut metadata.causation_id),
        ];
        for (_, value) in fields.into_iter().filter(|(own, _)| name == "*" || *own == name) {
            if let Some(text) = value {
                *text = self.text(text);
            }
        }
    }

    fn walk(&self, value: &mut Value, path: &[String]) {
        let Some((part, rest)) = path.split_first() else { return self.replace(value) };
        match value {
            Value::Object(object) if part == "*" => {
                object.values_mut().for_each(|entry| self.walk(entry, rest));
            }
            Value::Object(object) => {
                if let Some(entry) = object.get_mut(part) {
                    self.walk(entry, rest);
                }
            }
            Value::Array(items) if part == "*" => items.iter_mut().for_each(|item| self.walk(item, rest)),
            Value::Array(items) => {
                if let Some(item) = part.parse::<usize>().ok().and_then(|place| items.get_mut(place)) {
                    self.walk(item, rest);
                }
            }
            _ => {}
        }
    }

    fn replace(&self, value: &mut Value) {
        match (&self.replace, value) {
            (None, value) => *value = REDACTED.into(),
            (Some(_), Value::String(text)) => *text = self.text(text),
            (Some(_), Value::Array(items)) => items.iter_mut().for_each(|item| self.replace(item)),
            (Some(_), Value::Object(object)) => object.values_mut().for_each(|entry| self.replace(entry)),
            (Some(_), _) => {}
        }
    }

    fn text(&self, text: &str) -> String {
        match &self.replace {
            None => REDACTED.into(),
            Some((regex, replacement)) => regex.replace_all(text, replacement).into_owned(),
        }
    }
}
