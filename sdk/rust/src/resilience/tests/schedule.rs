use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::{MS, SECOND};
use crate::resilience::{Backoff, Deadline, Growth, parse_retry_after};

fn growth() -> impl Strategy<Value = Growth> {
    prop_oneof![
        Just(Growth::Fixed),
        Just(Growth::Linear),
        (-1.0f64..10.0).prop_map(Growth::Exponential),
        Just(Growth::Exponential(f64::NAN)),
        Just(Growth::Exponential(f64::INFINITY)),
    ]
}

proptest! {
    #[test]
    fn pauses_grow_up_to_the_bound_and_jitter_stays_below(
        growth in growth(),
        first in 0u64..100_000,
        max in 0u64..100_000,
        retry in 0u32..u32::MAX - 1,
        random in -1.0f64..2.0,
    ) {
        let backoff = Backoff {
            growth,
            first: Duration::from_millis(first),
            max: Duration::from_millis(max),
            jitter: true,
        };
        let bound = backoff.bound(retry);
        prop_assert!(bound <= backoff.max);
        prop_assert!(bound <= backoff.bound(retry + 1), "{:?}", backoff);
        prop_assert!(backoff.delay(retry, random) <= bound);
        prop_assert_eq!(backoff.delay(retry, 0.0), Duration::ZERO);
        let exact = Backoff { jitter: false, ..backoff };
        prop_assert_eq!(exact.delay(retry, random), bound);
    }

    /// Whatever is sent as a deadline, the other side believes to have no more than there is.
    #[test]
    fn a_deadline_goes_over_the_wire_and_never_grows(nanos in 0u64..u64::MAX) {
        let duration = Duration::from_nanos(nanos);
        crate::clock::simulate(async {
            let sent = Deadline::after(duration);
            let received = Deadline::from_header(&sent.header_value()).unwrap();
            prop_assert!(received <= sent);
            // At least five digits are kept: the largest step between units is a thousand.
            let lost = sent.remaining() - received.remaining();
            prop_assert!(lost * 10_000 <= duration, "{:?} of {:?}", lost, duration);
            Ok(())
        })?;
    }

    #[test]
    fn a_deadline_from_anywhere_does_no_harm(value in "\\PC{0,12}") {
        let _ = Deadline::from_header(&value);
    }
}

#[test]
fn the_schedules() {
    let exact = |growth| Backoff { growth, first: SECOND, max: 10 * SECOND, jitter: false };
    let seconds = |growth| (1..=6).map(|retry| exact(growth).delay(retry, 0.5).as_secs()).collect::<Vec<_>>();
    assert_eq!(seconds(Growth::Fixed), [1, 1, 1, 1, 1, 1]);
    assert_eq!(seconds(Growth::Linear), [1, 2, 3, 4, 5, 6]);
    assert_eq!(seconds(Growth::Exponential(2.0)), [1, 2, 4, 8, 10, 10]);
    // Full jitter: anything from nothing to the bound.
    let jittered = Backoff { jitter: true, ..exact(Growth::Exponential(2.0)) };
    assert_eq!(jittered.delay(3, 0.25), SECOND);
    assert_eq!(jittered.delay(3, 1.0), 4 * SECOND);
}

#[test]
fn deadlines_as_grpc_has_them() {
    crate::clock::simulate(async {
        let read = |value: &str| Deadline::from_header(value).map(Deadline::remaining);
        assert_eq!(read("250m"), Some(250 * MS));
        assert_eq!(read("1H"), Some(3600 * SECOND));
        assert_eq!(read("2M"), Some(120 * SECOND));
        assert_eq!(read("3S"), Some(3 * SECOND));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("9n"), Some(Duration::from_nanos(9)));
        for none in ["", "m", "12", "-1m", "1.5S", "123456789m", "1x", "1 m", "٣m", "1é"] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(Deadline::after(Duration::from_micros(1_500)).header_value(), "1500000n");
        assert_eq!(Deadline::after(90 * SECOND).header_value(), "90000000u");
        assert_eq!(Deadline::after(Duration::from_secs(86_400)).header_value(), "86400000m");
    });
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let read = |value| parse_retry_after(value, now);
    assert_eq!(read(" 120 "), Some(120 * SECOND));
    assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60 * SECOND));
    assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "it has passed");
    assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    for none in ["", "-1", "1.5", "soon", "Sun, 99 Nov 1994"] {
        assert_eq!(read(none), None, "{none}");
    }
}
