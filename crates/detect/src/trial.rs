//! Unit tests of rules, in the format of `promtool test rules`.
//!
//! Enters: the text of a test file, and the rule files that it names, read. Leaves: what is wrong with
//! the file, or what differed from what it expects. Must hold: the verdict of Prometheus 3's
//! `promtool`; no file runs without bound ([`EVALUATIONS_MAX`]).
//!
//! Where it differs from `promtool`: a NaN that is expected is found; everything that is wrong with a
//! file is said at once; a native histogram's counter reset hint is compared only where it is written.

mod compare;
mod read;
mod run;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use promql::series_description::SeriesDescription;
use promql::{Labels, ParseOptions, Point};

pub use run::{Failure, FailureKind, Report, run};

use crate::rules::Texts;
use crate::yaml::{self, Place, Problem};

/// Evaluations that a test may take: the largest `eval_time` by the `evaluation_interval`.
pub const EVALUATIONS_MAX: i64 = 1_000_000;

/// A file of tests.
#[derive(Clone, Debug)]
pub struct TrialFile {
    /// Patterns of rule files, relative to the file's folder, each with its line and column.
    pub rule_files: Vec<(String, usize, usize)>,
    evaluation_interval_ms: i64,
    group_eval_order: Vec<String>,
    fuzzy_compare: bool,
    tests: Vec<Test>,
}

/// Series, and what is expected of them.
#[derive(Clone, Debug)]
struct Test {
    name: Option<String>,
    interval_ms: i64,
    /// Of the first sample and the first evaluation.
    start_ms: i64,
    series: Vec<SeriesDescription>,
    external_labels: Labels,
    external_url: String,
    alerts: Vec<AlertCase>,
    expressions: Vec<ExpressionCase>,
}

/// The alerts of a name that fire at a time.
#[derive(Clone, Debug)]
struct AlertCase {
    at: Place,
    eval_time_ms: i64,
    name: String,
    /// With `alertname`.
    expected: Vec<(Texts<String>, Texts<String>)>,
}

/// What an expression gives at a time.
#[derive(Clone, Debug)]
struct ExpressionCase {
    at: Place,
    expr: String,
    eval_time_ms: i64,
    expected: Vec<Expected>,
}

#[derive(Clone, Debug)]
struct Expected {
    labels: Labels,
    point: Point,
    hint_written: bool,
}

impl TrialFile {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file. Where the YAML itself is broken, only that.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let tree = yaml::parse(text)?;
        read::file(tree.as_ref())
    }

    /// How many things it expects.
    pub fn cases(&self) -> usize {
        self.tests.iter().map(|test| test.alerts.len() + test.expressions.len()).sum()
    }
}

/// How expressions of tests are read and evaluated.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrialOptions {
    /// Experimental functions and syntax are allowed.
    pub experimental: bool,
}

impl TrialOptions {
    /// For the rule files of a test.
    pub fn parse_options(self) -> ParseOptions {
        ParseOptions::new(self.experimental)
    }
}
