use model::{Signal, Table};

use super::fixture::*;

fn some_rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: NOON + ((id * 37) % 100) as i64 }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_readable_in_memory_in_files_and_after_a_restart() {
    for signal in Signal::ALL {
        let dir = tempfile::tempdir().unwrap();
        let store = open_local(dir.path()).await;
        append(&store, signal, some_rows(0..50)).await;
        append(&store, signal, some_rows(50..60)).await;
        let rows = some_rows(0..60);
        let check = |store: &crate::Store, segments: bool| {
            for table in signal.tables().iter().filter(|table| **table != Table::Series) {
                assert_eq!(texts_of(store, &tenant(), *table), expected(*table, &rows), "{table}");
                assert_eq!(store.snapshot(&tenant(), *table).memory.is_empty(), segments, "{table}");
            }
        };
        check(&store, false);
        drop(store);
        let store = open_local(dir.path()).await;
        check(&store, false);
        store.seal_all().await.unwrap();
        check(&store, true);
        drop(store);
        let store = open_local(dir.path()).await;
        check(&store, true);
        let counts = &store.ledger()[&(tenant(), signal)];
        assert_eq!((counts.received, counts.stored, counts.balances()), (60, 60, true));
    }
}
