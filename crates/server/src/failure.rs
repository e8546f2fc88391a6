//! How a command fails: a sentence, its cause, a hint, an exit code. Rendered once, here.

use std::fmt;
use std::process::ExitCode;

/// Why a command ended without doing what it was asked.
#[derive(Debug)]
pub struct Failure {
    pub message: String,
    pub causes: Vec<String>,
    pub hint: Option<String>,
    /// 1: the answer is no; 2: usage or configuration.
    pub code: u8,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, code: 1 }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(message) }
    }

    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds an error and everything beneath it.
    #[must_use]
    pub fn chain(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints it on standard error.
    #[expect(clippy::print_stderr, reason = "the one place where a command's failure is told")]
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        for cause in &self.causes {
            eprintln!("  cause: {cause}");
        }
        if let Some(hint) = &self.hint {
            eprintln!("\nhint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<fresnel_sdk::config::LoadError> for Failure {
    fn from(error: fresnel_sdk::config::LoadError) -> Self {
        let causes = error.to_string().lines().map(Into::into).collect();
        Self { causes, ..Self::usage("invalid configuration") }
            .hint("all settings are in docs/reference/config.md; `fresnel check` tells what is in effect")
    }
}

pub type Result<T> = std::result::Result<T, Failure>;
