//! What has to be committed so that a table names the live segments: a pure comparison.

use std::collections::{BTreeMap, HashMap};

use deltalake_core::kernel::{Action, Add, CommitInfo, Metadata, Remove, Transaction};
use serde_json::json;

use crate::segment::{Partition, Segment};

/// Under this name the manifest's sequence is in the log.
const APPLICATION: &str = "fresnel";

/// A file that a table names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
}

impl File {
    fn of(segment: &Segment) -> Self {
        Self { rows: Some(segment.rows), bytes: segment.bytes }
    }
}

/// The files of a table by their path below its root.
pub(crate) type Files = BTreeMap<String, File>;

/// The difference between a table and the live segments.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    add: Vec<(&'a str, &'a Segment)>,
    remove: Vec<(&'a str, File)>,
}

/// What a plan does to the files of a table.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) add: Vec<(String, File)>,
    pub(crate) remove: Vec<String>,
}

/// Who says it, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) sequence: u64,
    pub(crate) now_unix_ms: i64,
}

impl<'a> Plan<'a> {
    /// What is live and not in the table, or not as it is; and what is in the table only.
    pub(crate) fn new(files: &'a Files, live: &BTreeMap<&'a str, &'a Segment>) -> Self {
        let add = live.iter().filter(|(path, segment)| files.get(**path) != Some(&File::of(segment)));
        let remove = files.iter().filter(|(path, _)| !live.contains_key(path.as_str()));
        Self {
            add: add.map(|(path, segment)| (*path, *segment)).collect(),
            remove: remove.map(|(path, file)| (path.as_str(), *file)).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// What it does to the files of the table.
    pub(crate) fn edit(&self) -> Edit {
        Edit {
            add: self.add.iter().map(|(path, segment)| ((*path).to_owned(), File::of(segment))).collect(),
            remove: self.remove.iter().map(|(path, _)| (*path).to_owned()).collect(),
        }
    }

    /// The lines of the commit.
    pub(crate) fn actions(&self, time_column: &str, metadata: Option<Metadata>, stamp: Stamp) -> Vec<Action> {
        let rewritten = Rewritten::new(self);
        let sequence = i64::try_from(stamp.sequence).unwrap_or(i64::MAX);
        let mut actions = vec![
            Action::CommitInfo(self.info(&rewritten, stamp)),
            Action::Txn(Transaction::new_with_last_update(APPLICATION, sequence, Some(stamp.now_unix_ms))),
        ];
        actions.extend(metadata.map(Action::Metadata));
        actions.extend(self.remove.iter().map(|(path, file)| {
            Action::Remove(removal(path, file, !rewritten.holds(path), stamp.now_unix_ms))
        }));
        actions.extend(self.add.iter().map(|(path, segment)| {
            let same_rows = segment.level > 0 && rewritten.holds(path);
            Action::Add(addition(path, segment, time_column, !same_rows))
        }));
        actions
    }

    fn info(&self, rewritten: &Rewritten<'_>, stamp: Stamp) -> CommitInfo {
        let only_rewritten =
            self.add.iter().all(|(path, segment)| segment.level > 0 && rewritten.holds(path))
                && self.remove.iter().all(|(path, _)| rewritten.holds(path));
        let operation = match (self.add.is_empty(), self.remove.is_empty()) {
            (false, false) if only_rewritten => "OPTIMIZE",
            (true, false) => "DELETE",
            _ => "WRITE",
        };
        CommitInfo {
            timestamp: Some(stamp.now_unix_ms),
            operation: Some(operation.to_owned()),
            operation_parameters: Some(HashMap::new()),
            is_blind_append: Some(self.remove.is_empty()),
            engine_info: Some(concat!("fresnel/", env!("CARGO_PKG_VERSION")).to_owned()),
            ..CommitInfo::default()
        }
    }
}

/// Partitions in which merged files hold exactly the rows of those that go. There a commit changes
/// no data, and who follows the table's changes need not read it. Where a merged file also holds
/// rows that were never published, it does change data: a follower then sees rows twice, which is
/// better than never.
struct Rewritten<'a>(Vec<Partition<'a>>);

impl<'a> Rewritten<'a> {
    fn new(plan: &Plan<'a>) -> Self {
        let mut rows: HashMap<Partition<'a>, (Option<u64>, u64)> = HashMap::new();
        for (partition, file) in
            plan.remove.iter().filter_map(|(path, file)| Some((Partition::of(path)?, file)))
        {
            let (gone, _) = rows.entry(partition).or_insert((Some(0), 0));
            *gone = gone.zip(file.rows).and_then(|(sum, rows)| sum.checked_add(rows));
        }
        for (path, segment) in plan.add.iter().filter(|(_, segment)| segment.level > 0) {
            let sums = Partition::of(path).and_then(|partition| rows.get_mut(&partition));
            if let Some((_, merged)) = sums {
                *merged = merged.saturating_add(segment.rows);
            }
        }
        let same = rows.into_iter().filter(|(_, (gone, merged))| *gone == Some(*merged));
        Self(same.map(|(partition, _)| partition).collect())
    }

    fn holds(&self, path: &str) -> bool {
        Partition::of(path).is_some_and(|partition| self.0.contains(&partition))
    }
}

fn addition(path: &str, segment: &Segment, time_column: &str, data_change: bool) -> Add {
    let stats = json!({
        "numRecords": segment.rows,
        "minValues": { time_column: segment.min_time },
        "maxValues": { time_column: segment.max_time },
        "nullCount": { time_column: 0 },
    });
    Add {
        path: path.to_owned(),
        partition_values: partition_values(path).unwrap_or_default(),
        size: signed(segment.bytes),
        modification_time: segment.created_unix_ms,
        data_change,
        stats: Some(stats.to_string()),
        ..Add::default()
    }
}

fn removal(path: &str, file: &File, data_change: bool, now_unix_ms: i64) -> Remove {
    let partition_values = partition_values(path);
    Remove {
        path: path.to_owned(),
        data_change,
        deletion_timestamp: Some(now_unix_ms),
        extended_file_metadata: Some(partition_values.is_some()),
        partition_values,
        size: Some(signed(file.bytes)),
        ..Remove::default()
    }
}

fn partition_values(path: &str) -> Option<HashMap<String, Option<String>>> {
    let Partition { tenant, day } = Partition::of(path)?;
    let values = [("tenant", tenant), ("day", day)];
    Some(values.map(|(column, value)| (column.to_owned(), Some(value.to_owned()))).into())
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
