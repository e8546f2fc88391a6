//! Databases, caches and queues.

use std::fmt;
use std::time::Duration;

use tracing::Dispatch;

use super::{CLIENT, CONSUMER, Observed, PRODUCER, fact};
use crate::instrument::statement::without_values;
use crate::instrument::summary::summary;
use crate::instrument::{Cache, CacheResult, Database, Message, Queue, sanitized, sanitized_for};
use crate::propagation::Context;
use crate::telemetry::current_context;

#[derive(Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for TimedOut {}

#[tokio::test]
async fn queries_are_spans_and_durations() {
    let observed = Observed::new();
    let _default = tracing::dispatcher::set_default(&observed.dispatch);
    let database =
        Database::new(&observed.tracer, &observed.registry, "postgresql").namespace("shop").server("db1");
    let statement = r#"SELECT * FROM "orders" WHERE id = 7 AND mail = 'a@b.c'"#;
    let found = database.query("SELECT", "orders").text(statement).run(async { Ok::<_, TimedOut>(3) }).await;
    assert_eq!(found.unwrap(), 3);
    let lost = database.time_query("UPDATE", "orders", async { Err::<(), _>(TimedOut) }).await;
    assert!(lost.is_err());
    drop(database.time_query("PING", "", std::future::pending::<Result<(), TimedOut>>()));
    let dropped =
        tokio_test_poll(database.time_query("PING", "", std::future::pending::<Result<(), TimedOut>>()));
    assert!(dropped.is_none());

    let span = observed.span("SELECT orders", CLIENT);
    let facts =
        ["db.system.name", "db.operation.name", "db.collection.name", "db.namespace", "server.address"];
    assert_eq!(
        facts.map(|name| fact(&span, name).unwrap()),
        ["postgresql", "SELECT", "orders", "shop", "db1"]
    );
    assert_eq!(fact(&span, "db.query.text").unwrap(), r#"SELECT * FROM "orders" WHERE id = ? AND mail = ?"#);
    let failed = observed.span("UPDATE orders", CLIENT);
    assert_eq!(fact(&failed, "error.type").as_deref(), Some(std::any::type_name::<TimedOut>()));
    assert_eq!(fact(&failed, "db.response.status_code"), None);
    assert_eq!(failed.status.unwrap().message, "timed out");
    assert_eq!(fact(&observed.span("PING", CLIENT), "error.type").as_deref(), Some("cancelled"));
    let counted = observed.lines("db_client_operation_duration_seconds_count");
    assert_eq!(counted.len(), 3, "{counted:?}");
    assert!(counted.iter().any(|it| it.contains("data::TimedOut\"") && it.ends_with(" 1")), "{counted:?}");
}

/// Polls once and drops.
fn tokio_test_poll<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn statements_are_shown_without_what_they_are_about() {
    for (statement, shown) in [
        (
            "SELECT a1, b FROM t2 WHERE x = 'it''s' AND y = 'a\\b'",
            "SELECT a1, b FROM t2 WHERE x = ? AND y = ?",
        ),
        ("INSERT INTO t VALUES (1, -2.5e10, 0xFF, NULL)", "INSERT INTO t VALUES (?, -?, ?, NULL)"),
        ("SELECT $1, $$secret$$, $tag$ it's $tag$ FROM T", "SELECT $1, ?, ? FROM T"),
        // A backslash escapes the quote for some servers and not for others: nothing after it is shown.
        ("SELECT * FROM f WHERE path = 'C:\\' AND pw = 'secret'", "SELECT * FROM f WHERE path = ?"),
        ("SELECT a WHERE x = 'it\\''s' AND pw = 'secret'", "SELECT a WHERE x = ?"),
        ("SELECT a WHERE x = 'C:\\\\' AND pw = 'secret'", "SELECT a WHERE x = ? AND pw = ?"),
        // What MySQL and SQLite take for a text.
        ("SELECT a FROM t WHERE pw = \"secret\" AND n = \"it's\"", "SELECT a FROM t WHERE pw = ? AND n = ?"),
        ("SELECT `don't` FROM t WHERE pw = 'secret'", "SELECT `don't` FROM t WHERE pw = ?"),
        ("SELECT a # don't\nFROM t WHERE pw = 'secret'", "SELECT a \nFROM t WHERE pw = ?"),
        ("SELECT q'[it's]', 'secret' FROM t", "SELECT q?"),
        ("SELECT /* a /* b */ c */ 1", "SELECT  ?"),
        ("SELECT 1 /* key 77 */ -- mail a@b\nFROM t", "SELECT ?  \nFROM t"),
        ("SELECT 'never closed", "SELECT ?"),
        ("SELECT /* never closed", "SELECT "),
        ("SELECT größe FROM übersicht WHERE ü = 'ß'", "SELECT größe FROM übersicht WHERE ü = ?"),
        ("SELECT ?1, ?, :name, @p1 FROM t LIMIT ?2", "SELECT ?1, ?, :name, @p1 FROM t LIMIT ?2"),
        ("", ""),
    ] {
        assert_eq!(sanitized(statement), shown, "{statement}");
    }
}

#[test]
fn quotes_and_hashes_are_read_as_the_database_reads_them() {
    let statement = "SELECT `a` FROM t WHERE b = \"it's\" # secret\nAND c = 'd'";
    assert_eq!(sanitized_for("mysql", statement), "SELECT `a` FROM t WHERE b = ? \nAND c = ?");
    let statement = "SELECT \"a\" FROM t WHERE b #> '{c}'";
    assert_eq!(sanitized_for("postgresql", statement), "SELECT \"a\" FROM t WHERE b #> ?");
}

#[test]
fn errors_are_told_without_the_values_that_they_are_about() {
    for (error, shown) in [
        ("timed out", "timed out"),
        ("duplicate key violates \"mail_key\"\nDETAIL: Key (mail)=(a@b.c)", "duplicate key violates ?"),
        ("Duplicate entry 'it's' for key 'mail'", "Duplicate entry ?"),
        ("(code: 2067) UNIQUE constraint failed: users.mail", "? UNIQUE constraint failed: users.mail"),
        ("The value is (a (b) c). It is there", "The value is ?. It is there"),
        ("near \"it's\": syntax error", "near ?: syntax error"),
        ("unknown command `GTE` of 'ann", "unknown command ? of ?"),
        ("only one '", "only one ?"),
        ("", ""),
    ] {
        assert_eq!(without_values(error), shown, "{error}");
    }
}

#[test]
fn look_ups_in_caches_are_counted() {
    let observed = Observed::new();
    let cache = Cache::new(&observed.registry, "users");
    assert_eq!(cache.found(Some(7)), Some(7));
    assert_eq!(cache.found_in(Duration::from_millis(2), None::<u8>), None);
    cache.count(CacheResult::Hit);
    cache.evicted(4);
    cache.entries(10);
    assert_eq!(
        observed.lines("cache_lookups_total"),
        [
            "cache_lookups_total{cache_name=\"users\",cache_result=\"hit\"} 2",
            "cache_lookups_total{cache_name=\"users\",cache_result=\"miss\"} 1"
        ]
    );
    assert_eq!(observed.lines("cache_entries"), ["cache_entries{cache_name=\"users\"} 10"]);
    assert_eq!(observed.lines("cache_evictions_total").len(), 1);
    assert_eq!(
        observed.lines("cache_lookup_duration_seconds_count"),
        ["cache_lookup_duration_seconds_count{cache_name=\"users\"} 1"]
    );
}

#[tokio::test]
async fn a_message_is_one_trace_from_who_sends_it_to_who_works_on_it() {
    let observed = Observed::new();
    let _default: tracing::dispatcher::DefaultGuard =
        tracing::dispatcher::set_default(&Dispatch::clone(&observed.dispatch));
    let queue = Queue::new(&observed.tracer, &observed.registry, "nats");
    let mut waiting = Vec::new();
    let send = queue.produce("orders", Vec::<(String, String)>::new(), async |headers| {
        waiting.push(headers);
        Ok::<_, TimedOut>(())
    });
    Context::with_baggage("tenant", "acme").scope(send).await.unwrap();
    let message = Message { destination: "orders", id: Some("m1"), worker: Some("packing") };
    let work = async {
        assert_eq!(Context::baggage().get("tenant"), Some("acme"));
        assert!(current_context().is_some());
        Err::<(), _>(TimedOut)
    };
    assert!(queue.time_processing(message, &waiting[0], work).await.is_err());

    let (sent, processed) =
        (observed.span("send orders", PRODUCER), observed.span("process orders", CONSUMER));
    assert_eq!((&processed.trace_id, &processed.parent_span_id), (&sent.trace_id, &sent.span_id));
    assert_eq!(fact(&processed, "messaging.message.id").as_deref(), Some("m1"));
    assert_eq!(fact(&processed, "messaging.consumer.group.name").as_deref(), Some("packing"));
    assert_eq!(fact(&processed, "error.type").as_deref(), Some(std::any::type_name::<TimedOut>()));
    assert_eq!(fact(&sent, "error.type"), None);
    assert_eq!(observed.lines("messaging_client_sent_messages_total").len(), 1);
    let consumed = observed.lines("messaging_client_consumed_messages_total");
    assert!(consumed[0].contains("data::TimedOut\"") && !consumed[0].contains("m1"), "{consumed:?}");
    assert_eq!(observed.lines("messaging_process_duration_seconds_count").len(), 1);
    assert_eq!(observed.lines("messaging_client_operation_duration_seconds_count").len(), 1);
}

#[test]
fn a_statement_says_what_it_does_and_to_what() {
    for (statement, told) in [
        ("SELECT a, b FROM orders WHERE id = 7", ("SELECT", "orders")),
        ("select extract(year from at) from \"shop\".\"orders\" o", ("SELECT", "shop\".\"orders")),
        ("-- from here\nINSERT INTO orders (a) SELECT a FROM old", ("INSERT", "orders")),
        ("UPDATE ONLY orders SET state = 'from'", ("UPDATE", "orders")),
        ("DELETE /* from a */ FROM `orders`", ("DELETE", "orders")),
        ("WITH recent AS (SELECT * FROM old) SELECT * FROM recent", ("SELECT", "recent")),
        ("CREATE TABLE IF NOT EXISTS orders (id INT)", ("CREATE", "orders")),
        ("SELECT 'a FROM b'", ("SELECT", "")),
        ("SELECT 1", ("SELECT", "")),
        ("BEGIN", ("BEGIN", "")),
        ("secret", ("_OTHER", "")),
        ("", ("_OTHER", "")),
        ("SELECT (a FROM 'it", ("SELECT", "")),
    ] {
        assert_eq!(summary(statement), told, "{statement}");
    }
}

#[tokio::test]
async fn a_statement_is_a_span_by_its_summary() {
    let observed = Observed::new();
    let database = Database::new(&observed.tracer, &observed.registry, "sqlite");
    let sql = "SELECT total FROM orders WHERE mail = 'a@b.c'";
    database.statement(sql).run(async { Ok::<_, TimedOut>(12) }).await.unwrap();
    let span = observed.span("SELECT orders", CLIENT);
    assert_eq!(fact(&span, "db.query.text").unwrap(), "SELECT total FROM orders WHERE mail = ?");
    assert_eq!(fact(&span, "db.collection.name").as_deref(), Some("orders"));
}
