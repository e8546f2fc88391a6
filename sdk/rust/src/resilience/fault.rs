use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Rejected;
use super::outcomes::NAME;
use crate::clock;
use crate::telemetry::metrics::{Counter, Registry};

/// More points than this are a mistake.
const POINTS_MAX: usize = 1_000;

/// A fault to inject.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// How often, from 0 (never) to 1 (always).
    pub probability: f64,
    /// What happens.
    pub effect: Effect,
    /// After so many times it is over; never, if there is none.
    pub times: Option<u64>,
}

/// What an injected fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call goes on after so long.
    Latency(Duration),
    /// The call is not made; it fails with [`Rejected::Injected`] and this code.
    Error(String),
    /// The call ends in a panic, as by a bug: what holds a permit must give it back.
    Abort,
}

impl Effect {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Error(_) => "error",
            Self::Abort => "abort",
        }
    }
}

/// Faults on purpose, for chaos tests: switched at run time, by the names of points in the code.
/// Off until [`Faults::enable`]. What is off costs one atomic load. Clones are the same.
///
/// Each point has a sequence of its own from the seed, so that equal runs have equal faults however
/// points interleave.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Effect, Fault, Faults, Rejected};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let faults = Faults::new(7, &Registry::new());
/// faults.set("payments.charge", vec![
///     Fault { probability: 1.0, effect: Effect::Latency(Duration::from_secs(3)), times: None },
///     Fault { probability: 1.0, effect: Effect::Error("card_network_down".into()), times: Some(1) },
/// ]);
/// faults.enable(true);
/// clock::simulate(async {
///     let rejected = faults.at("payments.charge").await.expect_err("the fault is injected");
///     assert_eq!(rejected.code(), "card_network_down");
///     assert!(faults.at("payments.charge").await.is_ok(), "the error was for once only");
/// });
/// ```
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    seed: u64,
    enabled: AtomicBool,
    points: Mutex<BTreeMap<Arc<str>, Point>>,
    injected: Counter,
}

struct Point {
    faults: Vec<Fault>,
    random: StdRng,
}

impl Faults {
    /// No faults, and off.
    pub fn new(seed: u64, registry: &Registry) -> Self {
        let injected =
            registry.counter("resilience.fault.injected", "{fault}", "Faults that were injected on purpose.");
        Self(Arc::new(Inner { seed, enabled: AtomicBool::new(false), points: Mutex::default(), injected }))
    }

    /// Switches all of them on or off.
    pub fn enable(&self, enabled: bool) {
        if self.0.enabled.swap(enabled, Ordering::Relaxed) != enabled {
            tracing::warn!(event.name = "resilience.fault.switched", enabled, "fault injection is switched");
        }
    }

    /// Whether faults are injected.
    pub fn is_enabled(&self) -> bool {
        self.0.enabled.load(Ordering::Relaxed)
    }

    /// What is to go wrong at a point, instead of what was before; its sequence begins anew. They
    /// are tried in their order, until one ends the call. False when there are too many points
    /// already (1,000).
    pub fn set(&self, point: &str, faults: Vec<Fault>) -> bool {
        let mut points = self.0.points.lock();
        if points.len() >= POINTS_MAX && !points.contains_key(point) {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        point.hash(&mut hasher);
        let random = StdRng::seed_from_u64(self.0.seed ^ hasher.finish());
        points.insert(point.into(), Point { faults, random });
        true
    }

    /// Nothing goes wrong at a point any more.
    pub fn clear(&self, point: &str) {
        self.0.points.lock().remove(point);
    }

    /// What is to go wrong, by point.
    pub fn list(&self) -> BTreeMap<Arc<str>, Vec<Fault>> {
        let points = self.0.points.lock();
        points.iter().map(|(name, point)| (name.clone(), point.faults.clone())).collect()
    }

    /// A point at which something may go wrong.
    ///
    /// # Errors
    /// [`Rejected::Injected`].
    ///
    /// # Panics
    /// By [`Effect::Abort`].
    pub async fn at(&self, point: &str) -> Result<(), Rejected> {
        if !self.is_enabled() {
            return Ok(());
        }
        for (point, effect) in self.draw(point) {
            let labels = [(NAME, &*point), ("resilience.fault.effect", effect.as_str())];
            self.0.injected.bind(&labels).add(1);
            tracing::debug!(resilience.name = %point, effect = effect.as_str(), "inject a fault");
            match effect {
                Effect::Latency(latency) => clock::sleep(latency).await,
                Effect::Error(code) => return Err(Rejected::Injected { point, code: code.into() }),
                Effect::Abort => panic!("injected fault: abort at `{point}`"),
            }
        }
        Ok(())
    }

    /// Makes a call at which something may go wrong before.
    ///
    /// # Errors
    /// [`Rejected::Injected`], and those of the call.
    ///
    /// # Panics
    /// By [`Effect::Abort`].
    pub async fn run<T, E: From<Rejected>>(
        &self,
        point: &str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.at(point).await?;
        call.await
    }

    /// What happens this time, up to what ends the call.
    fn draw(&self, name: &str) -> Vec<(Arc<str>, Effect)> {
        let mut points = self.0.points.lock();
        let Some(name) = points.get_key_value(name).map(|(name, _)| name.clone()) else { return Vec::new() };
        let Some(point) = points.get_mut(&name) else { return Vec::new() };
        let mut effects = Vec::new();
        for fault in &mut point.faults {
            // Each draws its number whatever the others do: its sequence is its own.
            let hit = point.random.random::<f64>() < fault.probability && fault.times != Some(0);
            let over = effects.last().is_some_and(|(_, last)| !matches!(last, Effect::Latency(_)));
            if hit && !over {
                fault.times = fault.times.map(|times| times - 1);
                effects.push((name.clone(), fault.effect.clone()));
            }
        }
        effects
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("enabled", &self.is_enabled()).field("points", &self.list()).finish()
    }
}
