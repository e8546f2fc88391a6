//! Texts of labels and annotations: Go's `text/template` with Prometheus' functions.
//!
//! Enters: a text such as `{{ $labels.job }} is down for {{ $value | humanizeDuration }}`. Leaves: the
//! template, or what is wrong with it and where; then the text for one alert. Must hold: no text makes
//! it panic, recurse or grow without bound ([`OUTPUT_MAX`]); a template asks nothing but
//! [`Surroundings::query`].
//!
//! Not there, for nothing in rule files needs it: `define`, `template`, `block`, `js`, `call`, and
//! methods of times.

mod calendar;
mod execute;
mod format;
mod functions;
mod humanize;
mod lex;
mod parse;
#[cfg(test)]
mod tests;
mod value;

use promql::{Labels, Point, Vector};

/// Bytes that a template may give; Prometheus has no such limit.
pub const OUTPUT_MAX: usize = 1 << 20;

/// A text that is ready to be expanded.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    nodes: Vec<parse::Node>,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {line}:{column}: {message}")]
pub struct TemplateError {
    /// Within the text, from 1.
    pub line: usize,
    /// Characters within the line, from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
}

/// What a template may speak of.
pub struct Surroundings<'a> {
    /// `$labels`, `.Labels`: those of the sample, the metric's name among them.
    pub labels: &'a Labels,
    /// `$value`, `.Value`: what the expression gave.
    pub value: &'a Point,
    /// `$externalLabels`, `.ExternalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`, `.ExternalURL`, `externalURL`; empty when nobody said it.
    pub external_url: &'a str,
    /// Of the evaluation; what `now` gives.
    pub time_ms: i64,
    /// Evaluates a query at that time, for `query`.
    pub query: &'a dyn Fn(&str) -> Result<Vector, String>,
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// A [`TemplateError`] for the first thing that is wrong: the syntax, an unknown function, a
    /// variable that is not there.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let nodes = parse::parse(source).map_err(|fault| fault.locate(source))?;
        Ok(Self { source: source.to_owned(), nodes })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text for one alert.
    ///
    /// # Errors
    /// What could not be done: a function refused its arguments, a query failed, the text is longer
    /// than [`OUTPUT_MAX`].
    pub fn expand(&self, surroundings: &Surroundings<'_>) -> Result<String, String> {
        execute::run(&self.nodes, surroundings)
    }
}

/// Something is wrong at a byte of the text.
#[derive(Debug)]
pub(crate) struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    fn locate(self, source: &str) -> TemplateError {
        let before = source.get(..self.at.min(source.len())).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TemplateError { line, column, message: self.message }
    }
}
