//! What is made of what was started, wherever in the program it is needed.

#[cfg(all(feature = "axum", feature = "health", feature = "resilience", feature = "tower"))]
mod app;
#[cfg(all(feature = "reqwest", feature = "resilience"))]
mod client;

#[cfg(all(feature = "reqwest", feature = "resilience"))]
pub use self::client::Client;

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

#[cfg(feature = "health")]
use crate::health::Checker;
use crate::instrument::{Cache, Database, Queue};
#[cfg(feature = "resilience")]
use crate::resilience::{ErrorHandler, Faults};
use crate::telemetry::metrics::Registry;
use crate::telemetry::trace::Tracer;

/// This service, as [`init`](crate::init) has started it: what its parts are seen by, and parts that are
/// seen already. [`service`] gives it anywhere, [`Guard::service`](crate::Guard::service) where there is a
/// guard. Clones are the same.
///
/// | what | feature |
/// |---|---|
/// | [`tracer`](Self::tracer), [`registry`](Self::registry), [`database`](Self::database), [`queue`](Self::queue), [`cache`](Self::cache) | none |
/// | `redis`: a connection whose commands are seen | `redis` |
/// | `http_client`: calls that are seen, cut off, stopped by a breaker and made to fail on purpose | `reqwest`, `resilience` |
/// | `health`: the checks | `health` |
/// | `faults`, `errors` | `resilience` |
/// | `app`: all that goes around a router | `axum`, `health`, `resilience`, `tower` |
#[derive(Clone)]
pub struct Service(Arc<Parts>);

struct Parts {
    tracer: Tracer,
    registry: Registry,
    #[cfg(feature = "health")]
    health: Checker,
    // Made when they are asked for, as they have metrics from then on.
    #[cfg(feature = "resilience")]
    faults: OnceLock<Faults>,
    #[cfg(feature = "resilience")]
    errors: OnceLock<ErrorHandler>,
}

/// What was started for the process; there is one.
static STARTED: OnceLock<Service> = OnceLock::new();

/// The service of this process. Before [`init`](crate::init), and when nothing could be started, it works
/// and is not seen: what is made of it then stays so.
///
/// ```
/// let _guard = fresnel_sdk::init();
/// let database = fresnel_sdk::service().database("sqlite");
/// # let _ = database;
/// ```
pub fn service() -> &'static Service {
    static UNSEEN: LazyLock<Service> =
        LazyLock::new(|| Service::new(Tracer::disabled(), Registry::new(), String::new()));
    STARTED.get().unwrap_or(&UNSEEN)
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    #[cfg_attr(not(feature = "health"), expect(unused_variables, reason = "nobody tells the version"))]
    pub(super) fn new(tracer: Tracer, registry: Registry, version: String) -> Self {
        Self(Arc::new(Parts {
            #[cfg(feature = "health")]
            health: Checker::new(version, &registry),
            #[cfg(feature = "resilience")]
            faults: OnceLock::new(),
            #[cfg(feature = "resilience")]
            errors: OnceLock::new(),
            tracer,
            registry,
        }))
    }

    /// Makes it the one of the process, unless there is one.
    pub(super) fn become_the_process(&self) {
        STARTED.get_or_init(|| self.clone());
    }

    /// For spans of your own.
    pub fn tracer(&self) -> &Tracer {
        &self.0.tracer
    }

    /// For instruments of your own.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Queries of a database of this system: `postgresql`, `sqlite`; see [`Database`].
    pub fn database(&self, system: &'static str) -> Database {
        Database::new(self.tracer(), self.registry(), system)
    }

    /// Messages of this system: `kafka`, `rabbitmq`; see [`Queue`].
    pub fn queue(&self, system: &'static str) -> Queue {
        Queue::new(self.tracer(), self.registry(), system)
    }

    /// The cache of this name; see [`Cache`].
    pub fn cache(&self, name: &str) -> Cache {
        Cache::new(self.registry(), name)
    }

    /// The same connection, seen; see [`Redis`](crate::instrument::Redis).
    #[cfg(feature = "redis")]
    pub fn redis<C: redis::aio::ConnectionLike>(&self, connection: C) -> crate::instrument::Redis<C> {
        crate::instrument::Redis::new(self.tracer(), self.registry(), connection)
    }

    /// Calls of one other service, by what they are called, such as `payments.charge`; see [`Client`].
    #[cfg(all(feature = "reqwest", feature = "resilience"))]
    pub fn http_client(&self, name: impl Into<Arc<str>>) -> Client {
        Client::new(self, name.into())
    }

    /// The checks of what it needs. Their version is `service.version`.
    #[cfg(feature = "health")]
    pub fn health(&self) -> &Checker {
        &self.0.health
    }

    /// What goes wrong on purpose: off until somebody switches it on.
    #[cfg(feature = "resilience")]
    pub fn faults(&self) -> &Faults {
        // Where it is the same each time a test of chaos can be made again.
        const SEED: u64 = 7;
        self.0.faults.get_or_init(|| Faults::new(SEED, self.registry()))
    }

    /// What is done about errors: they are told, counted, and escalated where somebody must hear of them.
    #[cfg(feature = "resilience")]
    pub fn errors(&self) -> &ErrorHandler {
        self.0.errors.get_or_init(|| ErrorHandler::new(self.registry()))
    }
}
