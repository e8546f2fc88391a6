use std::time::{Duration, UNIX_EPOCH};

use tracing::{info, info_span};

use crate::telemetry::tests::{record_sampled, text};
use crate::telemetry::{Sampler, Sampling, SpanContext, current_context};

const SECOND: u64 = 1_000_000_000;

fn caller(sampled: bool) -> SpanContext {
    let text = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{:02x}", u8::from(sampled));
    SpanContext::parse(&text).unwrap()
}

#[test]
fn a_ratio_is_by_the_id_as_other_sdks_have_it() {
    let id = |low: u64| u128::from(low).to_be_bytes();
    let half = Sampler::Ratio(0.5);
    // Half of the 63 bits: 0x4000… of those shifted by one.
    assert!(half.samples(None, id(0x7fff_ffff_ffff_fffe), 0));
    assert!(!half.samples(None, id(0x8000_0000_0000_0000), 0));
    assert!(!half.samples(Some(&caller(true)), id(u64::MAX), 0), "whatever the caller says");
    assert!(!Sampler::Ratio(0.0).samples(None, id(0), 0));
    assert!(Sampler::Ratio(1.0).samples(None, id(u64::MAX), 0));
    let sampled = |share| {
        let sampling = Sampling::from(Sampler::Ratio(share));
        let all = (0..10_000).map(|_| sampling.begin(crate::telemetry::sampler::Caller::Nobody, 0));
        all.filter(SpanContext::is_sampled).count()
    };
    // Ten standard deviations either way.
    assert!((700..1300).contains(&sampled(0.1)), "{}", sampled(0.1));
}

#[test]
fn a_limit_is_by_time() {
    let limited = Sampler::rate_limited(2.0);
    let at = |now| limited.samples(None, [1; 16], now);
    assert_eq!([0, 0, 0, 1].map(|offset| at(10 * SECOND + offset)), [true, true, false, false]);
    assert_eq!([SECOND / 2, SECOND / 2 + 1].map(|offset| at(10 * SECOND + offset)), [true, false]);
    // What was not used in a long time is not saved up.
    assert_eq!((0..5).filter(|_| at(1000 * SECOND)).count(), 2);
    let seldom = Sampler::rate_limited(0.1);
    assert!(seldom.samples(None, [1; 16], SECOND) && !seldom.samples(None, [1; 16], 10 * SECOND));
    assert!(seldom.samples(None, [1; 16], 11 * SECOND));
    assert!(!Sampler::rate_limited(0.0).samples(None, [1; 16], SECOND));
}

#[test]
fn the_caller_decides_where_that_is_said() {
    let by_caller = Sampler::parent_based(Sampler::AlwaysOff);
    assert!(by_caller.samples(Some(&caller(true)), [1; 16], 0));
    assert!(!by_caller.samples(Some(&caller(false)), [1; 16], 0));
    assert!(!by_caller.samples(None, [1; 16], 0));
}

#[test]
fn the_environment_names_the_sampler() {
    let named = |name, argument| {
        let (sampler, error) = Sampler::from_variables(name, argument);
        (format!("{sampler:?}"), error.map(|error| error.to_string()))
    };
    let fine = |name, argument| {
        let (sampler, error) = named(Some(name), argument);
        assert_eq!(error, None);
        sampler
    };
    assert_eq!(named(None, None), ("ParentBased(AlwaysOn)".into(), None));
    assert_eq!(fine("always_off", None), "AlwaysOff");
    assert_eq!(fine("traceidratio", Some("0.25")), "Ratio(0.25)");
    assert_eq!(fine("parentbased_traceidratio", None), "ParentBased(Ratio(1.0))");
    assert_eq!(fine(" ParentBased_Always_On ", Some("")), "ParentBased(AlwaysOn)");
    assert!(fine("parentbased_ratelimited", Some("5")).contains("200000000"));
    for (name, argument) in [
        ("jaeger_remote", None),
        ("traceidratio", Some("2")),
        ("traceidratio", Some("x")),
        ("ratelimited", Some("-1")),
    ] {
        let (sampler, error) = named(Some(name), argument);
        assert_eq!(sampler, "ParentBased(AlwaysOn)", "{name}");
        assert!(error.is_some_and(|error| error.contains("is left out")), "{name}");
    }
}

#[test]
fn what_is_not_sampled_is_passed_on_and_its_logs_still_tell_the_trace() {
    let sink = record_sampled(Sampler::AlwaysOff, |tracer| {
        let mut outer = tracer.start("outer");
        outer.in_scope(|| {
            assert!(!current_context().unwrap().is_sampled());
            info_span!("inner").in_scope(|| {
                assert_eq!(current_context().unwrap().trace_id, outer_trace());
                info!("told");
            });
        });
        info_span!("alone").in_scope(|| assert!(!current_context().unwrap().is_sampled()));
    });
    assert!(sink.spans().is_empty());
    let logs = sink.logs();
    assert_eq!(logs.len(), 1);
    assert_eq!((logs[0].1.flags, logs[0].1.trace_id.len()), (0, 16));
    assert_eq!(logs[0].1.body.clone().unwrap().value, Some(text("told")));
}

/// The trace that this thread is in.
fn outer_trace() -> [u8; 16] {
    current_context().unwrap().trace_id
}

#[test]
fn what_failed_or_was_slow_is_kept_whatever_was_decided_before() {
    let sampling = Sampling {
        head: Sampler::AlwaysOff,
        keep_errors: true,
        keep_slower_than: Some(Duration::from_secs(1)),
    };
    let begin = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let sink = record_sampled(sampling, |tracer| {
        let timed = |name: &'static str, millis| {
            let span = tracer.span(name).started_at(begin).start();
            assert!(span.context().is_some_and(|context| !context.is_sampled()));
            span.end_at(begin + Duration::from_millis(millis));
        };
        timed("fast", 999);
        timed("slow", 1000);
        tracer.start("failed").fail(&std::fmt::Error);
        info_span!("of tracing").in_scope(|| tracing::error!("no"));
        info_span!("fine").in_scope(|| info!("yes"));
    });
    let spans = sink.spans();
    let mut names: Vec<_> = spans.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["failed", "of tracing", "slow"]);
    assert!(spans.values().all(|span| span.flags & 1 == 0), "what callees were told stays true");
}
