//! The index of series is bounded, and gives its memory back.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch};
use model::{Batch, Budget, Signal, Table};

use super::fixture::*;
use crate::{AppendError, Appended, LocalDisk, Options, Store};

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

async fn append_series(store: &Store, first: u64, series: u64) -> Result<Appended, AppendError> {
    let (entry, batch) = request(first, series);
    let reservation = store.inner().budget.reserve(0)?;
    store.append(entry, batch, reservation).await
}

/// Sends a point of each of these series; how many were taken and how many rejected, and why.
async fn fates(store: &Store, series: impl IntoIterator<Item = u8>) -> (usize, Vec<(&'static str, usize)>) {
    let request = Request::of(series.into_iter().map(|stream| Row { id: 1, stream, time: NOON }));
    let (entry, batch) = (request.entry(&tenant(), Signal::Metrics), request.batch(Signal::Metrics));
    let reservation = store.inner().budget.reserve(0).unwrap();
    let refused = store.append(entry, batch, reservation).await.unwrap().refused;
    let reasons: Vec<_> = refused.iter().map(|points| (points.reason, points.samples)).collect();
    (request.rows.len() - reasons.iter().map(|(_, points)| points).sum::<usize>(), reasons)
}

async fn open(dir: &Path, limits: (u64, u64), limit: u64, clock: &Arc<TestClock>) -> Store {
    let config = crate::Config { series_max: limits.0, series_max_per_metric: limits.1, ..config(dir) };
    let options = options(config, Arc::new(LocalDisk::new()), clock);
    open_with(Options { budget: Budget::new(limit), ..options }).await
}

#[tokio::test]
async fn points_of_too_many_series_are_rejected_and_the_others_stored() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open(dir.path(), (100, 1 << 40), 1 << 30, &clock).await;
    assert_eq!(fates(&store, 0..90).await, (90, vec![]));
    assert_eq!(fates(&store, 90..103).await, (10, vec![("too_many_series", 3)]));
    let told = append_series(&store, 0, 1).await.unwrap().refused.remove(0);
    assert!(told.message.contains("`store.series_max`"), "{told:?}");
    assert_eq!(store.status().series, [(tenant(), 100)]);
    // Those that are known pass, whatever stands beside them.
    assert_eq!(fates(&store, [200, 3, 201, 99, 5]).await, (3, vec![("too_many_series", 2)]));
    let check = |store: &Store| {
        let ledger = store.ledger()[&(tenant(), Signal::Metrics)].clone();
        assert_eq!((ledger.received, ledger.stored), (109, 103));
        assert_eq!(ledger.rejected["too_many_series"], 6);
        assert_eq!(store.snapshot(&tenant(), Table::Samples).rows(), 103);
        assert_eq!(store.snapshot(&tenant(), Table::Series).rows(), 100);
    };
    check(&store);
    // A replay repeats what was decided, whatever the limits are now.
    drop(store);
    let store = open(dir.path(), (1 << 40, 1 << 40), 1 << 30, &clock).await;
    check(&store);
    store.seal_all().await.unwrap();
    check(&store);
    drop(store);
    // Idle ones make room; who finds them there is still rejected.
    let store = open(dir.path(), (100, 1 << 40), 1 << 30, &clock).await;
    assert_eq!(fates(&store, 0..100).await, (100, vec![]));
    clock.advance(HOUR);
    assert_eq!(fates(&store, [100]).await, (0, vec![("too_many_series", 1)]));
    assert_eq!(fates(&store, [100]).await, (1, vec![]));
    assert_eq!(fates(&store, 0..99).await, (99, vec![]));
    assert_eq!(store.status().series, [(tenant(), 100)]);
}

#[tokio::test]
async fn a_metric_has_a_limit_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open(dir.path(), (1000, 10), 1 << 30, &clock).await;
    // Every fourth is of the same metric.
    let of_one = || (0..52).step_by(4);
    assert_eq!(fates(&store, of_one()).await, (10, vec![("too_many_series_of_metric", 3)]));
    assert_eq!(fates(&store, 0..52).await, (40, vec![("too_many_series_of_metric", 12)]));
    assert_eq!(store.status().series, [(tenant(), 40)]);
    assert_eq!(store.ledger()[&(tenant(), Signal::Metrics)].rejected["too_many_series_of_metric"], 15);
}

#[tokio::test]
async fn an_index_that_fills_the_memory_is_begun_anew_also_when_nothing_is_to_be_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open(dir.path(), (1 << 40, 1 << 40), 16 << 20, &clock).await;
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
