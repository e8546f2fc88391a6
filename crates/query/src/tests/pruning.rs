//! Filters on exposed columns skip what they rule out, and are right.

use model::Table;

use super::data::{self, BEGIN, SECOND};
use super::place::{Place, Placed};
use super::{ask, engine};
use crate::table::convert::to_hex;
use crate::{Engine, Summary};

/// Logs in four segments, one after the other in time.
fn four_segments() -> Engine {
    let logs = {
        let mut logs = data::logs();
        logs.sort_by_key(|log| log.time);
        logs
    };
    engine(Placed::of(&logs, &data::spans(), &data::metrics(), |table, row| match table {
        Table::Logs => Place::Segment(row / 100),
        _ => Place::Segment(0),
    }))
}

async fn check(engine: &Engine, condition: &str, expected: impl Fn(&data::Log) -> bool) -> Summary {
    let statement = format!("SELECT body FROM logs WHERE {condition}");
    let (rows, summary) = ask(engine, &statement).await.unwrap();
    let expected = data::logs().iter().filter(|log| expected(log)).count();
    assert_eq!(rows.len(), expected, "{condition}");
    assert!(expected > 0 && expected < 400, "{condition} is no test");
    summary
}

#[tokio::test]
async fn a_time_range_skips_segments_and_pages() {
    let from = BEGIN + 6000 * SECOND;
    let summary = check(&four_segments(), "time >= '2026-03-01T23:40:00Z'", |log| log.time >= from).await;
    assert_eq!(summary.segments, 4);
    assert!(summary.segments_skipped >= 2, "{summary:?}");
    assert!(summary.scanned_rows <= 200, "{summary:?}");
    for condition in
        ["time = '2026-03-01T22:10:00Z'", "'2026-03-01T22:10:00Z' >= time AND time > '2026-03-01T22:05:00Z'"]
    {
        let (_, summary) =
            ask(&four_segments(), &format!("SELECT body FROM logs WHERE {condition}")).await.unwrap();
        assert!(summary.segments_skipped >= 3, "{condition}: {summary:?}");
    }
}

#[tokio::test]
async fn a_service_reads_only_its_pages() {
    let engine = four_segments();
    let summary = check(&engine, "service_name = 'mail'", |log| log.service == "mail").await;
    assert!(summary.scanned_rows < 300, "{summary:?}");
    let summary = check(&engine, "service_name IN ('mail', 'none')", |log| log.service == "mail").await;
    assert!(summary.scanned_rows < 300, "{summary:?}");
}

#[tokio::test]
async fn an_id_in_hex_is_looked_up_in_bytes() {
    let id = data::trace_id(3);
    let hex = to_hex(&id);
    let engine = four_segments();
    let has = |log: &data::Log| log.trace == Some(id);
    check(&engine, &format!("trace_id = '{hex}'"), has).await;
    check(&engine, &format!("'{hex}' = trace_id"), has).await;
    check(&engine, &format!("trace_id IN ('{hex}', 'xyz')"), has).await;
    check(&engine, &format!("trace_id >= '{hex}' AND trace_id <= '{hex}'"), has).await;
    check(&engine, &format!("trace_id NOT IN ('{hex}')"), |log| log.trace.is_some_and(|trace| trace != id))
        .await;
    check(&engine, &format!("trace_id <> '{hex}'"), |log| log.trace.is_some_and(|trace| trace != id)).await;
    // Statistics or Bloom filters know that nobody has this one: no row is read.
    let (rows, summary) =
        ask(&engine, "SELECT body FROM logs WHERE trace_id = '00000000000000000000000000000001'")
            .await
            .unwrap();
    assert_eq!((rows.len(), summary.scanned_rows), (0, 0), "{summary:?}");
    for never in ["NOT HEX", "ABCDEF", "abc"] {
        let (rows, _) =
            ask(&engine, &format!("SELECT body FROM logs WHERE trace_id = '{never}'")).await.unwrap();
        assert!(rows.is_empty());
    }
}

#[tokio::test]
async fn the_newest_rows_do_not_cost_the_oldest_segments() {
    let (rows, summary) =
        ask(&four_segments(), "SELECT time, body FROM logs ORDER BY time DESC LIMIT 5").await.unwrap();
    assert_eq!(rows.len(), 5);
    assert!(summary.segments_skipped >= 1, "{summary:?}");
}

#[tokio::test]
async fn only_the_columns_asked_for_are_read() {
    let engine = four_segments();
    let (_, few) = ask(&engine, "SELECT sum(severity_number) FROM logs").await.unwrap();
    // Once more, with the footers in the cache.
    let (_, few_again) = ask(&engine, "SELECT sum(severity_number) FROM logs").await.unwrap();
    let (_, all) = ask(&engine, "SELECT * FROM logs").await.unwrap();
    assert!(few_again.scanned_bytes < few.scanned_bytes, "footers are cached: {few_again:?}, {few:?}");
    assert!(few_again.scanned_bytes * 5 < all.scanned_bytes, "{few_again:?}, {all:?}");
}

#[tokio::test]
async fn a_metric_reads_only_its_points() {
    let engine = four_segments();
    let (rows, summary) =
        ask(&engine, "SELECT value FROM samples WHERE metric_name = 'orders' AND value >= 0").await.unwrap();
    assert_eq!(rows.len(), 8 * 960);
    assert!(summary.scanned_rows < 9_000, "{summary:?}");
    let (rows, summary) =
        ask(&engine, "SELECT value, service_name FROM metrics WHERE metric_name = 'orders'").await.unwrap();
    assert_eq!(rows.len(), 8 * 960);
    // The join passes the name on to both sides.
    assert!(summary.scanned_rows < 9_500, "{summary:?}");
}
