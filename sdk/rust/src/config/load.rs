use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;

use super::error::{Failure, LoadError, Problem, Warning};
use super::loaded::Loaded;
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;
use super::shape::Shape;
use super::unit::reveal;
use super::{Config, env, file, secrets, settle, text};

/// The sources of a configuration, lowest first: the defaults of `T`, files in the order given,
/// the environment, the command line.
///
/// It remembers them all, so that a reload reads the same ones again.
pub struct Loader<T> {
    files: Vec<(PathBuf, bool)>,
    prefix: Option<String>,
    variables: Vec<(String, Option<String>)>,
    arguments: Vec<(Arc<str>, String, String)>,
    pub(super) runtime: Vec<(KeyPath, Json)>,
    marker: PhantomData<fn() -> T>,
}

impl<T> Default for Loader<T> {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            prefix: None,
            variables: Vec::new(),
            arguments: Vec::new(),
            runtime: Vec::new(),
            marker: PhantomData,
        }
    }
}

impl<T> Clone for Loader<T> {
    fn clone(&self) -> Self {
        Self {
            files: self.files.clone(),
            prefix: self.prefix.clone(),
            variables: self.variables.clone(),
            arguments: self.arguments.clone(),
            runtime: self.runtime.clone(),
            marker: PhantomData,
        }
    }
}

/// Names the sources but none of their values: some are secrets.
impl<T> fmt::Debug for Loader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("files", &self.files)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<T: Config> Loader<T> {
    /// Only the defaults, so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file that the user named: if it cannot be read, loading fails.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push((path.into(), true));
        self
    }

    /// A file in its usual place: it may be missing, but not unreadable.
    #[must_use]
    pub fn default_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push((path.into(), false));
        self
    }

    /// The process's environment: with the prefix `FRESNEL`, `FRESNEL_STORE_DIR` is `store.dir`.
    #[must_use]
    pub fn env(self, prefix: &str) -> Self {
        self.env_from(prefix, std::env::vars_os())
    }

    /// An environment that is not the process's own.
    #[must_use]
    pub fn env_from(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        let start = format!("{prefix}_");
        let named = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into().into_string().ok().filter(|name| name.starts_with(&start))?;
            Some((name, value.into().into_string().ok()))
        });
        self.variables = named.collect();
        self.variables.sort();
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// Variables with the prefix that are no settings, such as the one that names the file.
    #[must_use]
    pub fn ignore_env<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        self.variables.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// A command line flag that sets `path`; errors name the flag.
    #[must_use]
    pub fn arg(mut self, flag: &str, path: &str, text: impl Into<String>) -> Self {
        self.arguments.push((Arc::from(flag), path.to_owned(), text.into()));
        self
    }

    /// Reads all sources, merges and validates.
    ///
    /// # Errors
    /// Everything that is wrong in any source, at once.
    pub fn load(&self) -> Result<Loaded<T>, LoadError> {
        let shape = Shape::of::<T>();
        self.gather(&shape)?.settle(&shape)
    }

    /// The files that are read whatever they say.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// The merged tree, before it is checked.
    pub(super) fn gather(&self, shape: &Shape) -> Result<Gathered, LoadError> {
        let (mut problems, mut failures, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        let defaults = Node::from_json(default_json::<T>()?, &Origin::Default);
        let mut tree = defaults.clone();
        let mut sources = vec!["defaults".to_owned()];
        let mut watched = Vec::new();
        for (path, required) in &self.files {
            watched.push(path.clone());
            if let Some(layer) = file::read(path, *required, &mut problems) {
                sources.push(format!("file {}", path.display()));
                tree.merge(layer, shape);
            }
        }
        self.merge_texts(shape, &mut tree, &mut sources, &mut failures, &mut warnings);
        secrets::resolve(&mut tree, shape, &mut failures, &mut watched);
        if !problems.is_empty() {
            // What else could be said would be about values that the broken file would have set.
            problems.extend(failures.into_iter().map(|(_, problem)| problem));
            return Err(LoadError::new(problems, warnings));
        }
        Ok(Gathered { tree, defaults, failures, warnings, sources, watched })
    }

    /// The layers above the files.
    fn merge_texts(
        &self,
        shape: &Shape,
        tree: &mut Node,
        sources: &mut Vec<String>,
        failures: &mut Vec<Failure>,
        warnings: &mut Vec<Warning>,
    ) {
        let merge = |tree: &mut Node, path: &KeyPath, node: Node| {
            let mut layer = Node::table(node.origin.clone());
            layer.insert(path, node);
            tree.merge(layer, shape);
        };
        if let Some(prefix) = &self.prefix {
            let values = env::read(prefix, &self.variables, shape, failures, warnings);
            if !values.is_empty() {
                sources.push(format!("environment ({})", values.len()));
            }
            for (path, node) in values {
                let path = tree.align(&path);
                merge(tree, &path, node);
            }
        }
        for (flag, path, value) in &self.arguments {
            let path = KeyPath::parse(path);
            merge(tree, &path, text::read(value, shape.at(&path), &Origin::Arg { flag: flag.clone() }));
        }
        if !self.arguments.is_empty() {
            sources.push(format!("command line ({})", self.arguments.len()));
        }
        for (path, value) in &self.runtime {
            merge(tree, path, Node::from_json(value.clone(), &Origin::Runtime));
        }
    }
}

fn default_json<T: Config>() -> Result<Json, LoadError> {
    reveal(|| serde_json::to_value(T::default())).map_err(|error| {
        let message = format!("the defaults cannot be written: {error}");
        LoadError::new(vec![Problem::new(Origin::Default, &KeyPath::default(), message)], Vec::new())
    })
}

/// What the sources said, merged but not yet checked.
pub(super) struct Gathered {
    pub(super) tree: Node,
    pub(super) defaults: Node,
    /// Of values that could not be read; the rest is checked all the same.
    failures: Vec<Failure>,
    pub(super) warnings: Vec<Warning>,
    sources: Vec<String>,
    watched: Vec<PathBuf>,
}

impl Gathered {
    /// A tree made from one that was right, to be checked again.
    pub(super) fn of<T>(tree: Node, defaults: Node, like: &Loaded<T>) -> Self {
        let (warnings, sources, watched) =
            (like.warnings.clone(), like.sources.clone(), like.watched.clone());
        Self { tree, defaults, failures: Vec::new(), warnings, sources, watched }
    }

    pub(super) fn settle<T: Config>(self, shape: &Shape) -> Result<Loaded<T>, LoadError> {
        let Self { tree, defaults, failures, warnings, sources, watched } = self;
        match settle::settle(&tree, &defaults, shape, failures) {
            Ok(value) => Ok(Loaded { value: Arc::new(value), warnings, tree, sources, watched }),
            Err(problems) => Err(LoadError::new(problems, warnings)),
        }
    }
}
