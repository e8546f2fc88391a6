use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::env::Variable;
use super::error::{Failure, LoadError, Problem, Warning};
use super::loaded::Loaded;
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;
use super::secrets::{SecretStore, SecretStores};
use super::shape::Shape;
use super::unit::reveal;
use super::validate::{Report, Validator};
use super::{Config, dotenv, env, file, secrets, settle, text};
use crate::telemetry::metrics::{Registry, Success, SuccessNames};

/// How validations end.
const VALIDATIONS: SuccessNames = SuccessNames {
    counter: "config.validations",
    unit: "{validation}",
    description: "Validations of the configuration, by how they ended.",
    ratio: "config.validations.success.ratio",
    outcome: ("config.outcome", "valid", "invalid"),
};

/// The sources of a configuration, lowest first: the defaults of `T`, files in the order given,
/// files with variables, the environment, the command line.
///
/// It remembers them all, so that a reload reads the same ones again.
pub struct Loader<T> {
    files: Vec<(PathBuf, FileKind)>,
    prefix: Option<String>,
    env_files: Vec<PathBuf>,
    variables: Vec<Variable>,
    /// Variables with the prefix that are no settings.
    ignored: Vec<String>,
    pub(super) validators: Vec<Validator>,
    arguments: Vec<(Arc<str>, String, String)>,
    pub(super) runtime: Vec<(KeyPath, Json)>,
    validations: Option<Success>,
    stores: SecretStores,
    marker: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    /// It must be there.
    Named,
    /// It may be missing.
    Usual,
    /// All files in a folder, which may be missing.
    Folder,
}

impl<T> Default for Loader<T> {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            prefix: None,
            env_files: Vec::new(),
            variables: Vec::new(),
            ignored: Vec::new(),
            validators: Vec::new(),
            arguments: Vec::new(),
            runtime: Vec::new(),
            validations: None,
            stores: SecretStores::new(),
            marker: PhantomData,
        }
    }
}

impl<T> Clone for Loader<T> {
    fn clone(&self) -> Self {
        Self {
            files: self.files.clone(),
            prefix: self.prefix.clone(),
            env_files: self.env_files.clone(),
            variables: self.variables.clone(),
            ignored: self.ignored.clone(),
            validators: self.validators.clone(),
            arguments: self.arguments.clone(),
            runtime: self.runtime.clone(),
            validations: self.validations.clone(),
            stores: self.stores.clone(),
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
            .field("env_files", &self.env_files)
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
        self.files.push((path.into(), FileKind::Named));
        self
    }

    /// A file in its usual place: it may be missing, but not unreadable.
    #[must_use]
    pub fn default_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push((path.into(), FileKind::Usual));
        self
    }

    /// All files of a folder that end in .toml, .yaml, .yml or .json, in the order of their names.
    /// The folder may be missing; files that come and go are followed.
    #[must_use]
    pub fn default_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push((path.into(), FileKind::Folder));
        self
    }

    /// A file with variables, `NAME=value`, that may be missing: what has the prefix of
    /// [`Loader::env`] counts as a variable below those of the process and above all files. Of
    /// several such files the later wins. Secrets may point to its variables, whatever their
    /// prefix; the environment of the process is not changed.
    #[must_use]
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.env_files.push(path.into());
        self
    }

    /// The usual places in a folder, lowest first: `config.json`, `config.yaml`, the files in
    /// `config/`, then the variables in `.env` and `.env.local`.
    #[must_use]
    pub fn usual_places(self, folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        self.default_file(folder.join("config.json"))
            .default_file(folder.join("config.yaml"))
            .default_folder(folder.join("config"))
            .env_file(folder.join(".env"))
            .env_file(folder.join(".env.local"))
    }

    /// A rule from outside for the part at `path`, which is read as `V`; the report's paths are
    /// relative to it. It is asked like [`Validate`](super::Validate), and not at all where there
    /// is nothing.
    #[must_use]
    pub fn validator<V: DeserializeOwned>(
        mut self,
        path: &str,
        check: impl Fn(&V, &mut Report) + Send + Sync + 'static,
    ) -> Self {
        self.validators.push(Validator::new(path, check));
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
            Some(Variable::new(name, value.into().into_string().ok()))
        });
        self.variables = named.collect();
        self.variables.sort_by(|one, other| one.name.cmp(&other.name));
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// Variables with the prefix that are no settings, such as the one that names the file.
    #[must_use]
    pub fn ignore_env<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.ignored.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Another place for secrets: with the name `vault`, `{ vault = "shop/database" }` in a file is what
    /// the store has by that name. `file` and `env` are what they are without.
    ///
    /// ```
    /// use fresnel_sdk::config::{Loader, Secret, SecretStore, Validate};
    ///
    /// /// The whole configuration.
    /// #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    /// #[serde(default, deny_unknown_fields)]
    /// struct Config {
    ///     /// For the database.
    ///     password: Secret,
    /// }
    /// impl Validate for Config {}
    ///
    /// struct Vault; // asks it over the network
    /// impl SecretStore for Vault {
    ///     fn secret(&self, name: &str) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
    ///         match name {
    ///             "shop/database" => Ok(Secret::new("hunter2".into())),
    ///             _ => Err("there is none".into()),
    ///         }
    ///     }
    /// }
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("a.toml");
    /// std::fs::write(&path, "password = { vault = 'shop/database' }")?;
    /// let loaded = Loader::<Config>::new().file(&path).secret_store("vault", Vault).load()?;
    /// assert_eq!(loaded.value.password.expose(), "hunter2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn secret_store(mut self, name: impl Into<String>, store: impl SecretStore) -> Self {
        self.stores.insert(name.into(), Arc::new(store));
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
        self.counted(self.gather(&shape).and_then(|gathered| gathered.settle(&shape)))
    }

    /// Counts every validation, by a load, a reload or alone, in `config.validations` by
    /// `config.outcome`, `valid` or `invalid`; the share that went well is
    /// `config.validations.success.ratio`, 1 until there was one.
    #[must_use]
    pub fn counted_in(mut self, registry: &Registry) -> Self {
        self.validations = Some(Success::new(registry, &VALIDATIONS));
        self
    }

    pub(super) fn counted<V, E>(&self, outcome: Result<V, E>) -> Result<V, E> {
        if let Some(validations) = &self.validations {
            validations.count(outcome.is_ok());
        }
        outcome
    }

    /// Whether a value would do: over the defaults alone, or as the part at the path `section`.
    /// No other source is read, but for the secrets that the value points to.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn validate(&self, value: &Json, section: Option<&str>) -> Result<Loaded<T>, LoadError> {
        let shape = Shape::of::<T>();
        let mut gathered = self.begin()?;
        let path = section.map(KeyPath::parse).unwrap_or_default();
        merge_at(&mut gathered.tree, &path, Node::from_json(value.clone(), &Origin::Runtime), &shape);
        gathered.sources.push("a value".to_owned());
        let Gathered { tree, failures, watched, .. } = &mut gathered;
        secrets::resolve(tree, &shape, (&[], &self.stores), failures, watched);
        self.counted(gathered.settle(&shape))
    }

    /// The files that are read whatever they say.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path).chain(&self.env_files).cloned().collect()
    }

    /// Only the defaults.
    fn begin(&self) -> Result<Gathered, LoadError> {
        let defaults = Node::from_json(default_json::<T>()?, &Origin::Default);
        Ok(Gathered {
            tree: defaults.clone(),
            defaults,
            validators: self.validators.clone(),
            failures: Vec::new(),
            warnings: Vec::new(),
            sources: vec!["defaults".to_owned()],
            watched: Vec::new(),
        })
    }

    /// The merged tree, before it is checked.
    pub(super) fn gather(&self, shape: &Shape) -> Result<Gathered, LoadError> {
        let mut problems = Vec::new();
        let mut gathered = self.begin()?;
        for (path, kind) in &self.files {
            gathered.watched.push(path.clone());
            match kind {
                FileKind::Folder => {
                    for path in file::list(path, &mut problems) {
                        gathered.watched.push(path.clone());
                        // It may have gone since it was listed.
                        gathered.merge_file(&path, false, shape, &mut problems);
                    }
                }
                _ => gathered.merge_file(path, *kind == FileKind::Named, shape, &mut problems),
            }
        }
        let mut of_files = Vec::new();
        for path in &self.env_files {
            gathered.watched.push(path.clone());
            let variables = dotenv::read(path, &mut problems);
            self.merge_variables(&format!("file {}", path.display()), &variables, shape, &mut gathered);
            of_files.extend(variables);
        }
        self.merge_variables("environment", &self.variables, shape, &mut gathered);
        self.merge_arguments(shape, &mut gathered);
        let Gathered { tree, failures, watched, .. } = &mut gathered;
        secrets::resolve(tree, shape, (&of_files, &self.stores), failures, watched);
        if !problems.is_empty() {
            // What else could be said would be about values that the broken file would have set.
            problems.extend(gathered.failures.into_iter().map(|(_, problem)| problem));
            return Err(LoadError::new(problems, gathered.warnings));
        }
        Ok(gathered)
    }

    /// Variables of one source.
    fn merge_variables(&self, source: &str, variables: &[Variable], shape: &Shape, to: &mut Gathered) {
        let Some(prefix) = &self.prefix else { return };
        let settings = variables.iter().filter(|it| !self.ignored.contains(&it.name));
        let values = env::read(prefix, settings, shape, &mut to.failures, &mut to.warnings);
        if !values.is_empty() {
            to.sources.push(format!("{source} ({})", values.len()));
        }
        for (path, node) in values {
            let path = to.tree.align(&path);
            merge_at(&mut to.tree, &path, node, shape);
        }
    }

    /// The command line, and what was set at run time.
    fn merge_arguments(&self, shape: &Shape, to: &mut Gathered) {
        for (flag, path, value) in &self.arguments {
            let path = KeyPath::parse(path);
            let node = text::read(value, shape.at(&path), &Origin::Arg { flag: flag.clone() });
            merge_at(&mut to.tree, &path, node, shape);
        }
        if !self.arguments.is_empty() {
            to.sources.push(format!("command line ({})", self.arguments.len()));
        }
        for (path, value) in &self.runtime {
            merge_at(&mut to.tree, path, Node::from_json(value.clone(), &Origin::Runtime), shape);
        }
    }
}

/// Lays one value over the tree.
fn merge_at(tree: &mut Node, path: &KeyPath, node: Node, shape: &Shape) {
    let mut layer = Node::table(node.origin.clone());
    layer.insert(path, node);
    tree.merge(layer, shape);
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
    validators: Vec<Validator>,
    /// Of values that could not be read; the rest is checked all the same.
    failures: Vec<Failure>,
    pub(super) warnings: Vec<Warning>,
    sources: Vec<String>,
    watched: Vec<PathBuf>,
}

impl Gathered {
    /// A tree made from one that was right, to be checked again.
    pub(super) fn of<T>(tree: Node, defaults: Node, validators: Vec<Validator>, like: &Loaded<T>) -> Self {
        let (warnings, sources, watched) =
            (like.warnings.clone(), like.sources.clone(), like.watched.clone());
        Self { tree, defaults, validators, failures: Vec::new(), warnings, sources, watched }
    }

    fn merge_file(&mut self, path: &Path, required: bool, shape: &Shape, problems: &mut Vec<Problem>) {
        if let Some(layer) = file::read(path, required, problems) {
            self.sources.push(format!("file {}", path.display()));
            self.tree.merge(layer, shape);
        }
    }

    pub(super) fn settle<T: Config>(self, shape: &Shape) -> Result<Loaded<T>, LoadError> {
        let Self { tree, defaults, validators, failures, warnings, sources, watched } = self;
        match settle::settle(&tree, &defaults, shape, failures, &validators) {
            Ok(value) => Ok(Loaded { value: Arc::new(value), warnings, tree, sources, watched }),
            Err(problems) => Err(LoadError::new(problems, warnings)),
        }
    }
}
