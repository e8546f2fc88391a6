//! Where series come from.

use std::sync::Arc;

use crate::ast::Matcher;
use crate::histogram::Histogram;
use crate::labels::Labels;

/// What an expression needs to read: once for each selector of a query.
#[derive(Clone, Debug)]
pub struct Selection {
    /// All of them have to fit; a label that a series does not have is empty.
    pub matchers: Vec<Matcher>,
    /// The first millisecond that matters, included.
    pub start_ms: i64,
    /// The last millisecond that matters, included.
    pub end_ms: i64,
    /// A hint: samples between its ranges do not matter, if it has some that are apart.
    pub apart: Option<Apart>,
    /// A hint: the step of the query, 0 for an instant one.
    pub step_ms: i64,
    /// A hint: the range of a range selector, 0 for an instant one.
    pub range_ms: i64,
    /// A hint: the function right above, if any.
    pub function: Option<&'static str>,
    /// A hint: only labels matter, no samples are read (`series`, `labels`).
    pub labels_only: bool,
    /// A hint: of histograms, it matters whether the first one within the range goes on from the one
    /// before, which is therefore worth giving if it is not long ago.
    pub resets: bool,
}

/// Ranges of times with gaps between them, in which nothing is looked at. The last one ends with the
/// selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// From the end of one range to the end of the next.
    pub every_ms: i64,
    /// How many milliseconds a range has, below `every_ms`.
    pub length_ms: i64,
}

/// Series of a store, shared by the threads of a query.
pub trait Source: Sync {
    /// The series that fit, in ascending order of their labels, each with its samples in ascending
    /// order of time. Samples outside of the selection's range may be among them, and are left out.
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError>;
}

/// Series one after the other. The iterator is advanced by one thread at a time; what is costly
/// belongs into [`Samples::Encoded`], which the threads of a query decode side by side.
pub type SeriesIter<'a> = Box<dyn Iterator<Item = Result<(Labels, Samples<'a>), SourceError>> + Send + 'a>;

/// Fills a chunk, which comes empty but may have room from the series before.
pub type Decode<'a> = Box<dyn FnOnce(&mut Chunk) -> Result<(), SourceError> + Send + 'a>;

/// The samples of one series.
pub enum Samples<'a> {
    /// Ready to be read.
    Decoded(Chunk),
    /// Decoded by the thread that evaluates the series, once.
    Encoded(Decode<'a>),
}

impl From<Chunk> for Samples<'_> {
    fn from(chunk: Chunk) -> Self {
        Self::Decoded(chunk)
    }
}

/// The samples of one series within the range, as columns of equal length.
///
/// Floats and histograms of one series share the time axis; a series rarely has both.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Milliseconds since 1970, ascending.
    pub times_ms: Vec<i64>,
    /// The value of a float; unspecified where a histogram stands.
    pub values: Vec<f64>,
    /// Empty where the series has no histogram; else as long as the others, `None` for floats.
    pub histograms: Vec<Option<Arc<Histogram>>>,
    /// When what the sample adds up began; empty where nobody knows, 0 for an unknown one.
    pub start_times_ms: Vec<i64>,
}

impl Chunk {
    /// Empties it and keeps the room.
    pub fn clear(&mut self) {
        self.times_ms.clear();
        self.values.clear();
        self.histograms.clear();
        self.start_times_ms.clear();
    }
}

/// A sample as tests and small callers see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    /// A number; it may be a stale marker.
    Float(f64),
    /// A native histogram, shared with whoever stores it.
    Histogram(Arc<Histogram>),
}

/// The store could not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);
