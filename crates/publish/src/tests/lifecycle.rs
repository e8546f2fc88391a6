use std::sync::Arc;

use futures::TryStreamExt;
use model::{ErrorKind, Table};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};

use super::fixture::{NOW_UNIX_MS, Place};
use crate::Publisher;
use crate::schema::CHECKPOINT_INTERVAL;

fn of_kind<'a>(actions: &'a [(String, Value)], kind: &str) -> Vec<&'a Value> {
    actions.iter().filter(|(name, _)| name == kind).map(|(_, action)| action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_exist_before_there_are_rows() {
    let mut place = Place::new();
    let changes = place.publish().await;
    for change in changes.values() {
        assert_eq!((change.version, change.committed, change.added), (Some(0), true, 0));
        assert_eq!(place.names(change.table).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_live_is_published_and_nothing_is_committed_twice() {
    let mut place = Place::new();
    for table in Table::ALL {
        place.add(table, "default", 7, 0);
        place.add(table, "team-b", 3, 0);
    }
    let changes = place.publish().await;
    assert!(changes.values().all(|change| change.committed && change.added == 2 && change.removed == 0));
    place.assert_published().await;

    for _ in 0..2 {
        let changes = place.publish().await;
        assert!(changes.values().all(|change| !change.committed && change.version == Some(0)));
        // Nor after a restart, when the log has to be read.
        place.restart();
    }
    assert_eq!(std::fs::read_dir(place.log_dir(Table::Logs)).unwrap().count(), 1);

    place.add(Table::Spans, "default", 5, 0);
    let changes = place.publish().await;
    let committed: Vec<Table> = changes.values().filter(|c| c.committed).map(|c| c.table).collect();
    assert_eq!(committed, [Table::Spans]);
    place.assert_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_file_says_what_is_in_it() {
    let mut place = Place::new();
    let segment = place.add(Table::Spans, "team-b", 3, 0);
    place.publish().await;
    let actions = place.version(Table::Spans, 0);
    let kinds: Vec<&str> = actions.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["commitInfo", "protocol", "txn", "metaData", "add"]);
    assert_eq!(of_kind(&actions, "txn")[0]["version"], 1);
    let add = of_kind(&actions, "add")[0];
    assert_eq!(add["path"], segment.path["segments/spans/".len()..]);
    assert_eq!(add["partitionValues"], json!({ "tenant": "team-b", "day": "2027-03-01" }));
    assert_eq!((&add["size"], &add["dataChange"]), (&json!(segment.bytes), &json!(true)));
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], 3);
    assert_eq!(stats["minValues"], json!({ "start_time_unix_nano": segment.min_time }));
    assert_eq!(stats["maxValues"], json!({ "start_time_unix_nano": segment.max_time }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_is_one_version_that_changes_no_data() {
    let mut place = Place::new();
    let first = place.add(Table::Logs, "default", 7, 0);
    let second = place.add(Table::Logs, "default", 5, 0);
    place.publish().await;
    place.compact(&[&first, &second], "default");
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.added, change.removed), (Some(1), 1, 2));
    let actions = place.version(Table::Logs, 1);
    assert_eq!(of_kind(&actions, "commitInfo")[0]["operation"], "OPTIMIZE");
    for kind in ["add", "remove"] {
        for action in of_kind(&actions, kind) {
            assert_eq!(action["dataChange"], false, "{kind}");
        }
    }
    place.assert_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_is_removed() {
    let mut place = Place::new();
    let old = place.add(Table::Samples, "default", 7, 0);
    place.add(Table::Samples, "default", 5, 0);
    place.publish().await;
    place.remove(&old);
    place.restart();
    let change = place.publish().await.remove(&Table::Samples).unwrap();
    assert_eq!((change.added, change.removed), (0, 1));
    let actions = place.version(Table::Samples, 1);
    assert_eq!(of_kind(&actions, "commitInfo")[0]["operation"], "DELETE");
    let remove = of_kind(&actions, "remove")[0];
    assert_eq!((&remove["dataChange"], &remove["deletionTimestamp"]), (&json!(true), &json!(NOW_UNIX_MS)));
    assert_eq!(remove["partitionValues"]["tenant"], "default");
    place.assert_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_written_now_and_then_and_the_log_is_read_from_it() {
    let mut place = Place::new();
    let files: Vec<_> = (0..3).map(|_| place.add(Table::Logs, "default", 2, 0)).collect();
    let mut last = place.add(Table::Logs, "default", 2, 0);
    for _ in 0..=CHECKPOINT_INTERVAL + 1 {
        place.publish().await;
        place.remove(&last);
        last = place.add(Table::Logs, "default", 2, 0);
    }
    let checkpoint = place.log_dir(Table::Logs).join(format!("{CHECKPOINT_INTERVAL:020}.checkpoint.parquet"));
    assert!(checkpoint.exists());
    // What the checkpoint replaces is not needed any more.
    for version in 0..CHECKPOINT_INTERVAL {
        std::fs::remove_file(place.log_dir(Table::Logs).join(format!("{version:020}.json"))).unwrap();
    }
    place.restart();
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.rebuilt), (Some(CHECKPOINT_INTERVAL + 2), false));
    assert!(files.iter().all(|file| place.live.segments.contains(file)));
    place.assert_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_does_not_grow_for_ever() {
    let mut place = Place::new();
    let mut last = place.add(Table::Logs, "default", 2, 0);
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 3600);
    for version in 0..=2 * CHECKPOINT_INTERVAL {
        place.publish().await;
        place.remove(&last);
        last = place.add(Table::Logs, "default", 2, 0);
        if version == CHECKPOINT_INTERVAL {
            for entry in std::fs::read_dir(place.log_dir(Table::Logs)).unwrap() {
                let file = std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
                file.set_modified(yesterday).unwrap();
            }
        }
    }
    let json = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.ends_with(".json"));
    let entries = std::fs::read_dir(place.log_dir(Table::Logs)).unwrap();
    let commits = entries.filter(|entry| json(&entry.as_ref().unwrap().file_name())).count() as u64;
    assert_eq!(commits, CHECKPOINT_INTERVAL + 1);
    place.restart();
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.rebuilt), (Some(2 * CHECKPOINT_INTERVAL + 1), false));
    place.assert_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_others_are_taken_back() {
    let mut place = Place::new();
    let first = place.add(Table::Logs, "default", 2, 0);
    place.publish().await;
    let foreign = json!({ "remove": {
        "path": &first.path["segments/logs/".len()..], "dataChange": true, "deletionTimestamp": NOW_UNIX_MS,
    }});
    std::fs::write(place.log_dir(Table::Logs).join(format!("{:020}.json", 1)), foreign.to_string()).unwrap();
    place.add(Table::Logs, "default", 3, 0);
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.added, change.rebuilt), (Some(2), 2, false));
    place.assert_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misplaced_segment_stops_only_its_table() {
    let mut place = Place::new();
    place.add(Table::Spans, "default", 2, 0);
    let mut stray = place.add(Table::Logs, "default", 2, 0);
    place.remove(&stray);
    stray.path = "segments/logs/here.parquet".to_owned();
    place.live.segments.push(stray);
    let report = place.run().await;
    assert_eq!((report.changes.len(), report.failures.len()), (Table::ALL.len() - 1, 1));
    assert_eq!(report.failures[0].kind(), ErrorKind::Internal);
    assert!(!report.failures[0].retryable());
    let status = place.publisher.status().read();
    assert!(status[0].error.as_ref().is_some_and(|error| error.contains("here.parquet")), "{:?}", status[0]);
    assert_eq!(status[0].current_unix_ms, None);
    assert_eq!((status[1].version, status[1].files, status[1].commits), (Some(0), 1, 1));
    assert_eq!(status[1].lag(NOW_UNIX_MS + 1500), Some(std::time::Duration::from_millis(1500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_works_in_an_object_store() {
    let objects = Arc::new(InMemory::new());
    let mut place = Place::new();
    place.publisher = Publisher::remote(objects.clone()).unwrap();
    let mut last = place.add(Table::Logs, "default", 2, 0);
    for _ in 0..CHECKPOINT_INTERVAL + 2 {
        place.publish().await;
        place.remove(&last);
        last = place.add(Table::Logs, "default", 2, 0);
    }
    let log = Path::from("segments/logs/_delta_log");
    let keys: Vec<Path> =
        objects.list(Some(&log)).map_ok(|object| object.location).try_collect().await.unwrap();
    assert!(keys.contains(&log.clone().join(format!("{CHECKPOINT_INTERVAL:020}.checkpoint.parquet"))));
    objects.delete(&log.clone().join(format!("{:020}.json", 0))).await.unwrap();
    place.publisher = Publisher::remote(objects.clone()).unwrap();
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.added, change.removed), (Some(CHECKPOINT_INTERVAL + 2), 1, 1));

    objects
        .put(&log.clone().join(format!("{:020}.json", CHECKPOINT_INTERVAL + 2)), "{".into())
        .await
        .unwrap();
    place.publisher = Publisher::remote(objects.clone()).unwrap();
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.rebuilt, change.added), (Some(0), true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_may_have_any_other_name() {
    let mut place = Place::named("a b#?ä=");
    for _ in 0..2 {
        place.add(Table::Logs, "default", 2, 0);
        let change = place.publish().await.remove(&Table::Logs).unwrap();
        assert_eq!((change.added, change.rebuilt), (1, false));
        place.assert_published().await;
        place.restart();
    }
}

#[test]
fn a_directory_that_readers_do_not_find_is_refused() {
    let dir = tempfile::Builder::new().prefix("50%20").tempdir().unwrap();
    let Err(error) = Publisher::local(dir.path()) else { panic!("it was taken") };
    assert!(error.to_string().contains("50%20"), "{error}");
}
