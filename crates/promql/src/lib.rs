//! PromQL as of Prometheus 3: the parser, and an evaluator over series that somebody else stores.
//!
//! Enters: the text of a query, and series in order through [`Source`]. Leaves: the tree with
//! positions (for an editor, `format_query`, `parse_query`), or a [`Value`] with [`Annotations`].
//! Must hold: pure functions; no storage, no tokio, no clock (`now` and every time are arguments);
//! the same answer whatever the parallelism; memory and samples of a query are bounded by
//! [`Limits`], and going beyond is an error that says so.
//!
//! Times are milliseconds since 1970 in `i64`, as everywhere in Prometheus.

mod annotations;
pub mod ast;
mod engine;
mod format;
pub mod functions;
pub mod histogram;
mod labels;
mod limits;
mod parse;
pub mod series_description;
mod source;
mod value;

pub use annotations::{Annotation, Annotations};
pub use engine::{Check, Interrupted, Outcome, QueryError, Statistics, Steps, query_instant, query_range};
pub use format::format_query;
pub use labels::{Labels, LabelsBuilder, METRIC_NAME};
pub use limits::{Limits, Options};
pub use parse::{HEIGHT_MAX, NESTING_MAX, ParseError, ParseOptions, parse, parse_selector};
pub use source::{Apart, Chunk, Decode, Point, Samples, Selection, SeriesIter, Source, SourceError};
pub use value::{Matrix, Sample, Series, Value, Vector};
