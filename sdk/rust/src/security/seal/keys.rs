use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::config::Secret;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// More keys are a mistake.
const KEYS_MAX: usize = 100;

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no keys from {from}: {problem}")]
pub struct SourceError {
    /// Which source.
    pub from: String,
    /// What is wrong. No part of a key.
    pub problem: String,
}

/// Where keys come from: implement it for a key management service.
pub trait KeySource: Send + Sync + 'static {
    /// The keys of 32 random bytes: the first seals, all open. It may block; it is asked once at the start
    /// and then once in each rotation.
    ///
    /// # Errors
    /// There are none now. The keys that there were go on.
    fn keys(&self) -> Result<Vec<Secret<[u8; 32]>>, SourceError>;
}

/// Keys in a variable of the environment, in base64, with blanks or commas between.
#[derive(Clone, Debug)]
pub struct EnvironmentKeys(String);

impl EnvironmentKeys {
    /// In this variable.
    pub fn new(variable: impl Into<String>) -> Self {
        Self(variable.into())
    }
}

impl KeySource for EnvironmentKeys {
    fn keys(&self) -> Result<Vec<Secret<[u8; 32]>>, SourceError> {
        let from = format!("the variable {}", self.0);
        match std::env::var(&self.0) {
            Ok(text) => parse(&text, &from),
            Err(error) => Err(SourceError { from, problem: error.to_string() }),
        }
    }
}

/// Keys in a file, in base64, one on each line. Put a new one first, and take an old one out when nothing
/// that it sealed is left.
#[derive(Clone, Debug)]
pub struct FileKeys(PathBuf);

impl FileKeys {
    /// In this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl KeySource for FileKeys {
    fn keys(&self) -> Result<Vec<Secret<[u8; 32]>>, SourceError> {
        let from = format!("the file {}", self.0.display());
        match fs::read_to_string(&self.0) {
            Ok(text) => parse(&text, &from),
            Err(error) => Err(SourceError { from, problem: error.to_string() }),
        }
    }
}

fn parse(text: &str, from: &str) -> Result<Vec<Secret<[u8; 32]>>, SourceError> {
    let wrong = |problem: String| SourceError { from: from.to_owned(), problem };
    let is_between = |letter: char| letter.is_whitespace() || letter == ',';
    let texts: Vec<_> = text.split(is_between).filter(|text| !text.is_empty()).collect();
    if texts.is_empty() || texts.len() > KEYS_MAX {
        return Err(wrong(format!("there are {}, not 1 to {KEYS_MAX}", texts.len())));
    }
    let key = |(at, text): (usize, &&str)| {
        let bytes = BASE64_STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Secret::new)
            .ok_or_else(|| wrong(format!("key {} is not {KEY_BYTES} bytes in base64", at + 1)))
    };
    texts.iter().enumerate().map(key).collect()
}
