use std::fmt;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

use tracing::{error, info, info_span};

use crate::telemetry::otlp::{SpanKind, Status};
use crate::telemetry::tests::{Any, attributes, record_with, text};
use crate::telemetry::trace::{Span, Tracer, Traveller, set_current};
use crate::telemetry::{SpanContext, current_context, suppress};

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it broke")
    }
}

impl std::error::Error for Broken {}

#[test]
fn a_span_says_all_that_the_convention_knows() {
    let other = SpanContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let begin = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let sink = record_with(|tracer| {
        let mut span = tracer
            .scoped("app::cart")
            .span("add")
            .kind(SpanKind::Producer)
            .attribute("n", 1)
            .attribute("share", 0.5)
            .attribute("ok", true)
            .link(other, &[("why", "batch".into())])
            .started_at(begin)
            .start();
        span.set("n", 2);
        span.set("user", "ann");
        span.event("cache.miss", &[("key", "k".into())]);
        span.record_exception(&Broken);
        span.rename("add item");
        span.status(Status::Ok);
        span.status(Status::Error("too late".into()));
        span.end_at(begin + Duration::from_millis(5));
    });
    let spans = sink.spans();
    let span = &spans["add item"];
    assert_eq!((span.kind, span.flags & 1), (4, 1));
    assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_000_000);
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 5_000_000);
    let expected = [
        ("n", Any::IntValue(2)),
        ("share", Any::DoubleValue(0.5)),
        ("ok", Any::BoolValue(true)),
        ("user", text("ann")),
    ];
    assert_eq!(attributes(&span.attributes), expected.into());
    let names: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["cache.miss", "exception"]);
    assert_eq!(attributes(&span.events[1].attributes)["exception.message"], text("it broke"));
    assert!(span.events.iter().all(|event| event.time_unix_nano > 0));
    assert_eq!(
        (span.links[0].trace_id.as_slice(), span.links[0].span_id.as_slice()),
        (&other.trace_id[..], &other.span_id[..])
    );
    assert_eq!(attributes(&span.links[0].attributes)["why"], text("batch"));
    assert_eq!(span.status.clone().unwrap().code, 1);
    assert!(span.parent_span_id.is_empty());
}

#[test]
fn spans_of_ours_and_of_tracing_are_in_each_other() {
    let sink = record_with(|tracer| {
        let mut outer = tracer.start("outer");
        outer.in_scope(|| {
            info!("in outer");
            info_span!("middle").in_scope(|| {
                info!("in middle");
                let mut inner = tracer.start("inner");
                let entered = inner.enter();
                assert_eq!(current_context(), entered.context());
                info!("in inner");
                drop(entered);
                tracer.span("sibling").root().start().end();
            });
            set_current("found", true);
        });
        let child = tracer.span("child").child_of(&outer).start();
        drop((outer, child));
        assert_eq!(current_context(), None);
        set_current("nowhere", 1);
    });
    let (spans, logs) = (sink.spans(), sink.logs());
    for (child, parent) in [("middle", "outer"), ("inner", "middle"), ("child", "outer")] {
        assert_eq!(spans[child].parent_span_id, spans[parent].span_id, "{child}");
        assert_eq!(spans[child].trace_id, spans["outer"].trace_id, "{child}");
    }
    assert_ne!(spans["sibling"].trace_id, spans["outer"].trace_id);
    assert_eq!(attributes(&spans["outer"].attributes), [("found", Any::BoolValue(true))].into());
    for name in ["outer", "middle", "inner"] {
        let wanted = Some(text(&format!("in {name}")));
        let (_, log) = logs.iter().find(|(_, log)| log.body.clone().unwrap().value == wanted).unwrap();
        assert_eq!((&log.span_id, log.flags), (&spans[name].span_id, 1), "{name}");
    }
}

#[test]
fn a_span_fails_by_an_error_that_is_given_or_logged() {
    let sink = record_with(|tracer| {
        tracer.start("logged").in_scope(|| error!("no disk"));
        let mut fine = tracer.start("fine");
        fine.status(Status::Ok);
        fine.in_scope(|| error!("but it went on"));
        let mut given = tracer.start("given");
        given.fail(&Broken);
    });
    let spans = sink.spans();
    let status = |name: &str| spans[name].status.clone().map(|status| (status.code, status.message));
    assert_eq!(status("logged"), Some((2, "no disk".into())));
    assert_eq!(status("fine"), Some((1, String::new())));
    assert_eq!(status("given"), Some((2, "it broke".into())));
    let Any::StringValue(kind) = &attributes(&spans["given"].attributes)["error.type"] else { panic!() };
    assert!(kind.ends_with("::Broken"), "{kind}");
    assert_eq!(spans["given"].events[0].name, "exception");
}

#[test]
fn a_future_is_in_its_span_only_while_it_runs() {
    let sink = record_with(|tracer| {
        let mut polls = 0;
        let future = std::future::poll_fn(|context| {
            info!("poll");
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(Err::<(), _>(Broken)) }
        });
        let mut future = std::pin::pin!(tracer.start("work").run(future));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let result = loop {
            match future.as_mut().poll(&mut context) {
                Poll::Pending => assert_eq!(current_context(), None),
                Poll::Ready(result) => break result,
            }
        };
        assert!(result.is_err(), "the error is given back");
    });
    let work = &sink.spans()["work"];
    assert_eq!(work.status.clone().unwrap().code, 2);
    assert!(sink.logs().iter().all(|(_, log)| log.span_id == work.span_id));
    assert_eq!(sink.logs().len(), 3);
}

#[test]
fn a_journey_says_who_and_how_it_ended() {
    let sink = record_with(|tracer| {
        let traveller = Traveller { user_id: Some("u1"), session_id: None };
        let done = tracer.trace_user_journey("checkout", traveller, async { Ok::<_, Broken>(7) });
        assert_eq!(poll(done).unwrap(), 7);
        let failed = tracer.trace_user_journey("login", Traveller::default(), async { Err::<(), _>(Broken) });
        assert!(poll(failed).is_err());
    });
    let spans = sink.spans();
    let (checkout, login) = (&spans["user_journey.checkout"], &spans["user_journey.login"]);
    assert_eq!((checkout.kind, checkout.status.clone().unwrap().code), (3, 1));
    let of = |span| {
        let all: std::collections::HashMap<_, _> = attributes(span);
        ["user.journey", "user.id", "session.id"].map(|name| all[name].clone())
    };
    assert_eq!(of(&checkout.attributes), ["checkout", "u1", "unknown"].map(text));
    assert_eq!(of(&login.attributes), ["login", "anonymous", "unknown"].map(text));
    assert_eq!((login.status.clone().unwrap().code, login.events[0].name.as_str()), (2, "exception"));
}

fn poll<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn what_is_too_much_is_counted() {
    let sink = record_with(|tracer| {
        let mut span = tracer.start("many");
        for n in 0..200 {
            span.set(&format!("k{n}"), n);
            span.event("e", &[]);
        }
        span.set("k0", "replaced");
        span.end();
        let mut large = tracer.start("large");
        (0..5).for_each(|n| large.set(&format!("k{n}"), &"x".repeat(40_000)));
    });
    let spans = sink.spans();
    let many = &spans["many"];
    assert_eq!((many.attributes.len(), many.dropped_attributes_count), (128, 72));
    assert_eq!((many.events.len(), many.dropped_events_count), (128, 72));
    assert_eq!(attributes(&many.attributes)["k0"], text("replaced"));
    assert_eq!((spans["large"].attributes.len(), spans["large"].dropped_attributes_count), (2, 3));
}

#[test]
fn nothing_is_recorded_where_that_is_off_and_the_trace_goes_on() {
    let caller = SpanContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let sink = record_with(|tracer| {
        let silent = suppress();
        let mut span = tracer.start("never");
        assert!(!span.is_recorded());
        span.in_scope(|| tracer.start("nor this").end());
        drop(silent);
        let mut passed = Tracer::disabled().span("never").continues(Some(caller)).start();
        assert_eq!(passed.in_scope(current_context), Some(caller));
        let mut none = Tracer::disabled().start("never");
        none.set("a", 1);
        assert_eq!((none.context(), none.in_scope(current_context)), (None, None));
        drop(Span::none());
    });
    assert!(sink.spans().is_empty());
}
