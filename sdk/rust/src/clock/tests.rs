#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::{after, now, simulate, sleep, sleep_until, timeout_at};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn time_jumps_to_what_is_due_next() {
    let order = std::cell::RefCell::new(Vec::new());
    simulate(async {
        let start = now();
        let step = |seconds: u32| {
            let order = &order;
            async move {
                sleep(SECOND * seconds).await;
                order.borrow_mut().push((seconds, (now() - start).as_secs()));
            }
        };
        futures::join!(step(30), step(10), step(20));
    });
    assert_eq!(*order.borrow(), [(10, 10), (20, 20), (30, 30)]);
}

#[test]
fn a_timeout_drops_what_is_late() {
    simulate(async {
        let start = now();
        let dropped = std::sync::Arc::new(());
        let held = dropped.clone();
        let late = async move {
            sleep(SECOND * 60).await;
            drop(held);
        };
        assert_eq!(timeout_at(after(SECOND), late).await, None);
        assert_eq!(now() - start, SECOND);
        assert_eq!(std::sync::Arc::strong_count(&dropped), 1, "the late future is gone");
        assert_eq!(timeout_at(after(SECOND), async { 7 }).await, Some(7));
        // A sleep that was dropped does not move the clock.
        sleep(SECOND * 2).await;
        assert_eq!(now() - start, SECOND * 3);
    });
}

#[test]
fn what_has_passed_and_what_never_comes() {
    simulate(async {
        let start = now();
        sleep_until(start).await;
        assert_eq!(now(), start);
        assert!(after(Duration::MAX) > start + SECOND * 1_000_000);
    });
    let hangs = std::panic::catch_unwind(|| simulate(std::future::pending::<()>()));
    assert!(hangs.is_err());
    // The clock outside is the real one again, after the panic too.
    assert!(now() <= Instant::now());
}

#[test]
fn the_real_clock_needs_a_runtime_only_to_wait() {
    let _unpolled = sleep(SECOND);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let start = now();
    runtime.block_on(async { sleep(Duration::from_millis(5)).await });
    assert!(now() - start >= Duration::from_millis(5));
}
