//! What a query may take, and how it is evaluated.

/// Bounds of one query; the answer to going beyond one is an error that names it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Samples held in memory at the same time, as Prometheus' `--query.max-samples` counts them.
    pub samples_max: usize,
    /// Series that a selector may touch.
    pub series_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { samples_max: 50_000_000, series_max: 10_000_000 }
    }
}

/// How queries are evaluated. The defaults are those of a shipped Prometheus 3.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How far an instant selector looks back, milliseconds.
    pub lookback_ms: i64,
    /// Step of a subquery that names none, milliseconds.
    pub subquery_step_ms: i64,
    /// The metric's name is dropped at the end of a query, not at each function.
    pub delayed_name_removal: bool,
    /// Start times of samples take part in finding counter resets.
    pub start_timestamps: bool,
    /// Experimental functions, duration expressions, `anchored`, `smoothed` and `fill` are allowed.
    pub experimental: bool,
    /// Threads that evaluate series; the answer does not depend on it.
    pub parallelism: usize,
    /// What is too much for one query.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback_ms: 5 * 60 * 1000,
            subquery_step_ms: 60 * 1000,
            delayed_name_removal: false,
            start_timestamps: false,
            experimental: false,
            parallelism: 1,
            limits: Limits::default(),
        }
    }
}
