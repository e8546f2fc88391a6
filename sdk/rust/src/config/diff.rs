use serde_json::{Map, Value as Json};

use super::Config;
use super::loaded::masked;
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;
use super::unit::reveal;

/// One value that differs between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The dotted path.
    pub path: String,
    /// What it was, secrets masked; nothing if it was not there.
    pub old_value: Option<Json>,
    /// What it is to be, secrets masked; nothing if it is gone.
    pub new_value: Option<Json>,
    /// It takes effect only after a restart.
    pub requires_restart: bool,
    /// The path in segments: a key may hold a dot.
    pub(super) key: KeyPath,
}

impl Change {
    /// What it was, as JSON; `unset` if it was not there.
    pub fn old_text(&self) -> String {
        text(self.old_value.as_ref())
    }

    /// What it is to be, as JSON; `unset` if it is gone.
    pub fn new_text(&self) -> String {
        text(self.new_value.as_ref())
    }
}

fn text(value: Option<&Json>) -> String {
    value.map_or_else(|| "unset".into(), Json::to_string)
}

/// What differs. Tables are compared key by key, lists as a whole.
pub(super) fn diff<T: Config>(old: &T, new: &T, restart: &[KeyPath]) -> Vec<Change> {
    let mut paths = Vec::new();
    // Compared revealed, so that a new secret is a change; told masked.
    let (before, after) = reveal(|| (masked(old), masked(new)));
    compare(&before, &after, &KeyPath::default(), &mut paths);
    let shown = |value: &T| Node::from_json(masked(value), &Origin::Default);
    let (before, after) = (shown(old), shown(new));
    let change = |path: KeyPath| Change {
        old_value: before.get(&path).map(Node::to_json),
        new_value: after.get(&path).map(Node::to_json),
        requires_restart: restart.iter().any(|prefix| prefix.overlaps(&path)),
        path: path.to_string(),
        key: path,
    };
    paths.into_iter().map(change).collect()
}

fn compare(old: &Json, new: &Json, path: &KeyPath, paths: &mut Vec<KeyPath>) {
    match (old, new) {
        (Json::Object(old), Json::Object(new)) => compare_tables(old, new, path, paths),
        _ if old == new => {}
        _ => paths.push(path.clone()),
    }
}

fn compare_tables(
    old: &Map<String, Json>,
    new: &Map<String, Json>,
    path: &KeyPath,
    paths: &mut Vec<KeyPath>,
) {
    for (key, value) in old {
        match new.get(key) {
            Some(other) => compare(value, other, &path.key(key), paths),
            None => paths.push(path.key(key)),
        }
    }
    paths.extend(new.keys().filter(|key| !old.contains_key(*key)).map(|key| path.key(key)));
}
