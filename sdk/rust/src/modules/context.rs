use std::sync::Arc;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::record::Known;
use super::services::{MissingService, Services};
use crate::logging::Logger;

/// What a module is given when it starts. Clones are the same.
#[derive(Clone, Debug)]
pub struct Context {
    id: Arc<str>,
    given: Arc<Services>,
    provided: Arc<Mutex<Services>>,
    settings: Arc<Value>,
    state: Option<Arc<Value>>,
    span: tracing::Span,
    known: Arc<Known>,
}

impl Context {
    pub(super) fn new(
        id: &str,
        version: &str,
        given: Services,
        settings: Value,
        state: Option<Value>,
        known: Arc<Known>,
    ) -> Self {
        Self {
            id: id.into(),
            given: Arc::new(given),
            provided: Arc::default(),
            settings: Arc::new(settings),
            state: state.map(Arc::new),
            span: tracing::info_span!("module", module.id = id, module.version = version),
            known,
        }
    }

    /// The id of the module.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A service of the host, or one that a declared dependency provides; the dependency's if both
    /// have it.
    ///
    /// # Errors
    /// Neither has it.
    pub fn service<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, MissingService> {
        self.given.get()
    }

    /// Gives a service to the modules that depend on this one.
    pub fn provide<T: ?Sized + Send + Sync + 'static>(&self, service: Arc<T>) {
        self.provided.lock().put(service, Some(self.known.clone()));
    }

    /// The module's settings; null if there are none.
    ///
    /// # Errors
    /// They are of another shape.
    pub fn settings<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        T::deserialize(&*self.settings)
    }

    /// What the module that this one replaces left, if it replaces one.
    pub fn state(&self) -> Option<&Value> {
        self.state.as_deref()
    }

    /// A span that names the module. Every call of the module is in it; enter it in tasks of its own,
    /// so that their logs say whose they are.
    pub fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// A logger of the module's name: a child, with its values, of the `Logger` that the host gives as a
    /// service, if it gives one. Its records have the level of that name.
    pub fn logger(&self) -> Logger {
        self.service::<Logger>().map_or_else(|_| Logger::new(&self.id), |host| host.child(&self.id))
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    pub(super) fn provided(&self) -> Services {
        self.provided.lock().clone()
    }
}
