//! What callers and the thread of a signal tell each other: that there is something to send, that
//! somebody waits for it, what became of it, and that it is the end.

use std::time::{Duration, Instant};

use super::sync::{Condvar, Mutex};

/// While somebody waits, the thread chooses no longer pauses than this.
const AWAITED_PAUSE_MAX: Duration = Duration::from_millis(500);

/// The work of one thread in rounds, and who waits for them.
#[derive(Default)]
pub(in crate::telemetry) struct Rounds {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Flushes asked for, those that the round under way answers, and those done.
    asked: u64,
    answering: u64,
    done: u64,
    /// Callers who wait for one of them.
    waiting: usize,
    /// The last flush before which not everything was delivered.
    lossy: u64,
    /// Something was lost, and no flush has told it yet.
    lost: bool,
    /// There is a reason not to wait for the interval.
    urgent: bool,
    stopping: bool,
    /// When nobody waits for the end any more.
    deadline: Option<Instant>,
    /// Whether everything was delivered, once the thread has ended.
    end: Option<bool>,
}

/// Why there is a round.
#[derive(Clone, Copy)]
pub(in crate::telemetry) struct Round {
    /// Somebody waits for it.
    pub(in crate::telemetry) asked_for: bool,
    /// There is none after it.
    pub(in crate::telemetry) last: bool,
}

/// What became of what there was to send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) enum Outcome {
    Delivered,
    /// Not delivered, but a later round may still do it.
    Waits,
    /// Something will never be delivered. The next flush tells.
    Lost,
}

/// The thread. Dropped before its last round it has died, and nobody waits for it any more.
pub(in crate::telemetry) struct Worker<'a>(&'a Rounds);

impl Rounds {
    /// Lets the thread work now.
    pub(in crate::telemetry) fn wake(&self) {
        self.state.lock().urgent = true;
        self.changed.notify_all();
    }

    /// Asks for a round that begins now or later. Returns what [`Rounds::await_flush`] waits for.
    pub(in crate::telemetry) fn ask(&self) -> u64 {
        let mut state = self.state.lock();
        state.asked += 1;
        state.waiting += 1;
        self.changed.notify_all();
        state.asked
    }

    /// For each [`Rounds::ask`], once. False if the round was not done by then, the thread died, or
    /// something was not delivered that no flush before has told.
    pub(in crate::telemetry) fn await_flush(&self, wanted: u64, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let open = |state: &mut State| state.done < wanted && state.end.is_none();
        self.changed.wait_while_until(&mut state, open, deadline);
        state.waiting -= 1;
        // Of a later flush that was lossy it is not known whether this one was, too. One that came too
        // late for the last round is not done: neither did perhaps what was recorded before it.
        state.done >= wanted && state.lossy < wanted
    }

    /// Lets the thread end. The first deadline stays.
    pub(in crate::telemetry) fn stop(&self, deadline: Instant) {
        let mut state = self.state.lock();
        state.stopping = true;
        state.deadline.get_or_insert(deadline);
        self.changed.notify_all();
    }

    /// Waits for the last round. False if it was not done by then, the thread died, or something was
    /// not delivered that no flush has told.
    pub(in crate::telemetry) fn await_end(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_until(&mut state, |state| state.end.is_none(), deadline);
        state.end == Some(true)
    }

    /// When nobody waits for the end any more, once it has been called.
    pub(in crate::telemetry) fn deadline(&self) -> Option<Instant> {
        self.state.lock().deadline
    }

    /// For the thread: whether there is a reason for a round after the one under way.
    pub(in crate::telemetry) fn is_called(&self, round: Round) -> bool {
        let state = self.state.lock();
        state.asked > state.answering || (state.stopping && !round.last)
    }

    /// For the one thread.
    pub(in crate::telemetry) fn worker(&self) -> Worker<'_> {
        Worker(self)
    }

    /// For the thread: waits within a round, for as long as it was asked to and then as long as it
    /// chooses itself, which is not long while somebody waits. False when that would be too long:
    /// beyond the end.
    pub(in crate::telemetry) fn pause(&self, asked: Duration, own: Duration) -> bool {
        let earliest = Instant::now() + asked;
        let mut state = self.state.lock();
        loop {
            let awaited = state.waiting > 0 || state.stopping;
            let until = earliest + if awaited { own.min(AWAITED_PAUSE_MAX) } else { own };
            if state.deadline.is_some_and(|deadline| deadline <= until) {
                return false;
            }
            if self.changed.wait_until(&mut state, until).timed_out() {
                return true;
            }
        }
    }

    /// Waits until there is a reason for a round.
    fn next(&self, interval: Duration) -> Round {
        let mut state = self.state.lock();
        let idle = |state: &mut State| state.asked == state.done && !state.urgent && !state.stopping;
        self.changed.wait_while_for(&mut state, idle, interval);
        state.urgent = false;
        state.answering = state.asked;
        Round { asked_for: state.asked > state.done, last: state.stopping }
    }

    /// Takes note of how a round went.
    fn finish(&self, round: Round, outcome: Outcome) {
        let mut state = self.state.lock();
        state.lost |= outcome == Outcome::Lost;
        if round.asked_for || round.last {
            let whole = !std::mem::take(&mut state.lost) && outcome == Outcome::Delivered;
            state.done = state.answering;
            if round.asked_for && !whole {
                state.lossy = state.done;
            }
            state.end = round.last.then_some(whole);
        }
        self.changed.notify_all();
    }
}

impl Worker<'_> {
    /// Works at every interval and when there is a reason, once more at the end.
    pub(in crate::telemetry) fn run(self, interval: Duration, mut work: impl FnMut(Round) -> Outcome) {
        loop {
            let round = self.0.next(interval);
            let outcome = work(round);
            self.0.finish(round, outcome);
            if round.last {
                return;
            }
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.state.lock().end.get_or_insert(false);
        self.0.changed.notify_all();
    }
}
