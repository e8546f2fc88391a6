//! Rule files, as of Prometheus 3.
//!
//! Enters: the text of a file. Leaves: its groups of rules, with expressions and templates parsed, or
//! everything that is wrong with it, each with line and column. Must hold: what Prometheus refuses is
//! refused, in its words; unknown keys are; a file of any content is read in bounded time and memory.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use promql::ParseOptions;
use promql::ast::Expr;

use crate::template::Template;
use crate::yaml::{self, Problem};

/// Largest file, bytes.
pub const FILE_MAX: usize = 16 << 20;

/// Names and texts, in ascending order of the names.
pub type Texts<T> = BTreeMap<String, T>;

/// A rule file.
#[derive(Clone, Debug, Default)]
pub struct RuleFile {
    /// In the order of the file; no name twice.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated one after the other, at the same time.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    /// Within the file; not empty.
    pub name: String,
    /// Milliseconds; the configured one when `None`.
    pub interval_ms: Option<i64>,
    /// How far in the past the rules are evaluated, milliseconds; the configured one when `None`.
    pub query_offset_ms: Option<i64>,
    /// Most series of a recording rule, and most alerts of an alerting rule; 0 for no limit.
    pub limit: usize,
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug)]
pub enum Rule {
    /// `record`.
    Recording(RecordingRule),
    /// `alert`.
    Alerting(AlertingRule),
}

/// Stores what an expression gives under a name of its own.
#[derive(Clone, Debug)]
pub struct RecordingRule {
    /// The metric's name.
    pub name: String,
    /// What is evaluated.
    pub expr: Expr,
    /// Set on every series; an empty one takes the label away. Those of the group among them.
    pub labels: Texts<String>,
}

/// Makes an alert of every series that an expression gives.
#[derive(Clone, Debug)]
pub struct AlertingRule {
    /// `alertname`.
    pub name: String,
    /// What is evaluated.
    pub expr: Expr,
    /// How long it has to hold before the alert fires, milliseconds.
    pub for_ms: i64,
    /// How long the alert goes on firing when it does not hold any more, milliseconds.
    pub keep_firing_for_ms: i64,
    /// Set on every alert. Those of the group among them.
    pub labels: Texts<Template>,
    /// Said with every alert; no part of what it is.
    pub annotations: Texts<Template>,
}

impl Rule {
    /// The metric's or the alert's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Recording(rule) => &rule.name,
            Self::Alerting(rule) => &rule.name,
        }
    }

    /// What is evaluated.
    pub fn expr(&self) -> &Expr {
        match self {
            Self::Recording(rule) => &rule.expr,
            Self::Alerting(rule) => &rule.expr,
        }
    }

    /// The labels as they are written, ascending.
    pub fn labels(&self) -> Texts<&str> {
        match self {
            Self::Recording(rule) => texts(&rule.labels, String::as_str),
            Self::Alerting(rule) => texts(&rule.labels, Template::source),
        }
    }
}

fn texts<T>(texts: &Texts<T>, text: impl Fn(&T) -> &str) -> Texts<&str> {
    texts.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

impl RuleFile {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file. Where the YAML itself is broken, only that.
    pub fn parse(text: &str, options: &ParseOptions) -> Result<Self, Vec<Problem>> {
        if text.len() > FILE_MAX {
            let message = format!("a rule file may have {FILE_MAX} bytes");
            return Err(vec![Problem { line: 1, column: 1, message }]);
        }
        let tree = yaml::parse(text)?;
        read::file(text, tree.as_ref(), options)
    }

    /// Rules that are there more than once: the same name and the same labels, which makes series that
    /// overwrite each other. Prometheus takes them; `promtool check rules` warns.
    pub fn duplicates(&self) -> Vec<(&str, Texts<&str>)> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let mut all: Vec<_> = rules.map(|rule| (rule.name(), rule.labels())).collect();
        all.sort();
        let mut twice: Vec<_> =
            all.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0].clone()).collect();
        twice.dedup();
        twice
    }
}
