//! Properties of statements that golden files do not say.

use model::Table;
use proptest::prelude::*;

use super::data::{BEGIN, SECOND, mix};
use super::place::{Place, Placed};
use super::{ask, engine, start, tenant, value};
use crate::QueryError;
use crate::{Engine, Missing, SqlRequest};

const QUESTIONS: [&str; 5] = [
    "SELECT service_name, severity_number, count(*), min(time), max(observed_time) FROM logs \
     WHERE severity_number > 5 GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT time, trace_id, attributes['user'], body FROM logs WHERE trace_id IS NOT NULL ORDER BY time DESC, body LIMIT 9",
    "SELECT trace_id, kind, duration_nano FROM spans WHERE status_code = 'error' ORDER BY span_id",
    "SELECT metric_name, attributes['color'], sum(value), sum(count), count(*) FROM metrics GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*) FROM logs l JOIN spans s ON l.trace_id = s.trace_id AND l.service_name = s.service_name",
];

async fn answers(engine: &Engine) -> Vec<Vec<Vec<String>>> {
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push(ask(engine, question).await.unwrap().0);
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// The answer does not depend on where records are.
    #[test]
    fn any_split_has_the_same_answer(seed: u64, memory in 0_u64..4, segments in 0_u64..6) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let expected = answers(&engine(Placed::shop(|_, _| Place::Memory(0)))).await;
            let parts = (memory + segments).max(1);
            let placed = Placed::shop(|table: Table, row| {
                let part = mix(seed ^ (row as u64 * 8 + table as u64)) % parts;
                let index = usize::try_from(part).unwrap();
                if part < memory { Place::Memory(index) } else { Place::Segment(index) }
            });
            let found = answers(&engine(placed)).await;
            assert_eq!(found, expected);
        });
    }
}

#[tokio::test]
async fn a_tenant_sees_only_its_own_records() {
    let engine =
        engine(Placed::shop(|_, row| if row % 2 == 0 { Place::Memory(0) } else { Place::Segment(0) }));
    let other = SqlRequest::new(model::Tenant::parse("other").unwrap(), "SELECT body FROM logs");
    let mut running = engine.sql(other).await.unwrap();
    assert!(running.next().await.is_none());
    assert_eq!(value(&engine, "SELECT count(*) FROM logs").await, "400");
}

#[tokio::test]
async fn one_snapshot_serves_all_tables_of_a_query() {
    let engine = engine(Placed::shop(|_, _| Place::Segment(0)));
    let joined = "SELECT count(*) FROM logs a JOIN logs b USING (time) JOIN spans c ON true WHERE c.span_id IN (SELECT span_id FROM spans)";
    assert_ne!(value(&engine, joined).await, "0");
}

#[tokio::test]
async fn schemas_are_what_is_documented() {
    let engine = engine(Placed::shop(|_, _| Place::Memory(0)));
    let running = start(&engine, "SELECT time, observed_time, trace_id, attributes FROM logs").await.unwrap();
    let schema = running.schema();
    let field = |name: &str| schema.field_with_name(name).unwrap().clone();
    assert_eq!(field("time").data_type().to_string(), "Timestamp(ns, \"UTC\")");
    assert!(!field("time").is_nullable() && field("observed_time").is_nullable());
    assert_eq!(field("trace_id").data_type().to_string(), "Utf8");
    assert_eq!(*field("attributes").data_type(), model::schema::attributes_type());
}

#[tokio::test]
async fn explain_shows_and_does_not_run_what_it_explains() {
    let engine = engine(Placed::shop(|_, _| Place::Segment(0)));
    let (rows, summary) =
        ask(&engine, "EXPLAIN SELECT count(*) FROM logs WHERE service_name = 'cart'").await.unwrap();
    assert!(rows.iter().flatten().any(|text| text.contains("parquet")), "{rows:?}");
    assert_eq!((summary.scanned_rows, summary.scanned_bytes), (0, 0));
    let (rows, _) =
        ask(&engine, "EXPLAIN ANALYZE SELECT count(*) FROM logs WHERE service_name = 'cart'").await.unwrap();
    assert!(rows.iter().flatten().any(|text| text.contains("output_rows")), "{rows:?}");
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let mut placed = Placed::shop(|_, row| if row < 200 { Place::Segment(0) } else { Place::Segment(1) });
    let (times, warning) = ((BEGIN, BEGIN + SECOND), "`a.parquet` was set aside".to_owned());
    placed.missing = vec![Missing { times, warning }];
    let engine = engine(placed);
    let (_, summary) = ask(&engine, "SELECT count(*) FROM logs").await.unwrap();
    assert!(!summary.complete);
    assert_eq!(summary.warnings, ["`a.parquet` was set aside"]);
    // Whether it is missing depends on what is asked.
    for (from, complete) in [(BEGIN, false), (BEGIN + SECOND, false), (BEGIN + SECOND + 1, true)] {
        let statement = format!("SELECT count(*) FROM logs WHERE time >= to_timestamp_nanos({from})");
        let (_, summary) = ask(&engine, &statement).await.unwrap();
        assert_eq!(summary.complete, complete, "{statement}");
    }
}

#[tokio::test]
async fn a_segment_that_the_store_does_not_give_is_left_out_and_said() {
    let placed = Placed::shop(|_, row| if row < 200 { Place::Segment(0) } else { Place::Segment(1) });
    placed.remove(Table::Logs, 1);
    let (rows, summary) = ask(&engine(placed), "SELECT count(body) FROM logs").await.unwrap();
    assert_eq!(rows[0][0], "184");
    assert!(!summary.complete);
    assert!(summary.warnings[0].contains("logs/tenant=acme/1.parquet"), "{:?}", summary.warnings);
}

#[tokio::test]
async fn rows_of_an_answer_are_counted() {
    let engine =
        engine(Placed::shop(|_, row| if row % 2 == 0 { Place::Memory(0) } else { Place::Segment(0) }));
    let (_, summary) = ask(&engine, "SELECT body FROM logs WHERE severity_number >= 0").await.unwrap();
    assert_eq!((summary.rows, summary.scanned_rows), (400, 400));
    assert_eq!((summary.segments, summary.segments_skipped), (1, 0));
    assert!(summary.scanned_bytes > 0 && summary.complete);
    assert_eq!(engine.running(&tenant()).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_statement_is_answered_or_refused() {
    let engine = engine(Placed::shop(|_, _| Place::Memory(0)));
    let chain = |operator: &str, count| format!("SELECT 1{}", format!(" {operator} 1").repeat(count));
    assert_eq!(value(&engine, &chain("+", 990)).await, "991");
    assert_eq!(
        value(
            &engine,
            &format!(
                "SELECT count(*) FROM logs WHERE severity_number = 1{}",
                " OR severity_number = 5".repeat(490)
            )
        )
        .await,
        "80"
    );
    for deep in [
        chain("+", 100_000),
        chain("UNION ALL SELECT", 100_000),
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {} 1", "NOT ".repeat(100_000)),
        format!("SELECT {}1", "- ".repeat(100_000)),
        format!("SELECT 1{}", "::int".repeat(100_000)),
        format!("SELECT a{} FROM logs", "['x']".repeat(100_000)),
        format!("SELECT {}", "CASE WHEN ".repeat(50_000)),
        format!("SELECT {}", "x".repeat(2_000_000)),
    ] {
        let error = ask(&engine, &deep).await.unwrap_err();
        assert!(matches!(error, QueryError::Syntax { .. }), "{error}");
    }
    let long =
        format!("SELECT count(*) FROM logs WHERE severity_number IN ({})", vec!["5"; 50_000].join(", "));
    assert_eq!(value(&engine, &long).await, "40");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_make_no_more_than_fits() {
    let engine = engine(Placed::shop(|_, _| Place::Memory(0)));
    for greedy in [
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT rpad(body, 100000000, 'ab') FROM logs",
        "SELECT length(repeat(body, 1000000)) FROM logs",
    ] {
        let error = ask(&engine, greedy).await.unwrap_err();
        assert!(error.to_string().contains("more than 64 MiB"), "{greedy}: {error}");
    }
    for left_out in
        ["array_repeat(1, 1000000000000)", "range(1000000000000)", "generate_series(1, 1000000000000)"]
    {
        let error = ask(&engine, &format!("SELECT {left_out}")).await.unwrap_err();
        assert_eq!(error.kind(), model::ErrorKind::InvalidArgument, "{left_out}: {error}");
    }
    let small = "SELECT repeat('ab', 3) || lpad('7', 3, '0') || rpad('x', 2, '-') || lpad('abc', -1)";
    assert_eq!(value(&engine, small).await, "ababab007x-");
    assert_eq!(value(&engine, "SELECT sum(value) FROM generate_series(1, 10)").await, "55");
}
