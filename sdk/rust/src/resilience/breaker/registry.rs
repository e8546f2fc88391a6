use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Breaker, BreakerOptions, State};
use crate::telemetry::metrics::Registry;

/// More breakers than this are a mistake, such as one for each user.
const BREAKERS_MAX: usize = 1_000;

/// The breakers of a program, one for each operation of each component, made when they are first
/// asked for. Clones are the same.
///
/// ```
/// use fresnel_sdk::resilience::{BreakerOptions, Breakers, State};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let breakers = Breakers::new(BreakerOptions::default(), Registry::new());
/// let charge = breakers.get("payments", "charge");
/// assert_eq!(&**charge.name(), "payments.charge");
/// charge.open();
/// assert_eq!(breakers.get("payments", "charge").state(), State::Open, "it is the same one");
/// ```
#[derive(Clone)]
pub struct Breakers(Arc<Inner>);

struct Inner {
    options: BreakerOptions,
    registry: Registry,
    breakers: Mutex<BTreeMap<Arc<str>, Breaker>>,
}

impl Breakers {
    /// None yet; those to come have these options unless they get their own.
    pub fn new(options: BreakerOptions, registry: Registry) -> Self {
        Self(Arc::new(Inner { options, registry, breakers: Mutex::default() }))
    }

    /// The breaker `component.operation`. Beyond 1,000 of them, one that all others share.
    pub fn get(&self, component: &str, operation: &str) -> Breaker {
        self.get_or(&format!("{component}.{operation}"), self.0.options)
    }

    /// As [`Breakers::get`], with its own options if it is not there yet.
    pub fn get_with(&self, component: &str, operation: &str, options: BreakerOptions) -> Breaker {
        self.get_or(&format!("{component}.{operation}"), options)
    }

    fn get_or(&self, name: &str, options: BreakerOptions) -> Breaker {
        let mut breakers = self.0.breakers.lock();
        if let Some(breaker) = breakers.get(name) {
            return breaker.clone();
        }
        let name: Arc<str> = if breakers.len() < BREAKERS_MAX { name.into() } else { "_other".into() };
        let new = || Breaker::new(name.clone(), options, &self.0.registry);
        breakers.entry(name.clone()).or_insert_with(new).clone()
    }

    /// All of them with their state, by name.
    pub fn states(&self) -> Vec<(Arc<str>, State)> {
        let breakers = self.0.breakers.lock();
        breakers.iter().map(|(name, breaker)| (name.clone(), breaker.state())).collect()
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.states()).finish()
    }
}
