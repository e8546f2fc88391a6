//! A segment whose pages or whose footer cannot be decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use model::{Table, Tenant};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::file::metadata::ParquetMetaDataReader;

use super::data::BEGIN;
use super::place::{Place, Placed};
use super::readers::{ALL, logs_of};
use super::{ask, engine, tenant};
use crate::{Missing, Snapshot, Source, SourceError};

/// A store whose second segment of logs is damaged, and that finds out when it is told to look.
struct Damaged {
    whole: Placed,
    /// How often each segment was looked at.
    looks: Arc<[AtomicUsize; 2]>,
    /// Whether it finds anything.
    finds: bool,
}

impl Damaged {
    fn footer() -> Self {
        let whole = Self::whole();
        whole.overwrite(Table::Logs, 1, vec![0; 5_000]);
        Self { whole, looks: Arc::default(), finds: true }
    }

    fn whole() -> Placed {
        Placed::shop(|_, row| if row < 200 { Place::Segment(0) } else { Place::Segment(1) })
    }

    fn pages(finds: bool) -> Self {
        let whole = Self::whole();
        let segment = whole.segments(Table::Logs)[1].clone();
        let path = object_store::path::Path::from(segment.path.as_str());
        let read = async { whole.objects().get(&path).await?.bytes().await };
        let bytes = futures::executor::block_on(read).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
        let mut bytes = bytes.to_vec();
        for group in metadata.row_groups() {
            let body = group.columns().iter().find(|column| column.column_path().string() == "body").unwrap();
            let start = usize::try_from(body.byte_range().0).unwrap();
            bytes[start..start + 20].fill(0xff);
        }
        whole.overwrite(Table::Logs, 1, bytes);
        Self { whole, looks: Arc::default(), finds }
    }

    fn is_set_aside(&self) -> bool {
        self.finds && self.looks[1].load(Ordering::Relaxed) > 0
    }
}

impl Source for Damaged {
    fn snapshot(&self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<Snapshot>, SourceError> {
        let mut snapshots = self.whole.snapshot(tenant, tables)?;
        for snapshot in snapshots.iter_mut().filter(|_| self.is_set_aside()) {
            snapshot.segments.truncate(1);
            snapshot.missing = vec![Missing { times: (BEGIN, i64::MAX), warning: "1 is gone".to_owned() }];
        }
        Ok(snapshots)
    }

    fn objects(&self) -> Arc<dyn ObjectStore> {
        self.whole.objects()
    }

    fn examine(&self, path: &str) -> BoxFuture<'_, bool> {
        let segment = usize::from(path.ends_with("/1.parquet"));
        self.looks[segment].fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(self.finds && segment == 1))
    }
}

#[tokio::test]
async fn a_damaged_segment_is_looked_at_and_the_question_answered_without_it() {
    let damages: [fn() -> Damaged; 2] = [|| Damaged::pages(true), Damaged::footer];
    for damage in damages {
        let (rows, summary) = ask(&engine(damage()), "SELECT count(body) FROM logs").await.unwrap();
        assert_eq!((rows[0][0].as_str(), summary.complete), ("184", false));
        assert_eq!((summary.warnings, summary.segments), (vec!["1 is gone".to_owned()], 1));
        let engine = engine(damage());
        let answer = engine.logs(&tenant(), &logs_of(ALL, 5)).await.unwrap();
        assert_eq!((answer.value.records.len(), answer.summary.complete), (5, false));
        assert!(engine.running(&tenant()).is_empty());
    }
}

#[tokio::test]
async fn what_is_sound_is_looked_at_once_and_the_failure_is_told() {
    let damaged = Damaged::pages(false);
    let looks = Arc::clone(&damaged.looks);
    let engine = engine(damaged);
    for _ in 0..3 {
        let error = ask(&engine, "SELECT count(body) FROM logs").await.unwrap_err();
        assert_eq!(error.kind(), model::ErrorKind::Internal, "{error}");
        assert!(engine.logs(&tenant(), &logs_of(ALL, 400)).await.is_err());
    }
    assert_eq!(looks[1].load(Ordering::Relaxed), 1);
}
