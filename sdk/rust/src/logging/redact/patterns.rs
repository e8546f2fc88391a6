use std::borrow::Cow;

use regex::Regex;

use super::RedactError;

/// A regular expression and what stands for what it finds.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    replacement: String,
}

impl Pattern {
    pub(super) fn new(name: &str, pattern: &str, replacement: &str) -> Result<Self, RedactError> {
        match Regex::new(pattern) {
            Ok(regex) => Ok(Self { regex, replacement: replacement.to_owned() }),
            Err(error) => Err(RedactError::Pattern { name: name.to_owned(), reason: error.to_string() }),
        }
    }

    pub(super) fn replace<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match self.regex.replace_all(&text, &self.replacement) {
            Cow::Owned(other) => Cow::Owned(other),
            Cow::Borrowed(_) => text,
        }
    }
}
