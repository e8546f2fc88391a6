//! Series as tests write them: `name{a="b"} 1+2x10 _ stale {{schema:1 count:3 …}}`.
//!
//! Enters: one line. Leaves: labels, and a value or a gap for each step. Must hold: a line is bounded
//! ([`VALUES_MAX`]); what is wrong is said with the place where it stands.
//!
//! The language is that of Prometheus' tests (`promtool test rules` and promqltest).

mod cursor;
mod duration;
mod histogram;
mod labels;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;

use crate::histogram::Histogram;
use crate::labels::Labels;

use cursor::Cursor;
pub use duration::parse_duration_ms;

/// Values that one line may give.
pub const VALUES_MAX: usize = 1_000_000;

/// A series and its values, one for each step.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDescription {
    /// The metric's name is among them.
    pub labels: Labels,
    /// At most [`VALUES_MAX`].
    pub values: Vec<SequenceValue>,
}

/// What stands at one step.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceValue {
    /// `_`: the series has no sample.
    Gap,
    /// A number; `stale` is the NaN of [`crate::histogram::STALE_NAN_BITS`].
    Float(f64),
    /// `{{…}}`: a native histogram.
    Histogram {
        /// Shared by the steps that repeat it.
        histogram: Arc<Histogram>,
        /// The counter reset hint was written, so it means something.
        hint_written: bool,
    },
}

/// When the samples of the next line's series began: `series@st _ -30s -30s-1mx2`.
#[derive(Clone, Debug, PartialEq)]
pub struct StartTimes {
    /// Those of the series with the values; `@st` is not part of them.
    pub labels: Labels,
    /// Relative to the time of each sample, milliseconds; `None` where nothing is known.
    pub offsets_ms: Vec<Option<i64>>,
}

/// A line of a block of series.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesLine {
    /// `series 1 2 3`.
    Values(SeriesDescription),
    /// `series@st -30s …`.
    StartTimes(StartTimes),
}

/// Why a line is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {at}")]
pub struct DescriptionError {
    /// What was expected or is too much, without the place.
    pub message: String,
    /// Bytes from the start of the line.
    pub at: usize,
}

/// Parses a series with its values.
pub fn parse_series(line: &str) -> Result<SeriesDescription, DescriptionError> {
    let mut cursor = Cursor::new(line);
    let labels = labels::parse(&mut cursor)?;
    let values = values::parse(&mut cursor)?;
    Ok(SeriesDescription { labels, values })
}

/// Parses a series with its values or its start times.
pub fn parse_line(line: &str) -> Result<SeriesLine, DescriptionError> {
    let mut cursor = Cursor::new(line);
    let labels = labels::parse(&mut cursor)?;
    if cursor.eat_text("@st") {
        let offsets_ms = values::parse_start_times(&mut cursor)?;
        return Ok(SeriesLine::StartTimes(StartTimes { labels, offsets_ms }));
    }
    let values = values::parse(&mut cursor)?;
    Ok(SeriesLine::Values(SeriesDescription { labels, values }))
}

/// Parses labels alone: `name{a="b"}`, `{"a name", a="b"}`, `name`.
pub fn parse_labels(text: &str) -> Result<Labels, DescriptionError> {
    let mut cursor = Cursor::new(text);
    let labels = labels::parse(&mut cursor)?;
    cursor.skip_space();
    if cursor.at_end() { Ok(labels) } else { Err(cursor.error("unexpected text after the labels")) }
}

/// Takes the quotes off a string as Go writes it (`"…"`, `'…'` or `` `…` ``).
pub fn unquote(text: &str) -> Result<String, DescriptionError> {
    let mut cursor = Cursor::new(text);
    let value = cursor.quoted()?;
    if cursor.at_end() { Ok(value) } else { Err(cursor.error("unexpected text after the string")) }
}
