//! From the merged tree to the typed, validated value, past every error.
//!
//! serde stops at the first error. So whatever failed is replaced by its default, or taken away,
//! and the rest is tried again: the value that comes out in the end is only good for finding more
//! problems, never for use.

use super::Config;
use super::check::{self, written};
use super::error::{Failure, Problem};
use super::loaded::masked;
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;
use super::shape::Shape;
use super::unit::reveal;
use super::validate::{Report, Validator};

/// More are not told at once.
const ROUNDS_MAX: usize = 100;

/// The value of the tree, or everything that is wrong with it, the known failures included.
pub(super) fn settle<T: Config>(
    tree: &Node,
    defaults: &Node,
    shape: &Shape,
    known: Vec<Failure>,
    validators: &[Validator],
) -> Result<T, Vec<Problem>> {
    let (repaired, failed, problems) = (tree.clone(), Vec::new(), Vec::new());
    let mut settler = Settler { tree, defaults, shape, repaired, failed, problems };
    let found = check::check(tree, shape);
    // What failed before was replaced by something that may not fit either.
    let fresh = found.into_iter().filter(|(path, _)| !known.iter().any(|(failed, _)| failed.overlaps(path)));
    for (path, problem) in fresh.chain(known.iter().cloned()) {
        settler.fail(path, problem);
    }
    let value: Option<T> = settler.deserialize();
    if let Some(value) = &value {
        settler.validate(value, validators);
    }
    value.filter(|_| settler.problems.is_empty()).ok_or(settler.problems)
}

struct Settler<'a> {
    tree: &'a Node,
    defaults: &'a Node,
    shape: &'a Shape,
    repaired: Node,
    failed: Vec<KeyPath>,
    problems: Vec<Problem>,
}

impl Settler<'_> {
    fn fail(&mut self, path: KeyPath, problem: Problem) {
        self.problems.push(problem);
        self.repair(&path);
        self.failed.push(path);
    }

    /// Makes the tree one that serde may get past: the default where there is one, otherwise the
    /// nearest entry around it that the defaults don't know is taken away.
    fn repair(&mut self, path: &KeyPath) {
        let mut path = path.clone();
        loop {
            let Some(parent) = path.parent() else {
                self.repaired = self.defaults.clone();
                return;
            };
            if let Some(default) = self.defaults.get(&path) {
                self.repaired.insert(&path, default.clone());
                return;
            }
            if self.defaults.get(&parent).is_some() {
                self.repaired.remove(&path);
                return;
            }
            path = parent;
        }
    }

    fn deserialize<T: Config>(&mut self) -> Option<T> {
        for _ in 0..ROUNDS_MAX {
            let error = match serde_path_to_error::deserialize(self.repaired.to_json()) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let path = key_path(error.path());
            if self.failed.iter().any(|failed| failed.overlaps(&path)) {
                // It is known, and its repair was not enough: try the next larger part.
                let known = std::iter::successors(Some(path), KeyPath::parent);
                let larger = known.into_iter().find(|path| !self.failed.contains(path))?;
                self.repair(&larger);
                self.failed.push(larger);
            } else {
                let problem = self.describe(&path, &error.into_inner().to_string());
                self.fail(path, problem);
            }
        }
        None
    }

    /// What serde found wrong. Its words quote the value, so those about secrets are not used.
    fn describe(&self, path: &KeyPath, message: &str) -> Problem {
        let node = self.tree.nearest(path);
        let shape = self.shape.at(path);
        let secret = shape.is_secret();
        let got = match &node.value {
            super::node::Value::Leaf(json) if !shape.holds_secret() => format!(", got {}", written(json)),
            _ => String::new(),
        };
        let predicate = match message {
            _ if secret => "is not a valid secret".to_owned(),
            _ if shape.holds_secret() => "is not valid".to_owned(),
            // As the standard library says it, which tells nobody what one looks like.
            "invalid socket address syntax" => {
                format!("must be an IP address and a port such as `127.0.0.1:4318` or `[::1]:4318`{got}")
            }
            must if must.starts_with("must ") => format!("{must}{got}"),
            other => format!("is not valid: {other}{got}"),
        };
        Problem::about(node.origin.clone(), path, &predicate)
    }

    fn validate<T: Config>(&mut self, value: &T, validators: &[Validator]) {
        let mut report = Report::default();
        value.validate(&mut report);
        if !validators.is_empty() {
            let tree = Node::from_json(reveal(|| masked(value)), &Origin::Default);
            validators.iter().for_each(|validator| report.ask(validator, &tree));
        }
        for finding in report.findings {
            let readable = |path: &KeyPath| !self.failed.iter().any(|failed| failed.overlaps(path));
            let Some(subject) = finding.paths.first().filter(|_| finding.paths.iter().all(readable)) else {
                continue;
            };
            let origin = self.tree.nearest(subject).origin.clone();
            self.problems.push(Problem::about(origin, subject, &finding.predicate));
        }
    }
}

pub(super) fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    use serde_path_to_error::Segment;
    path.iter().fold(KeyPath::default(), |path, segment| match segment {
        Segment::Seq { index } => path.index(*index),
        Segment::Map { key } => path.key(key),
        Segment::Enum { variant } => path.key(variant),
        Segment::Unknown => path,
    })
}
