//! The same source again, under loom's locks: every interleaving of callers and the thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;

use super::QueueOptions;
use crate::modelled::{Mutex, model};

mod sync {
    pub(super) use crate::modelled::{AtomicU64, Condvar, Mutex, Ordering};
}

#[path = "waiting.rs"]
#[allow(clippy::duplicate_mod, dead_code, unreachable_pub)] // That is the point of it.
mod waiting;

use self::waiting::Waiting;

/// Longer than any run: whatever ends does so because somebody was told.
const HOUR: Duration = Duration::from_secs(3600);

/// An output that keeps all numbers but 9.
struct Bench {
    waiting: Waiting<u32>,
    written: Mutex<Vec<u32>>,
    failed: Mutex<usize>,
    until: Instant,
}

impl Bench {
    /// Written is what is asked for, or a full batch; a weight is a byte.
    fn new(records_max: usize, batch_max: usize) -> Arc<Self> {
        let options = QueueOptions { records_max, batch_max, interval: HOUR, ..QueueOptions::batched() };
        let waiting = Waiting::new(options);
        let until = Instant::now() + HOUR;
        Arc::new(Self { waiting, written: Mutex::default(), failed: Mutex::default(), until })
    }

    fn spawn(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let bench = self.clone();
        thread::spawn(move || {
            bench.waiting.worker().run(|turn| {
                let (kept, lost): (Vec<_>, Vec<_>) = turn.batch.into_iter().partition(|it| *it != 9);
                bench.written.lock().extend(kept);
                *bench.failed.lock() += lost.len();
                lost.is_empty()
            });
        })
    }

    fn flush(&self) -> bool {
        self.waiting.await_asked(self.waiting.ask(), self.until)
    }

    fn close(&self) -> bool {
        self.waiting.stop(self.until);
        self.waiting.await_stopped(self.until)
    }

    fn has(&self, number: u32) -> bool {
        self.written.lock().contains(&number)
    }

    /// Each is written, dropped or failed, once.
    fn balance(&self, pushed: usize) {
        let dropped = usize::try_from(self.waiting.dropped()).expect("few");
        assert_eq!(self.written.lock().len() + *self.failed.lock() + dropped, pushed);
        assert_eq!(self.waiting.len(), 0);
    }
}

#[test]
fn what_came_before_a_flush_is_written_after_it() {
    model(|| {
        let bench = Bench::new(100, 1);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.waiting.push(1, 1);
            assert!(other.flush() && other.has(1));
        });
        bench.waiting.push(2, 1);
        assert!(bench.flush() && bench.has(2));
        other.join().expect("no panic");
        assert!(bench.close());
        worker.join().expect("no panic");
        bench.balance(2);
    });
}

#[test]
fn what_is_lost_is_told_to_somebody_who_flushes_after_it() {
    model(|| {
        let bench = Bench::new(100, 1);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.waiting.push(1, 1);
            let kept = other.flush();
            assert!(other.has(1));
            kept
        });
        bench.waiting.push(9, 1);
        let kept = bench.flush();
        assert!(!(other.join().expect("no panic") && kept), "each was told that all is kept");
        assert!(bench.flush() && bench.close());
        worker.join().expect("no panic");
        bench.balance(2);
    });
}

#[test]
fn what_does_not_fit_is_counted() {
    model(|| {
        let bench = Bench::new(1, 1);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.waiting.push(1, 1);
            other.waiting.push(9, 1);
        });
        bench.waiting.push(2, 1);
        other.join().expect("no panic");
        bench.close();
        worker.join().expect("no panic");
        bench.balance(3);
        bench.waiting.push(3, 1);
        assert!(!bench.has(3), "it came after the end");
        bench.balance(4);
    });
}

#[test]
fn the_end_writes_what_waits_while_others_go_on() {
    model(|| {
        let bench = Bench::new(100, 2);
        let worker = bench.spawn();
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.waiting.push(1, 1);
            assert!(other.flush(), "an end is a flush, too");
            assert!(other.has(1) || other.waiting.dropped() == 1);
        });
        bench.waiting.push(2, 1);
        bench.waiting.hurry();
        assert!(bench.close() && bench.has(2));
        other.join().expect("no panic");
        worker.join().expect("no panic");
        assert!(bench.close(), "a second end does nothing");
        bench.balance(2);
    });
}

#[test]
fn a_full_batch_is_written_without_being_asked() {
    model(|| {
        let bench = Bench::new(100, 2);
        let full = Arc::new(loom::sync::Notify::new());
        let worker = {
            let (bench, full) = (bench.clone(), full.clone());
            thread::spawn(move || {
                bench.waiting.worker().run(|turn| {
                    if turn.batch.len() == 2 {
                        full.notify();
                    }
                    true
                });
            })
        };
        let other = bench.clone();
        let other = thread::spawn(move || other.waiting.push(1, 1));
        bench.waiting.push(2, 1);
        // Whichever comes second.
        full.wait();
        other.join().expect("no panic");
        assert!(bench.close());
        worker.join().expect("no panic");
    });
}

#[test]
fn the_end_tells_what_was_lost_in_a_hurry() {
    model(|| {
        let bench = Bench::new(100, 1);
        let worker = bench.spawn();
        bench.waiting.push(9, 1);
        bench.waiting.hurry();
        assert!(!bench.close());
        worker.join().expect("no panic");
        bench.balance(1);
    });
}

#[test]
fn nobody_waits_for_a_thread_that_died() {
    model(|| {
        let bench = Bench::new(100, 1);
        let dead = bench.clone();
        let dead = thread::spawn(move || drop(dead.waiting.worker()));
        let other = bench.clone();
        let other = thread::spawn(move || {
            other.waiting.push(1, 1);
            assert!(!other.flush(), "it is not said that it was written");
        });
        bench.waiting.push(2, 1);
        assert!(!bench.close());
        other.join().expect("no panic");
        dead.join().expect("no panic");
        bench.balance(2);
    });
}

#[test]
fn the_end_cuts_a_pause_short() {
    model(|| {
        let options = QueueOptions { retry_wait_max: 2 * HOUR, ..QueueOptions::immediate() };
        let waiting = Arc::new(Waiting::new(options));
        let worker = {
            let waiting = waiting.clone();
            thread::spawn(move || {
                waiting.worker().run(|turn| {
                    // It pauses for longer than anybody waits for the end.
                    turn.batch.is_empty() || waiting.pause(2 * HOUR)
                });
            })
        };
        let until = Instant::now() + HOUR;
        waiting.push(1, 1);
        waiting.stop(until);
        assert!(!waiting.await_stopped(until), "it was given up");
        worker.join().expect("no panic");
    });
}
