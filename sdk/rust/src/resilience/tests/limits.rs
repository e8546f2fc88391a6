use std::cell::Cell;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;

use super::{Call, MS, SECOND, metric};
use crate::clock;
use crate::resilience::{
    Bulkhead, BulkheadOptions, Deadline, KeyedLimitOptions, KeyedRateLimit, LoadShed, LoadShedOptions,
    RateLimit, RateLimitOptions, Rejected,
};
use crate::telemetry::metrics::Registry;

fn bulkhead(max_concurrent: usize, max_waiting: usize, registry: &Registry) -> Bulkhead {
    Bulkhead::new("b", BulkheadOptions { max_concurrent, max_waiting, max_wait: SECOND }, registry)
}

#[test]
fn a_bulkhead_lets_so_many_run_and_so_many_wait() {
    let registry = Registry::new();
    clock::simulate(async {
        let bulkhead = bulkhead(3, 2, &registry);
        let (running, most) = (Cell::new(0), Cell::new(0));
        let call = || async {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            clock::sleep(100 * MS).await;
            running.set(running.get() - 1);
            Ok::<_, Rejected>(())
        };
        let results = join_all((0..10).map(|_| bulkhead.run(call()))).await;
        assert_eq!(most.get(), 3);
        let full = Err(Rejected::BulkheadFull { name: "b".into(), limit: 3 });
        assert_eq!(results.iter().filter(|result| **result == full).count(), 5);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
        assert_eq!(bulkhead.available(), 3);
    });
    let value = |name: &str| metric(&registry, &format!("{name}{{resilience_name=\"b\"}}"));
    assert_eq!(value("resilience_bulkhead_running"), 0.0);
    assert_eq!(value("resilience_bulkhead_waiting"), 0.0);
    assert_eq!(value("resilience_bulkhead_limit"), 3.0);
    let rejected = "resilience_bulkhead_calls_total{resilience_name=\"b\",resilience_outcome=\"rejected\"}";
    assert_eq!(metric(&registry, rejected), 5.0);
}

#[test]
fn waiting_in_a_bulkhead_ends() {
    clock::simulate(async {
        let bulkhead = bulkhead(1, 1, &Registry::new());
        let place = bulkhead.permit().await.unwrap();
        let start = clock::now();
        let full = Rejected::BulkheadFull { name: "b".into(), limit: 1 };
        assert_eq!(bulkhead.permit().await.err(), Some(full));
        assert_eq!(clock::now() - start, SECOND);
        let hurried = Deadline::after(200 * MS).scope(bulkhead.permit()).await;
        assert_eq!(hurried.err(), Some(Rejected::DeadlineExceeded));
        assert_eq!(clock::now() - start, 1_200 * MS);
        drop(place);
        assert!(bulkhead.permit().await.is_ok());
    });
}

#[test]
fn places_come_back_from_what_is_dropped_and_what_panics() {
    let registry = Registry::new();
    clock::simulate(async {
        let bulkhead = bulkhead(1, 1, &registry);
        let stuck = bulkhead.run(pending::<Call<()>>());
        assert!(clock::timeout_at(clock::after(MS), stuck).await.is_none());
        assert_eq!(bulkhead.available(), 1);
        // Dropped while it waits: the place in the queue is free again.
        let place = bulkhead.permit().await.unwrap();
        for _ in 0..3 {
            let waiting = bulkhead.run(pending::<Call<()>>());
            assert!(clock::timeout_at(clock::after(MS), waiting).await.is_none());
        }
        let next = bulkhead.permit();
        drop(place);
        assert!(next.await.is_ok());
        let panics = bulkhead.run(async {
            if true {
                panic!("on purpose")
            }
            Call::Ok(())
        });
        assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
        assert_eq!(bulkhead.available(), 1);
    });
    assert_eq!(metric(&registry, "resilience_bulkhead_running{resilience_name=\"b\"}"), 0.0);
    assert_eq!(metric(&registry, "resilience_bulkhead_waiting{resilience_name=\"b\"}"), 0.0);
}

fn rate(calls: u32, burst: u32, max_wait: Duration) -> RateLimitOptions {
    RateLimitOptions { calls, per: SECOND, burst, max_wait }
}

#[test]
fn a_rate_limit_has_a_burst_and_then_the_rate() {
    let registry = Registry::new();
    clock::simulate(async {
        let limit = RateLimit::new("l", rate(10, 3, Duration::ZERO), &registry);
        let mut passed = 0;
        for _ in 0..1_000 {
            passed += u32::from(limit.permit().await.is_ok());
            clock::sleep(10 * MS).await;
        }
        // Ten seconds: three at once, ten a second.
        assert!((102..=103).contains(&passed), "{passed}");
        let rejected = limit.run(async { Call::Ok(()) }).await;
        assert!(rejected.is_ok() || rejected.unwrap_err().to_string().contains("room again in"));
    });
}

#[test]
fn who_waits_for_a_turn_gets_it_in_order_or_at_once_a_no() {
    clock::simulate(async {
        let limit = RateLimit::new("l", rate(10, 1, 250 * MS), &Registry::new());
        let start = clock::now();
        let turn = || async { limit.permit().await.map(|()| (clock::now() - start).as_millis()) };
        let turns = join_all((0..5).map(|_| turn())).await;
        let got: Vec<_> = turns.iter().flatten().copied().collect();
        assert_eq!(got, [0, 100, 200]);
        let rejected = turns[3].as_ref().unwrap_err();
        assert_eq!(rejected.retry_after(), Some(300 * MS));
        // Nor does it wait longer than whoever asked.
        let hurried = Deadline::after(50 * MS).scope(limit.permit()).await;
        assert!(hurried.is_err());
    });
}

#[test]
fn a_dropped_turn_is_had_by_another() {
    clock::simulate(async {
        let limit = RateLimit::new("l", rate(10, 1, SECOND), &Registry::new());
        limit.permit().await.unwrap();
        let start = clock::now();
        // Five wait for half a second, and go away.
        let gone = join_all((0..5).map(|_| limit.permit()));
        assert!(clock::timeout_at(clock::after(50 * MS), gone).await.is_none());
        limit.permit().await.unwrap();
        assert_eq!(clock::now() - start, 100 * MS);
    });
}

#[test]
fn keys_are_limited_each_for_itself_and_their_number_is_bounded() {
    let registry = Registry::new();
    clock::simulate(async {
        let options = KeyedLimitOptions { limit: rate(1, 2, Duration::ZERO), keys_max: 3 };
        let limit: KeyedRateLimit<String> = KeyedRateLimit::new("l", options, &registry);
        for key in ["a", "b", "c"] {
            assert!(limit.check(key).is_ok() && limit.check(key).is_ok());
            assert_eq!(limit.check(key).unwrap_err().retry_after(), Some(SECOND));
        }
        // No room for more: all others share one bucket, however many names they invent.
        let passed = (0..1_000).filter(|i| limit.check(&format!("x{i}")).is_ok()).count();
        assert_eq!((passed, limit.keys()), (2, 3));
        clock::sleep(SECOND).await;
        assert!(limit.check("a").is_ok(), "a known key is not disturbed");
        assert!(limit.check("a").is_err());
        clock::sleep(2 * SECOND).await;
        // All buckets are full again: there is room for others.
        assert!(limit.check("d").is_ok() && limit.check("d").is_ok());
        assert_eq!(limit.keys(), 1);
    });
    assert_eq!(metric(&registry, "resilience_rate_limit_keys{resilience_name=\"l\"}"), 1.0);
}

#[test]
fn load_that_is_answered_late_is_shed_and_the_limit_comes_back() {
    let registry = Registry::new();
    clock::simulate(async {
        let options = LoadShedOptions { target: 100 * MS, initial: 10, min: 2, max: 50 };
        let shed = LoadShed::new("s", options, &registry);
        let round = |took: Duration| {
            let shed = shed.clone();
            async move {
                let call = || async {
                    clock::sleep(took).await;
                    Ok::<_, Rejected>(())
                };
                let results = join_all((0..60).map(|_| shed.run(call()))).await;
                results.iter().filter(|result| result.is_ok()).count()
            }
        };
        assert_eq!(round(500 * MS).await, 10);
        // One step down for all that were late together.
        assert_eq!(shed.limit(), 9);
        for _ in 0..100 {
            round(500 * MS).await;
        }
        assert_eq!(shed.limit(), 2, "never below the least");
        for _ in 0..400 {
            round(MS).await;
        }
        assert_eq!(shed.limit(), 50, "never above the most");
        let permits: Vec<_> = (0..50).map(|_| shed.permit().unwrap()).collect();
        assert_eq!(shed.permit().err(), Some(Rejected::Overloaded { name: "s".into(), limit: 50 }));
        drop(permits);
        // Little to do says nothing about how much could be done.
        let idle = LoadShed::new("i", options, &registry);
        for _ in 0..100 {
            drop(idle.permit());
        }
        assert_eq!(idle.limit(), 10);
    });
    assert_eq!(metric(&registry, "resilience_load_shed_running{resilience_name=\"s\"}"), 0.0);
    assert_eq!(metric(&registry, "resilience_load_shed_limit{resilience_name=\"s\"}"), 50.0);
}

#[test]
fn a_panic_gives_the_shed_place_back() {
    clock::simulate(async {
        let options = LoadShedOptions { initial: 1, min: 1, ..Default::default() };
        let shed = LoadShed::new("s", options, &Registry::new());
        for _ in 0..3 {
            let panics = shed.run(async {
                if true {
                    panic!("on purpose")
                }
                Call::Ok(())
            });
            assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
        }
        assert!(shed.permit().is_ok());
    });
}
