use serde_json::{Map, Value};

/// The name under which OpenFeature has whom a question is about.
pub(super) const TARGETING_KEY: &str = "targetingKey";

/// Whom and what a question is about: what the rules see under `var`.
///
/// ```
/// use fresnel_sdk::flags::Context;
///
/// let context = Context::user("u-1").with("userRole", "admin").with("environment", "production");
/// assert_eq!(context.targeting_key(), Some("u-1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context(pub(super) Map<String, Value>);

impl Context {
    /// Nobody and nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A user: the targeting key, which splits go by, and also `userId`.
    pub fn user(id: impl Into<String>) -> Self {
        let id = id.into();
        Self::new().with(TARGETING_KEY, id.clone()).with("userId", id)
    }

    /// With one more fact, in the place of an older one of this name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Whom splits go by.
    pub fn targeting_key(&self) -> Option<&str> {
        self.0.get(TARGETING_KEY).and_then(Value::as_str)
    }
}

/// Facts as they are, with the targeting key under `targetingKey`.
impl From<Map<String, Value>> for Context {
    fn from(facts: Map<String, Value>) -> Self {
        Self(facts)
    }
}
