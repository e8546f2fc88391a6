//! Instruments that cost one atomic addition.
//!
//! A [`Registry`] makes instruments; binding one to its labels makes a series, which is what the
//! hot path holds. The number of series of an instrument is limited: labels beyond the limit all
//! land in one series marked `otel.metric.overflow`.
//!
//! ```
//! use fresnel_sdk::telemetry::metrics::Registry;
//!
//! let registry = Registry::new();
//! let requests = registry.counter("app.requests", "{request}", "Requests answered.");
//! let ok = requests.bind(&[("status", "ok")]);
//! ok.add(1);
//! assert!(registry.prometheus().contains("app_requests_total{status=\"ok\"} 1\n"));
//! ```

#[cfg(feature = "axum")]
pub mod axum;
mod by_name;
mod exponential;
mod family;
mod instrument;
mod json;
mod prometheus;
mod read;
mod registry;
mod stripes;
mod success;
mod timer;

#[cfg(test)]
mod tests;

pub use self::exponential::{BoundExponentialHistogram, ExponentialHistogram};
pub use self::instrument::{
    BoundCounter, BoundGauge, BoundHistogram, BoundUpDownCounter, Counter, Gauge, Histogram, UpDownCounter,
};
pub use self::registry::{Observer, Registry, RegistryOptions};
pub(crate) use self::success::{Success, SuccessNames};
pub use self::timer::{BoundTimer, Timer};

/// Labels of a series: names by the semantic conventions, and values.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// The `Content-Type` of [`Registry::prometheus`].
pub const PROMETHEUS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The `Content-Type` of [`Registry::openmetrics`].
pub const OPENMETRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bucket bounds for durations in seconds, from 100 µs to 10 s.
pub const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bucket bounds for sizes in bytes, from 256 B to 256 MiB.
pub const BYTES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
];

/// `count` bounds from `first`, each `factor` times the one before.
pub fn exponential_bounds(first: f64, factor: f64, count: usize) -> Vec<f64> {
    std::iter::successors(Some(first), |bound| Some(bound * factor)).take(count).collect()
}
