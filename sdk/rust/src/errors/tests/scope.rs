use std::sync::mpsc;

use super::{Received, run};
use crate::errors::{
    BREADCRUMB_BYTES_MAX, BREADCRUMBS_MAX, ErrorLayer, User, add_breadcrumb, capture_message, scope,
    set_user, with_scope,
};
use crate::logging::{Id, LogContext, NO_VALUES, Severity};
use crate::telemetry::tests::{Any, attributes, text};

fn capture(message: &str) {
    capture_message(Severity::Error, message, NO_VALUES);
}

/// The texts of the breadcrumbs of a report, each with its facts.
fn breadcrumbs(received: &Received, body: &str) -> Vec<(String, Option<Any>)> {
    let told = received.of(body);
    let Some(Any::ArrayValue(all)) = told.get("fresnel.breadcrumbs").cloned() else { return Vec::new() };
    let map = |value| match value {
        Some(Any::KvlistValue(map)) => map,
        other => panic!("{other:?}"),
    };
    let one = |entry: opentelemetry_proto::tonic::common::v1::AnyValue| {
        let map = map(entry.value);
        let fields = attributes(&map.values);
        assert!(matches!(fields["timeUnixNano"], Any::IntValue(nanos) if nanos > 0), "{fields:?}");
        let Any::StringValue(message) = &fields["message"] else { panic!("{fields:?}") };
        (message.clone(), fields.get("data").cloned())
    };
    all.values.into_iter().map(one).collect()
}

pub(super) fn messages(received: &Received, body: &str) -> Vec<String> {
    breadcrumbs(received, body).into_iter().map(|(message, _)| message).collect()
}

#[test]
fn scopes_begin_as_what_is_around_them_and_keep_to_themselves() {
    let received = run(ErrorLayer::default(), || {
        with_scope(|| {
            set_user(User::new("ann"));
            add_breadcrumb("outer", "ui", NO_VALUES);
            with_scope(|| {
                set_user(User::new("bob"));
                add_breadcrumb("inner", "ui", NO_VALUES);
                // A context without a scope of its own is in the one around it.
                LogContext::new().id(Id::Request, "r").with(|| add_breadcrumb("within", "ui", NO_VALUES));
                capture("in the inner");
            });
            capture("in the outer");
            set_user(None);
            capture("of nobody");
        });
    });
    assert_eq!(messages(&received, "in the inner"), ["outer", "inner", "within"]);
    assert_eq!(messages(&received, "in the outer"), ["outer"]);
    assert_eq!(received.of("in the inner")["user.id"], text("bob"));
    assert_eq!(received.of("in the outer")["user.id"], text("ann"));
    assert!(!received.of("of nobody").contains_key("user.id"));
}

#[test]
fn tasks_that_take_turns_on_a_thread_do_not_mix() {
    let received = run(ErrorLayer::default(), || {
        let task = |name: &'static str| {
            scope(async move {
                set_user(User::new(name));
                for step in 0..3 {
                    add_breadcrumb(&format!("{name} {step}"), "step", NO_VALUES);
                    tokio::task::yield_now().await;
                }
                capture(name);
            })
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { tokio::join!(task("a"), task("b"), task("c")) });
    });
    for name in ["a", "b", "c"] {
        let expected: Vec<_> = (0..3).map(|step| format!("{name} {step}")).collect();
        assert_eq!(messages(&received, name), expected);
        assert_eq!(received.of(name)["user.id"], text(name));
    }
}

#[test]
fn a_scope_follows_its_future_to_another_thread() {
    let received = run(ErrorLayer::default(), || {
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = with_scope(|| {
            add_breadcrumb("asked", "http", NO_VALUES);
            scope(async { capture("elsewhere") })
        });
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(task);
            });
            sender.send(()).unwrap();
        });
        receiver.recv().unwrap();
    });
    assert_eq!(messages(&received, "elsewhere"), ["asked"]);
}

#[test]
fn breadcrumbs_are_bounded_and_searched_for_secrets() {
    let received = run(ErrorLayer::default(), || {
        with_scope(|| {
            (0..BREADCRUMBS_MAX + 3).for_each(|n| add_breadcrumb(&format!("{n}"), "count", NO_VALUES));
            capture("many");
        });
        with_scope(|| {
            let long = "ä".repeat(BREADCRUMB_BYTES_MAX);
            let data = [("auth_token", "t".to_owned()), ("long", long.clone()), ("n", "1".to_owned())];
            add_breadcrumb(&long, "http", data);
            capture("long");
        });
    });
    let many = messages(&received, "many");
    assert_eq!((many.len(), many[0].as_str()), (BREADCRUMBS_MAX, "3"), "the oldest go");
    let (message, data) = breadcrumbs(&received, "long").remove(0);
    assert_eq!(message, "ä".repeat(BREADCRUMB_BYTES_MAX / 2));
    let Some(Any::KvlistValue(data)) = data else { panic!("{data:?}") };
    let expected = [("auth_token", text("[REDACTED]")), ("n", text("1"))];
    assert_eq!(attributes(&data.values), expected.into());
}
