//! The index of series is bounded, and gives its memory back.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch};
use model::{Batch, Budget, Signal, Table};

use super::fixture::*;
use crate::{AppendError, LocalDisk, Options, Store};

/// A request with this many series, all of them new for every `first`.
fn request(first: u64, series: u64) -> (crate::Entry, Batch) {
    let request = Request::of([Row { id: 1, stream: 1, time: NOON }]);
    let Batch::Metrics(mut metrics) = request.batch(Signal::Metrics) else { unreachable!() };
    let rows = vec![0; usize::try_from(series).unwrap()];
    let picks = arrow_array::UInt32Array::from(rows);
    let many = arrow_select::take::take_record_batch(&metrics.series, &picks).unwrap();
    let place = many.schema().index_of("series_id").unwrap();
    let mut columns = many.columns().to_vec();
    let ids = (first..first + series).map(|id| u128::from(id).wrapping_mul(PRIME).to_be_bytes());
    columns[place] = Arc::new(BinaryArray::from_iter_values(ids));
    metrics.series = RecordBatch::try_new(many.schema(), columns).unwrap();
    (request.entry(&tenant(), Signal::Metrics), Batch::Metrics(metrics))
}

async fn append_series(store: &Store, first: u64, series: u64) -> Result<u64, AppendError> {
    let (entry, batch) = request(first, series);
    let reservation = store.inner().budget.reserve(0)?;
    store.append(entry, batch, reservation).await
}

async fn open(dir: &Path, series_max: u64, limit: u64, clock: &Arc<TestClock>) -> Store {
    let config = crate::Config { series_max, ..config(dir) };
    let options = options(config, Arc::new(LocalDisk), clock);
    open_with(Options { budget: Budget::new(limit), ..options }).await
}

#[tokio::test]
async fn a_tenant_with_too_many_series_is_refused_until_some_are_idle() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open(dir.path(), 1000, 1 << 30, &clock).await;
    append_series(&store, 0, 900).await.unwrap();
    let refused = append_series(&store, 900, 101).await.unwrap_err();
    assert!(matches!(refused, AppendError::Series { limit: 1000, .. }) && refused.retryable());
    assert!(refused.to_string().contains("store.series_max"), "{refused}");
    assert_eq!(store.status().series, [(tenant(), 900)]);
    // Those that are known, and as many as fit, pass.
    append_series(&store, 100, 900).await.unwrap();
    append_series(&store, 0, 1000).await.unwrap();
    append_series(&store, 1000, 1).await.unwrap_err();
    let ledger = store.ledger()[&(tenant(), Signal::Metrics)].clone();
    assert_eq!((ledger.received, ledger.stored), (3, 3), "what is refused is not counted");
    clock.advance(HOUR);
    append_series(&store, 1000, 1).await.unwrap_err();
    append_series(&store, 1000, 1).await.unwrap();
    append_series(&store, 0, 999).await.unwrap();
    assert_eq!(store.status().series, [(tenant(), 1000)]);
    // A replay takes what was acknowledged.
    store.seal_all().await.unwrap();
    append_series(&store, 0, 1).await.unwrap();
    drop(store);
    let store = open(dir.path(), 1000, 1 << 30, &clock).await;
    assert_eq!(store.snapshot(&tenant(), Table::Samples).rows(), 6);
}

#[tokio::test]
async fn an_index_that_fills_the_memory_is_begun_anew_also_when_nothing_is_to_be_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open(dir.path(), 1 << 40, 16 << 20, &clock).await;
    let idle = store.inner().budget.used();
    let mut sent = 0;
    let refused = loop {
        match append_series(&store, sent, 2000).await {
            Ok(_) => sent += 2000,
            Err(error) => break error,
        }
        store.seal_all().await.unwrap();
    };
    assert!(matches!(refused, AppendError::Full { .. }) && sent > 50_000, "{refused}: {sent}");
    assert!(store.inner().memory.bytes() == (0, 0), "all is sealed, and the index is what is left");
    // As the background does, told of the refusal. Not again at once: what is sent comes back first.
    store.inner().freeze_due();
    assert!(append_series(&store, sent, 2000).await.is_err());
    clock.advance(HOUR / 60);
    store.inner().freeze_due();
    assert!(store.inner().budget.used() < idle + (1 << 20));
    append_series(&store, sent, 2000).await.unwrap();
    assert_eq!(store.status().series, [(tenant(), 2000)]);
}
