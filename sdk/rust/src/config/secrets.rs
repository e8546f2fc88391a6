//! Secrets that are kept elsewhere: `{ file = "/run/secrets/x" }` and `{ env = "NAME" }`.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::env::Variable;
use super::error::{Failure, Problem};
use super::file;
use super::node::{Node, Value};
use super::path::KeyPath;
use super::shape::Shape;

/// Puts the texts in the place of what points to them; the files are watched like the others.
/// `variables` are those of `.env` and its like, lowest first.
pub(super) fn resolve(
    tree: &mut Node,
    shape: &Shape,
    variables: &[Variable],
    failures: &mut Vec<Failure>,
    watched: &mut Vec<PathBuf>,
) {
    walk(tree, shape, &KeyPath::default(), &mut |node, path| {
        let Some((kind, name)) = pointer(node) else { return };
        let found = if kind == "env" {
            variable(&name, variables)
                .ok_or_else(|| format!("points to the variable {name}, which is not set"))
        } else {
            watched.push(PathBuf::from(&name));
            file::read_text(Path::new(&name))
                .map_err(|error| format!("points to {name}, which cannot be read: {error}"))
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
    matches!(kind.as_str(), "file" | "env").then(|| (kind.clone(), name.clone()))
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
