use std::sync::Arc;
use std::time::Duration;

use model::Table;
use parking_lot::Mutex;

/// How the tables are doing; a handle that stays current while the publisher runs.
#[derive(Clone, Debug)]
pub struct Status(Arc<Mutex<[TableStatus; Table::ALL.len()]>>);

/// How a table is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Which.
    pub table: Table,
    /// Its last version, once it is known.
    pub version: Option<u64>,
    /// Files in that version.
    pub files: u64,
    /// Versions that were committed since the start.
    pub commits: u64,
    /// How often its log was thrown away and written anew since the start.
    pub rebuilds: u64,
    /// When it was last equal to the live segments.
    pub current_unix_ms: Option<i64>,
    /// How long the last run took.
    pub duration: Duration,
    /// Why the last run failed, with the causes; none when it did not.
    pub error: Option<String>,
}

impl TableStatus {
    /// How far the table may be behind the live segments.
    pub fn lag(&self, now_unix_ms: i64) -> Option<Duration> {
        let behind = now_unix_ms.saturating_sub(self.current_unix_ms?);
        Some(Duration::from_millis(u64::try_from(behind).unwrap_or(0)))
    }
}

impl Status {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Table::ALL.map(|table| TableStatus {
            table,
            version: None,
            files: 0,
            commits: 0,
            rebuilds: 0,
            current_unix_ms: None,
            duration: Duration::ZERO,
            error: None,
        }))))
    }

    /// All tables, in the order of [`Table::ALL`].
    pub fn read(&self) -> Vec<TableStatus> {
        self.0.lock().to_vec()
    }

    pub(crate) fn change(&self, table: Table, change: impl FnOnce(&mut TableStatus)) {
        let mut tables = self.0.lock();
        if let Some(status) = tables.iter_mut().find(|status| status.table == table) {
            change(status);
        }
    }
}
