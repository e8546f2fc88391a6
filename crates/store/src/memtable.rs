//! Records between the log and the files.
//!
//! Enters: batches with the LSN of the entry that brought them, in the order of the LSNs. Leaves:
//! chunks for queries, and whole generations for sealing. Must hold: a record is in exactly one
//! generation; all that a generation holds is accounted to the budget; publishing is quick, since
//! every sender waits for it.

mod blank;
mod chunk;
mod days;
mod fold;
mod generation;
mod prepare;
mod refuse;
mod series_index;
mod shard;
mod streams;

pub(crate) use self::chunk::{Chunk, time_range, times};
#[cfg(test)]
pub(crate) use self::days::SeriesDays;
pub(crate) use self::generation::Generation;
pub(crate) use self::prepare::Prepared;
pub(crate) use self::refuse::{points_of, without};
pub(crate) use self::series_index::{
    IdHasher, SeriesCatalog, SeriesId, SeriesIndex, SeriesLimits, series_id,
};
pub(crate) use self::shard::{Memory, Shard};
pub(crate) use self::streams::{merge_streams, stream_ids};

#[cfg(test)]
mod tests;
