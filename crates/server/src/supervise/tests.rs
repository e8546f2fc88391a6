#![allow(clippy::unwrap_used)]

use tokio::sync::Semaphore;

use super::*;

fn trouble() -> Trouble {
    Trouble { reason: "panicked".into(), since_unix_ms: 7 }
}

#[test]
fn pauses_double_up_to_a_bound_and_are_short_again_after_a_while_of_health() {
    let (mut state, mut now) = (State::default(), Instant::now());
    let mut died_after = |ran: Duration| {
        state.begin(now);
        now += ran;
        state.end(trouble(), now)
    };
    let pauses: Vec<_> = (0..12).map(|_| died_after(Duration::from_secs(1)).as_millis()).collect();
    assert_eq!(pauses[..5], [100, 200, 400, 800, 1_600]);
    assert_eq!(pauses[10..], [30_000, 30_000]);
    assert_eq!(died_after(WELL_AFTER - Duration::from_millis(1)), BACKOFF_MAX);
    assert_eq!(died_after(WELL_AFTER), BACKOFF_FIRST);
    assert_eq!(died_after(Duration::ZERO), BACKOFF_FIRST * 2);
}

#[test]
fn trouble_is_over_when_it_ran_well_for_a_while() {
    let (mut state, start) = (State::default(), Instant::now());
    assert_eq!(state.trouble(start), None);
    state.begin(start);
    assert_eq!(state.trouble(start), None, "what never died is well from the beginning");
    state.end(trouble(), start);
    assert_eq!(state.trouble(start + WELL_AFTER * 9), Some(trouble()), "it does not run");
    state.begin(start + WELL_AFTER);
    assert_eq!(state.trouble(start + WELL_AFTER * 2 - Duration::from_nanos(1)), Some(trouble()));
    assert_eq!(state.trouble(start + WELL_AFTER * 2), None);
}

#[tokio::test]
async fn a_panic_is_contained_and_the_work_begins_again() {
    let supervisor = Supervisor::new();
    let (begun, runs) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, told) = (Arc::clone(&runs), Arc::clone(&begun));
    supervisor.spawn("fragile", move |stop| {
        let (run, told) = (counted.fetch_add(1, Ordering::Relaxed), Arc::clone(&told));
        async move {
            assert!(run > 0, "the first time");
            told.add_permits(1);
            stop.cancelled().await;
        }
    });
    begun.acquire().await.unwrap().forget();
    let unit = supervisor.units().remove(0);
    assert_eq!((unit.name, unit.failures.load(Ordering::Relaxed)), ("fragile", 1));
    assert_eq!(unit.trouble(Instant::now()).unwrap().reason, "panicked: the first time");
    assert!(supervisor.finish(Duration::from_secs(60)).await);
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn work_that_does_not_end_is_not_waited_for_without_bound() {
    let supervisor = Supervisor::new();
    supervisor.spawn("stubborn", |_| std::future::pending());
    assert!(!supervisor.finish(Duration::from_millis(1)).await);
}
