use std::future::pending;
use std::time::Duration;

use super::{Call, MS, SECOND, metric};
use crate::clock;
use crate::resilience::{CallError, Deadline, Rejected, Timeout};
use crate::telemetry::metrics::Registry;

#[test]
fn a_deadline_only_gets_nearer() {
    clock::simulate(async {
        let left = || Deadline::current().map(Deadline::remaining);
        assert_eq!(left(), None);
        Deadline::after(10 * SECOND)
            .scope(async {
                assert_eq!(left(), Some(10 * SECOND));
                Deadline::after(60 * SECOND).scope(async { assert_eq!(left(), Some(10 * SECOND)) }).await;
                Deadline::after(SECOND).scope(async { assert_eq!(left(), Some(SECOND)) }).await;
                clock::sleep(4 * SECOND).await;
                assert_eq!(left(), Some(6 * SECOND));
                clock::sleep(7 * SECOND).await;
                assert_eq!(left(), Some(Duration::ZERO));
            })
            .await;
        assert_eq!(left(), None, "it ends with its scope");
    });
}

#[test]
fn what_has_no_time_is_not_begun() {
    clock::simulate(async {
        let begun = std::cell::Cell::new(false);
        let call = async {
            begun.set(true);
            Call::Ok(())
        };
        let result = Deadline::after(Duration::ZERO).run(call).await;
        assert_eq!(result.unwrap_err().to_string(), "the deadline of the request has passed");
        assert!(!begun.get());
    });
}

#[test]
fn a_timeout_cuts_off_and_counts() {
    let registry = Registry::new();
    clock::simulate(async {
        let timeout = Timeout::new("t", 2 * SECOND, &registry);
        let start = clock::now();
        let late: Result<(), Rejected> = timeout.run(pending()).await;
        assert_eq!(late, Err(Rejected::TimedOut { name: "t".into(), limit: 2 * SECOND }));
        assert_eq!(clock::now() - start, 2 * SECOND);
        let inside = timeout.run(async { Ok::<_, Rejected>(Deadline::current().unwrap().remaining()) }).await;
        assert_eq!(inside, Ok(2 * SECOND), "the call knows of it");
        // The task's own deadline is the earlier one: that is what is told.
        let outer: Result<(), CallError<std::fmt::Error>> =
            Deadline::after(500 * MS).scope(timeout.run(pending())).await;
        assert!(matches!(outer, Err(CallError::Rejected(Rejected::DeadlineExceeded))));
        let failed: Result<(), _> = timeout.run(async { Err(CallError::Inner(std::fmt::Error)) }).await;
        assert_eq!(failed, Err(CallError::Inner(std::fmt::Error)));
    });
    for (outcome, count) in [("success", 1.0), ("failure", 1.0), ("timeout", 2.0)] {
        let series = format!(
            "resilience_timeout_calls_total{{resilience_name=\"t\",resilience_outcome=\"{outcome}\"}}"
        );
        assert_eq!(metric(&registry, &series), count, "{outcome}");
    }
    let sum = metric(&registry, "resilience_timeout_duration_seconds_sum{resilience_name=\"t\"}");
    assert_eq!(sum, 2.5);
}
