//! What callers and the thread of a pipeline tell each other: that there is something to send, that
//! somebody waits for it, and that it is the end.

use std::time::{Duration, Instant};

use super::sync::{Condvar, Mutex};

/// The work of one thread in rounds, and who waits for them.
#[derive(Default)]
pub(super) struct Rounds {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Flushes asked for and flushes done.
    asked: u64,
    done: u64,
    /// The last flush before which something was not sent.
    lossy: u64,
    /// Something was not sent since the last flush.
    lost: bool,
    /// There is a reason not to wait for the interval.
    urgent: bool,
    stopping: bool,
    /// When nobody waits for the end any more.
    deadline: Option<Instant>,
    /// Whether all was sent since the last flush, once the thread has ended.
    end: Option<bool>,
}

/// Why there is a round.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// Somebody waits for it.
    pub(super) asked_for: bool,
    /// There is none after it.
    pub(super) last: bool,
}

/// The thread. Dropped before its last round it has died, and nobody waits for it any more.
pub(super) struct Worker<'a> {
    rounds: &'a Rounds,
    ended: bool,
}

impl Rounds {
    /// Lets the thread work now.
    pub(super) fn wake(&self) {
        self.state.lock().urgent = true;
        self.changed.notify_all();
    }

    /// Waits for a round that begins now or later. False if that took too long, there is none any
    /// more, or something was not sent since the flush before.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        state.asked += 1;
        let wanted = state.asked;
        self.changed.notify_all();
        let open = |state: &mut State| state.done < wanted && state.end.is_none();
        self.changed.wait_while_for(&mut state, open, patience);
        // Of a later flush that was lossy it is not known whether this one was, too. A flush that came
        // too late for the last round is not done: neither did perhaps what was recorded before it.
        state.done >= wanted && state.lossy < wanted
    }

    /// Waits for the last round. False if that took too long, the thread died, or something was not
    /// sent since the last flush.
    pub(super) fn stop(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        state.stopping = true;
        state.deadline.get_or_insert_with(|| Instant::now() + patience);
        self.changed.notify_all();
        self.changed.wait_while_for(&mut state, |state| state.end.is_none(), patience);
        state.end == Some(true)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// For the one thread.
    pub(super) fn worker(&self) -> Worker<'_> {
        Worker { rounds: self, ended: false }
    }

    /// For the thread: waits within a round. False when that would be too long: beyond the end.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        loop {
            if state.deadline.is_some_and(|deadline| deadline <= until) {
                return false;
            }
            if self.changed.wait_until(&mut state, until).timed_out() {
                return true;
            }
        }
    }

    /// Waits until there is a reason for a round. Also returns which flushes it will answer.
    fn next(&self, interval: Duration) -> (Round, u64) {
        let mut state = self.state.lock();
        let idle = |state: &mut State| state.asked == state.done && !state.urgent && !state.stopping;
        self.changed.wait_while_for(&mut state, idle, interval);
        state.urgent = false;
        (Round { asked_for: state.asked > state.done, last: state.stopping }, state.asked)
    }

    /// Takes note of how a round went.
    fn finish(&self, round: Round, asked: u64, sent: bool) {
        let mut state = self.state.lock();
        state.lost |= !sent;
        if round.last {
            state.end = Some(!state.lost);
        }
        if round.asked_for {
            state.done = asked;
            if std::mem::take(&mut state.lost) {
                state.lossy = asked;
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl Worker<'_> {
    /// Works at every interval and when there is a reason, once more at the end. `work` says whether
    /// all was sent.
    pub(super) fn run(mut self, interval: Duration, mut work: impl FnMut(Round) -> bool) {
        loop {
            let (round, asked) = self.rounds.next(interval);
            let sent = work(round);
            self.rounds.finish(round, asked, sent);
            if round.last {
                self.ended = true;
                return;
            }
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.rounds.state.lock().end = Some(false);
            self.rounds.changed.notify_all();
        }
    }
}
