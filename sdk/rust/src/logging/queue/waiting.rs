//! What waits for the thread of an output: bounded, with a count of what did not fit, and with what
//! callers and thread tell each other about flushes and the end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::QueueOptions;
use super::sync::{AtomicU64, Condvar, Mutex, Ordering};

pub(super) struct Waiting<T> {
    options: QueueOptions,
    state: Mutex<State<T>>,
    changed: Condvar,
    dropped: AtomicU64,
}

struct State<T> {
    items: VecDeque<Item<T>>,
    /// The weights of the items.
    bytes: usize,
    /// Items that ever came in, and that were ever taken out.
    accepted: u64,
    taken: u64,
    /// Taken out, not yet written.
    writing: usize,
    /// Flushes asked for and done.
    asked: u64,
    done: u64,
    /// Those that are to be answered: each with how many items must have been taken out before.
    flushes: VecDeque<(u64, u64)>,
    /// The last flush before which something was lost.
    lossy: u64,
    /// Whether all that was written since the last flush is kept.
    lossless: bool,
    /// What came in before so many is written without waiting for more.
    hurried: u64,
    stopping: bool,
    /// When nobody waits for the end any more.
    deadline: Option<Instant>,
    /// Whether at the end all was kept, once it has ended.
    end: Option<bool>,
}

struct Item<T> {
    since: Instant,
    item: T,
    weight: usize,
}

/// What the thread has to do next.
pub(super) struct Turn<T> {
    pub(super) batch: Vec<T>,
    /// What was written up to this batch is to be kept: somebody waits for that.
    pub(super) flush: bool,
    /// Nothing comes after this.
    pub(super) last: bool,
}

/// The thread. Dropped before its last turn it has died, and nobody waits for it any more.
pub(super) struct Worker<'a, T>(&'a Waiting<T>);

impl<T> Waiting<T> {
    pub(super) fn new(options: QueueOptions) -> Self {
        let state = State {
            items: VecDeque::new(),
            bytes: 0,
            accepted: 0,
            taken: 0,
            writing: 0,
            asked: 0,
            done: 0,
            flushes: VecDeque::new(),
            lossy: 0,
            lossless: true,
            hurried: 0,
            stopping: false,
            deadline: None,
            end: None,
        };
        Self { options, state: Mutex::new(state), changed: Condvar::default(), dropped: AtomicU64::new(0) }
    }

    pub(super) fn options(&self) -> &QueueOptions {
        &self.options
    }

    /// Items that wait or are being written.
    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.items.len() + state.writing
    }

    /// Items there was no room for, or that came after the end.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Adds an item, or counts that there was no room.
    pub(super) fn push(&self, item: T, weight: usize) {
        let mut state = self.state.lock();
        let full =
            state.items.len() >= self.options.records_max || state.bytes + weight > self.options.bytes_max;
        if full || state.stopping {
            drop(state);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.items.push_back(Item { since: Instant::now(), item, weight });
        state.bytes += weight;
        state.accepted += 1;
        // The thread looks by itself when a batch is old enough; it must hear of the first and of a full one.
        let length = state.items.len();
        if length == 1 || length == self.options.batch_max {
            self.changed.notify_all();
        }
    }

    /// Lets it write now what waits. Nobody is told what is lost by that: the next flush is.
    pub(super) fn hurry(&self) {
        let mut state = self.state.lock();
        state.hurried = state.accepted;
        self.changed.notify_all();
    }

    /// Lets it write now what waits. Returns what to wait for.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.state.lock();
        state.asked += 1;
        let (asked, accepted) = (state.asked, state.accepted);
        match state.flushes.back_mut() {
            // Nothing came in between: it is the same flush. So there are never more than items.
            Some((last, before)) if *before == accepted => *last = asked,
            _ => state.flushes.push_back((asked, accepted)),
        }
        self.changed.notify_all();
        asked
    }

    /// False if what was asked for was not done by then, or something of it was lost.
    pub(super) fn await_asked(&self, wanted: u64, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let open = |state: &mut State<T>| state.done < wanted && state.end.is_none();
        self.changed.wait_while_until(&mut state, open, deadline);
        // Of a later flush that was lossy it is not known whether this one was, too.
        if state.done >= wanted { state.lossy < wanted } else { state.end == Some(true) }
    }

    /// Takes no more, and lets it write what waits.
    pub(super) fn stop(&self, deadline: Instant) {
        let mut state = self.state.lock();
        state.stopping = true;
        state.deadline.get_or_insert(deadline);
        self.changed.notify_all();
    }

    /// False if it had not ended by then, or something was lost.
    pub(super) fn await_stopped(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_until(&mut state, |state| state.end.is_none(), deadline);
        state.end == Some(true)
    }

    /// For the one thread.
    pub(super) fn worker(&self) -> Worker<'_, T> {
        Worker(self)
    }

    /// For the thread: so many of the batch are still to be written.
    pub(super) fn set_writing(&self, items: usize) {
        self.state.lock().writing = items;
    }

    /// For the thread: waits within a turn. False when that would be too long: beyond the end.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait.min(self.options.retry_wait_max);
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

    /// Waits for a batch that is full or old enough, for a flush or for the end. Also returns which
    /// flush will be answered.
    fn next(&self) -> (Turn<T>, Option<u64>) {
        let mut state = self.state.lock();
        loop {
            let urgent = !state.flushes.is_empty() || state.taken < state.hurried || state.stopping;
            let full = state.items.len() >= self.options.batch_max;
            let due = state.items.front().map(|item| item.since + self.options.interval);
            let now = Instant::now();
            if urgent || full || due.is_some_and(|due| due <= now) {
                break;
            }
            match due {
                Some(due) => drop(self.changed.wait_until(&mut state, due)),
                None => self.changed.wait(&mut state),
            }
        }
        self.take(&mut state)
    }

    fn take(&self, state: &mut State<T>) -> (Turn<T>, Option<u64>) {
        let length = state.items.len().min(self.options.batch_max);
        let items: Vec<_> = state.items.drain(..length).collect();
        state.bytes -= items.iter().map(|item| item.weight).sum::<usize>();
        state.taken += items.len() as u64;
        state.writing = items.len();
        let mut answers = None;
        while let Some((asked, _)) = state.flushes.front().copied().filter(|(_, it)| *it <= state.taken) {
            state.flushes.pop_front();
            answers = Some(asked);
        }
        let batch = items.into_iter().map(|item| item.item).collect();
        let last = state.items.is_empty() && state.stopping;
        (Turn { batch, flush: answers.is_some(), last }, answers)
    }

    /// Takes note of how a turn went.
    fn finish(&self, answers: Option<u64>, last: bool, lossless: bool) {
        let mut state = self.state.lock();
        state.writing = 0;
        state.lossless &= lossless;
        if answers.is_some() || last {
            let lossless = std::mem::replace(&mut state.lossless, true);
            state.done = answers.unwrap_or(state.done);
            if !lossless {
                state.lossy = state.done;
            }
            state.end = last.then_some(lossless);
        }
        self.changed.notify_all();
    }
}

impl<T> Worker<'_, T> {
    /// Writes batch after batch, until the last. `write` says whether all of a batch is kept.
    pub(super) fn run(self, mut write: impl FnMut(Turn<T>) -> bool) {
        loop {
            let (turn, answers) = self.0.next();
            let last = turn.last;
            let lossless = write(turn);
            self.0.finish(answers, last, lossless);
            if last {
                return;
            }
        }
    }
}

impl<T> Drop for Worker<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.end.is_some() {
            return;
        }
        // It died: what it had in hand and what waits for it is lost.
        let lost = std::mem::take(&mut state.writing) + state.items.len();
        state.items.clear();
        state.bytes = 0;
        state.stopping = true;
        state.end = Some(false);
        self.0.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        self.0.changed.notify_all();
    }
}
