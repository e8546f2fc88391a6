use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bucket::{Shape, take};
use super::{Ended, RateLimitOptions, nanos_since, outcomes};
use crate::clock;
use crate::resilience::Rejected;
use crate::resilience::outcomes::{NAME, Outcomes};
use crate::telemetry::metrics::{BoundGauge, Registry};

/// How many calls of each key in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedLimitOptions {
    /// What holds for each key; nobody waits.
    pub limit: RateLimitOptions,
    /// Keys that are told apart at a time; 10,000. 0 counts as 1.
    pub keys_max: usize,
}

impl Default for KeyedLimitOptions {
    fn default() -> Self {
        Self { limit: RateLimitOptions::default(), keys_max: 10_000 }
    }
}

/// A token bucket for each key, such as a user or an address. Clones are the same limit.
///
/// The number of keys is bounded. A key whose bucket is full again is forgotten when room is
/// needed; when there is none, new keys share one bucket, so that inventing keys wins nothing.
///
/// ```
/// use fresnel_sdk::resilience::{KeyedLimitOptions, KeyedRateLimit, RateLimitOptions};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let limit = RateLimitOptions { calls: 1, burst: 1, ..Default::default() };
/// let options = KeyedLimitOptions { limit, ..Default::default() };
/// let limit: KeyedRateLimit<String> = KeyedRateLimit::new("login", options, &Registry::new());
/// assert!(limit.check("anna").is_ok());
/// assert!(limit.check("anna").is_err());
/// assert!(limit.check("bert").is_ok());
/// ```
pub struct KeyedRateLimit<K>(Arc<Inner<K>>);

struct Inner<K> {
    name: Arc<str>,
    shape: Shape,
    keys_max: usize,
    origin: Instant,
    buckets: Mutex<Buckets<K>>,
    calls: Outcomes<3>,
    keys: BoundGauge,
}

struct Buckets<K> {
    /// When each is full again.
    full_at: HashMap<K, u64>,
    /// That of the keys for which there is no room.
    shared: u64,
    /// Not to look for room before.
    sweep_at: u64,
}

impl<K> Clone for KeyedRateLimit<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for KeyedRateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimit").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq> KeyedRateLimit<K> {
    /// Full buckets for all.
    pub fn new(name: impl Into<Arc<str>>, options: KeyedLimitOptions, registry: &Registry) -> Self {
        let name = name.into();
        let KeyedLimitOptions { limit, keys_max } = options;
        let calls = outcomes(registry, &name);
        let keys = registry
            .gauge("resilience.rate_limit.keys", "{key}", "Keys whose calls are counted now.")
            .bind(&[(NAME, &name)]);
        let buckets = Mutex::new(Buckets { full_at: HashMap::new(), shared: 0, sweep_at: 0 });
        let shape = Shape::new(limit.calls, limit.per, limit.burst);
        let (keys_max, origin) = (keys_max.max(1), clock::now());
        Self(Arc::new(Inner { name, shape, keys_max, origin, buckets, calls, keys }))
    }

    /// Whether a call of this key may be made now.
    ///
    /// # Errors
    /// [`Rejected::RateLimited`].
    pub fn check<Q>(&self, key: &Q) -> Result<(), Rejected>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let inner = &*self.0;
        let now = nanos_since(inner.origin);
        let mut buckets = inner.buckets.lock();
        buckets.make_room(inner, key, now);
        let full_at = match buckets.full_at.get(key) {
            Some(full_at) => *full_at,
            None if buckets.full_at.len() < inner.keys_max => 0,
            None => buckets.shared,
        };
        let (next, wait) = take(full_at, inner.shape, now);
        if wait > 0 {
            drop(buckets);
            inner.calls.count(Ended::Rejected as usize);
            let retry_after = Duration::from_nanos(wait);
            return Err(Rejected::RateLimited { name: inner.name.clone(), retry_after });
        }
        buckets.put(inner, key, next);
        inner.keys.set(buckets.full_at.len() as f64);
        drop(buckets);
        inner.calls.count(Ended::Permitted as usize);
        Ok(())
    }

    /// Keys whose calls are counted now.
    pub fn keys(&self) -> usize {
        self.0.buckets.lock().full_at.len()
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Forgets who is as good as new. Looking costs a walk over all keys, so it is done at most
    /// once in the time in which a bucket fills.
    fn make_room<Q: Hash + Eq + ?Sized>(&mut self, inner: &Inner<K>, key: &Q, now: u64)
    where
        K: Borrow<Q>,
    {
        let crowded = self.full_at.len() >= inner.keys_max && !self.full_at.contains_key(key);
        if crowded && now >= self.sweep_at {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_at = now.saturating_add(inner.shape.depth);
        }
    }

    fn put<Q>(&mut self, inner: &Inner<K>, key: &Q, next: u64)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = next;
        } else if self.full_at.len() < inner.keys_max {
            self.full_at.insert(key.to_owned(), next);
        } else {
            self.shared = next;
        }
    }
}
