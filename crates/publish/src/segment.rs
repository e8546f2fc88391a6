use model::Table;

/// The live segments at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The manifest's number of this state; it is written to the log as the application's
    /// transaction, so that a reader can tell which state it sees.
    pub sequence: u64,
    /// All of them, of all tables and tenants.
    pub segments: Vec<Segment>,
}

/// A segment: an immutable Parquet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The table whose rows it holds.
    pub table: Table,
    /// Its key: `segments/<table>/tenant=<tenant>/day=<YYYY-MM-DD>/<id>.parquet`.
    pub path: String,
    /// How many rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The smallest value of the table's time column.
    pub min_time: i64,
    /// The greatest value of the table's time column.
    pub max_time: i64,
    /// How often its rows have been compacted.
    pub level: u8,
    /// When it was written.
    pub created_unix_ms: i64,
}

/// The key of a table's root.
pub(crate) fn root(table: Table) -> String {
    format!("segments/{table}")
}

/// Where a file lies below its table's root, which says what its partition columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Partition<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) day: &'a str,
}

impl<'a> Partition<'a> {
    /// The partition of `tenant=<tenant>/day=<day>/<file>`.
    pub(crate) fn of(relative: &'a str) -> Option<Self> {
        let (tenant, rest) = relative.strip_prefix("tenant=")?.split_once('/')?;
        let (day, file) = rest.strip_prefix("day=")?.split_once('/')?;
        let whole = !tenant.is_empty() && !day.is_empty() && !file.is_empty() && !file.contains('/');
        whole.then_some(Self { tenant, day })
    }
}

impl Segment {
    /// Its path below its table's root, unless it lies elsewhere.
    pub(crate) fn relative(&self) -> Option<&str> {
        let relative = self.path.strip_prefix(&root(self.table))?.strip_prefix('/')?;
        Partition::of(relative).map(|_| relative)
    }
}
