//! The machine against simple restatements of its rules.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::machine::{BreakerOptions, Ending, Machine, SlowCalls, State, Threshold};
use super::window::{Recent, Sample, Window};

const SECOND: Duration = Duration::from_secs(1);

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        any::<bool>().prop_map(|slow| Ending::Success { slow }),
        any::<bool>().prop_map(|slow| Ending::Failure { slow }),
        Just(Ending::Nothing),
    ]
}

proptest! {
    /// What the window says is what counting all that is young enough says.
    #[test]
    fn windows_forget_what_is_old(
        calls in prop::collection::vec((0u64..3_000, any::<bool>(), any::<bool>()), 1..200),
        by_time in any::<bool>(),
    ) {
        let start = Instant::now();
        let window = if by_time { Window::Time(SECOND * 10) } else { Window::Calls(20) };
        let mut recent = Recent::new(window, start);
        let (mut at, mut all) = (0, Vec::new());
        for (pause, failed, slow) in calls {
            at += pause;
            let totals = recent.add(Sample { failed, slow }, start + Duration::from_millis(at));
            all.push((at, failed, slow));
            let counts = |it: &&(u64, bool, bool)| !by_time || it.0 / 1_000 + 10 > at / 1_000;
            let last = if by_time { all.len() } else { 20 };
            let kept: Vec<_> = all.iter().rev().take(last).filter(counts).collect();
            prop_assert_eq!(totals.calls, kept.len() as u64);
            prop_assert_eq!(totals.failed, kept.iter().filter(|it| it.1).count() as u64);
            prop_assert_eq!(totals.slow, kept.iter().filter(|it| it.2).count() as u64);
        }
    }

    /// Whatever happens: never more probes than allowed, open for exactly the reset timeout, and
    /// closed only after enough successes.
    #[test]
    fn a_breaker_keeps_its_rules(
        steps in prop::collection::vec((0u64..12, any::<bool>(), ending(), any::<prop::sample::Index>()), 1..300),
        half_open_max in 1u32..4,
        success_threshold in 1u32..4,
    ) {
        let options = BreakerOptions {
            window: Window::Calls(5),
            failure_threshold: Threshold::Rate(0.6),
            minimum_calls: 3,
            slow_calls: Some(SlowCalls { longer_than: SECOND, rate: 0.9 }),
            reset_timeout: SECOND * 10,
            half_open_max,
            success_threshold,
            timeout: None,
        };
        let mut now = Instant::now();
        let mut machine = Machine::new(options, now);
        // Calls that run, each with the period in which it began.
        let mut running: Vec<(_, u32)> = Vec::new();
        let (mut period, mut changed_at, mut succeeded) = (0, now, 0);
        for (pause, begins, ending, which) in steps {
            now += SECOND * u32::try_from(pause).expect("it is small");
            let before = machine.state();
            let probes = running.iter().filter(|(_, began)| *began == period).count();
            let transition = if begins || running.is_empty() {
                let (admitted, transition) = machine.admit(now);
                let due = now >= changed_at + SECOND * 10;
                let full = probes >= half_open_max as usize;
                prop_assert_eq!(admitted.is_ok(), match before {
                    State::Closed => true,
                    State::Open => due,
                    State::HalfOpen => !full || due,
                });
                if before == State::HalfOpen && full && due {
                    // Lost probes: a new period of the same state.
                    (period, changed_at, succeeded) = (period + 1, now, 0);
                }
                if transition.is_some() {
                    (period, changed_at, succeeded) = (period + 1, now, 0);
                }
                running.extend(admitted.ok().map(|ticket| (ticket, period)));
                prop_assert!(transition.is_none_or(|it| it == (State::Open, State::HalfOpen)));
                None
            } else {
                let (ticket, began) = running.swap_remove(which.index(running.len()));
                let transition = machine.record(ticket, ending, now);
                if began != period || ending == Ending::Nothing {
                    prop_assert_eq!(transition, None, "it says nothing about now");
                } else if before == State::HalfOpen {
                    let good = ending == Ending::Success { slow: false };
                    succeeded += u32::from(good);
                    let expected = if !good {
                        Some(State::Open)
                    } else {
                        (succeeded >= success_threshold).then_some(State::Closed)
                    };
                    prop_assert_eq!(transition.map(|(_, to)| to), expected);
                }
                transition
            };
            if transition.is_some() {
                (period, changed_at, succeeded) = (period + 1, now, 0);
            }
        }
    }
}

#[test]
fn a_count_opens_at_the_count_and_a_rate_not_before_the_minimum() {
    let now = Instant::now();
    let failure = Ending::Failure { slow: false };
    let opens_after = |threshold| {
        let options = BreakerOptions { failure_threshold: threshold, minimum_calls: 4, ..Default::default() };
        let mut machine = Machine::new(options, now);
        (1..100).find(|_| {
            let ticket = machine.admit(now).0.expect("it is closed");
            machine.record(ticket, failure, now).is_some()
        })
    };
    assert_eq!(opens_after(Threshold::Count(3)), Some(3));
    assert_eq!(opens_after(Threshold::Count(0)), Some(1));
    assert_eq!(opens_after(Threshold::Rate(0.5)), Some(4));
}

#[test]
fn any_failure_while_half_open_opens_it_again_and_successes_start_anew() {
    let mut now = Instant::now();
    let options = BreakerOptions { success_threshold: 2, reset_timeout: SECOND, ..Default::default() };
    let mut machine = Machine::new(options, now);
    machine.open(now);
    let success = Ending::Success { slow: false };
    for ending in [success, Ending::Failure { slow: false }] {
        now += SECOND;
        let ticket = machine.admit(now).0.expect("it may probe");
        machine.record(ticket, ending, now);
    }
    assert_eq!(machine.state(), State::Open);
    now += SECOND;
    let ticket = machine.admit(now).0.expect("it may probe");
    assert_eq!(machine.record(ticket, success, now), None, "the success before the failure is forgotten");
    let ticket = machine.admit(now).0.expect("it may probe");
    assert_eq!(machine.record(ticket, success, now), Some((State::HalfOpen, State::Closed)));
}

#[test]
fn probes_that_never_end_do_not_hold_it_for_ever() {
    let mut now = Instant::now();
    let mut machine = Machine::new(BreakerOptions { reset_timeout: SECOND, ..Default::default() }, now);
    machine.open(now);
    now += SECOND;
    let lost = machine.admit(now).0.expect("it may probe");
    assert_eq!(machine.admit(now).0, Err(Duration::ZERO));
    now += SECOND;
    assert!(machine.admit(now).0.is_ok(), "another may probe in its place");
    // The lost one comes back after all: it does not count any more.
    assert_eq!(machine.record(lost, Ending::Failure { slow: false }, now), None);
    assert_eq!(machine.state(), State::HalfOpen);
}
