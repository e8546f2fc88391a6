use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

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
    by_type: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut names: Vec<_> = self.by_type.values().map(|(name, _)| *name).collect();
        names.sort_unstable();
        f.debug_tuple("Services").field(&names).finish()
    }
}

impl Services {
    /// Adds a service, in the place of one of the same type.
    pub fn insert<T: ?Sized + Send + Sync + 'static>(&mut self, service: Arc<T>) {
        self.by_type.insert(TypeId::of::<T>(), (type_name::<T>(), Arc::new(service)));
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
        let service = self.by_type.get(&TypeId::of::<T>());
        let service = service.and_then(|(_, service)| service.downcast_ref::<Arc<T>>());
        service.cloned().ok_or(MissingService(type_name::<T>()))
    }

    /// Everything of another one too; where both have a type, the other's.
    pub(super) fn extend(&mut self, other: &Self) {
        self.by_type.extend(other.by_type.iter().map(|(id, service)| (*id, service.clone())));
    }
}
