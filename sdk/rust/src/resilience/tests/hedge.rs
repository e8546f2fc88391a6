use std::cell::Cell;
use std::io::ErrorKind;
use std::time::Duration;

use super::{Call, MS, error, metric};
use crate::clock;
use crate::resilience::{Budget, BudgetOptions, Fallback, Hedge, HedgeOptions};
use crate::telemetry::metrics::Registry;

/// Attempts that take so many milliseconds, and work or not; what came of it, when, and how many
/// were made.
fn run(options: HedgeOptions, attempts: &[(u32, bool)]) -> (Call<usize>, Duration, usize) {
    clock::simulate(async {
        let (start, made) = (clock::now(), Cell::new(0));
        let hedge = Hedge::new("h", options, &Registry::new());
        let answer = hedge
            .run(|| {
                let attempt = made.get();
                made.set(attempt + 1);
                let (took, works) = attempts[attempt];
                async move {
                    clock::sleep(took * MS).await;
                    if works { Ok(attempt) } else { Err(error(ErrorKind::TimedOut)) }
                }
            })
            .await;
        (answer, clock::now() - start, made.get())
    })
}

fn hedges(max_hedges: u32) -> HedgeOptions {
    HedgeOptions { max_hedges, ..HedgeOptions::default() }
}

#[test]
fn an_answer_in_time_is_not_asked_for_twice() {
    let (answer, took, made) = run(hedges(3), &[(99, true)]);
    assert_eq!((answer.unwrap(), took, made), (0, 99 * MS, 1));
}

#[test]
fn the_first_good_answer_wins() {
    let (answer, took, made) = run(hedges(2), &[(1_000, true), (50, true), (50, true)]);
    assert_eq!((answer.unwrap(), took, made), (1, 150 * MS, 2));
    // The first may still be the quicker one.
    let (answer, took, made) = run(hedges(1), &[(120, true), (50, true)]);
    assert_eq!((answer.unwrap(), took, made), (0, 120 * MS, 2));
}

#[test]
fn a_failure_starts_the_next_at_once_and_does_not_end_it() {
    let (answer, took, made) = run(hedges(2), &[(10, false), (20, true)]);
    assert_eq!((answer.unwrap(), took, made), (1, 30 * MS, 2));
    let (answer, took, made) = run(hedges(1), &[(150, true), (10, false)]);
    assert_eq!((answer.unwrap(), took, made), (0, 150 * MS, 2));
    let (answer, took, made) = run(hedges(1), &[(10, false), (20, false)]);
    assert!(answer.is_err());
    assert_eq!((took, made), (30 * MS, 2));
}

#[test]
fn the_budget_bounds_hedges() {
    let budget = Budget::new(BudgetOptions { ratio: 0.0, burst: 1 });
    let options = HedgeOptions { budget: budget.clone(), ..hedges(3) };
    let slow = [(1_000, true); 4];
    let (answer, took, made) = run(options.clone(), &slow);
    assert_eq!((answer.unwrap(), took, made), (0, 1_000 * MS, 2));
    let (_, _, made) = run(options.clone(), &slow);
    assert_eq!(made, 1, "it is spent");
    let (answer, _, made) = run(options, &[(10, false), (10, true)]);
    assert!(answer.is_err());
    assert_eq!(made, 1);
}

#[test]
fn the_others_are_dropped() {
    clock::simulate(async {
        let (begun, ended) = (Cell::new(0), Cell::new(0));
        let hedge = Hedge::new("h", hedges(1), &Registry::new());
        let answer = hedge
            .run(|| async {
                begun.set(begun.get() + 1);
                let slow = begun.get() == 1;
                clock::sleep(if slow { 10_000 * MS } else { MS }).await;
                ended.set(ended.get() + 1);
                Call::Ok(slow)
            })
            .await;
        assert!(!answer.unwrap());
        clock::sleep(60_000 * MS).await;
        assert_eq!((begun.get(), ended.get()), (2, 1));
    });
}

#[test]
fn a_fallback_is_seen() {
    let registry = Registry::new();
    clock::simulate(async {
        let fallback = Fallback::new("f", &registry);
        let fails = || async { Err::<&str, _>(error(ErrorKind::TimedOut)) };
        assert_eq!(fallback.run(async { Call::Ok("new") }, |_| async { Ok("old") }).await.unwrap(), "new");
        assert!(!fallback.is_degraded());
        assert_eq!(fallback.run(fails(), |_| async { Ok("old") }).await.unwrap(), "old");
        assert!(fallback.is_degraded());
        let still = metric(&registry, "resilience_fallback_degraded_ratio{resilience_name=\"f\"}");
        assert_eq!(still, 1.0);
        // The fallback may give back the error that it was given.
        let back = fallback.run(fails(), |error| async { Err(error) }).await;
        assert_eq!(back.unwrap_err().to_string(), "timed out");
        assert_eq!(fallback.run(async { Call::Ok("new") }, |_| async { Ok("old") }).await.unwrap(), "new");
        assert!(!fallback.is_degraded());
    });
    let calls = |outcome| {
        metric(
            &registry,
            &format!(
                "resilience_fallback_calls_total{{resilience_name=\"f\",resilience_outcome=\"{outcome}\"}}"
            ),
        )
    };
    assert_eq!(["primary", "fallback", "failure"].map(calls), [2.0, 1.0, 1.0]);
}
