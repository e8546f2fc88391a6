//! Segments: sealed Parquet files.
//!
//! Enters: chunks of one table of one tenant. Leaves: files in the schema of
//! `docs/reference/schema.md`, sorted for their use, with statistics, page index and, for spans,
//! an index of trace ids that other readers do not see. Must hold: every row of the chunks is in
//! exactly one of the files that are made of them; what a file says of itself (times, order) is
//! true.

mod encode;
mod order;
mod origin;
mod path;
mod properties;
mod read;
mod rows;
mod trace_index;
mod unfile;
mod write;

pub(crate) use self::encode::Buffers;
pub(crate) use self::order::{Pick, by_day, order};
pub(crate) use self::origin::{Origin, Stamp, covers, overlap, union};
pub(crate) use self::path::{SEGMENTS, object_path, parse_path};
pub(crate) use self::properties::{Effort, GROUP_ROWS, has_long_runs, is_large};
pub(crate) use self::read::{SegmentFile, Wanted, group_len, has_all_columns};
pub(crate) use self::rows::{Rows, project};
pub(crate) use self::trace_index::{TraceIndex, hash};
pub(crate) use self::unfile::{FileSeries, unfile};
pub(crate) use self::write::SegmentWriter;

#[cfg(test)]
mod tests;
