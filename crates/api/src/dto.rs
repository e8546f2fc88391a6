//! What goes over the wire: the types behind `docs/reference/openapi.json`. Nanosecond times are
//! texts, because a JavaScript number cannot hold them; ids are lower-case hex.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

mod data;
mod system;

pub use data::*;
pub use system::*;

/// Attributes by key; the values are texts, other values their JSON.
pub type Attributes = BTreeMap<String, String>;

/// What an answer took, and whether anything is missing in it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Summary {
    /// False when a part of the data could not be read; `warnings` say which.
    pub complete: bool,
    /// What the reader should know, in sentences.
    pub warnings: Vec<String>,
    /// What it took.
    pub stats: Stats,
}

/// What an answer took.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Stats {
    /// Time from the request to the end, in milliseconds.
    pub elapsed_ms: f64,
    /// Rows in the answer.
    pub rows: u64,
    /// Rows that were looked at.
    pub scanned_rows: u64,
    /// Bytes that were read.
    pub scanned_bytes: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Segments that could be left out.
    pub segments_skipped: u64,
    /// The most memory the query held.
    pub memory_peak_bytes: u64,
}
