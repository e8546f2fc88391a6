use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::node::Node;
use super::path::KeyPath;

/// Rules between values, or beyond what a type and a range can say.
///
/// Runs on the final merged value only. Report everything; do not stop at the first.
pub trait Validate {
    /// Reports what is wrong. The default finds nothing.
    fn validate(&self, report: &mut Report) {
        let _ = report;
    }
}

/// Collects what [`Validate`] finds; the loader adds the place where each value was written.
#[derive(Debug, Default)]
pub struct Report {
    prefix: KeyPath,
    pub(crate) findings: Vec<Finding>,
}

#[derive(Debug)]
pub(crate) struct Finding {
    /// The first is the subject; a finding counts only if all of them could be read.
    pub(crate) paths: Vec<KeyPath>,
    pub(crate) predicate: String,
}

impl Report {
    /// The value at `path` is wrong: `report.error("segment_size", "must be at least 1 MiB")`.
    pub fn error(&mut self, path: &str, predicate: impl Into<String>) {
        self.conflict(&[path], predicate);
    }

    /// The values at `paths` do not go together; the sentence's subject is the first. If one of
    /// them could not even be read, this is left out: it would be about a stand-in.
    pub fn conflict(&mut self, paths: &[&str], predicate: impl Into<String>) {
        let paths = paths.iter().map(|path| self.prefix.join(&KeyPath::parse(path))).collect();
        self.findings.push(Finding { paths, predicate: predicate.into() });
    }

    /// Validates a part: its paths are relative to `path`.
    pub fn within(&mut self, path: &str, part: &impl Validate) {
        let longer = self.prefix.join(&KeyPath::parse(path));
        let outer = std::mem::replace(&mut self.prefix, longer);
        part.validate(self);
        self.prefix = outer;
    }

    /// Lets a validator from outside look at its part of `tree`; there may be none.
    pub(crate) fn ask(&mut self, validator: &Validator, tree: &Node) {
        let Some(part) = tree.get(&validator.path).filter(|part| !part.is_null()) else { return };
        let outer = std::mem::replace(&mut self.prefix, validator.path.clone());
        (validator.check)(part.to_json(), self);
        self.prefix = outer;
    }

    /// Each finding as a sentence, its subject the path.
    #[cfg(feature = "security")]
    pub(crate) fn sentences(&self) -> impl Iterator<Item = String> {
        let subject = |finding: &Finding| finding.paths.first().map(ToString::to_string).unwrap_or_default();
        self.findings.iter().map(move |finding| format!("`{}` {}", subject(finding), finding.predicate))
    }

    /// True when nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }
}

type Check = dyn Fn(Json, &mut Report) + Send + Sync;

/// A rule that the type does not know: of a plug-in, for its part of the configuration.
#[derive(Clone)]
pub(crate) struct Validator {
    path: KeyPath,
    check: Arc<Check>,
}

impl Validator {
    pub(crate) fn new<V: DeserializeOwned>(
        path: &str,
        check: impl Fn(&V, &mut Report) + Send + Sync + 'static,
    ) -> Self {
        let check = move |part: Json, report: &mut Report| match serde_json::from_value(part) {
            Ok(part) => check(&part, report),
            // serde's words may quote a secret.
            Err(_) => report.error("", "is of another form than its validator takes"),
        };
        Self { path: KeyPath::parse(path), check: Arc::new(check) }
    }
}
