//! Secrets that are kept elsewhere: `{ file = "/run/secrets/x" }`, `{ env = "NAME" }`, or by the name of
//! a store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use super::env::Variable;
use super::error::{Failure, Problem};
use super::file;
use super::node::{Node, Value};
use super::path::KeyPath;
use super::shape::Shape;
use super::unit::Secret;

/// Where secrets are kept, other than in files and variables: implement it for a vault, or for what a
/// cloud has for that.
pub trait SecretStore: Send + Sync + 'static {
    /// The secret of this name. It is asked at every load and reload, on the thread that loads, and so
    /// has to come to an end by itself.
    ///
    /// # Errors
    /// There is none, or the store does not answer. It is told with the place in the configuration: no
    /// part of a secret may be in it.
    fn secret(&self, name: &str) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>>;
}

/// By the key that points to them.
pub(super) type SecretStores = BTreeMap<String, Arc<dyn SecretStore>>;

/// Puts the texts in the place of what points to them; the files are watched like the others.
/// `variables` are those of `.env` and its like, lowest first.
pub(super) fn resolve(
    tree: &mut Node,
    shape: &Shape,
    (variables, stores): (&[Variable], &SecretStores),
    failures: &mut Vec<Failure>,
    watched: &mut Vec<PathBuf>,
) {
    walk(tree, shape, &KeyPath::default(), &mut |node, path| {
        let Some((kind, name)) = pointer(node) else { return };
        let found = match (kind.as_str(), stores.get(&kind)) {
            ("env", _) => variable(&name, variables)
                .ok_or_else(|| format!("points to the variable {name}, which is not set")),
            ("file", _) => {
                watched.push(PathBuf::from(&name));
                file::read_text(Path::new(&name))
                    .map_err(|error| format!("points to {name}, which cannot be read: {error}"))
            }
            (_, Some(store)) => store
                .secret(&name)
                .map(|secret| secret.expose().clone())
                .map_err(|error| format!("points to {name} in the store `{kind}`: {error}")),
            (_, None) => return,
        };
        let text = found.unwrap_or_else(|predicate| {
            failures.push((path.clone(), Problem::about(node.origin.clone(), path, &predicate)));
            String::new()
        });
        let text = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
        node.value = Value::Leaf(Json::from(text));
    });
}

/// A variable of the process, or else the last of the files'.
fn variable(name: &str, of_files: &[Variable]) -> Option<String> {
    let of_file = || of_files.iter().rev().find(|it| it.name == name)?.value.clone();
    std::env::var(name).ok().or_else(of_file)
}

fn pointer(node: &Node) -> Option<(String, String)> {
    let Value::Table(entries) = &node.value else { return None };
    let (kind, target) = entries.iter().next().filter(|_| entries.len() == 1)?;
    let Value::Leaf(Json::String(name)) = &target.value else { return None };
    Some((kind.clone(), name.clone()))
}

fn walk(node: &mut Node, shape: &Shape, path: &KeyPath, visit: &mut impl FnMut(&mut Node, &KeyPath)) {
    if shape.is_secret() {
        return visit(node, path);
    }
    match &mut node.value {
        Value::Leaf(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, shape.child(""), &path.index(index), visit);
            }
        }
        Value::Table(entries) => {
            for (key, entry) in entries {
                walk(entry, shape.child(key), &path.key(key), visit);
            }
        }
    }
}
