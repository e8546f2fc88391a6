//! Batches of an answer as bytes, one file a format.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;

use crate::dto::Summary;

mod columnar;
mod csv;
mod json;

/// Writes an answer in one format, piece by piece.
pub(crate) trait Render: Send {
    /// Before the first batch.
    fn begin(&mut self) -> Result<Bytes, ArrowError>;
    /// A batch.
    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError>;
    /// After the last one.
    fn end(&mut self, summary: &Summary) -> Result<Bytes, ArrowError>;
}

/// The formats of `format=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Ndjson,
    Csv,
    Arrow,
    Parquet,
}

impl Format {
    pub(crate) const NAMES: &str = "json, ndjson, csv, arrow, parquet";

    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "ndjson" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            "arrow" => Some(Self::Arrow),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub(crate) fn render(self, schema: SchemaRef) -> Result<Box<dyn Render>, ArrowError> {
        Ok(match self {
            Self::Json => Box::new(json::Table::new(schema)),
            Self::Ndjson => Box::new(json::Lines::new(schema)),
            Self::Csv => Box::new(csv::Csv::new(schema)),
            Self::Arrow => Box::new(columnar::Stream::new(schema)?),
            Self::Parquet => Box::new(columnar::Parquet::new(schema)?),
        })
    }
}
