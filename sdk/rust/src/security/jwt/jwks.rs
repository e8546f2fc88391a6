use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::BoxFuture;
use super::key::KeySet;

/// Larger sets are refused.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// Why keys could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Fetches a JSON Web Key Set from where an issuer publishes it. The address is the fetcher's own:
/// no token can change it. It must have a time-out and a limit on the body. `HttpKeys`, with the feature
/// `reqwest`, does it.
pub trait FetchKeys: Send + Sync + 'static {
    /// The set as it is published now.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>>;
}

/// How keys are kept current.
#[derive(Clone, Debug)]
pub struct JwksOptions {
    /// Older keys are fetched again; an hour.
    pub refresh_after: Duration,
    /// Older keys are not used, even if none can be fetched; a day.
    pub expire_after: Duration,
    /// A token with an unknown key causes at most one fetch in this time; half a minute.
    pub unknown_key_pause: Duration,
    /// The pause after the first failure, doubled after each further one; a second.
    pub backoff_first: Duration,
    /// The longest pause after a failure; five minutes. Every pause is shortened by up to a half, by
    /// chance, so that many processes do not come at once.
    pub backoff_max: Duration,
}

impl Default for JwksOptions {
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_secs(3600),
            expire_after: Duration::from_secs(24 * 3600),
            unknown_key_pause: Duration::from_secs(30),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
        }
    }
}

/// Keys that an issuer publishes, fetched when they are needed: one fetch at a time, for which others
/// wait only if there are no keys yet or they lack one; after a failure there is a growing pause, and
/// the last good keys stay in use until they are too old.
///
/// A fetch is a task of its own where there is a tokio runtime: it goes on when the request that
/// began it is given up.
///
/// ```
/// use fresnel_sdk::security::jwt::{BoxFuture, FetchError, FetchKeys, Jwks, JwksOptions};
///
/// /// Asks the issuer, with whatever HTTP client the service has.
/// struct Issuer;
///
/// impl FetchKeys for Issuer {
///     fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
///         Box::pin(async { Err(FetchError("no network in this example".into())) })
///     }
/// }
///
/// let jwks = Jwks::new(Issuer, JwksOptions::default());
/// assert_eq!(jwks.failure(), None);
/// ```
pub struct Jwks(Arc<Inner>);

struct Inner {
    fetcher: Box<dyn FetchKeys>,
    options: JwksOptions,
    current: RwLock<Option<Fetched>>,
    /// Whoever holds it fetches.
    attempts: Arc<Mutex<Attempts>>,
    failure: RwLock<Option<String>>,
}

#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) keys: Arc<KeySet>,
    /// Counts what was fetched.
    pub(super) generation: u64,
    at: SystemTime,
}

#[derive(Default)]
struct Attempts {
    failures: u32,
    next: Option<SystemTime>,
    last_for_unknown: Option<SystemTime>,
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwks").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Jwks {
    /// Nothing is fetched before the first token comes.
    pub fn new(fetcher: impl FetchKeys, options: JwksOptions) -> Self {
        Self(Arc::new(Inner {
            fetcher: Box::new(fetcher),
            options,
            current: RwLock::new(None),
            attempts: Arc::default(),
            failure: RwLock::new(None),
        }))
    }

    /// Why the last fetch failed; nothing if it did not.
    pub fn failure(&self) -> Option<String> {
        self.0.failure.read().clone()
    }

    /// Keys that may be used now.
    pub(super) async fn keys(&self, now: SystemTime) -> Option<Fetched> {
        let inner = &self.0;
        let fresh = || inner.usable(now).filter(|it| age(it, now) < inner.options.refresh_after);
        if let Some(fetched) = fresh() {
            return Some(fetched);
        }
        let attempts = match (inner.attempts.clone().try_lock_owned(), inner.usable(now)) {
            (Ok(attempts), _) => attempts,
            // Somebody fetches: old keys are good enough meanwhile.
            (Err(_), Some(fetched)) => return Some(fetched),
            (Err(_), None) => inner.attempts.clone().lock_owned().await,
        };
        // Somebody else may have fetched while this one waited.
        if fresh().is_none() && may(attempts.next, now) {
            self.fetch(attempts, now).await;
        }
        inner.usable(now)
    }

    /// Keys that are newer than those in which one was not found, if there are some by now.
    pub(super) async fn newer(&self, than: u64, now: SystemTime) -> Option<Fetched> {
        let inner = &self.0;
        let mut attempts = inner.attempts.clone().lock_owned().await;
        let newer = |it: &Fetched| it.generation > than;
        if let Some(fetched) = inner.usable(now).filter(newer) {
            return Some(fetched);
        }
        let pause = attempts.last_for_unknown.map(|last| last + inner.options.unknown_key_pause);
        if !may(pause, now) || !may(attempts.next, now) {
            return None;
        }
        attempts.last_for_unknown = Some(now);
        self.fetch(attempts, now).await;
        inner.usable(now).filter(newer)
    }

    /// Fetches, and goes on with it when whoever waits for it goes away: that must not leave others
    /// without keys.
    #[expect(clippy::disallowed_methods, reason = "it is awaited here, and catches panics")]
    async fn fetch(&self, attempts: OwnedMutexGuard<Attempts>, now: SystemTime) {
        let inner = self.0.clone();
        let fetch = async move { inner.fetch(attempts, now).await };
        match Handle::try_current() {
            // It fails only when the runtime ends.
            Ok(_) => drop(tokio::spawn(fetch).await),
            Err(_) => fetch.await,
        }
    }
}

impl Inner {
    fn usable(&self, now: SystemTime) -> Option<Fetched> {
        self.current.read().clone().filter(|it| age(it, now) < self.options.expire_after)
    }

    /// What is published; a panic is a failure like others.
    async fn published(&self) -> Result<String, FetchError> {
        let mut fetch = match catch_unwind(AssertUnwindSafe(|| self.fetcher.fetch())) {
            Ok(fetch) => fetch,
            Err(_) => return Err(FetchError("the fetcher panicked".into())),
        };
        poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| fetch.as_mut().poll(cx)));
            polled.unwrap_or_else(|_| Poll::Ready(Err(FetchError("the fetcher panicked".into()))))
        })
        .await
    }

    async fn fetch(&self, mut attempts: OwnedMutexGuard<Attempts>, now: SystemTime) {
        let outcome = self.published().await.map_err(|error| error.to_string()).and_then(|text| {
            if text.len() > BYTES_MAX {
                return Err(format!("the set has {} bytes, at most {BYTES_MAX} are read", text.len()));
            }
            KeySet::from_jwks(&text).map_err(|error| error.to_string())
        });
        match outcome {
            Ok(keys) => {
                let mut current = self.current.write();
                let generation = current.as_ref().map_or(0, |it| it.generation) + 1;
                *current = Some(Fetched { keys: Arc::new(keys), generation, at: now });
                *attempts = Attempts { last_for_unknown: attempts.last_for_unknown, ..Attempts::default() };
                *self.failure.write() = None;
            }
            Err(error) => {
                let doubled = self.options.backoff_first.saturating_mul(1 << attempts.failures.min(20));
                let pause = doubled.min(self.options.backoff_max);
                attempts.failures = attempts.failures.saturating_add(1);
                attempts.next = Some(now + pause.mul_f64(rand::rng().random_range(0.5..=1.0)));
                tracing::warn!(error, failures = attempts.failures, "keys of tokens cannot be fetched");
                *self.failure.write() = Some(error);
            }
        }
    }
}

fn may(not_before: Option<SystemTime>, now: SystemTime) -> bool {
    not_before.is_none_or(|time| now >= time)
}

/// A clock that was set back makes keys new, not old.
fn age(fetched: &Fetched, now: SystemTime) -> Duration {
    now.duration_since(fetched.at).unwrap_or_default()
}
