use std::fmt;

/// A kind of telemetry that arrives in requests of its own and is acknowledged, sealed and counted
/// on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Spans of traces.
    Spans,
    /// Metric points: samples, histograms, exemplars.
    Metrics,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Spans, Self::Metrics];

    /// The name in paths, labels and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Metrics => "metrics",
        }
    }

    /// The tables a signal's requests are stored in, the one of the counted records first.
    pub fn tables(self) -> &'static [Table] {
        match self {
            Self::Logs => &[Table::Logs],
            Self::Spans => &[Table::Spans],
            Self::Metrics => &[Table::Samples, Table::Histograms, Table::Exemplars, Table::Series],
        }
    }

    /// The reverse of [`Signal::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == name)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A table of the store: a folder of Parquet files with one schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row a log record.
    Logs,
    /// One row a span, events and links nested.
    Spans,
    /// One row a number point of a metric.
    Samples,
    /// One row a time series and day: who the samples belong to.
    Series,
    /// One row a histogram or summary point.
    Histograms,
    /// One row an exemplar of a metric point.
    Exemplars,
    /// One row a window of a series: what its samples come to.
    Downsampled,
    /// Some rows a window of a series: what its histograms or summaries come to.
    DownsampledHistograms,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] = [
        Self::Logs,
        Self::Spans,
        Self::Samples,
        Self::Series,
        Self::Histograms,
        Self::Exemplars,
        Self::Downsampled,
        Self::DownsampledHistograms,
    ];

    /// The name in paths and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Samples => "samples",
            Self::Series => "series",
            Self::Histograms => "histograms",
            Self::Exemplars => "exemplars",
            Self::Downsampled => "downsampled",
            Self::DownsampledHistograms => "downsampled_histograms",
        }
    }

    /// The reverse of [`Table::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == name)
    }

    /// The signal whose requests fill it.
    pub fn signal(self) -> Signal {
        match self {
            Self::Logs => Signal::Logs,
            Self::Spans => Signal::Spans,
            Self::Samples
            | Self::Series
            | Self::Histograms
            | Self::Exemplars
            | Self::Downsampled
            | Self::DownsampledHistograms => Signal::Metrics,
        }
    }

    /// The table of what its rows come to by windows, where they are downsampled.
    pub fn downsampled(self) -> Option<Self> {
        match self {
            Self::Samples => Some(Self::Downsampled),
            Self::Histograms => Some(Self::DownsampledHistograms),
            _ => None,
        }
    }

    /// The column by which rows are assigned to a day and expire.
    pub fn time_column(self) -> &'static str {
        match self {
            Self::Spans => "start_time_unix_nano",
            _ => "time_unix_nano",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
