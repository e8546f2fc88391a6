use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Config;
use super::error::Warning;
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;

/// A validated configuration and where it came from. Immutable.
pub struct Loaded<T> {
    /// The configuration.
    pub value: Arc<T>,
    /// What was odd, for the log.
    pub warnings: Vec<Warning>,
    pub(super) tree: Node,
    pub(super) sources: Vec<String>,
    pub(super) watched: Vec<PathBuf>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            warnings: self.warnings.clone(),
            tree: self.tree.clone(),
            sources: self.sources.clone(),
            watched: self.watched.clone(),
        }
    }
}

impl<T: Config> Loaded<T> {
    /// The sources that contributed, lowest first: "defaults", "file prod.toml", …
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The effective configuration as indented JSON, secrets masked.
    pub fn export(&self) -> String {
        format!("{:#}", masked(&*self.value))
    }

    /// The value at a dotted path, secrets masked.
    pub fn get(&self, path: &str) -> Option<Json> {
        let tree = Node::from_json(masked(&*self.value), &Origin::Default);
        tree.get(&KeyPath::parse(path)).map(Node::to_json)
    }

    /// The value at a dotted path as `V`; nothing when it is not there or no `V`.
    pub fn get_as<V: DeserializeOwned>(&self, path: &str) -> Option<V> {
        serde_json::from_value(self.get(path)?).ok()
    }

    /// Where the value at a dotted path was written, or the nearest table around it.
    pub fn origin(&self, path: &str) -> &Origin {
        &self.tree.nearest(&KeyPath::parse(path)).origin
    }
}

/// Shows the masked value.
impl<T: Config> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("sources", &self.sources)
            .field("value", &masked(&*self.value))
            .finish()
    }
}

/// What may be shown of a configuration.
pub(super) fn masked<T: Config>(value: &T) -> Json {
    // The defaults were written when loading, and a type that can write one value can write all.
    serde_json::to_value(value).unwrap_or(Json::Null)
}
