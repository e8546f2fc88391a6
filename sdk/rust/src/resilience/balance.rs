use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::RwLock;
use rand::seq::IndexedRandom;

use super::breaker::Permit;
use super::outcomes::{NAME, Outcomes};
use super::{Breaker, BreakerOptions, Judge, Rejected, Rules, State};
use crate::clock;
use crate::telemetry::metrics::{BoundGauge, Registry};

/// Spreads calls over endpoints that can do the same, and leaves out those that do not work.
/// Clones are the same.
///
/// Of two healthy endpoints, chosen at random, the one with fewer calls running gets the call ("the
/// power of two random choices", Mitzenmacher 2001). An endpoint is healthy while its breaker lets
/// calls through and nobody has said otherwise by [`Balancer::set_healthy`], such as a health
/// check. A breaker that may probe again takes calls again: nothing needs to be done for an endpoint
/// to come back.
///
/// ```
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Balancer, BreakerOptions, Rejected};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let endpoints = [("a", "10.0.0.1:80"), ("b", "10.0.0.2:80")];
/// let balancer = Balancer::new("stock", endpoints, BreakerOptions::default(), &Registry::new());
/// balancer.set_healthy("a", false);
/// let asked = clock::simulate(balancer.run(async |address: Arc<&str>| Ok::<_, Rejected>(*address)));
/// assert_eq!(asked, Ok("10.0.0.2:80"));
/// # use std::sync::Arc;
/// ```
pub struct Balancer<T, J = Rules> {
    inner: Arc<Inner<T>>,
    judge: Arc<J>,
}

struct Inner<T> {
    name: Arc<str>,
    options: BreakerOptions,
    registry: Registry,
    endpoints: RwLock<Vec<Arc<Endpoint<T>>>>,
    calls: Outcomes<2>,
    healthy: BoundGauge,
    known: BoundGauge,
}

struct Endpoint<T> {
    id: Arc<str>,
    value: Arc<T>,
    breaker: Breaker,
    running: Arc<AtomicUsize>,
    healthy: AtomicBool,
}

enum Ended {
    Routed,
    NoEndpoint,
}

/// How an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Its name.
    pub id: Arc<str>,
    /// What its breaker does.
    pub breaker: State,
    /// Whether it takes calls.
    pub healthy: bool,
    /// Calls that run.
    pub running: usize,
}

impl<T, J> Clone for Balancer<T, J> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), judge: self.judge.clone() }
    }
}

impl<T, J> fmt::Debug for Balancer<T, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balancer").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

impl<T> Balancer<T> {
    /// Over these endpoints, each with its name and a breaker `balancer.endpoint` of its own. Errors
    /// are judged by what they say of themselves.
    pub fn new<I: Into<Arc<str>>>(
        name: impl Into<Arc<str>>,
        endpoints: impl IntoIterator<Item = (I, T)>,
        options: BreakerOptions,
        registry: &Registry,
    ) -> Self {
        let name = name.into();
        let description = "Calls that found an endpoint, and that did not.";
        let outcomes = ["routed", "no_endpoint"];
        let calls = Outcomes::new(registry, "resilience.balancer.calls", description, &name, outcomes);
        let gauge =
            |metric, description| registry.gauge(metric, "{endpoint}", description).bind(&[(NAME, &name)]);
        let healthy = gauge("resilience.balancer.endpoints.healthy", "Endpoints that take calls.");
        let known = gauge("resilience.balancer.endpoints", "Endpoints that are known.");
        let (registry, endpoints_lock) = (registry.clone(), RwLock::default());
        let inner = Inner { name, options, registry, endpoints: endpoints_lock, calls, healthy, known };
        let balancer = Self { inner: Arc::new(inner), judge: Arc::new(Rules::default()) };
        balancer.set(endpoints);
        balancer
    }
}

impl<T, J> Balancer<T, J> {
    /// The same with another judge.
    #[must_use]
    pub fn judged_by<K>(&self, judge: K) -> Balancer<T, K> {
        Balancer { inner: self.inner.clone(), judge: Arc::new(judge) }
    }

    /// Other endpoints from now on. Those that stay keep their breaker and what runs
    /// there; calls go on.
    pub fn set<I: Into<Arc<str>>>(&self, endpoints: impl IntoIterator<Item = (I, T)>) {
        let inner = &*self.inner;
        let mut list = inner.endpoints.write();
        let endpoint = |(id, value): (I, T)| {
            let id = id.into();
            let value = Arc::new(value);
            let known = list.iter().find(|known| known.id == id);
            let (breaker, healthy, running) = match known {
                Some(it) => (it.breaker.clone(), it.healthy.load(Ordering::Relaxed), it.running.clone()),
                None => {
                    let breaker = format!("{}.{id}", inner.name);
                    (Breaker::new(breaker, inner.options, &inner.registry), true, Arc::default())
                }
            };
            Arc::new(Endpoint { id, value, breaker, running, healthy: AtomicBool::new(healthy) })
        };
        *list = endpoints.into_iter().map(endpoint).collect();
        inner.show(&list);
    }

    /// What a health check says of an endpoint; until then it is healthy. False when there is none
    /// of this name.
    pub fn set_healthy(&self, id: &str, healthy: bool) -> bool {
        let list = self.inner.endpoints.read();
        let Some(endpoint) = list.iter().find(|endpoint| &*endpoint.id == id) else { return false };
        if endpoint.healthy.swap(healthy, Ordering::Relaxed) != healthy {
            let name = &*self.inner.name;
            tracing::info!(
                event.name = "resilience.balancer.endpoint",
                resilience.name = name,
                endpoint = id,
                healthy,
                "endpoint changed its health"
            );
        }
        self.inner.show(&list);
        true
    }

    /// How each endpoint is.
    pub fn endpoints(&self) -> Vec<EndpointHealth> {
        let now = clock::now();
        let list = self.inner.endpoints.read();
        let health = |endpoint: &Arc<Endpoint<T>>| EndpointHealth {
            id: endpoint.id.clone(),
            breaker: endpoint.breaker.state(),
            healthy: endpoint.takes_calls(now),
            running: endpoint.running.load(Ordering::Relaxed),
        };
        list.iter().map(health).collect()
    }

    /// Makes a call of a healthy endpoint.
    ///
    /// # Errors
    /// [`Rejected::NoEndpoint`], [`Rejected::TimedOut`] when the breakers have a timeout, and those
    /// of the call.
    pub async fn run<O, E, F>(&self, call: impl FnOnce(Arc<T>) -> F) -> Result<O, E>
    where
        F: Future<Output = Result<O, E>>,
        E: From<Rejected>,
        J: Judge<O, E>,
    {
        let (lease, permit) = self.inner.pick()?;
        let outcome = call(lease.0.value.clone());
        lease.0.breaker.run_permitted(permit, &*self.judge, outcome).await
    }
}

impl<T> Inner<T> {
    fn show(&self, list: &[Arc<Endpoint<T>>]) {
        let now = clock::now();
        let healthy = list.iter().filter(|endpoint| endpoint.takes_calls(now)).count();
        self.healthy.set(healthy as f64);
        self.known.set(list.len() as f64);
    }

    /// An endpoint whose breaker lets the call through. One may refuse that has just begun to probe;
    /// then it is another's turn.
    fn pick(&self) -> Result<(Lease<T>, Permit), Rejected> {
        let now = clock::now();
        let list = self.endpoints.read();
        self.show(&list);
        let mut candidates: Vec<_> = list.iter().filter(|endpoint| endpoint.takes_calls(now)).collect();
        while !candidates.is_empty() {
            let choices: Vec<_> = candidates.choose_multiple(&mut rand::rng(), 2).copied().collect();
            let fewest = choices.iter().min_by_key(|it| it.running.load(Ordering::Relaxed));
            let Some(endpoint) = fewest.map(|endpoint| Arc::clone(endpoint)) else { break };
            if let Ok(permit) = endpoint.breaker.permit() {
                self.calls.count(Ended::Routed as usize);
                return Ok((Lease::new(endpoint), permit));
            }
            candidates.retain(|other| !Arc::ptr_eq(other, &endpoint));
        }
        self.calls.count(Ended::NoEndpoint as usize);
        Err(Rejected::NoEndpoint { name: self.name.clone(), endpoints: list.len() })
    }
}

impl<T> Endpoint<T> {
    fn takes_calls(&self, now: std::time::Instant) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.breaker.rejects_at(now)
    }
}

/// A call that runs at an endpoint.
struct Lease<T>(Arc<Endpoint<T>>);

impl<T> Lease<T> {
    fn new(endpoint: Arc<Endpoint<T>>) -> Self {
        endpoint.running.fetch_add(1, Ordering::Relaxed);
        Self(endpoint)
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
