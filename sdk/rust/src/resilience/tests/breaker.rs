use std::cell::Cell;
use std::future::pending;
use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::join_all;

use super::{Call, MS, SECOND, error, metric};
use crate::clock;
use crate::resilience::{
    Breaker, BreakerOptions, Breakers, CallError, Category, Classify, Rejected, SlowCalls, State, Threshold,
    Verdict, Window,
};
use crate::telemetry::metrics::Registry;

fn options() -> BreakerOptions {
    BreakerOptions {
        failure_threshold: Threshold::Count(2),
        reset_timeout: 10 * SECOND,
        ..Default::default()
    }
}

fn breaker(options: BreakerOptions) -> Breaker {
    Breaker::new("b", options, &Registry::new())
}

async fn fail(breaker: &Breaker) -> Call<()> {
    breaker.run(async { Err(error(ErrorKind::ConnectionReset)) }).await
}

async fn succeed(breaker: &Breaker) -> Call<()> {
    breaker.run(async { Ok(()) }).await
}

fn is_open(result: &Call<()>) -> bool {
    matches!(result, Err(CallError::Rejected(Rejected::CircuitOpen { .. })))
}

#[test]
fn it_opens_probes_and_closes() {
    let registry = Registry::new();
    clock::simulate(async {
        let breaker = Breaker::new("b", options(), &registry);
        let states = breaker.subscribe();
        assert!(fail(&breaker).await.is_err());
        assert_eq!(breaker.state(), State::Closed);
        assert!(fail(&breaker).await.is_err());
        assert_eq!(breaker.state(), State::Open);
        assert!(states.has_changed().unwrap() && *states.borrow() == State::Open);
        let begun = Cell::new(false);
        clock::sleep(4 * SECOND).await;
        let rejected = breaker
            .run(async {
                begun.set(true);
                Call::Ok(())
            })
            .await;
        let Err(CallError::Rejected(Rejected::CircuitOpen { name, retry_after })) = rejected else {
            panic!()
        };
        assert_eq!((&*name, retry_after), ("b", 6 * SECOND));
        assert!(!begun.get(), "the call is not made");
        clock::sleep(6 * SECOND).await;
        assert!(succeed(&breaker).await.is_ok());
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(succeed(&breaker).await.is_ok());
        assert_eq!(breaker.state(), State::Closed);
        // What was before is forgotten.
        assert!(fail(&breaker).await.is_err());
        assert_eq!(breaker.state(), State::Closed);
    });
    let calls = |outcome| {
        metric(
            &registry,
            &format!(
                "resilience_circuit_breaker_calls_total{{resilience_name=\"b\",resilience_outcome=\"{outcome}\"}}"
            ),
        )
    };
    assert_eq!(["success", "failure", "ignored", "not_permitted"].map(calls), [2.0, 3.0, 0.0, 1.0]);
    let of = |metric_name: &str, state| {
        metric(
            &registry,
            &format!("{metric_name}{{resilience_circuit_breaker_state=\"{state}\",resilience_name=\"b\"}}"),
        )
    };
    let states = ["closed", "open", "half_open"];
    assert_eq!(states.map(|state| of("resilience_circuit_breaker_state_ratio", state)), [1.0, 0.0, 0.0]);
    assert_eq!(
        states.map(|state| of("resilience_circuit_breaker_transitions_total", state)),
        [1.0, 1.0, 1.0]
    );
    assert_eq!(recovery(&registry, "sum"), 10.0);
}

/// Of how long it was not closed.
fn recovery(registry: &Registry, part: &str) -> f64 {
    let name = "resilience_circuit_breaker_recovery_duration_seconds";
    metric(registry, &format!("{name}_{part}{{resilience_name=\"b\"}}"))
}

#[test]
fn the_time_of_recovery_is_from_the_first_opening_to_the_closing() {
    let registry = Registry::new();
    clock::simulate(async {
        let breaker = Breaker::new("b", options(), &registry);
        let _ = (fail(&breaker).await, fail(&breaker).await);
        clock::sleep(10 * SECOND).await;
        assert!(fail(&breaker).await.is_err() && breaker.state() == State::Open, "a probe fails");
        assert_eq!(recovery(&registry, "count"), 0.0);
        clock::sleep(13 * SECOND).await;
        let _ = (succeed(&breaker).await, succeed(&breaker).await);
        assert_eq!((recovery(&registry, "count"), recovery(&registry, "sum")), (1.0, 23.0));
        // By hand, too.
        breaker.open();
        clock::sleep(2 * SECOND).await;
        breaker.close();
        breaker.close();
        assert_eq!((recovery(&registry, "count"), recovery(&registry, "sum")), (2.0, 25.0));
    });
}

#[test]
fn half_open_lets_only_so_many_probe_at_once() {
    clock::simulate(async {
        let breaker = breaker(BreakerOptions { half_open_max: 2, success_threshold: 3, ..options() });
        breaker.open();
        clock::sleep(10 * SECOND).await;
        let (running, most) = (Cell::new(0), Cell::new(0));
        let call = || async {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            clock::sleep(SECOND).await;
            running.set(running.get() - 1);
            Call::Ok(())
        };
        let results = join_all((0..50).map(|_| breaker.run(call()))).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
        assert_eq!(results.iter().filter(|result| is_open(result)).count(), 48);
        assert_eq!(most.get(), 2);
        assert_eq!(breaker.state(), State::HalfOpen, "two of three successes");
        assert!(breaker.run(call()).await.is_ok());
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn any_failure_of_a_probe_opens_it_again() {
    clock::simulate(async {
        let breaker = breaker(options());
        breaker.open();
        clock::sleep(10 * SECOND).await;
        assert!(succeed(&breaker).await.is_ok());
        assert!(!is_open(&fail(&breaker).await));
        assert_eq!(breaker.state(), State::Open);
        clock::sleep(9 * SECOND).await;
        assert!(is_open(&succeed(&breaker).await), "for as long as the first time");
    });
}

#[test]
fn a_dropped_probe_gives_its_place_back() {
    clock::simulate(async {
        let breaker = breaker(options());
        breaker.open();
        clock::sleep(10 * SECOND).await;
        let stuck = breaker.run(pending::<Call<()>>());
        assert!(clock::timeout_at(clock::after(SECOND), stuck).await.is_none());
        assert_eq!(breaker.state(), State::HalfOpen, "it says nothing");
        assert!(succeed(&breaker).await.is_ok());
    });
}

#[test]
fn a_panic_is_a_failure_and_holds_no_place() {
    clock::simulate(async {
        let breaker = breaker(options());
        let panics = || {
            breaker.run(async {
                if true {
                    panic!("on purpose")
                }
                Call::Ok(())
            })
        };
        for _ in 0..2 {
            assert!(AssertUnwindSafe(panics()).catch_unwind().await.is_err());
        }
        assert_eq!(breaker.state(), State::Open);
        clock::sleep(10 * SECOND).await;
        assert!(AssertUnwindSafe(panics()).catch_unwind().await.is_err());
        assert_eq!(breaker.state(), State::Open);
        clock::sleep(10 * SECOND).await;
        assert!(succeed(&breaker).await.is_ok(), "the panicking probe holds no place");
    });
}

#[test]
fn the_callers_mistakes_do_not_count() {
    clock::simulate(async {
        let breaker = breaker(options());
        for _ in 0..20 {
            let wrong = breaker.run(async { Err::<(), _>(error(ErrorKind::InvalidInput)) }).await;
            assert!(!is_open(&wrong));
        }
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn an_answer_can_be_a_failure() {
    clock::simulate(async {
        let judge = |answer: &Result<u16, Rejected>| match answer {
            Ok(500..) | Err(_) => Verdict::FAILURE,
            Ok(_) => Verdict::SUCCESS,
        };
        let breaker = breaker(options()).judged_by(judge);
        for _ in 0..2 {
            assert_eq!(breaker.run(async { Ok(500) }).await, Ok(500));
        }
        assert_eq!(breaker.state(), State::Open);
    });
}

#[test]
fn a_call_that_takes_too_long_has_failed() {
    clock::simulate(async {
        let breaker = breaker(BreakerOptions { timeout: Some(SECOND), ..options() });
        for _ in 0..2 {
            let late: Result<(), Rejected> = breaker.run(pending()).await;
            assert_eq!(late, Err(Rejected::TimedOut { name: "b".into(), limit: SECOND }));
        }
        assert_eq!(breaker.state(), State::Open);
    });
}

#[test]
fn rates_over_time_and_slow_calls() {
    clock::simulate(async {
        let rate = BreakerOptions {
            window: Window::Time(10 * SECOND),
            failure_threshold: Threshold::Rate(0.5),
            minimum_calls: 4,
            ..options()
        };
        let breaker = breaker(rate);
        for _ in 0..3 {
            assert!(fail(&breaker).await.is_err());
        }
        // By the time the fourth comes, the three are forgotten.
        clock::sleep(11 * SECOND).await;
        assert!(fail(&breaker).await.is_err());
        assert_eq!(breaker.state(), State::Closed);
        for _ in 0..2 {
            assert!(succeed(&breaker).await.is_ok());
        }
        assert!(fail(&breaker).await.is_err());
        assert_eq!(breaker.state(), State::Open, "two of four");
    });
    clock::simulate(async {
        let slow_calls = Some(SlowCalls { longer_than: 100 * MS, rate: 0.5 });
        let breaker = breaker(BreakerOptions { slow_calls, minimum_calls: 2, ..options() });
        for took in [50, 150] {
            let call = async {
                clock::sleep(took * MS).await;
                Call::Ok(())
            };
            assert!(breaker.run(call).await.is_ok());
        }
        assert_eq!(breaker.state(), State::Open);
    });
}

#[test]
fn it_heals_without_traffic() {
    clock::simulate(async {
        let breaker = breaker(options());
        let (probes, works_from) = (Cell::new(0), clock::after(25 * SECOND));
        let healing = breaker.heal(|| {
            probes.set(probes.get() + 1);
            async move {
                if clock::now() >= works_from {
                    Call::Ok(())
                } else {
                    Err(error(ErrorKind::ConnectionRefused))
                }
            }
        });
        let closed = async {
            clock::sleep(SECOND).await;
            assert_eq!(probes.get(), 0, "a closed one is not probed");
            breaker.open();
            let mut states = breaker.subscribe();
            states.wait_for(|state| *state == State::Closed).await.unwrap();
            clock::now()
        };
        let at = futures::select_biased! {
            () = Box::pin(healing).fuse() => unreachable!("it never ends"),
            at = Box::pin(closed).fuse() => at,
        };
        // Opened at 1 s, probed at 11 and 21 s, and at 31 s as often as it takes to close.
        assert_eq!(at, works_from + 6 * SECOND);
        assert_eq!(probes.get(), 4);
        assert!(succeed(&breaker).await.is_ok());
    });
}

#[test]
fn each_operation_has_its_own() {
    clock::simulate(async {
        let breakers = Breakers::new(options(), Registry::new());
        breakers.get("payments", "charge").open();
        assert_eq!(breakers.get("payments", "charge").state(), State::Open);
        assert_eq!(breakers.get("payments", "refund").state(), State::Closed);
        let own = BreakerOptions { reset_timeout: SECOND, ..options() };
        breakers.get_with("mail", "send", own).open();
        clock::sleep(SECOND).await;
        assert!(succeed(&breakers.get("mail", "send")).await.is_ok());
        let states = breakers.states();
        let names: Vec<_> = states.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["mail.send", "payments.charge", "payments.refund"]);
        // Their number is bounded.
        for i in 0..2_000 {
            breakers.get("user", &i.to_string());
        }
        assert!(breakers.states().len() <= 1_001);
    });
}

#[test]
fn probes_that_say_nothing_come_ever_more_seldom() {
    clock::simulate(async {
        // As a 404 is judged: it says nothing of the other side.
        let breaker = breaker(options()).judged_by(|_: &Call<()>| Verdict::IGNORED);
        breaker.open();
        let probes = Cell::new(0);
        let healing = breaker.heal(|| {
            probes.set(probes.get() + 1);
            assert!(probes.get() < 1_000, "without a pause");
            async { Call::Ok(()) }
        });
        assert!(clock::timeout_at(clock::after(110 * SECOND), healing).await.is_none());
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!((10..30).contains(&probes.get()), "{}", probes.get());
    });
}

#[test]
fn garbage_from_a_server_is_the_servers_fault() {
    clock::simulate(async {
        let breaker = breaker(options());
        for _ in 0..2 {
            assert!(breaker.run(async { Call::<()>::Err(error(ErrorKind::InvalidData)) }).await.is_err());
        }
        assert_eq!(breaker.state(), State::Open);
        let is = error(ErrorKind::InvalidData).classification();
        assert_eq!((is.category, is.retryable, is.user_visible), (Category::Network, true, false));
    });
}
