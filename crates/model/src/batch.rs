use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Signal, Table, schema};

/// The accepted records of one request, in columns.
#[derive(Clone, Debug)]
pub enum Batch {
    /// Log records.
    Logs(Logs),
    /// Spans.
    Spans(Spans),
    /// Points of metrics.
    Metrics(Metrics),
}

/// Log records of one or more streams.
#[derive(Clone, Debug)]
pub struct Logs {
    /// [`schema::streams`]
    pub streams: RecordBatch,
    /// [`schema::rows`] of [`Table::Logs`]; column `stream` is a row number of `streams`.
    pub records: RecordBatch,
}

/// Spans of one or more streams.
#[derive(Clone, Debug)]
pub struct Spans {
    /// [`schema::streams`]
    pub streams: RecordBatch,
    /// [`schema::rows`] of [`Table::Spans`]; column `stream` is a row number of `streams`.
    pub records: RecordBatch,
}

/// Points of metrics. The records that are counted are samples and histograms.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// [`schema::streams`]
    pub streams: RecordBatch,
    /// [`schema::rows`] of [`Table::Series`]; one row a series of the request, `stream` as above.
    pub series: RecordBatch,
    /// [`schema::rows`] of [`Table::Samples`]; column `series` is a row number of `series`.
    pub samples: RecordBatch,
    /// [`schema::rows`] of [`Table::Histograms`]; column `series` as above.
    pub histograms: RecordBatch,
    /// [`schema::rows`] of [`Table::Exemplars`]; column `series` as above.
    pub exemplars: RecordBatch,
}

/// A batch whose parts have not the schemas that they must have.
#[derive(Debug, thiserror::Error)]
#[error("batch for `{part}` has another schema than the contract's")]
pub struct BatchError {
    /// Which part.
    pub part: &'static str,
}

impl Batch {
    /// The signal it belongs to.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Logs(_) => Signal::Logs,
            Self::Spans(_) => Signal::Spans,
            Self::Metrics(_) => Signal::Metrics,
        }
    }

    /// How many records the ledger counts in it.
    pub fn records(&self) -> u64 {
        let rows = match self {
            Self::Logs(logs) => logs.records.num_rows(),
            Self::Spans(spans) => spans.records.num_rows(),
            Self::Metrics(metrics) => metrics.samples.num_rows() + metrics.histograms.num_rows(),
        };
        rows as u64
    }

    /// Bytes it holds in memory.
    pub fn bytes(&self) -> u64 {
        self.parts().iter().map(|(_, part, _)| part.get_array_memory_size() as u64).sum()
    }

    /// Whether it has nothing to store.
    pub fn is_empty(&self) -> bool {
        self.parts().iter().all(|(_, part, _)| part.num_rows() == 0)
    }

    /// Checks every part against the contract, for decoders' tests and for debug builds.
    ///
    /// # Errors
    /// [`BatchError`] names the part that differs.
    pub fn check(&self) -> Result<(), BatchError> {
        let wrong = self.parts().into_iter().find(|(_, part, schema)| part.schema() != *schema);
        wrong.map_or(Ok(()), |(part, _, _)| Err(BatchError { part }))
    }

    fn parts(&self) -> Vec<(&'static str, &RecordBatch, SchemaRef)> {
        match self {
            Self::Logs(Logs { streams, records }) => {
                vec![("streams", streams, schema::streams()), ("logs", records, schema::rows(Table::Logs))]
            }
            Self::Spans(Spans { streams, records }) => {
                vec![("streams", streams, schema::streams()), ("spans", records, schema::rows(Table::Spans))]
            }
            Self::Metrics(Metrics { streams, series, samples, histograms, exemplars }) => vec![
                ("streams", streams, schema::streams()),
                ("series", series, schema::rows(Table::Series)),
                ("samples", samples, schema::rows(Table::Samples)),
                ("histograms", histograms, schema::rows(Table::Histograms)),
                ("exemplars", exemplars, schema::rows(Table::Exemplars)),
            ],
        }
    }
}
