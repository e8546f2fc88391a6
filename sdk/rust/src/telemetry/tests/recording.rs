//! From `tracing` to OTLP.

use std::error::Error;
use std::fmt;

use tracing::{debug, error, error_span, info, info_span, trace, warn};

use super::{Any, attributes, body, record, text};
use crate::telemetry::{SpanContext, current_context, suppress, suppressed};

#[test]
fn an_event_is_a_log_record() {
    let sink = record(|| {
        info!(
            target: "app::cart",
            n = 5,
            big = u64::MAX,
            share = 0.5,
            ok = true,
            user = "ann",
            list = ?[1, 2],
            id = %7,
            http.route = "/x",
            "added {} items",
            2
        );
        warn!("plain");
        debug!(target: "other", n = -1);
        trace!("{}", "x".repeat(300));
    });
    let logs = sink.logs();
    let (scope, log) = logs.iter().find(|(scope, _)| scope == "app::cart").unwrap();
    assert_eq!(scope, "app::cart");
    assert_eq!((log.severity_number, log.severity_text.as_str()), (9, "INFO"));
    assert_eq!(body(log).unwrap().value, Some(text("added 2 items")));
    assert!(log.time_unix_nano > 0 && log.time_unix_nano == log.observed_time_unix_nano);
    assert_eq!((log.trace_id.len(), log.span_id.len()), (0, 0));
    let found = attributes(&log.attributes);
    let expected = [
        ("n", Any::IntValue(5)),
        ("big", text("18446744073709551615")),
        ("share", Any::DoubleValue(0.5)),
        ("ok", Any::BoolValue(true)),
        ("user", text("ann")),
        ("list", text("[1, 2]")),
        ("id", text("7")),
        ("http.route", text("/x")),
    ];
    assert_eq!(found, expected.into());
    let severities: Vec<_> = logs.iter().map(|(_, log)| log.severity_number).collect();
    assert_eq!(severities.len(), 4);
    assert!(severities.contains(&13) && severities.contains(&5) && severities.contains(&1));
    let other = &logs.iter().find(|(scope, _)| scope == "other").unwrap().1;
    assert_eq!(body(other), None);
}

#[derive(Debug)]
struct Outer(Inner);

#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot save")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk full")
    }
}

impl Error for Inner {}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_is_told_with_its_causes() {
    let sink = record(|| {
        let error = Outer(Inner);
        warn!(error = &error as &(dyn Error + 'static), "skipped");
    });
    assert_eq!(attributes(&sink.logs()[0].1.attributes)["error"], text("cannot save: disk full"));
}

#[test]
fn spans_are_linked_and_logs_are_in_them() {
    let sink = record(|| {
        let root = info_span!("root", otel.kind = "server", late = tracing::field::Empty, again = 1);
        root.in_scope(|| {
            info!("in root");
            let child = info_span!("child", n = 1);
            child.in_scope(|| info!("in child"));
            // Explicitly elsewhere, though `root` is entered.
            let _orphan = info_span!(parent: None, "orphan");
        });
        root.record("late", "now");
        root.record("again", 2);
        info!(parent: &root, "by hand");
        info!("outside");
    });
    let spans = sink.spans();
    let (root, child) = (&spans["root"], &spans["child"]);
    assert_eq!((root.trace_id.len(), root.span_id.len()), (16, 8));
    assert!(root.parent_span_id.is_empty());
    assert_eq!(child.trace_id, root.trace_id);
    assert_eq!(child.parent_span_id, root.span_id);
    assert_ne!(child.span_id, root.span_id);
    assert_ne!(spans["orphan"].trace_id, root.trace_id);
    assert_eq!((root.kind, child.kind), (2, 1));
    assert!(root.start_time_unix_nano <= child.start_time_unix_nano);
    assert!(child.end_time_unix_nano <= root.end_time_unix_nano);
    assert_eq!(root.status, None);
    assert_eq!(attributes(&root.attributes), [("late", text("now")), ("again", Any::IntValue(2))].into());
    let logs = sink.logs();
    let span_of = |message: &str| {
        let log = logs.iter().find(|(_, log)| body(log).unwrap().value == Some(text(message))).unwrap();
        log.1.span_id.clone()
    };
    assert_eq!(span_of("in root"), root.span_id);
    assert_eq!(span_of("in child"), child.span_id);
    assert_eq!(span_of("by hand"), root.span_id);
    assert!(span_of("outside").is_empty());
}

#[test]
fn a_failed_span_says_so() {
    let sink = record(|| {
        info_span!("logged").in_scope(|| error!("it broke"));
        info_span!("told", error = "timeout");
        info_span!("typed", error.type = "503");
        info_span!("fine", otel.status_code = "ok").in_scope(|| error!("but it went on"));
        error_span!("calm", otel.name = "renamed").in_scope(|| warn!("odd"));
    });
    let spans = sink.spans();
    let status = |name: &str| spans[name].status.clone().map(|status| (status.code, status.message));
    assert_eq!(status("logged"), Some((2, "it broke".into())));
    assert_eq!(status("told"), Some((2, "timeout".into())));
    assert_eq!(status("typed"), Some((2, "503".into())));
    assert_eq!(status("fine"), Some((1, String::new())));
    assert_eq!(status("renamed"), None);
    assert_eq!(attributes(&spans["typed"].attributes)["error.type"], text("503"));
    assert!(!spans.contains_key("calm"));
}

#[test]
fn a_trace_goes_on_in_another_process() {
    let mut sent = String::new();
    let caller = record(|| {
        assert_eq!(current_context(), None);
        let outer = info_span!("outer").entered();
        let inner = info_span!("call").entered();
        sent = current_context().unwrap().to_string();
        // Left in the wrong order.
        drop(outer);
        assert_eq!(current_context().unwrap().to_string(), sent);
        drop(inner);
        assert_eq!(current_context(), None);
    });
    let callee = record(|| drop(info_span!("answer", traceparent = %sent)));
    let (call, answer) = (&caller.spans()["call"], &callee.spans()["answer"]);
    assert_eq!(answer.trace_id, call.trace_id);
    assert_eq!(answer.parent_span_id, call.span_id);
    assert!(answer.attributes.is_empty());
}

#[test]
fn traceparents_are_read() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(SpanContext::parse(good).unwrap().to_string(), good);
    assert!(SpanContext::parse(&good.replace("00-4", "cc-4")).is_some());
    assert!(SpanContext::parse(&format!("{}-future", good.replace("00-4", "cc-4"))).is_some());
    for bad in [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-äbf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
    ] {
        assert_eq!(SpanContext::parse(bad), None, "{bad}");
    }
}

#[test]
fn nothing_is_recorded_under_suppression() {
    let sink = record(|| {
        info!("before");
        let silent = {
            let _guard = suppress();
            let _inner = suppress();
            info!("never");
            info_span!("silent")
        };
        // Silence is inherited, on other threads too.
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    silent.in_scope(|| {
                        info!("never");
                        info_span!("also silent").in_scope(|| error!("never"));
                    });
                    info!("between");
                });
            });
        });
        info!("after");
    });
    let bodies: Vec<_> = sink.logs().into_iter().map(|(_, log)| body(&log).unwrap().value.unwrap()).collect();
    assert_eq!(bodies, [text("before"), text("between"), text("after")]);
    assert!(sink.spans().is_empty());
}

#[test]
fn a_suppressed_future_is_silent_only_while_it_runs() {
    let sink = record(|| {
        let mut polls = 0;
        let mut future = std::pin::pin!(suppressed(std::future::poll_fn(|context| {
            info!("never");
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while future.as_mut().poll(&mut context).is_pending() {
            info!("between");
        }
    });
    let bodies: Vec<_> = sink.logs().into_iter().map(|(_, log)| body(&log).unwrap().value.unwrap()).collect();
    assert_eq!(bodies, [text("between"), text("between")]);
}

#[test]
fn a_record_within_a_record_is_dropped_not_stuck() {
    struct Chatty;
    impl fmt::Debug for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("within");
            f.write_str("chatty")
        }
    }
    let sink = record(|| info!(it = ?Chatty, "outer"));
    let logs = sink.logs();
    assert_eq!(logs.len(), 1);
    assert_eq!(attributes(&logs[0].1.attributes)["it"], text("chatty"));
}

#[test]
fn a_metric_name_of_two_kinds_is_an_error_in_the_log() {
    let registry = crate::telemetry::metrics::Registry::new();
    let sink = record(|| {
        registry.record_counter("orders", 1, &[]);
        registry.record_counter("orders", 1, &[]);
        registry.record_gauge("orders", 9.0, &[]);
    });
    let logs = sink.logs();
    let [(_, clash)] = &logs[..] else { panic!("{logs:?}") };
    assert_eq!(clash.severity_text, "ERROR");
    let told = attributes(&clash.attributes);
    assert_eq!((&told["name"], &told["taken_by"]), (&text("orders"), &text("counter")));
}
