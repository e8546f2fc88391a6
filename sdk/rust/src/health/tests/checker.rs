use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use tokio::sync::Semaphore;

use super::{SECOND, checker, optional};
use crate::clock;
use crate::health::report::rfc3339;
use crate::health::{CheckOptions, CheckResult, Checker, Finding, Phase, RegisterError, Scope, Status};
use crate::telemetry::metrics::Registry;

/// A check that counts how often it ran.
fn counting(
    finding: Finding,
) -> (Arc<AtomicU32>, impl Fn() -> futures::future::BoxFuture<'static, Finding> + Send + Sync) {
    let runs = Arc::new(AtomicU32::new(0));
    let counter = runs.clone();
    let check = move || -> futures::future::BoxFuture<'static, Finding> {
        counter.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(finding.clone()))
    };
    (runs, check)
}

fn result(checker: &Checker, name: &str) -> CheckResult {
    let checks = checker.last(Scope::All).checks.unwrap();
    checks.into_iter().find(|check| check.name == name).unwrap()
}

/// The status of a service with checks of these, critical or not.
fn overall(checks: &[(Finding, bool)]) -> Status {
    clock::simulate(async {
        let checker = checker();
        for (i, (finding, critical)) in checks.iter().cloned().enumerate() {
            let options = CheckOptions { critical, ..CheckOptions::default() };
            checker.register(i.to_string(), options, move || std::future::ready(finding.clone())).unwrap();
        }
        checker.check(Scope::All).await.status
    })
}

#[test]
fn what_checks_come_to() {
    let (good, meagre, bad) = (Finding::healthy, || Finding::degraded("slow"), || Finding::unhealthy("down"));
    assert_eq!(overall(&[(good(), true), (good(), false)]), Status::Healthy);
    assert_eq!(overall(&[(good(), true), (bad(), true)]), Status::Unhealthy);
    assert_eq!(overall(&[(good(), true), (bad(), false)]), Status::Degraded);
    assert_eq!(overall(&[(meagre(), true)]), Status::Degraded);
    assert_eq!(overall(&[(Finding::unknown("?"), false), (good(), true)]), Status::Degraded);
    assert_eq!(overall(&[(Finding::unknown("?"), true)]), Status::Unknown);
    assert_eq!(overall(&[]), Status::Unknown, "zero checks are not health");
}

#[test]
fn a_report_says_what_and_when() {
    clock::simulate(async {
        let checker = checker();
        checker
            .register("queue", CheckOptions::default(), || async { Finding::healthy().detail("waiting", 3) })
            .unwrap();
        checker.register("cache", optional(), || async { Err::<(), _>("connection refused") }).unwrap();
        clock::sleep(90 * SECOND).await;
        let report = checker.check_health(true).await;
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["status"], "degraded");
        assert_eq!(json["version"], "1.4.2");
        assert_eq!(json["uptime"], 90.0);
        assert_eq!(json["summary"]["total"], 2);
        assert_eq!(json["summary"]["healthy"], 1);
        assert_eq!(json["summary"]["unhealthy"], 1);
        assert_eq!(json["summary"]["critical"], 0);
        assert!(json["timestamp"].as_str().unwrap().ends_with('Z') && json["duration"].is_number());
        let checks = json["checks"].as_array().unwrap();
        assert_eq!(checks[0]["name"], "cache");
        assert_eq!(checks[0]["error"], "connection refused");
        assert_eq!(checks[0]["error_rate"], 1.0);
        assert_eq!(checks[1]["details"]["waiting"], 3);
        assert_eq!(checks[1]["age"], 0.0);
        assert!(checks[1]["last_checked"].is_string());
        let brief = serde_json::to_value(checker.check_health(false).await).unwrap();
        assert!(brief.get("checks").is_none() && brief["summary"]["total"] == 2);
    });
}

#[test]
fn checks_run_at_once_and_late_ones_are_cut_off() {
    clock::simulate(async {
        let checker = checker();
        let dropped = Arc::new(());
        for name in ["a", "b", "c"] {
            let held = dropped.clone();
            let hangs = move || {
                let held = held.clone();
                async move {
                    pending::<()>().await;
                    drop(held);
                    Finding::healthy()
                }
            };
            checker.register(name, CheckOptions::default(), hangs).unwrap();
        }
        let quick = CheckOptions { timeout: SECOND, ..optional() };
        checker.register("quick", quick, pending::<Finding>).unwrap();
        let before = Arc::strong_count(&dropped);
        let start = clock::now();
        let report = checker.check(Scope::All).await;
        assert_eq!(clock::now() - start, 5 * SECOND);
        assert_eq!(report.summary.critical, 3);
        assert_eq!(result(&checker, "a").error.as_deref(), Some("timed out after 5000 ms"));
        assert_eq!(result(&checker, "a").duration, 5_000.0);
        assert_eq!(result(&checker, "quick").error.as_deref(), Some("timed out after 1000 ms"));
        assert_eq!(Arc::strong_count(&dropped), before, "what was cut off is gone");
    });
}

#[test]
fn results_hold_for_a_while_bad_ones_too() {
    clock::simulate(async {
        for finding in [Finding::healthy(), Finding::failed("down")] {
            let checker = checker();
            let (runs, check) = counting(finding);
            checker.register("c", CheckOptions::default(), check).unwrap();
            for _ in 0..5 {
                checker.check(Scope::All).await;
                clock::sleep(SECOND).await;
            }
            assert_eq!(runs.load(Ordering::Relaxed), 1);
            assert_eq!(result(&checker, "c").age, Some(5.0));
            clock::sleep(5 * SECOND).await;
            checker.check(Scope::All).await;
            assert_eq!(runs.load(Ordering::Relaxed), 2);
        }
    });
}

#[test]
fn one_check_runs_once_at_a_time() {
    clock::simulate(async {
        let checker = checker();
        let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (counter, maximum) = (running.clone(), most.clone());
        let check = move || {
            let (running, most) = (counter.clone(), maximum.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                clock::sleep(SECOND).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Finding::healthy()
            }
        };
        checker.register("c", CheckOptions::default(), check).unwrap();
        let start = clock::now();
        let reports = join_all((0..20).map(|_| checker.check(Scope::All))).await;
        assert!(reports.iter().all(|report| report.status == Status::Healthy));
        assert_eq!(most.load(Ordering::Relaxed), 1);
        assert_eq!(clock::now() - start, SECOND, "the others get what the first finds");
    });
}

#[test]
fn a_dropped_question_leaves_nothing_locked() {
    clock::simulate(async {
        let checker = checker();
        checker
            .register("c", CheckOptions::default(), || async {
                clock::sleep(SECOND).await;
                Finding::healthy()
            })
            .unwrap();
        let half = clock::after(SECOND / 2);
        assert!(clock::timeout_at(half, checker.check(Scope::All)).await.is_none());
        assert_eq!(checker.check(Scope::All).await.status, Status::Healthy);
    });
}

#[test]
fn a_check_that_panics_is_unhealthy_under_its_own_name() {
    clock::simulate(async {
        let checker = checker();
        checker
            .register("later", CheckOptions::default(), || async {
                if true {
                    panic!("on purpose")
                }
                Finding::healthy()
            })
            .unwrap();
        checker
            .register("at once", optional(), || -> std::future::Ready<Finding> { panic!("on purpose") })
            .unwrap();
        checker.check(Scope::All).await;
        for name in ["later", "at once"] {
            assert_eq!(result(&checker, name).error.as_deref(), Some("the check panicked"));
        }
    });
}

#[test]
fn names_are_taken_once_and_checks_can_be_removed() {
    let checker = checker();
    let check = || async { Finding::healthy() };
    checker.register("c", CheckOptions::default(), check).unwrap();
    let taken = checker.register("c", CheckOptions::default(), check).unwrap_err();
    assert_eq!(taken, RegisterError::Taken { name: "c".into() });
    assert!(checker.remove("c") && !checker.remove("c"));
    checker.register("c", CheckOptions::default(), check).unwrap();
    assert_eq!(result(&checker, "c").status, Status::Unknown);
    for i in 1..1_000 {
        checker.register(i.to_string(), CheckOptions::default(), check).unwrap();
    }
    assert_eq!(checker.register("more", CheckOptions::default(), check), Err(RegisterError::TooMany));
}

#[test]
fn a_dependency_never_fails_liveness() {
    clock::simulate(async {
        let checker = checker();
        checker.register("database", CheckOptions::default(), || async { Err::<(), _>("down") }).unwrap();
        assert_eq!(checker.check(Scope::Live).await.summary.total, 0);
        assert_eq!(checker.check(Scope::Ready).await.status, Status::Unhealthy);
        let stuck = CheckOptions { live: true, ..CheckOptions::default() };
        checker.register("workers", stuck, || async { Err::<(), _>("deadlock") }).unwrap();
        assert_eq!(checker.check(Scope::Live).await.status, Status::Unhealthy);
    });
}

#[test]
fn phases_are_about_readiness() {
    clock::simulate(async {
        let checker = checker();
        checker.register("c", CheckOptions::default(), || async { Finding::healthy() }).unwrap();
        for (phase, status) in [
            (Phase::Starting, Status::Unhealthy),
            (Phase::Running, Status::Healthy),
            (Phase::Stopping, Status::Unhealthy),
        ] {
            checker.set_phase(phase);
            assert_eq!(checker.check(Scope::Ready).await.status, status, "{phase:?}");
            assert_eq!(checker.check(Scope::All).await.status, Status::Healthy);
        }
        assert_eq!(checker.check(Scope::Ready).await.message.as_deref(), Some("the service is stopping"));
    });
}

#[test]
fn the_error_rate_is_over_the_last_hundred() {
    clock::simulate(async {
        let checker = checker();
        let runs = AtomicU32::new(0);
        let check = move || {
            // The first fifty fail, then every second one.
            let run = runs.fetch_add(1, Ordering::Relaxed);
            let fails = run < 50 || run.is_multiple_of(2);
            async move { if fails { Err("down") } else { Ok(()) } }
        };
        let options = CheckOptions { cache_ttl: Duration::ZERO, ..CheckOptions::default() };
        checker.register("c", options, check).unwrap();
        let mut rates = Vec::new();
        for _ in 0..150 {
            checker.check(Scope::All).await;
            rates.push(result(&checker, "c").error_rate.unwrap());
        }
        assert_eq!((rates[0], rates[49], rates[99], rates[149]), (1.0, 1.0, 0.75, 0.5));
    });
}

#[test]
fn metrics_say_how_each_is() {
    let registry = Registry::new();
    let checker = Checker::new("1", &registry);
    checker.register("c", CheckOptions::default(), || async { Finding::degraded("slow") }).unwrap();
    let line = |value: &str| format!("health_check_status_ratio{{health_check_name=\"c\"}} {value}\n");
    assert!(registry.prometheus().contains(&line("-1")));
    clock::simulate(checker.check(Scope::All));
    let page = registry.prometheus();
    assert!(page.contains(&line("0.5")), "{page}");
    assert!(page.contains("health_check_duration_seconds_count{health_check_name=\"c\"} 1\n"), "{page}");
}

/// In a real runtime: each run takes a permit, so that the test decides when.
#[tokio::test]
async fn monitoring_runs_each_in_its_interval_and_stops() {
    let checker = checker();
    let (runs, seen) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (gate, done) = (runs.clone(), seen.clone());
    let check = move || {
        let (gate, done) = (gate.clone(), done.clone());
        async move {
            gate.acquire().await.unwrap().forget();
            done.add_permits(1);
            Finding::healthy()
        }
    };
    let often =
        CheckOptions { interval: Duration::from_millis(1), timeout: 60 * SECOND, ..CheckOptions::default() };
    checker.register("c", often, check).unwrap();
    checker.start_monitoring();
    checker.start_monitoring();
    assert!(checker.is_monitoring());
    // It hangs in its first run: nobody who asks waits for that, and no second run is begun.
    assert_eq!(checker.answer(Scope::All).await.status, Status::Unknown);
    runs.add_permits(3);
    seen.acquire_many(3).await.unwrap().forget();
    assert_eq!(checker.answer(Scope::All).await.status, Status::Healthy);
    assert_eq!(checker.health_check().status, Status::Healthy);
    // One that comes later is run, too, until it is removed.
    let late = Arc::new(Semaphore::new(0));
    let counter = late.clone();
    let check = move || {
        counter.add_permits(1);
        std::future::ready(Finding::healthy())
    };
    checker.register("late", often, check).unwrap();
    late.acquire_many(3).await.unwrap().forget();
    assert!(checker.remove("late"));
    checker.stop_monitoring();
    assert!(!checker.is_monitoring());
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&late), 1, "the task is gone, and its check with it");
}

#[tokio::test]
async fn monitoring_ends_with_the_checker() {
    let checker = checker();
    let held = Arc::new(());
    let inside = held.clone();
    let check = move || {
        let inside = inside.clone();
        async move {
            pending::<()>().await;
            drop(inside);
            Finding::healthy()
        }
    };
    checker.register("c", CheckOptions::default(), check).unwrap();
    checker.start_monitoring();
    tokio::task::yield_now().await;
    drop(checker);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn times_are_written_as_rfc_3339_has_them() {
    let at = |seconds: u64, millis: u64| {
        rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1_000 + millis))
    };
    assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
    assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
    assert_eq!(at(1_709_251_199, 999), "2024-02-29T23:59:59.999Z");
    assert_eq!(at(1_798_761_600, 0), "2027-01-01T00:00:00.000Z");
    assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - SECOND), "1970-01-01T00:00:00.000Z");
}
