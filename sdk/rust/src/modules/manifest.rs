use semver::{Version, VersionReq};

/// Longer ids and names are refused, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// More checks are refused, as all of them are asked at once.
const CHECKS_MAX: usize = 100;

/// What a module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The id of the other module.
    pub id: String,
    /// Which versions of it will do, as in `Cargo.toml`: `^1.2`, `>=1, <3`.
    pub requirement: String,
    /// Whether it works without.
    pub optional: bool,
    /// Another module that will do if this one is not registered or of another version.
    pub fallback: Option<String>,
    /// Of what one module needs, the one with the smaller number starts first; 0. Whether it runs then
    /// makes no difference to the next one.
    pub order: i32,
}

impl Dependency {
    /// Of these versions of another module.
    pub fn new(id: impl Into<String>, requirement: impl Into<String>) -> Self {
        let (id, requirement) = (id.into(), requirement.into());
        Self { id, requirement, optional: false, fallback: None, order: 0 }
    }
}

/// What a module says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// A lower-case letter, then lower-case letters, digits and `-`.
    pub id: String,
    /// For people.
    pub name: String,
    /// By <https://semver.org>.
    pub version: String,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// Of modules that could start next, the one with the smallest starts.
    pub priority: i32,
    /// Whether it is only started when somebody asks for it or needs it.
    pub lazy: bool,
    /// The names of its checks, that are asked one by one beside how it is as a whole:
    /// [`Module::check`](super::Module::check).
    pub health_checks: Vec<String>,
}

impl Manifest {
    /// Of this id, which is its name too, and version; it needs nothing.
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Self {
        let id = id.into();
        let (name, version) = (id.clone(), version.into());
        let (dependencies, health_checks) = (Vec::new(), Vec::new());
        Self { id, name, version, dependencies, priority: 0, lazy: false, health_checks }
    }

    /// Needs this too.
    #[must_use]
    pub fn needs(mut self, id: impl Into<String>, requirement: impl Into<String>) -> Self {
        self.dependencies.push(Dependency::new(id, requirement));
        self
    }

    /// Uses this if it is there.
    #[must_use]
    pub fn uses(mut self, id: impl Into<String>, requirement: impl Into<String>) -> Self {
        self.dependencies.push(Dependency { optional: true, ..Dependency::new(id, requirement) });
        self
    }

    /// Has a check of this name.
    #[must_use]
    pub fn checks(mut self, name: impl Into<String>) -> Self {
        self.health_checks.push(name.into());
        self
    }

    pub(super) fn check(&self) -> Result<Checked, RegisterError> {
        let wrong = |field: &'static str, problem: String| RegisterError::Field { field, problem };
        if !is_id(&self.id) {
            let problem = format!("`{}` must be a lower-case letter, then letters, digits and `-`", self.id);
            return Err(wrong("id", problem));
        }
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Err(wrong("name", format!("must have 1 to {NAME_BYTES_MAX} bytes")));
        }
        let version = Version::parse(&self.version)
            .map_err(|error| wrong("version", format!("`{}` is none: {error}", self.version)))?;
        let mut requirements = Vec::new();
        for dependency in &self.dependencies {
            let ids = std::iter::once(&dependency.id).chain(&dependency.fallback);
            if let Some(id) = ids.into_iter().find(|id| !is_id(id)) {
                return Err(wrong("dependencies", format!("`{id}` is no id")));
            }
            let requirement = VersionReq::parse(&dependency.requirement).map_err(|error| {
                wrong("dependencies", format!("`{}` of `{}`: {error}", dependency.requirement, dependency.id))
            })?;
            requirements.push(requirement);
        }
        if self.health_checks.len() > CHECKS_MAX {
            return Err(wrong("health_checks", format!("must be at most {CHECKS_MAX}")));
        }
        for (at, name) in self.health_checks.iter().enumerate() {
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(wrong("health_checks", format!("a name must have 1 to {NAME_BYTES_MAX} bytes")));
            }
            if self.health_checks[..at].contains(name) {
                return Err(wrong("health_checks", format!("`{name}` is there twice")));
            }
        }
        Ok(Checked { manifest: self.clone(), version, requirements })
    }
}

/// A manifest that was understood.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) manifest: Manifest,
    pub(super) version: Version,
    /// Of each dependency.
    pub(super) requirements: Vec<VersionReq>,
}

pub(super) fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    begins && text.bytes().all(fits) && text.len() <= NAME_BYTES_MAX
}

/// Why a module was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// A field of its manifest is wrong.
    #[error("`{field}` of the module: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// There is one with this id.
    #[error("there is a module `{0}` already")]
    Duplicate(String),
    /// There are as many as are allowed.
    #[error("there are {0} modules, no more are taken")]
    TooMany(usize),
}
