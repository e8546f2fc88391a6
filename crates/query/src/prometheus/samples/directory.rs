//! Which series a row group has, where, and what their values are scaled by: read once, and kept.
//!
//! A query of few series decompressed a dictionary and a page of each of the columns that say so, in each
//! row group, to find a few dozen bytes.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::column::RunRows;
use crate::prometheus::prune::SeriesId;

/// Rows of a run, on average, from which on it is worth it: files that were never merged have a few.
const RUN_ROWS_MIN: usize = 64;

/// What is known of the row groups of a file.
pub(crate) struct Directory {
    groups: Vec<Group>,
}

/// Of a row group.
pub(super) struct Group {
    /// There are no more runs.
    runs_max: usize,
    runs: OnceLock<Arc<Runs>>,
}

/// The runs of a row group, which they fill.
pub(super) struct Runs(Vec<Run>);

/// Rows of one series, from where the run before ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) id: SeriesId,
    pub(super) end: u32,
    pub(super) scale: Scale,
}

/// What the values of a series are scaled by; zeros where they are not. The divisor is the bits of a double.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) base: i64,
    pub(super) unit: i64,
    pub(super) divisor: i64,
}

impl Directory {
    /// One in which nothing is yet, where a file has long runs and says how many.
    pub(in crate::prometheus) fn of(footer: &ParquetMetaData) -> Option<Self> {
        let size = |number: i64| usize::try_from(number).unwrap_or(0);
        let group = |group: &RowGroupMetaData| {
            let ids = group.columns().iter().find(|column| column.column_path().parts() == ["series_id"])?;
            let runs_max = usize::try_from(ids.statistics()?.distinct_count_opt()?).ok()?;
            let long = runs_max.saturating_mul(RUN_ROWS_MIN) <= size(group.num_rows());
            long.then(|| Group { runs_max, runs: OnceLock::new() })
        };
        Some(Self { groups: footer.row_groups().iter().map(group).collect::<Option<_>>()? })
    }

    /// Of one row group.
    #[cfg(test)]
    pub(super) fn of_group(runs_max: usize) -> Self {
        Self { groups: vec![Group { runs_max, runs: OnceLock::new() }] }
    }

    /// Bytes of it, once everything is in it.
    pub(in crate::prometheus) fn bytes(&self) -> usize {
        let runs: usize = self.groups.iter().map(|group| group.runs_max).sum();
        runs * size_of::<Run>() + self.groups.len() * size_of::<Group>()
    }

    pub(super) fn group(&self, number: usize) -> Option<&Group> {
        self.groups.get(number)
    }
}

impl Group {
    /// Whether nothing has to be read to know them.
    pub(super) fn is_known(&self) -> bool {
        self.runs.get().is_some()
    }

    /// The runs, which are kept unless they take more memory than was reserved for them.
    pub(super) fn runs(&self, read: impl FnOnce() -> Result<Vec<Run>>) -> Result<Arc<Runs>> {
        if let Some(runs) = self.runs.get() {
            return Ok(Arc::clone(runs));
        }
        let runs = Arc::new(Runs(read()?));
        if runs.0.len() > self.runs_max {
            return Ok(runs);
        }
        Ok(Arc::clone(self.runs.get_or_init(|| runs)))
    }
}

impl Runs {
    /// The runs of sought series among these rows, which are ascending and apart. `sought` says where one is.
    pub(super) fn sought(
        &self,
        wanted: &[Range<usize>],
        sought: impl Fn(&SeriesId) -> Option<usize>,
    ) -> Vec<RunRows> {
        let mut found: Vec<RunRows> = Vec::new();
        for rows in wanted {
            let first = self.at(rows.start);
            let mut start = first.checked_sub(1).map_or(0, |before| self.0[before].end as usize);
            for run in &self.0[first..] {
                if start >= rows.end {
                    break;
                }
                let own = start.max(rows.start)..(run.end as usize).min(rows.end);
                start = run.end as usize;
                let Some(place) = sought(&run.id) else { continue };
                match found.last_mut() {
                    Some(last) if last.place == place && last.rows.end == own.start => {
                        last.rows.end = own.end
                    }
                    _ => found.push(RunRows { place, rows: own }),
                }
            }
        }
        found
    }

    /// What the values of a run of rows are scaled by.
    pub(super) fn scale(&self, rows: &Range<usize>) -> Scale {
        self.0.get(self.at(rows.start)).map(|run| run.scale).unwrap_or_default()
    }

    /// The number of the run that has a row.
    fn at(&self, row: usize) -> usize {
        self.0.partition_point(|run| run.end as usize <= row)
    }
}
