//! The same source again, under loom's lock: every interleaving of a few threads.

use std::time::{Duration, Instant};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

#[path = "machine.rs"]
#[allow(clippy::duplicate_mod, dead_code, unreachable_pub)] // That is the point of it.
mod machine;
#[path = "window.rs"]
#[allow(clippy::duplicate_mod, dead_code, unreachable_pub)] // That is the point of it.
mod window;

use self::machine::{BreakerOptions, Ending, Machine, State, Threshold};

const OPTIONS: fn() -> BreakerOptions = || BreakerOptions {
    failure_threshold: Threshold::Count(1),
    reset_timeout: Duration::from_secs(1),
    half_open_max: 1,
    success_threshold: 1,
    ..BreakerOptions::default()
};

/// A breaker that may probe at this time.
fn due() -> (Machine, Instant) {
    let now = Instant::now();
    let mut machine = Machine::new(OPTIONS(), now);
    machine.open(now);
    (machine, now + Duration::from_secs(1))
}

#[test]
fn one_probe_at_a_time() {
    loom::model(|| {
        let (machine, now) = due();
        let machine = Arc::new(Mutex::new(machine));
        let running = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..2)
            .map(|caller| {
                let (machine, running) = (machine.clone(), running.clone());
                thread::spawn(move || {
                    let ticket = machine.lock().expect("no panic").admit(now).0;
                    let Ok(ticket) = ticket else { return };
                    let half_open = machine.lock().expect("no panic").state() == State::HalfOpen;
                    let before = running.fetch_add(1, Ordering::SeqCst);
                    assert!(!half_open || before == 0, "two probes at once");
                    running.fetch_sub(1, Ordering::SeqCst);
                    let ending = [Ending::Nothing, Ending::Failure { slow: false }][caller];
                    machine.lock().expect("no panic").record(ticket, ending, now);
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().expect("no panic"));
        // Whoever probed has given the place back: either it is open again, or another may probe.
        let mut machine = machine.lock().expect("no panic");
        let later = now + Duration::from_secs(1);
        assert!(machine.admit(later).0.is_ok());
    });
}

#[test]
fn what_began_before_does_not_count_after() {
    loom::model(|| {
        let now = Instant::now();
        let machine = Arc::new(Mutex::new(Machine::new(OPTIONS(), now)));
        // Both are let through while it is closed; the first failure opens it, once.
        let admit = |_| machine.lock().expect("no panic").admit(now).0.expect("it is closed");
        let tickets = [0, 1].map(admit);
        let callers: Vec<_> = tickets
            .into_iter()
            .map(|ticket| {
                let machine = machine.clone();
                thread::spawn(move || {
                    let failure = Ending::Failure { slow: false };
                    u32::from(machine.lock().expect("no panic").record(ticket, failure, now).is_some())
                })
            })
            .collect();
        let opened: u32 = callers.into_iter().map(|caller| caller.join().expect("no panic")).sum();
        assert_eq!(opened, 1);
    });
}

#[test]
fn so_many_probe_at_once_and_whoever_does_not_come_back_holds_nothing() {
    crate::modelled::model(|| {
        let now = Instant::now();
        let mut machine = Machine::new(BreakerOptions { half_open_max: 2, ..OPTIONS() }, now);
        machine.open(now);
        let now = now + Duration::from_secs(1);
        let machine = Arc::new(Mutex::new(machine));
        let running = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..3)
            .map(|caller| {
                let (machine, running) = (machine.clone(), running.clone());
                thread::spawn(move || {
                    let ticket = machine.lock().expect("no panic").admit(now).0;
                    let Ok(ticket) = ticket else { return false };
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 2, "three probes at once");
                    // One is never heard of again.
                    if caller > 0 {
                        running.fetch_sub(1, Ordering::SeqCst);
                        machine.lock().expect("no panic").record(ticket, Ending::Nothing, now);
                    }
                    true
                })
            })
            .collect();
        let admitted = callers.into_iter().map(|caller| caller.join().expect("no panic"));
        assert!(admitted.filter(|it| *it).count() >= 2, "there was room for two");
        // A later probe finds room, and closes it.
        let mut machine = machine.lock().expect("no panic");
        let later = now + Duration::from_secs(1);
        let ticket = machine.admit(later).0.expect("it does not stick");
        machine.record(ticket, Ending::Success { slow: false }, later);
        assert_eq!(machine.state(), State::Closed);
    });
}
