//! The breaker without clock, locks and I/O: it is told the time and what happens.

use std::time::{Duration, Instant};

use super::window::{Recent, Sample, Totals, Window};

/// When a breaker opens, and how it closes again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerOptions {
    /// Which calls count; the last 100.
    pub window: Window,
    /// How many of them must fail for it to open; half of them.
    pub failure_threshold: Threshold,
    /// A rate means nothing with fewer calls than this; 10. It does not hold for a count.
    pub minimum_calls: u32,
    /// Opens, too, when too many calls are slow; off.
    pub slow_calls: Option<SlowCalls>,
    /// How long it stays open before it lets calls through to probe; 30 s. A probe that has not
    /// ended after as long again is given up, so that another may take its place.
    pub reset_timeout: Duration,
    /// How many may probe at once; 1. 0 counts as 1.
    pub half_open_max: u32,
    /// How many probes must go well, one after the other, for it to close; 2. 0 counts as 1.
    pub success_threshold: u32,
    /// How long a call may take; as long as it likes. One that is cut off has failed.
    pub timeout: Option<Duration>,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            window: Window::Calls(100),
            failure_threshold: Threshold::Rate(0.5),
            minimum_calls: 10,
            slow_calls: None,
            reset_timeout: Duration::from_secs(30),
            half_open_max: 1,
            success_threshold: 2,
            timeout: None,
        }
    }
}

/// How many failures are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// So many in the window; 0 counts as 1.
    Count(u32),
    /// So large a share of the calls in the window, from 0 to 1.
    Rate(f64),
}

/// Calls that do not fail, but take too long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowCalls {
    /// What takes longer is slow.
    pub longer_than: Duration,
    /// How large a share of the calls in the window may be slow, from 0 to 1.
    pub rate: f64,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It lets them through.
    Closed,
    /// It turns them away.
    Open,
    /// It lets a few through, to see whether they go well.
    HalfOpen,
}

impl State {
    /// `closed`, `open` or `half_open`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How a call that was let through ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Success {
        slow: bool,
    },
    Failure {
        slow: bool,
    },
    /// It says nothing: the caller was at fault, or went away.
    Nothing,
}

/// A call that was let through. It counts only in the period of the breaker in which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// From, to.
pub(super) type Transition = (State, State);

#[derive(Debug)]
pub(super) struct Machine {
    options: BreakerOptions,
    phase: Phase,
    /// Goes up whenever the state changes.
    period: u64,
}

#[derive(Debug)]
enum Phase {
    Closed(Recent),
    Open { until: Instant },
    HalfOpen { since: Instant, running: u32, succeeded: u32 },
}

impl Machine {
    pub(super) fn new(options: BreakerOptions, now: Instant) -> Self {
        Self { options, phase: Phase::Closed(Recent::new(options.window, now)), period: 0 }
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// When it will let a call through to probe, if it is open.
    pub(super) fn open_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open { until } => Some(until),
            _ => None,
        }
    }

    /// Lets a call through, or says how long it will not.
    pub(super) fn admit(&mut self, now: Instant) -> (Result<Ticket, Duration>, Option<Transition>) {
        let mut transition = None;
        match &self.phase {
            Phase::Closed(_) => return (Ok(Ticket(self.period)), None),
            Phase::Open { until } if now < *until => return (Err(*until - now), None),
            Phase::Open { .. } => transition = Some(self.half_open(now)),
            // Probes that never end must not hold it for ever.
            Phase::HalfOpen { since, running, .. }
                if *running >= self.options.half_open_max.max(1)
                    && now.saturating_duration_since(*since) >= self.options.reset_timeout =>
            {
                self.half_open(now);
            }
            Phase::HalfOpen { .. } => {}
        }
        let Phase::HalfOpen { running, .. } = &mut self.phase else {
            return (Err(Duration::ZERO), transition);
        };
        if *running >= self.options.half_open_max.max(1) {
            return (Err(Duration::ZERO), transition);
        }
        *running += 1;
        (Ok(Ticket(self.period)), transition)
    }

    /// Takes note of how a call ended.
    pub(super) fn record(&mut self, ticket: Ticket, ending: Ending, now: Instant) -> Option<Transition> {
        if ticket.0 != self.period {
            return None;
        }
        match &mut self.phase {
            Phase::Closed(recent) => {
                let sample = match ending {
                    Ending::Nothing => return None,
                    Ending::Success { slow } => Sample { failed: false, slow },
                    Ending::Failure { slow } => Sample { failed: true, slow },
                };
                let totals = recent.add(sample, now);
                self.options.is_too_much(totals).then(|| self.open(now))
            }
            Phase::HalfOpen { running, succeeded, .. } => {
                *running = running.saturating_sub(1);
                match ending {
                    Ending::Nothing => None,
                    // A probe that is slow is no success where slowness opens.
                    Ending::Failure { .. } => Some(self.open(now)),
                    Ending::Success { slow: true } => Some(self.open(now)),
                    Ending::Success { slow: false } => {
                        *succeeded += 1;
                        let enough = *succeeded >= self.options.success_threshold.max(1);
                        enough.then(|| self.close(now))
                    }
                }
            }
            // No call is let through in this period.
            Phase::Open { .. } => None,
        }
    }

    /// Opens it, whatever the calls say.
    pub(super) fn open(&mut self, now: Instant) -> Transition {
        let until = now.checked_add(self.options.reset_timeout).unwrap_or(now);
        self.enter(Phase::Open { until })
    }

    /// Closes it, whatever the calls say; it has forgotten them.
    pub(super) fn close(&mut self, now: Instant) -> Transition {
        self.enter(Phase::Closed(Recent::new(self.options.window, now)))
    }

    fn half_open(&mut self, now: Instant) -> Transition {
        self.enter(Phase::HalfOpen { since: now, running: 0, succeeded: 0 })
    }

    fn enter(&mut self, phase: Phase) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.period += 1;
        (from, self.state())
    }
}

impl BreakerOptions {
    fn is_too_much(&self, totals: Totals) -> bool {
        let enough = totals.calls >= u64::from(self.minimum_calls.max(1));
        let share = |part: u64| part as f64 / totals.calls as f64;
        let failing = match self.failure_threshold {
            Threshold::Count(max) => totals.failed >= u64::from(max.max(1)),
            // Without a single failure nothing is wrong, even if none is allowed.
            Threshold::Rate(max) => enough && totals.failed > 0 && share(totals.failed) >= max,
        };
        let slow = |slow: SlowCalls| enough && totals.slow > 0 && share(totals.slow) >= slow.rate;
        failing || self.slow_calls.is_some_and(slow)
    }
}
