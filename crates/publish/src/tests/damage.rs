//! Whatever happens to a log, the next run makes a right table of it.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use model::Table;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

use super::fixture::{NOW_UNIX_MS, Place};
use crate::schema::CHECKPOINT_INTERVAL;
use crate::{PublishError, Publisher};

/// A log of a few versions.
async fn some_versions(place: &mut Place, versions: u64) {
    let mut last = None;
    for _ in 0..versions {
        let fresh = place.add(Table::Logs, "default", 2, 0);
        if let Some(last) = last.replace(fresh) {
            place.remove(&last);
            place.add(Table::Logs, "default", 2, 0);
        }
        place.publish().await;
    }
}

fn commit(place: &Place, version: u64) -> std::path::PathBuf {
    place.log_dir(Table::Logs).join(format!("{version:020}.json"))
}

async fn rebuilt(place: &mut Place) -> bool {
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    place.assert_published().await;
    let before = change.version;
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.committed), (before, false));
    place.publisher.status().read()[0].rebuilds > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_no_json_makes_a_new_log() {
    let mut place = Place::new();
    some_versions(&mut place, 4).await;
    std::fs::write(commit(&place, 2), "\0\0\0\0\0\0").unwrap();
    place.restart();
    assert!(rebuilt(&mut place).await);
    assert_eq!(std::fs::read_dir(place.log_dir(Table::Logs)).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_log_makes_a_new_log() {
    let mut place = Place::new();
    some_versions(&mut place, 4).await;
    std::fs::remove_file(commit(&place, 1)).unwrap();
    place.restart();
    assert!(rebuilt(&mut place).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_beginning_makes_a_new_log() {
    let mut place = Place::new();
    some_versions(&mut place, 3).await;
    std::fs::remove_file(commit(&place, 0)).unwrap();
    place.restart();
    assert!(rebuilt(&mut place).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_makes_a_new_log() {
    let mut place = Place::new();
    some_versions(&mut place, CHECKPOINT_INTERVAL + 2).await;
    let name = format!("{CHECKPOINT_INTERVAL:020}.checkpoint.parquet");
    std::fs::write(place.log_dir(Table::Logs).join(name), "PAR1 or not").unwrap();
    place.restart();
    assert!(rebuilt(&mut place).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_deleted_while_running_is_written_again() {
    let mut place = Place::new();
    some_versions(&mut place, 3).await;
    std::fs::remove_dir_all(place.log_dir(Table::Logs)).unwrap();
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.committed), (Some(0), true));
    place.assert_published().await;
}

/// After a power cut a file may end at any byte: what is left of a commit may lack additions and
/// removals and still be one.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_cut_anywhere_is_made_good() {
    let mut kept = 0;
    for tenth in 0..10 {
        let mut place = Place::new();
        some_versions(&mut place, 3).await;
        let whole = std::fs::read(commit(&place, 2)).unwrap();
        let line_ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let cuts: Vec<usize> = line_ends.chain([0, 1, whole.len() / 3, whole.len() - 2]).collect();
        let Some(cut) = cuts.get(tenth) else { break };
        std::fs::write(commit(&place, 2), &whole[..*cut]).unwrap();
        place.restart();
        kept += u32::from(!rebuilt(&mut place).await);
    }
    assert!(kept > 0, "a commit that ends after a line is one");
}

/// A byte that is not as it was written: whatever it means now, the table is right afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_a_wrong_byte_is_made_good() {
    let mut place = Place::new();
    some_versions(&mut place, 2).await;
    let commits = [0, 1].map(|version| (version, std::fs::read(commit(&place, version)).unwrap()));
    for (version, whole) in &commits {
        for at in (0..whole.len()).step_by(whole.len() / 16) {
            std::fs::remove_dir_all(place.log_dir(Table::Logs)).unwrap();
            std::fs::create_dir(place.log_dir(Table::Logs)).unwrap();
            commits
                .iter()
                .for_each(|(version, whole)| std::fs::write(commit(&place, *version), whole).unwrap());
            let mut wrong = whole.clone();
            wrong[at] ^= 0x14;
            std::fs::write(commit(&place, *version), wrong).unwrap();
            place.restart();
            rebuilt(&mut place).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_fails_is_an_error_and_nothing_is_thrown_away() {
    let objects = Arc::new(Flaky::default());
    let mut place = Place::new();
    place.publisher = Publisher::remote(objects.clone()).unwrap();
    place.add(Table::Logs, "default", 2, 0);
    place.publish().await;
    place.publisher = Publisher::remote(objects.clone()).unwrap();
    for fails in [Fails::Get, Fails::List, Fails::Put] {
        *objects.fails.lock() = Some(fails);
        place.add(Table::Logs, "default", 2, 0);
        let report = place.run().await;
        assert!(report.failures.iter().all(|error| error.retryable()), "{report:?}");
        assert!(matches!(report.failures[0], PublishError::Storage { table: Table::Logs, .. }), "{report:?}");
        let status = &place.publisher.status().read()[0];
        assert!(status.error.as_ref().is_some_and(|error| error.contains("flaky")), "{status:?}");
        *objects.fails.lock() = None;
    }
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.added, change.rebuilt), (Some(1), 3, false));
    let status = &place.publisher.status().read()[0];
    assert_eq!((status.error.as_ref(), status.current_unix_ms), (None, Some(NOW_UNIX_MS)));
}

/// An object store that fails when it is told to.
#[derive(Debug, Default)]
struct Flaky {
    inner: InMemory,
    fails: Mutex<Option<Fails>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    Get,
    List,
    Put,
}

impl Flaky {
    fn check(&self, operation: Fails) -> Result<()> {
        match *self.fails.lock() {
            Some(fails) if fails == operation => {
                Err(Error::Generic { store: "flaky", source: "out of order".into() })
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Flaky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("flaky")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, to: &Path, body: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check(Fails::Put)?;
        self.inner.put_opts(to, body, options).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(Fails::Get)?;
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check(Fails::List) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
