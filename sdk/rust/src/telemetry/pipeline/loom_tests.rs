//! The same source again, under loom's locks: every interleaving of callers and the thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;

use crate::modelled::{Mutex, Ordering, model};

mod sync {
    pub(super) use crate::modelled::{AtomicU64, Condvar, Mutex, Ordering};
}

#[path = "../buffer.rs"]
#[allow(clippy::duplicate_mod, dead_code, unreachable_pub)] // That is the point of it.
mod buffer;
#[path = "rounds.rs"]
#[allow(clippy::duplicate_mod, dead_code, unreachable_pub)] // That is the point of it.
mod rounds;

use self::buffer::Buffer;
use self::rounds::{Outcome, Rounds};

/// Longer than any run: whatever ends does so because somebody was told.
const HOUR: Duration = Duration::from_secs(3600);
const SCOPE: &str = "scope";

/// A pipeline without its encoding: records of one byte, and those that were delivered.
struct Bench {
    rounds: Rounds,
    buffer: Buffer,
    delivered: Mutex<Vec<u8>>,
}

impl Bench {
    fn new(records_max: usize) -> Arc<Self> {
        let buffer = Buffer::new(records_max, 1000);
        Arc::new(Self { rounds: Rounds::default(), buffer, delivered: Mutex::default() })
    }

    /// Its thread, which delivers all but 9.
    fn spawn(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let bench = self.clone();
        thread::spawn(move || {
            bench.rounds.worker().run(HOUR, |round| {
                let batch = bench.buffer.take(round.last);
                let records: Vec<_> = batch.scopes.values().flatten().copied().collect();
                assert_eq!(records.len(), batch.records);
                if records.contains(&9) {
                    return Outcome::Lost;
                }
                bench.delivered.lock().extend(&records);
                batch.delivered(records.len());
                Outcome::Delivered
            });
        })
    }

    fn flush(&self) -> bool {
        let wanted = self.rounds.ask();
        self.rounds.await_flush(wanted, Instant::now() + HOUR)
    }

    fn stop(&self) -> bool {
        let deadline = Instant::now() + HOUR;
        self.rounds.stop(deadline);
        self.rounds.await_end(deadline)
    }

    fn record(&self, record: u8) {
        if self.buffer.push(SCOPE, &[record]) {
            self.rounds.wake();
        }
    }

    fn has(&self, record: u8) -> bool {
        self.delivered.lock().contains(&record)
    }

    /// Each record is delivered, dropped or failed, once.
    fn balance(&self, recorded: u64) {
        let counts = self.buffer.counts();
        let [accepted, dropped, exported, failed] =
            [&counts.accepted, &counts.dropped, &counts.exported, &counts.failed]
                .map(|count| count.load(Ordering::SeqCst));
        assert_eq!(accepted + dropped, recorded);
        assert_eq!(exported + failed, accepted);
        assert_eq!(self.delivered.lock().len() as u64, exported);
    }
}

#[test]
fn what_was_recorded_before_a_flush_is_delivered_after_it() {
    model(|| {
        let bench = Bench::new(100);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.record(1);
            assert!(other.flush() && other.has(1));
        });
        bench.record(2);
        assert!(bench.flush() && bench.has(2));
        other.join().expect("no panic");
        assert!(bench.stop());
        worker.join().expect("no panic");
        bench.balance(2);
    });
}

#[test]
fn what_does_not_fit_or_is_not_delivered_is_counted() {
    model(|| {
        let bench = Bench::new(1);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.record(1);
            other.record(9);
        });
        bench.record(2);
        other.join().expect("no panic");
        bench.stop();
        worker.join().expect("no panic");
        bench.balance(3);
    });
}

/// Whoever else flushes.
#[test]
fn what_is_lost_is_told_to_the_first_who_flushes_after_it() {
    model(|| {
        let bench = Bench::new(100);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.record(9);
            other.flush()
        });
        let kept = bench.flush();
        let other = other.join().expect("no panic");
        assert!(!kept || !other, "9 is lost");
        assert!(bench.stop(), "what was told is forgotten");
        worker.join().expect("no panic");
        bench.balance(1);
    });
}

#[test]
fn what_waits_for_a_later_round_is_not_flushed_but_not_lost() {
    model(|| {
        let bench = Bench::new(100);
        let (connected, thread) = (Arc::new(Mutex::new(false)), bench.clone());
        let is_connected = connected.clone();
        let thread = thread::spawn(move || {
            thread.rounds.worker().run(HOUR, |_| match *is_connected.lock() {
                true => Outcome::Delivered,
                false => Outcome::Waits,
            });
        });
        assert!(!bench.flush());
        *connected.lock() = true;
        assert!(bench.flush() && bench.stop());
        thread.join().expect("no panic");
    });
}

#[test]
fn the_end_waits_for_nobody_and_what_comes_after_it_is_counted() {
    model(|| {
        let bench = Bench::new(100);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.record(1);
            let kept = other.flush();
            assert!(!kept || other.has(1), "an end is a flush, too");
            assert!(other.has(1) || other.buffer.counts().dropped.load(Ordering::SeqCst) == 1);
            other.record(3);
        });
        bench.record(2);
        let kept = bench.stop();
        assert!(bench.has(2));
        other.join().expect("no panic");
        worker.join().expect("no panic");
        assert_eq!(bench.stop(), kept, "a second end does nothing");
        assert!(!bench.flush(), "nothing is sent any more");
        // Nobody takes out what does not get in.
        assert_eq!(bench.buffer.take(true).records, 0);
        bench.balance(3);
    });
}

#[test]
fn a_buffer_that_is_half_full_is_sent_without_being_asked() {
    model(|| {
        let bench = Bench::new(4);
        let sent = Arc::new(loom::sync::Notify::new());
        let thread = {
            let (bench, sent) = (bench.clone(), sent.clone());
            thread::spawn(move || {
                bench.rounds.worker().run(HOUR, |round| {
                    let batch = bench.buffer.take(round.last);
                    if batch.records >= 2 {
                        sent.notify();
                    }
                    let all = batch.records;
                    batch.delivered(all);
                    Outcome::Delivered
                });
            })
        };
        let other = bench.clone();
        let other = thread::spawn(move || other.record(1));
        bench.record(2);
        // Whichever comes second.
        sent.wait();
        other.join().expect("no panic");
        assert!(bench.stop());
        thread.join().expect("no panic");
    });
}

#[test]
fn nobody_waits_for_a_thread_that_died() {
    model(|| {
        let bench = Bench::new(100);
        let dead = bench.clone();
        let dead = thread::spawn(move || drop(dead.rounds.worker()));
        let other = bench.clone();
        let other = thread::spawn(move || assert!(!other.stop()));
        assert!(!bench.flush(), "it is not said that it was done");
        other.join().expect("no panic");
        dead.join().expect("no panic");
    });
}

#[test]
fn the_end_cuts_a_pause_short() {
    model(|| {
        let bench = Bench::new(100);
        let thread = {
            let bench = bench.clone();
            // It pauses for longer than anybody waits for the end.
            thread::spawn(move || {
                bench.rounds.worker().run(HOUR, |round| {
                    assert!(!bench.rounds.pause(2 * HOUR, Duration::ZERO), "it would be over after the end");
                    assert!(round.last || bench.rounds.is_called(round));
                    Outcome::Delivered
                });
            })
        };
        bench.rounds.wake();
        assert!(bench.stop());
        thread.join().expect("no panic");
    });
}
