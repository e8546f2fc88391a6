use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::time::Duration;

use super::{Call, MS, SECOND, error, metric};
use crate::clock;
use crate::resilience::{
    Backoff, Budget, BudgetOptions, CallError, Classify, Deadline, EveryError, Growth, Rejected, Retry,
    RetryError, RetryOptions, Stop, Verdict,
};
use crate::telemetry::metrics::Registry;

fn options() -> RetryOptions {
    let backoff =
        Backoff { growth: Growth::Exponential(2.0), first: SECOND, max: 30 * SECOND, jitter: false };
    RetryOptions { backoff, ..RetryOptions::default() }
}

/// Calls that fail as told, then work; at which time each was made, in milliseconds.
fn run(
    options: RetryOptions,
    failures: &[ErrorKind],
) -> (Result<u32, RetryError<CallError<std::io::Error>>>, Vec<u128>) {
    let calls = RefCell::new(Vec::new());
    let result = clock::simulate(async {
        let start = clock::now();
        let retry = Retry::new("r", options, &Registry::new());
        retry
            .run(|| {
                let call = calls.borrow().len();
                calls.borrow_mut().push((clock::now() - start).as_millis());
                async move { failures.get(call).map_or(Ok(7), |kind| Err(error(*kind))) }
            })
            .await
    });
    (result, calls.into_inner())
}

#[test]
fn it_tries_until_it_goes_well_with_growing_pauses() {
    let (result, calls) = run(options(), &[ErrorKind::TimedOut, ErrorKind::ConnectionRefused]);
    assert_eq!(result.unwrap(), 7);
    assert_eq!(calls, [0, 1_000, 3_000]);
}

#[test]
fn the_last_error_is_kept_with_the_reason() {
    let (result, calls) = run(options(), &[ErrorKind::TimedOut; 9]);
    let failed = result.unwrap_err();
    assert_eq!(calls.len(), 3, "three attempts unless said otherwise");
    assert_eq!((failed.attempts, failed.stop), (3, Stop::MaxRetriesExceeded));
    assert!(matches!(&failed.cause, CallError::Inner(error) if error.kind() == ErrorKind::TimedOut));
    assert_eq!(failed.to_string(), "failed after 3 attempts: no more attempts are allowed");
    let source = std::error::Error::source(&failed).unwrap();
    assert_eq!(source.to_string(), "timed out");

    let (result, calls) = run(RetryOptions { max_attempts: 0, ..options() }, &[ErrorKind::TimedOut; 9]);
    assert_eq!((result.unwrap_err().attempts, calls.len()), (1, 1));
}

#[test]
fn what_trying_again_does_not_help_is_not_tried_again() {
    let (result, calls) = run(options(), &[ErrorKind::InvalidInput; 2]);
    assert_eq!((result.unwrap_err().stop, calls.len()), (Stop::NotRetryable, 1));
}

#[test]
fn what_may_have_had_an_effect_is_not_repeated_unless_it_is_idempotent() {
    let careful = RetryOptions { idempotent: false, ..options() };
    let (result, calls) = run(careful.clone(), &[ErrorKind::TimedOut; 2]);
    assert_eq!((result.unwrap_err().stop, calls.len()), (Stop::NotIdempotent, 1));
    // A connection that was refused cannot have done anything.
    let (result, calls) = run(careful, &[ErrorKind::ConnectionRefused]);
    assert_eq!((result.unwrap(), calls.len()), (7, 2));
}

#[test]
fn the_callback_comes_before_the_pause() {
    clock::simulate(async {
        let start = clock::now();
        let retry = Retry::new("r", options(), &Registry::new());
        let mut seen = Vec::new();
        let fails = || async { Err::<(), _>(error(ErrorKind::TimedOut)) };
        let result = retry
            .run_observed(fails, |retrying| {
                assert!(retrying.outcome.is_err());
                seen.push((retrying.attempt, retrying.delay, clock::now() - start));
            })
            .await;
        assert!(result.is_err());
        assert_eq!(seen, [(1, SECOND, Duration::ZERO), (2, 2 * SECOND, SECOND)]);
    });
}

#[test]
fn jitter_is_full() {
    let mut first = Vec::new();
    for _ in 0..200 {
        let jittered = RetryOptions { max_attempts: 2, ..RetryOptions::default() };
        let (_, calls) = run(jittered, &[ErrorKind::TimedOut; 2]);
        assert!(calls[1] <= 1_000);
        first.push(calls[1]);
    }
    // Of 200 in a second some are in each third, but for once in 10^34.
    let third = |from: u128, to: u128| first.iter().any(|at| (from..to).contains(at));
    assert!(third(0, 334) && third(334, 667) && third(667, 1_001), "{first:?}");
}

#[test]
fn a_server_that_says_when_is_heeded() {
    let asks = |seconds: u64| {
        move |result: &Call<()>| match result {
            Ok(()) => Verdict::SUCCESS,
            Err(_) => Verdict::RETRYABLE.after(Some(Duration::from_secs(seconds))),
        }
    };
    let attempt = |seconds| {
        clock::simulate(async {
            let start = clock::now();
            let retry = Retry::new("r", options(), &Registry::new()).judged_by(asks(seconds));
            let result = retry.run(|| async { Err(error(ErrorKind::TimedOut)) }).await;
            (result.unwrap_err().stop, (clock::now() - start).as_secs())
        })
    };
    assert_eq!(attempt(0), (Stop::MaxRetriesExceeded, 3), "the schedule is longer");
    assert_eq!(attempt(10), (Stop::MaxRetriesExceeded, 20));
    assert_eq!(attempt(61), (Stop::RetryAfter, 0), "that is too late");
}

#[test]
fn the_budget_bounds_what_is_tried_again() {
    let registry = Registry::new();
    let budget = Budget::new(BudgetOptions { ratio: 0.1, burst: 5 });
    let retry = Retry::new("r", RetryOptions { budget: budget.clone(), ..options() }, &registry);
    let calls = Cell::new(0u32);
    let spent = clock::simulate(async {
        let mut spent = 0;
        for _ in 0..100 {
            let fails = || {
                calls.set(calls.get() + 1);
                async { Err::<(), _>(error(ErrorKind::TimedOut)) }
            };
            spent += u32::from(retry.run(fails).await.unwrap_err().stop == Stop::BudgetSpent);
        }
        spent
    });
    // A hundred calls, the five retries saved up and one for each ten calls.
    assert!((113..=115).contains(&calls.get()), "{}", calls.get());
    assert!(spent > 80);
    assert_eq!(budget.available(), 0);
    let retries = metric(&registry, "resilience_retry_retries_total{resilience_name=\"r\"}");
    assert_eq!(retries, f64::from(calls.get() - 100));
}

#[test]
fn no_attempt_comes_too_late_for_who_asked() {
    clock::simulate(async {
        let start = clock::now();
        let retry = Retry::new("r", RetryOptions { max_attempts: 9, ..options() }, &Registry::new());
        let result = Deadline::after(4 * SECOND)
            .run(retry.run(|| async { Err::<(), _>(error(ErrorKind::TimedOut)) }))
            .await;
        // Attempts at 0, 1 and 3 s; the next would be at 7.
        let failed = result.unwrap_err();
        assert_eq!((failed.attempts, failed.stop), (3, Stop::Deadline));
        assert_eq!(clock::now() - start, 3 * SECOND, "it does not wait for the deadline");
    });
}

#[test]
fn an_answer_can_be_a_failure_and_the_last_one_is_returned() {
    let registry = Registry::new();
    let judge = |answer: &Result<u16, Rejected>| match answer {
        Ok(503) => Verdict::RETRYABLE,
        _ => Verdict::SUCCESS,
    };
    let retry = Retry::new("r", options(), &registry).judged_by(judge);
    let answers = |all: [u16; 3]| {
        let mut all = all.into_iter();
        let retry = retry.clone();
        clock::simulate(async move {
            retry
                .run(|| {
                    let next = all.next();
                    async move { Ok(next.unwrap()) }
                })
                .await
        })
    };
    assert_eq!(answers([503, 503, 503]).unwrap(), 503);
    assert_eq!(answers([503, 200, 0]).unwrap(), 200);
    assert_eq!(answers([200, 0, 0]).unwrap(), 200);
    let count = |outcome| {
        metric(
            &registry,
            &format!(
                "resilience_retry_calls_total{{resilience_name=\"r\",resilience_outcome=\"{outcome}\"}}"
            ),
        )
    };
    assert_eq!(count("failure_with_retry"), 1.0);
    assert_eq!(count("success_with_retry"), 1.0);
    assert_eq!(count("success_without_retry"), 1.0);
    assert_eq!(count("failure_without_retry"), 0.0);
}

#[test]
fn errors_of_which_nothing_is_known_can_be_tried_again() {
    let retry = Retry::new("r", options(), &Registry::new()).judged_by(EveryError);
    let mut calls = 0;
    let answer = clock::simulate(retry.run(|| {
        calls += 1;
        let call = calls;
        async move { if call < 3 { Err("odd") } else { Ok(call) } }
    }));
    assert_eq!(answer.unwrap(), 3);
}

#[test]
fn a_dropped_retry_makes_no_further_attempt() {
    clock::simulate(async {
        let calls = Cell::new(0);
        let retry = Retry::new("r", options(), &Registry::new());
        let fails = || {
            calls.set(calls.get() + 1);
            async { Err::<(), _>(error(ErrorKind::TimedOut)) }
        };
        assert!(clock::timeout_at(clock::after(1_500 * MS), retry.run(fails)).await.is_none());
        clock::sleep(60 * SECOND).await;
        assert_eq!(calls.get(), 2);
    });
}

#[test]
fn the_error_of_a_retry_can_be_boxed_and_classified() {
    let failed =
        RetryError { attempts: 3, stop: Stop::MaxRetriesExceeded, cause: error(ErrorKind::TimedOut) };
    let boxed: crate::resilience::BoxError = failed.into();
    assert_eq!(boxed.classification().category, crate::resilience::Category::Timeout);
}

/// Records of a level, by their text.
#[derive(Clone, Default)]
struct Warnings(std::sync::Arc<std::sync::atomic::AtomicU32>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() <= tracing::Level::WARN {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[test]
fn a_spent_budget_is_told_once_a_minute() {
    use tracing_subscriber::layer::SubscriberExt;

    let warnings = Warnings::default();
    let count = || warnings.0.load(std::sync::atomic::Ordering::Relaxed);
    let subscriber = tracing_subscriber::registry().with(warnings.clone());
    let _default = tracing::subscriber::set_default(subscriber);
    clock::simulate(async {
        let retry = Retry::new("r", options(), &Registry::new());
        for _ in 0..500 {
            let fails = || async { Call::<()>::Err(error(ErrorKind::TimedOut)) };
            assert!(retry.run(fails).await.is_err());
        }
    });
    // Each call pauses; the whole outage takes some minutes of the simulated time.
    assert!((1..20).contains(&count()), "{}", count());
}
