use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::{Call, SECOND, metric};
use crate::clock;
use crate::resilience::{Breaker, BreakerOptions, Effect, Fault, Faults, Rejected, State, Threshold};
use crate::telemetry::metrics::Registry;

fn fault(probability: f64, effect: Effect) -> Fault {
    Fault { probability, effect, times: None }
}

fn error(code: &str) -> Effect {
    Effect::Error(code.into())
}

/// Which of a hundred calls fail.
fn pattern(faults: &Faults, point: &str) -> Vec<bool> {
    clock::simulate(async {
        let mut failed = Vec::new();
        for _ in 0..100 {
            failed.push(faults.at(point).await.is_err());
        }
        failed
    })
}

#[test]
fn equal_seeds_have_equal_faults_however_points_interleave() {
    let faults = |seed| {
        let faults = Faults::new(seed, &Registry::new());
        faults.set("a", vec![fault(0.3, error("x"))]);
        faults.set("b", vec![fault(0.3, error("x"))]);
        faults.enable(true);
        faults
    };
    let (one, other) = (faults(7), faults(7));
    let alone = pattern(&one, "a");
    pattern(&other, "b");
    assert_eq!(pattern(&other, "a"), alone);
    assert_ne!(pattern(&faults(8), "a"), alone);
    assert_ne!(pattern(&faults(7), "b"), alone, "each point has its own");
    // 30 of 100, give or take: less than 10 or more than 50 would be a defect.
    let count = alone.iter().filter(|failed| **failed).count();
    assert!((10..=50).contains(&count), "{count}");
}

#[test]
fn they_are_switched_at_run_time() {
    let registry = Registry::new();
    let faults = Faults::new(1, &registry);
    clock::simulate(async {
        faults.set("a", vec![fault(1.0, error("down"))]);
        assert!(faults.at("a").await.is_ok(), "off until it is switched on");
        faults.enable(true);
        let rejected = faults.run("a", async { Ok::<_, Rejected>(()) }).await;
        assert_eq!(rejected, Err(Rejected::Injected { point: "a".into(), code: "down".into() }));
        assert!(faults.at("elsewhere").await.is_ok());
        faults.set("a", vec![fault(0.0, error("never"))]);
        assert!(faults.at("a").await.is_ok());
        faults.set("a", vec![Fault { times: Some(2), ..fault(1.0, error("twice")) }]);
        let three = [faults.at("a").await, faults.at("a").await, faults.at("a").await];
        assert_eq!(three.map(|it| it.is_err()), [true, true, false]);
        faults.set("a", vec![fault(1.0, error("x"))]);
        faults.clear("a");
        assert!(faults.at("a").await.is_ok() && faults.list().is_empty());
        faults.set("a", vec![fault(1.0, error("x"))]);
        faults.enable(false);
        assert!(faults.at("a").await.is_ok());
    });
    let injected = "resilience_fault_injected_total{resilience_fault_effect=\"error\",resilience_name=\"a\"}";
    assert_eq!(metric(&registry, injected), 3.0);
}

#[test]
fn latency_comes_before_the_error_and_nothing_after() {
    clock::simulate(async {
        let faults = Faults::new(1, &Registry::new());
        let latency = fault(1.0, Effect::Latency(3 * SECOND));
        faults.set("a", vec![latency.clone(), fault(1.0, error("x")), latency]);
        faults.enable(true);
        let start = clock::now();
        assert!(faults.at("a").await.is_err());
        assert_eq!(clock::now() - start, 3 * SECOND);
    });
}

#[test]
fn an_abort_is_a_panic_that_a_breaker_survives() {
    clock::simulate(async {
        let faults = Faults::new(1, &Registry::new());
        faults.set("a", vec![Fault { times: Some(2), ..fault(1.0, Effect::Abort) }]);
        faults.enable(true);
        let options = BreakerOptions { failure_threshold: Threshold::Count(2), ..Default::default() };
        let breaker = Breaker::new("b", options, &Registry::new());
        let call = || breaker.run(faults.run("a", async { Call::Ok(()) }));
        for _ in 0..2 {
            assert!(AssertUnwindSafe(call()).catch_unwind().await.is_err());
        }
        assert_eq!(breaker.state(), State::Open);
        clock::sleep(options.reset_timeout).await;
        assert!(call().await.is_ok());
    });
}

#[test]
fn the_number_of_points_is_bounded() {
    let faults = Faults::new(1, &Registry::new());
    let set = (0..1_100).filter(|i| faults.set(&i.to_string(), Vec::new())).count();
    assert_eq!(set, 1_000);
    assert!(faults.set("7", vec![fault(1.0, Effect::Abort)]), "a known one can be changed");
}
