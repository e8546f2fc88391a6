use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::env::variable;
use super::origin::Origin;
use super::path::{KeyPath, index_of};
use super::shape::{Kind, Shape};

/// A value that knows where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// Where the value begins.
    pub(crate) origin: Origin,
    /// Where its key begins.
    pub(crate) key_origin: Origin,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Null, boolean, number or text.
    Leaf(Json),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(crate) fn new(value: Value, origin: Origin) -> Self {
        Self { value, key_origin: origin.clone(), origin }
    }

    pub(crate) fn table(origin: Origin) -> Self {
        Self::new(Value::Table(BTreeMap::new()), origin)
    }

    pub(crate) fn from_json(json: Json, origin: &Origin) -> Self {
        let value = match json {
            Json::Array(items) => {
                Value::List(items.into_iter().map(|item| Self::from_json(item, origin)).collect())
            }
            Json::Object(entries) => Value::Table(
                entries.into_iter().map(|(key, value)| (key, Self::from_json(value, origin))).collect(),
            ),
            leaf => Value::Leaf(leaf),
        };
        Self::new(value, origin.clone())
    }

    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Leaf(leaf) => leaf.clone(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()
            }
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Leaf(Json::Null))
    }

    /// How many nodes there are in it.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.value {
            Value::Leaf(_) => 0,
            Value::List(items) => items.iter().map(Self::count).sum(),
            Value::Table(entries) => entries.values().map(Self::count).sum(),
        }
    }

    pub(crate) fn get(&self, path: &KeyPath) -> Option<&Self> {
        path.segments().iter().try_fold(self, |node, segment| match &node.value {
            Value::Table(entries) => entries.get(segment),
            Value::List(items) => items.get(index_of(segment)?),
            Value::Leaf(_) => None,
        })
    }

    pub(crate) fn get_mut(&mut self, path: &KeyPath) -> Option<&mut Self> {
        path.segments().iter().try_fold(self, |node, segment| match &mut node.value {
            Value::Table(entries) => entries.get_mut(segment),
            Value::List(items) => items.get_mut(index_of(segment)?),
            Value::Leaf(_) => None,
        })
    }

    /// The path with the keys that are already there, where they only look different in the name of
    /// a variable: `MY_APP` also means an existing `my-app`.
    pub(crate) fn align(&self, path: &KeyPath) -> KeyPath {
        path.segments().iter().fold(KeyPath::default(), |aligned, segment| {
            let known = match self.get(&aligned).map(|node| &node.value) {
                Some(Value::Table(entries)) if !entries.contains_key(segment) => {
                    entries.keys().find(|key| variable(key) == variable(segment))
                }
                _ => None,
            };
            aligned.key(known.unwrap_or(segment))
        })
    }

    /// The node at `path`, or the nearest one around it.
    pub(crate) fn nearest(&self, path: &KeyPath) -> &Self {
        let mut path = path.clone();
        loop {
            match (self.get(&path), path.parent()) {
                (Some(node), _) => return node,
                (None, Some(parent)) => path = parent,
                (None, None) => return self,
            }
        }
    }

    /// Puts `node` at `path`, making the tables on the way.
    pub(crate) fn insert(&mut self, path: &KeyPath, node: Self) {
        let mut place = self;
        for segment in path.segments() {
            if !matches!(place.value, Value::Table(_)) {
                place.value = Value::Table(BTreeMap::new());
            }
            let Value::Table(entries) = &mut place.value else { return };
            place = entries.entry(segment.clone()).or_insert_with(|| Self::table(node.origin.clone()));
        }
        *place = node;
    }

    /// Takes away the entry or item at `path`.
    pub(crate) fn remove(&mut self, path: &KeyPath) {
        let (Some(parent), Some(last)) = (path.parent(), path.segments().last()) else { return };
        match self.get_mut(&parent).map(|node| &mut node.value) {
            Some(Value::Table(entries)) => {
                entries.remove(last);
            }
            Some(Value::List(items)) => {
                if let Some(index) = index_of(last).filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            _ => {}
        }
    }

    /// Lays `over` on this: tables merge, everything else is replaced, and so is a choice by
    /// another of its variants. An empty table in YAML is null and changes nothing.
    pub(crate) fn merge(&mut self, over: Self, shape: &Shape) {
        match (&mut self.value, over.value) {
            (Value::Table(own), Value::Table(theirs)) => {
                self.origin = over.origin;
                self.key_origin = over.key_origin;
                let exclusive = shape.is_choice() || shape.is_secret();
                if exclusive && !theirs.keys().all(|variant| own.contains_key(variant)) {
                    *own = theirs;
                    return;
                }
                for (key, node) in theirs {
                    match own.get_mut(&key) {
                        Some(below) => below.merge(node, shape.child(&key)),
                        None => {
                            own.insert(key, node);
                        }
                    }
                }
            }
            (Value::Table(_), Value::Leaf(Json::Null))
                if matches!(shape.kind, Kind::Table(_)) && !shape.nullable => {}
            (own, value) => {
                *own = value;
                self.origin = over.origin;
                self.key_origin = over.key_origin;
            }
        }
    }
}
