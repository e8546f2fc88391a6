//! Takes secrets out of records, on values and never on their text as JSON.

mod keys;
mod path;
#[cfg(feature = "logging")]
mod patterns;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use self::keys::Keys;
use self::path::Path;
use super::context::Id;
use super::entry::{Entry, Fields};

/// What stands where something was taken out.
pub const REDACTED: &str = "[REDACTED]";

/// Why a redaction is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// There is nothing in it.
    #[error("`{0}` is no key: letters and digits, such as `password` or `api_key`")]
    Key(String),
    /// It leads nowhere.
    #[error("`{0}` is no path: names or `*` between dots, such as `user.email`")]
    Path(String),
    /// It is no regular expression.
    #[error("the pattern of `{name}` is no regular expression: {reason}")]
    Pattern {
        /// The name of the redaction.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This build cannot match patterns.
    #[error("`{0}`: patterns are not in this build, they need the feature `logging`")]
    NoPatterns(String),
}

/// What is taken out of every record before any output sees it.
///
/// A key hides values whose name has its words in it, whole and one after the other: `key` hides
/// `api_key`, `apiKey`, `x-api-key` and `key2`, but neither `keyboard` nor `monkey`. A path hides one
/// place, a pattern what it finds in texts and numbers, the message too.
///
/// ```
/// use fresnel_sdk::logging::Redactor;
///
/// let redactor = Redactor::default().path("user.email")?;
/// assert!(redactor.hides("db.password") && redactor.hides("user.email") && redactor.hides("apiKey"));
/// assert!(!redactor.hides("user.name") && !redactor.hides("tokens_per_second"));
/// # Ok::<(), fresnel_sdk::logging::RedactError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Redactor {
    keys: Keys,
    paths: Vec<Path>,
    #[cfg(feature = "logging")]
    patterns: Vec<patterns::Pattern>,
}

/// The keys that are hidden unless said otherwise.
pub(super) const DEFAULT_KEYS: [&str; 12] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "token",
    "secret",
    "key",
    "apikey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
];

impl Default for Redactor {
    fn default() -> Self {
        DEFAULT_KEYS.iter().fold(Self::none(), |mut redactor, key| {
            redactor.keys.add(key);
            redactor
        })
    }
}

impl Redactor {
    /// Takes nothing out.
    pub fn none() -> Self {
        Self {
            keys: Keys::default(),
            paths: Vec::new(),
            #[cfg(feature = "logging")]
            patterns: Vec::new(),
        }
    }

    /// Hides values by a word in their name.
    ///
    /// # Errors
    /// There is no word in it.
    pub fn key(mut self, key: &str) -> Result<Self, RedactError> {
        if self.keys.add(key) { Ok(self) } else { Err(RedactError::Key(key.to_owned())) }
    }

    /// Hides a value by its place; a part `*` is any name.
    ///
    /// # Errors
    /// A part of it is empty.
    pub fn path(mut self, path: &str) -> Result<Self, RedactError> {
        let parsed = Path::parse(path).ok_or_else(|| RedactError::Path(path.to_owned()))?;
        self.paths.push(parsed);
        Ok(self)
    }

    /// Replaces what a regular expression finds; `$1` stands for what its first group found.
    ///
    /// # Errors
    /// It is none, or this build has none.
    #[cfg_attr(not(feature = "logging"), expect(unused_variables, reason = "there are no patterns"))]
    pub fn pattern(self, name: &str, pattern: &str, replacement: &str) -> Result<Self, RedactError> {
        #[cfg(feature = "logging")]
        {
            let mut redactor = self;
            redactor.patterns.push(patterns::Pattern::new(name, pattern, replacement)?);
            Ok(redactor)
        }
        #[cfg(not(feature = "logging"))]
        Err(RedactError::NoPatterns(name.to_owned()))
    }

    /// Whether the value of a name is hidden as a whole.
    pub fn hides(&self, name: &str) -> bool {
        self.keys.matches(name) || self.paths.iter().any(|path| path.is(name))
    }

    /// A text without what patterns find in it.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        #[cfg(feature = "logging")]
        let text = self.patterns.iter().fold(Cow::Borrowed(text), |text, pattern| pattern.replace(text));
        #[cfg(not(feature = "logging"))]
        let text = Cow::Borrowed(text);
        text
    }

    /// Whether it takes nothing out of anything.
    pub(crate) fn is_none(&self) -> bool {
        self.keys.is_empty() && self.paths.is_empty() && !self.reads_texts()
    }

    /// Whether a text can come out of [`Redactor::text`] as another.
    pub(crate) fn reads_texts(&self) -> bool {
        #[cfg(feature = "logging")]
        let reads = !self.patterns.is_empty();
        #[cfg(not(feature = "logging"))]
        let reads = false;
        reads
    }

    /// Takes out of named values what is hidden in them, however deep.
    pub fn fields(&self, fields: &mut Fields) {
        self.walk(fields);
        self.paths.iter().for_each(|path| path.hide(fields));
    }

    fn walk(&self, fields: &mut Fields) {
        for (name, value) in fields.iter_mut() {
            if self.keys.matches(name) {
                *value = REDACTED.into();
            } else {
                self.value(value);
            }
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.in_place(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => self.walk(fields),
            Value::Number(number) if self.reads_texts() => {
                if let Cow::Owned(other) = self.text(&number.to_string()) {
                    *value = other.into();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn in_place(&self, text: &mut String) {
        if let Cow::Owned(other) = self.text(text) {
            *text = other;
        }
    }

    /// Takes out of a record what is hidden in it.
    pub(super) fn entry(&self, entry: &mut Entry) {
        self.in_place(&mut entry.message);
        self.fields(&mut entry.fields);
        entry.tags.iter_mut().for_each(|tag| self.in_place(tag));
        for id in Id::ALL {
            let Some(value) = entry.ids.get(id) else { continue };
            if self.hides(id.attribute()) || self.paths.iter().any(|path| path.is(id.json_name())) {
                entry.ids.set(id, REDACTED);
            } else if let Cow::Owned(other) = self.text(value) {
                entry.ids.set(id, &other);
            }
        }
        for (_, fields) in &mut entry.spans {
            self.fields(Arc::make_mut(fields));
        }
        if let Some(error) = &mut entry.error {
            self.in_place(&mut error.message);
            error.stack.iter_mut().for_each(|stack| self.in_place(stack));
            self.fields(&mut error.custom);
        }
    }
}
