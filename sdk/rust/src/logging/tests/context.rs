use std::sync::Arc;

use super::{LogContext, json};
use crate::logging::{Id, correlation_id};

#[test]
fn ids_and_values_reach_every_record_of_the_scope_and_the_innermost_wins() {
    let records = json(|| {
        let outer = LogContext::new().id(Id::Correlation, "c").id(Id::User, "ann").field("n", 1).tag("t");
        outer.with(|| {
            tracing::info!("a");
            LogContext::new().id(Id::User, "bob").id(Id::Customer, "acme").field("n", 2).with(|| {
                tracing::info!(n = 3, "b");
                tracing::info!("c");
            });
            tracing::info!("d");
        });
        tracing::info!("e");
    });
    let of = |place: usize| {
        let it: &serde_json::Value = &records[place];
        let text = |key: &str| it[key].as_str().unwrap_or("-").to_owned();
        (text("correlationId"), text("userId"), text("customerId"), it["metadata"]["n"].as_i64())
    };
    let all = |c: &str, u: &str, k: &str, n| (c.to_owned(), u.to_owned(), k.to_owned(), n);
    assert_eq!(of(0), all("c", "ann", "-", Some(1)));
    assert_eq!(of(1), all("c", "bob", "acme", Some(3)), "the record's own value goes over it");
    assert_eq!(of(2), all("c", "bob", "acme", Some(2)));
    assert_eq!(of(3), all("c", "ann", "-", Some(1)), "what was pushed is gone");
    assert_eq!(of(4), all("-", "-", "-", None));
    assert_eq!((&records[2]["tags"][0], &records[4]["tags"]), (&"t".into(), &serde_json::Value::Null));
}

#[test]
fn guards_may_end_in_any_order() {
    let first = LogContext::new().id(Id::User, "a").push();
    let second = LogContext::new().id(Id::Request, "r").push();
    drop(first);
    let current = LogContext::current();
    assert_eq!((current.get(Id::User), current.get(Id::Request)), (Some("a"), Some("r")), "it was merged");
    drop(second);
    assert_eq!(LogContext::current().get(Id::Request), None);
}

/// Two tasks on one thread take turns, each in its own context.
#[tokio::test]
async fn tasks_that_take_turns_do_not_mix() {
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let task = |id: &'static str| {
        let barrier = barrier.clone();
        LogContext::new().id(Id::Request, id).scope(async move {
            for _ in 0..10 {
                assert_eq!(LogContext::current().get(Id::Request), Some(id));
                barrier.wait().await;
            }
        })
    };
    tokio::join!(task("one"), task("two"));
    assert_eq!(LogContext::current().get(Id::Request), None);
}

#[test]
fn a_task_on_another_thread_has_the_context_of_where_it_was_made() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let _outer = LogContext::new().id(Id::Session, "s").push();
    let task = LogContext::new().id(Id::Task, "7").scope(async {
        tokio::task::yield_now().await;
        let current = LogContext::current();
        (current.get(Id::Session).map(str::to_owned), current.get(Id::Task).map(str::to_owned))
    });
    let seen = runtime.block_on(runtime.spawn(task)).unwrap();
    assert_eq!(seen, (Some("s".into()), Some("7".into())));
}

#[test]
fn a_correlation_id_is_a_random_uuid() {
    let id = correlation_id();
    let parts: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!((parts, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"));
    assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    assert_ne!(id, correlation_id());
}
