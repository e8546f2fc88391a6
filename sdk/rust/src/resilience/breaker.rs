//! Circuit breakers: what fails too often is left alone for a while, then probed.

mod machine;
mod registry;
mod window;

#[cfg(test)]
mod loom_tests;
#[cfg(test)]
mod model_tests;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

pub use self::machine::{BreakerOptions, SlowCalls, State, Threshold};
use self::machine::{Ending, Machine, Ticket, Transition};
pub use self::registry::Breakers;
pub use self::window::Window;
use super::outcomes::{NAME, Outcomes};
use super::{Judge, Outcome, Rejected, Rules, Verdict};
use crate::clock;
use crate::telemetry::metrics::{BoundCounter, BoundGauge, BoundHistogram, Registry};

/// Leaves alone what fails too often, and probes it until it works again. Clones are the same
/// breaker.
///
/// Closed, it lets calls through and counts them in a sliding window; when too many fail, or are
/// slow, it opens. Open, it turns calls away at once with [`Rejected::CircuitOpen`]. After the reset
/// timeout it is half open: a limited number of calls goes through, and as many successes as wanted
/// close it while any failure opens it again. Errors of the caller do not count. A call that is
/// dropped counts as nothing and gives its place back; one that panics has failed.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Breaker, BreakerOptions, CallError, Rejected, State, Threshold};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let options = BreakerOptions { failure_threshold: Threshold::Count(3), ..Default::default() };
/// let breaker = Breaker::new("payments.charge", options, &Registry::new());
/// clock::simulate(async {
///     for _ in 0..3 {
///         let refused = async { Err::<(), _>(CallError::Inner(Error::from(ErrorKind::ConnectionRefused))) };
///         assert!(breaker.run(refused).await.is_err());
///     }
///     assert_eq!(breaker.state(), State::Open);
///     let never_made = async { Ok::<(), CallError<Error>>(()) };
///     let rejected = breaker.run(never_made).await;
///     assert!(matches!(rejected, Err(CallError::Rejected(Rejected::CircuitOpen { .. }))));
///     clock::sleep(options.reset_timeout).await;
///     for _ in 0..2 {
///         assert!(breaker.run(async { Ok::<(), CallError<Error>>(()) }).await.is_ok());
///     }
///     assert_eq!(breaker.state(), State::Closed);
/// });
/// ```
pub struct Breaker<J = Rules> {
    inner: Arc<Inner>,
    judge: Arc<J>,
}

struct Inner {
    name: Arc<str>,
    options: BreakerOptions,
    machine: Mutex<Machine>,
    states: watch::Sender<State>,
    calls: Outcomes<4>,
    gauges: [(State, BoundGauge, BoundCounter); 3],
    recovery: BoundHistogram,
    /// Since when it is not closed.
    opened_at: Mutex<Option<Instant>>,
}

/// From a second to an hour.
const RECOVERY_BOUNDS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// The endings that are told apart, by the names of resilience4j.
enum Ended {
    Success,
    Failure,
    Ignored,
    NotPermitted,
}

impl<J> Clone for Breaker<J> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), judge: self.judge.clone() }
    }
}

impl<J> fmt::Debug for Breaker<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Breaker")
            .field("name", &self.inner.name)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl Breaker {
    /// A closed one. Errors are judged by what they say of themselves.
    pub fn new(name: impl Into<Arc<str>>, options: BreakerOptions, registry: &Registry) -> Self {
        let name = name.into();
        let calls = Outcomes::new(
            registry,
            "resilience.circuit_breaker.calls",
            "Calls by how they ended.",
            &name,
            ["success", "failure", "ignored", "not_permitted"],
        );
        let state = registry.gauge(
            "resilience.circuit_breaker.state",
            "1",
            "1 for the state that the breaker is in, 0 for the others.",
        );
        let transitions = registry.counter(
            "resilience.circuit_breaker.transitions",
            "{transition}",
            "Changes of the state, by the new one.",
        );
        let gauges = [State::Closed, State::Open, State::HalfOpen].map(|it| {
            let labels = [(NAME, &*name), ("resilience.circuit_breaker.state", it.as_str())];
            (it, state.bind(&labels), transitions.bind(&labels))
        });
        let recovery = registry
            .histogram(
                "resilience.circuit_breaker.recovery.duration",
                "s",
                "From the opening to the closing of the breaker.",
                RECOVERY_BOUNDS,
            )
            .bind(&[(NAME, &*name)]);
        let machine = Mutex::new(Machine::new(options, clock::now()));
        let (states, _) = watch::channel(State::Closed);
        let opened_at = Mutex::default();
        let inner = Inner { name, options, machine, states, calls, gauges, recovery, opened_at };
        inner.show(State::Closed);
        Self { inner: Arc::new(inner), judge: Arc::new(Rules::default()) }
    }
}

impl<J> Breaker<J> {
    /// The same breaker, for calls that another judge judges.
    #[must_use]
    pub fn judged_by<K>(&self, judge: K) -> Breaker<K> {
        Breaker { inner: self.inner.clone(), judge: Arc::new(judge) }
    }

    /// What it is called.
    pub fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    /// What it does now. It stays [`State::Open`] after the reset timeout until the first call.
    pub fn state(&self) -> State {
        self.inner.machine.lock().state()
    }

    /// Whether a call would be turned away for the time: for those who choose among several.
    pub(super) fn rejects_at(&self, now: Instant) -> bool {
        self.inner.machine.lock().open_until().is_some_and(|until| now < until)
    }

    /// Tells every change of the state; the last one to those who are slow.
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.inner.states.subscribe()
    }

    /// Opens it by hand, for as long as the reset timeout.
    pub fn open(&self) {
        let mut machine = self.inner.machine.lock();
        let transition = machine.open(clock::now());
        self.inner.tell(Some(transition));
    }

    /// Closes it by hand, and forgets what was counted.
    pub fn close(&self) {
        let mut machine = self.inner.machine.lock();
        let transition = machine.close(clock::now());
        self.inner.tell(Some(transition));
    }

    /// Lets a call through that is made elsewhere. Say by [`Permit::end`] how it ended.
    ///
    /// # Errors
    /// [`Rejected::CircuitOpen`].
    pub fn permit(&self) -> Result<Permit, Rejected> {
        let now = clock::now();
        let mut machine = self.inner.machine.lock();
        let (admitted, transition) = machine.admit(now);
        self.inner.tell(transition);
        drop(machine);
        match admitted {
            Ok(ticket) => Ok(Permit { inner: self.inner.clone(), ticket: Some(ticket), began: now }),
            Err(retry_after) => {
                self.inner.calls.count(Ended::NotPermitted as usize);
                Err(Rejected::CircuitOpen { name: self.inner.name.clone(), retry_after })
            }
        }
    }

    /// Makes a call, unless it is open; then the future is not begun.
    ///
    /// # Errors
    /// [`Rejected::CircuitOpen`], [`Rejected::TimedOut`], and those of the call.
    pub async fn run<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<Rejected>,
        J: Judge<T, E>,
    {
        self.judged_by_ref(&*self.judge, call).await
    }

    /// As [`Breaker::run`], with a judge that is somebody else's.
    pub(super) async fn judged_by_ref<T, E: From<Rejected>>(
        &self,
        judge: &impl Judge<T, E>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let permit = self.permit()?;
        self.run_permitted(permit, judge, call).await
    }

    /// Makes a call that was let through.
    pub(super) async fn run_permitted<T, E: From<Rejected>>(
        &self,
        permit: Permit,
        judge: &impl Judge<T, E>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let outcome = match self.inner.options.timeout {
            None => Some(call.await),
            Some(limit) => clock::timeout_at(clock::after(limit), call).await,
        };
        let Some(outcome) = outcome else {
            permit.end(&Verdict::FAILURE);
            let limit = self.inner.options.timeout.unwrap_or_default();
            return Err(Rejected::TimedOut { name: self.inner.name.clone(), limit }.into());
        };
        permit.end(&judge.judge(&outcome));
        outcome
    }

    /// Closes it without waiting for calls: whenever it has been open for the reset timeout, makes
    /// calls of its own until it closes or opens again. It never ends; spawn it, or poll it beside
    /// something else. The probe must be harmless, and its outcome say something of the other side:
    /// while the judge ignores it, the breaker stays half open and probes come ever more seldom.
    pub async fn heal<T, E, F>(&self, mut probe: impl FnMut() -> F)
    where
        F: Future<Output = Result<T, E>>,
        E: From<Rejected>,
        J: Judge<T, E>,
    {
        /// The first pause after a probe that says nothing, such as one for which there was no place;
        /// doubled each time, up to the reset timeout.
        const PAUSE: Duration = Duration::from_millis(100);
        let (mut states, mut pause) = (self.subscribe(), PAUSE);
        loop {
            // The breaker holds the sender: waiting for it does not fail.
            if states.wait_for(|state| *state != State::Closed).await.is_err() {
                return;
            }
            let until = self.inner.machine.lock().open_until();
            if let Some(until) = until {
                clock::sleep_until(until).await;
            }
            let outcome = self.run(probe()).await;
            let says_nothing = self.judge.judge(&outcome).outcome == Outcome::Ignored;
            if says_nothing && self.state() == State::HalfOpen {
                clock::sleep(pause).await;
                pause = (pause * 2).min(self.inner.options.reset_timeout.max(PAUSE));
            } else {
                pause = PAUSE;
            }
        }
    }
}

impl Inner {
    /// Is called under the lock of the machine, so that changes are told in their order.
    fn tell(&self, transition: Option<Transition>) {
        let Some((from, to)) = transition else { return };
        self.show(to);
        if from == to {
            return;
        }
        if let Some((_, _, transitions)) = self.gauges.iter().find(|(state, ..)| *state == to) {
            transitions.add(1);
        }
        self.states.send_replace(to);
        let mut opened_at = self.opened_at.lock();
        match to {
            // Probes that fail do not begin anew.
            State::Open => drop(opened_at.get_or_insert_with(clock::now)),
            State::HalfOpen => {}
            State::Closed => {
                let opened_at = opened_at.take();
                opened_at.iter().for_each(|at| self.recovery.record_duration(clock::now() - *at));
            }
        }
        drop(opened_at);
        let (name, from, to_text) = (&*self.name, from.as_str(), to.as_str());
        match to {
            State::Open => tracing::warn!(
                event.name = "resilience.circuit_breaker.transition",
                resilience.name = name,
                from,
                to = to_text,
                "circuit breaker opened"
            ),
            State::Closed | State::HalfOpen => tracing::info!(
                event.name = "resilience.circuit_breaker.transition",
                resilience.name = name,
                from,
                to = to_text,
                "circuit breaker changed its state"
            ),
        }
    }

    fn show(&self, state: State) {
        for (it, gauge, _) in &self.gauges {
            gauge.set(f64::from(u8::from(*it == state)));
        }
    }
}

/// A call that a breaker has let through. Dropped, it counts as nothing; in a panic, as a failure.
#[must_use = "dropped, the call counts as nothing"]
pub struct Permit {
    inner: Arc<Inner>,
    ticket: Option<Ticket>,
    began: Instant,
}

impl Permit {
    /// The call has ended.
    pub fn end(mut self, verdict: &Verdict) {
        self.finish(verdict.outcome);
    }

    fn finish(&mut self, outcome: Outcome) {
        let Some(ticket) = self.ticket.take() else { return };
        let now = clock::now();
        let slow = self.inner.options.slow_calls.is_some_and(|slow| now - self.began > slow.longer_than);
        let (ending, ended) = match outcome {
            Outcome::Success => (Ending::Success { slow }, Ended::Success),
            Outcome::Failure => (Ending::Failure { slow }, Ended::Failure),
            Outcome::Ignored => (Ending::Nothing, Ended::Ignored),
        };
        self.inner.calls.count(ended as usize);
        let mut machine = self.inner.machine.lock();
        let transition = machine.record(ticket, ending, now);
        self.inner.tell(transition);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { Outcome::Failure } else { Outcome::Ignored };
        self.finish(outcome);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.inner.name).finish()
    }
}
