use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use super::record::Known;

/// There is no service of this type, or not for this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no service `{0}` here: the host does not give it, and no declared dependency provides it")]
pub struct MissingService(pub &'static str);

/// Services by type. A service is shared; its type may be a trait object.
///
/// ```
/// use std::sync::Arc;
/// use fresnel_sdk::modules::Services;
///
/// trait Greeter: Send + Sync {
///     fn greet(&self) -> String;
/// }
/// struct Polite;
/// impl Greeter for Polite {
///     fn greet(&self) -> String {
///         "good morning".into()
///     }
/// }
///
/// let services = Services::default().with::<dyn Greeter>(Arc::new(Polite));
/// assert_eq!(services.get::<dyn Greeter>()?.greet(), "good morning");
/// assert!(services.get::<String>().is_err());
/// # Ok::<(), fresnel_sdk::modules::MissingService>(())
/// ```
#[derive(Clone, Default)]
pub struct Services {
    /// Each value is an `Arc<T>`, so that `T` may be a trait object.
    by_type: HashMap<TypeId, Entry>,
}

#[derive(Clone)]
struct Entry {
    name: &'static str,
    service: Arc<dyn Any + Send + Sync>,
    /// Of the module that provides it.
    known: Option<Arc<Known>>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Services").field(&self.names()).finish()
    }
}

impl Services {
    /// Adds a service, in the place of one of the same type.
    pub fn insert<T: ?Sized + Send + Sync + 'static>(&mut self, service: Arc<T>) {
        self.put(service, None);
    }

    /// With one more.
    #[must_use]
    pub fn with<T: ?Sized + Send + Sync + 'static>(mut self, service: Arc<T>) -> Self {
        self.insert(service);
        self
    }

    /// The service of a type.
    ///
    /// # Errors
    /// There is none.
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, MissingService> {
        let missing = MissingService(type_name::<T>());
        let entry = self.by_type.get(&TypeId::of::<T>()).ok_or(missing)?;
        let service = entry.service.downcast_ref::<Arc<T>>().ok_or(missing)?;
        if let Some(known) = &entry.known {
            known.accessed();
        }
        Ok(service.clone())
    }

    /// Adds a service of a module, which is told when somebody takes it.
    pub(super) fn put<T: ?Sized + Send + Sync + 'static>(
        &mut self,
        service: Arc<T>,
        known: Option<Arc<Known>>,
    ) {
        let entry = Entry { name: type_name::<T>(), service: Arc::new(service), known };
        self.by_type.insert(TypeId::of::<T>(), entry);
    }

    /// The types there are, sorted.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.by_type.values().map(|entry| entry.name).collect();
        names.sort_unstable();
        names
    }

    /// Everything of another one too; where both have a type, the other's.
    pub(super) fn extend(&mut self, other: &Self) {
        self.by_type.extend(other.by_type.iter().map(|(id, entry)| (*id, entry.clone())));
    }
}
