use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::flags::{Flags, Reason, Source, SourceError, StartOptions};

/// More are counted as one that was dropped: the oldest goes.
const EXPOSURES_MAX: usize = 10_000;

/// That somebody asked for a flag, and what the answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The flag.
    pub key: String,
    /// For whom.
    pub targeting_key: Option<String>,
    /// What was chosen.
    pub variant: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Flags that a test sets, and a record of who asked for them. Clones are the same flags.
///
/// ```
/// use fresnel_sdk::flags::Context;
/// use fresnel_sdk::testkit::TestFlags;
///
/// let flags = TestFlags::new();
/// assert!(!flags.flags().bool("dark", false, &Context::new()), "not set yet");
/// flags.set("dark", true);
/// assert!(flags.flags().bool("dark", false, &Context::user("ann")));
/// assert_eq!(flags.exposures()[1].targeting_key.as_deref(), Some("ann"));
/// ```
#[derive(Clone, Debug)]
pub struct TestFlags {
    flags: Flags,
    rules: Arc<Mutex<BTreeMap<String, Value>>>,
    exposures: Arc<Mutex<Vec<Exposure>>>,
}

struct Rules(Arc<Mutex<BTreeMap<String, Value>>>);

impl Source for Rules {
    fn load(&self) -> Result<String, SourceError> {
        Ok(json!({ "flags": *self.0.lock() }).to_string())
    }

    fn set_enabled(&self, key: &str, enabled: bool) -> Result<(), SourceError> {
        let mut rules = self.0.lock();
        let flag = rules.get_mut(key).ok_or_else(|| SourceError::NoSuchFlag(key.to_owned()))?;
        flag["state"] = if enabled { "ENABLED" } else { "DISABLED" }.into();
        Ok(())
    }
}

impl Default for TestFlags {
    fn default() -> Self {
        Self::new()
    }
}

impl TestFlags {
    /// No flags yet.
    pub fn new() -> Self {
        let rules: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let exposures: Arc<Mutex<Vec<Exposure>>> = Arc::default();
        let heard = exposures.clone();
        let options = StartOptions {
            on_evaluation: Some(Box::new(move |it| {
                let mut heard = heard.lock();
                if heard.len() >= EXPOSURES_MAX {
                    heard.remove(0);
                }
                heard.push(Exposure {
                    key: it.key.to_owned(),
                    targeting_key: it.context.targeting_key().map(str::to_owned),
                    variant: it.variant.map(str::to_owned),
                    reason: it.reason,
                });
            })),
            ..StartOptions::default()
        };
        let flags = Flags::start(Rules(rules.clone()), options).expect("no flags are no mistake");
        Self { flags, rules, exposures }
    }

    /// What the code under test asks.
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Gives a flag this value, for everybody.
    ///
    /// # Panics
    /// The value is null, or an integer beyond 2^53.
    pub fn set(&self, key: &str, value: impl Into<Value>) {
        let flag =
            json!({ "state": "ENABLED", "variants": { "set": value.into() }, "defaultVariant": "set" });
        self.set_rule(key, flag);
    }

    /// Gives a flag rules, in flagd's format.
    ///
    /// # Panics
    /// They are wrong; says why.
    pub fn set_rule(&self, key: &str, flag: Value) {
        self.rules.lock().insert(key.to_owned(), flag);
        if let Err(error) = self.flags.reload() {
            panic!("the rules of the test are wrong: {error}");
        }
    }

    /// Takes a flag away.
    pub fn remove(&self, key: &str) {
        self.rules.lock().remove(key);
        self.flags.reload().expect("fewer flags are no mistake");
    }

    /// Who asked for what, in order; the last 10,000.
    pub fn exposures(&self) -> Vec<Exposure> {
        self.exposures.lock().clone()
    }
}
