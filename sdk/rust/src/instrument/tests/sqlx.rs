//! Queries of sqlx in SQLite.

use std::error::Error;

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use tracing::instrument::WithSubscriber;

use super::{CLIENT, Observed, fact};
use crate::instrument::Database;

const INSERT: &str = "INSERT INTO users (mail, age) VALUES (?1, ?2)";
const MAIL: &str = "ann@example.org";

/// Where sqlx has the code of the database.
fn code(error: &(dyn Error + 'static)) -> Option<String> {
    Some(error.downcast_ref::<sqlx::Error>()?.as_database_error()?.code()?.into_owned())
}

/// A pool over a database of its own, and what watches it.
async fn open(observed: &Observed) -> (SqlitePool, Database) {
    // More connections would be more databases.
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    sqlx::query("CREATE TABLE users (mail TEXT UNIQUE, age INTEGER)").execute(&pool).await.unwrap();
    let database = Database::new(&observed.tracer, &observed.registry, "sqlite").namespace("shop");
    (pool, database.error_code(code))
}

#[tokio::test]
async fn queries_are_spans_of_their_caller_without_their_parameters() {
    let observed = Observed::new();
    let (pool, database) = open(&observed).await;
    let work = async {
        let insert = sqlx::query(INSERT).bind(MAIL).bind(4711).execute(&pool);
        let written = database.query("INSERT", "users").text(INSERT).run(insert).await.unwrap();
        assert_eq!(written.rows_affected(), 1);
        let sql = "SELECT age FROM users WHERE mail = 'ann@example.org' AND age > 4000";
        let select = sqlx::query(sql).fetch_all(&pool);
        let rows = database.query("SELECT", "users").text(sql).run(select).await.unwrap();
        assert_eq!(rows[0].get::<i64, _>("age"), 4711);
    };
    let mut request = observed.tracer.start("request");
    request.instrument(work).with_subscriber(observed.dispatch.clone()).await;
    request.end();

    let request = observed.span("request", 1);
    let (insert, select) = (observed.span("INSERT users", CLIENT), observed.span("SELECT users", CLIENT));
    for (span, text) in [(&insert, INSERT), (&select, "SELECT age FROM users WHERE mail = ? AND age > ?")] {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&request.trace_id, &request.span_id));
        assert_eq!(fact(span, "db.query.text").as_deref(), Some(text));
        let facts = ["db.system.name", "db.namespace", "db.collection.name"];
        assert_eq!(facts.map(|name| fact(span, name).unwrap()), ["sqlite", "shop", "users"]);
        assert!(span.status.is_none() && fact(span, "error.type").is_none());
    }
    let known = format!("{:?} {}", observed.spans(), observed.registry.prometheus());
    assert!(!known.contains(MAIL) && !known.contains("4711") && !known.contains("4000"), "{known}");
    let counted = observed.lines("db_client_operation_duration_seconds_count");
    assert_eq!(counted.len(), 2);
    for label in ["db_system_name=\"sqlite\"", "db_namespace=\"shop\"", "db_collection_name=\"users\""] {
        assert!(counted.iter().all(|it| it.contains(label) && it.ends_with(" 1")), "{counted:?}");
    }
}

#[tokio::test]
async fn errors_are_the_code_of_the_database_without_the_values_they_are_about() {
    let observed = Observed::new();
    let (pool, database) = open(&observed).await;
    let insert = || sqlx::query(INSERT).bind(MAIL).bind(4711).execute(&pool);
    database.query("INSERT", "users").run(insert()).await.unwrap();
    let twice = database.query("INSERT", "users").run(insert()).await.unwrap_err();
    assert!(twice.as_database_error().unwrap().is_unique_violation());
    // SQLite repeats what it does not understand.
    let sql = "SELECT 'ann@example.org";
    let half = database.query("SELECT", "").run(sqlx::query(sql).execute(&pool)).await.unwrap_err();
    assert!(half.to_string().contains(MAIL), "{half}");
    // Not from the database, which was not asked.
    pool.close().await;
    let closed = database.query("DELETE", "users").run(sqlx::query("DELETE FROM users").execute(&pool)).await;
    assert!(matches!(closed, Err(sqlx::Error::PoolClosed)));

    let spans = observed.spans();
    let failed: Vec<_> = spans.iter().filter_map(|it| Some((it, it.status.clone()?.message))).collect();
    let told: Vec<_> = failed
        .iter()
        .map(|(it, _)| (fact(it, "error.type").unwrap(), fact(it, "db.response.status_code")))
        .collect();
    let expected = [
        ("2067".to_owned(), Some("2067".to_owned())),
        ("1".to_owned(), Some("1".to_owned())),
        (std::any::type_name::<sqlx::Error>().to_owned(), None),
    ];
    assert_eq!(told, expected);
    assert!(failed[0].1.ends_with("UNIQUE constraint failed: users.mail"), "{failed:?}");
    assert!(!format!("{spans:?}").contains(MAIL), "{spans:?}");
    let counted = observed.lines("db_client_operation_duration_seconds_count");
    let label = "db_response_status_code=\"2067\"";
    assert!(counted.iter().any(|it| it.contains(label) && it.contains("error_type=\"2067\"")), "{counted:?}");
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_any_more_is_cancelled() {
    let observed = Observed::new();
    let (pool, database) = open(&observed).await;
    // The only connection is out, so that the query waits.
    let taken = pool.acquire().await.unwrap();
    let waiting = database.query("DELETE", "users").run(sqlx::query("DELETE FROM users").execute(&pool));
    tokio::select! {
        biased;
        result = waiting => panic!("it does not wait: {result:?}"),
        () = std::future::ready(()) => {}
    }
    drop(taken);
    let span = observed.span("DELETE users", CLIENT);
    assert_eq!(fact(&span, "error.type").as_deref(), Some("cancelled"));
}
