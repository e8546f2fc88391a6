//! Deadline, cancel, memory and turns.

use std::time::Duration;

use fresnel_sdk::config::{ByteSize, Duration as ConfigDuration};
use model::{Budget, ErrorKind, Tenant};
use tokio::time::timeout;

use super::place::{Place, Placed};
use super::{ask, engine, engine_with, start, tenant, value};
use crate::{Config, Engine, QueryError, SqlRequest};

/// Millions of millions of rows: it does not end by itself.
const ENDLESS: &str =
    "SELECT count(*) FROM samples a, samples b, samples c WHERE a.value + b.value + c.value < -1";
const SOON: Duration = Duration::from_secs(20);

fn shop() -> Placed {
    Placed::shop(|_, row| if row % 2 == 0 { Place::Memory(0) } else { Place::Segment(0) })
}

async fn outcome(engine: &Engine, request: SqlRequest) -> Result<(), QueryError> {
    let mut running = engine.sql(request).await?;
    while let Some(batch) = running.next().await {
        batch?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_a_query() {
    let engine = engine(shop());
    let mut request = SqlRequest::new(tenant(), ENDLESS);
    request.timeout = Some(Duration::from_millis(300));
    let error = timeout(SOON, outcome(&engine, request)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.to_string(), "the query did not finish within 300ms");
    assert!(error.retryable() && engine.running(&tenant()).is_empty());
    assert_eq!((engine.stats().queries, engine.stats().failed), (1, 1));
    assert_eq!(value(&engine, "SELECT count(*) FROM logs").await, "400");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_timeout_cannot_be_exceeded() {
    let config = Config {
        timeout: ConfigDuration::from_millis(200),
        timeout_max: ConfigDuration::from_millis(200),
        ..Config::default()
    };
    let engine = engine_with(shop(), Budget::new(1 << 30), config);
    let mut request = SqlRequest::new(tenant(), ENDLESS);
    request.timeout = Some(Duration::from_secs(3600));
    let error = timeout(SOON, outcome(&engine, request)).await.unwrap().unwrap_err();
    assert!(
        matches!(error, QueryError::DeadlineExceeded { timeout } if timeout == Duration::from_millis(200))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_listed_and_cancelled_by_its_tenant() {
    let engine = engine(shop());
    let mut request = SqlRequest::new(tenant(), ENDLESS);
    request.id = Some("mine".to_owned());
    let mut running = engine.sql(request.clone()).await.unwrap();
    let list = engine.running(&tenant());
    assert_eq!((list.len(), list[0].id.as_str(), list[0].text.as_str()), (1, "mine", ENDLESS));
    assert_eq!(engine.sql(request).await.err().unwrap().to_string(), "a query with the id `mine` is running");
    let other = Tenant::parse("other").unwrap();
    assert!(engine.running(&other).is_empty());
    assert!(!engine.cancel(&other, "mine") && !engine.cancel(&tenant(), "yours"));
    assert!(engine.cancel(&tenant(), "mine"));
    let error = timeout(SOON, running.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(timeout(SOON, running.next()).await.unwrap().is_none());
    drop(running);
    assert!(engine.running(&tenant()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_query_frees_its_memory_and_its_turn() {
    let budget = Budget::new(1 << 30);
    let config = Config { concurrency: 1, metadata_cache: ByteSize::mib(0), ..Config::default() };
    let engine = engine_with(shop(), budget.clone(), config);
    let running = start(&engine, ENDLESS).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(running);
    assert_eq!(timeout(SOON, value(&engine, "SELECT count(*) FROM logs")).await.unwrap(), "400");
    for _ in 0..200 {
        // The stopped task gives back what it holds when it next yields.
        if budget.used() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} bytes are still held", budget.used());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_refused_memory_beyond_its_share() {
    let config = Config { memory_share: 0.01, ..Config::default() };
    let engine = engine_with(shop(), Budget::new(20 << 20), config);
    let greedy = "SELECT a.body, b.body, count(*) FROM logs a, logs b GROUP BY 1, 2 ORDER BY 3, 1";
    let error = ask(&engine, greedy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.to_string().contains("the query needs more than its"), "{error}");
    assert!(error.hint().unwrap().contains("query.memory_share"));
    assert_eq!(value(&engine, "SELECT count(*) FROM logs WHERE severity_number > 0").await, "360");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_refused_memory_that_others_use() {
    let budget = Budget::new(256 << 20);
    let engine = engine_with(shop(), budget.clone(), Config { memory_share: 1.0, ..Config::default() });
    let held = budget.reserve(229 << 20).unwrap();
    let greedy = "SELECT a.body, b.body, count(*) FROM logs a, logs b GROUP BY 1, 2 ORDER BY 3, 1";
    let error = ask(&engine, greedy).await.unwrap_err();
    assert!(error.to_string().starts_with("the memory budget is used up: "), "{error}");
    drop(held);
    assert_eq!(ask(&engine, greedy).await.unwrap().1.rows, 370 * 370);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_wait_for_their_turn_and_too_many_are_refused() {
    let config = Config { concurrency: 1, queue_max: 1, ..Config::default() };
    let engine = engine_with(shop(), Budget::new(1 << 30), config);
    let first = start(&engine, ENDLESS).await.unwrap();
    let second = tokio::runtime::Handle::current().spawn({
        let engine = engine.clone();
        async move { value(&engine, "SELECT count(*) FROM logs").await }
    });
    while engine.running(&tenant()).len() < 2 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = start(&engine, "SELECT 1").await.err().unwrap();
    assert_eq!(error.to_string(), "1 queries are running and 1 are waiting, more are refused");
    assert!(error.retryable() && error.kind() == ErrorKind::ResourceExhausted);
    drop(first);
    assert_eq!(timeout(SOON, second).await.unwrap().unwrap(), "400");
    let stats = engine.stats();
    assert_eq!((stats.queries, stats.failed, stats.refused, stats.running), (2, 0, 1, 0));
    assert!(stats.footer_bytes > 0 && stats.elapsed > Duration::ZERO, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_ends_with_the_deadline() {
    let config = Config { concurrency: 1, ..Config::default() };
    let engine = engine_with(shop(), Budget::new(1 << 30), config);
    let _first = start(&engine, ENDLESS).await.unwrap();
    let mut request = SqlRequest::new(tenant(), "SELECT 1");
    request.timeout = Some(Duration::from_millis(100));
    let error = timeout(SOON, outcome(&engine, request)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}
