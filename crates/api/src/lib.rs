//! The API over HTTP, and the web application it serves.
//!
//! Enters: HTTP requests. Leaves: answers of [`Queries`] and [`Operations`] in the formats clients
//! read. Must hold: no query engine and no store is named here; every answer with data says
//! whether it is complete; every error is a problem document (RFC 9457), but where the
//! API is somebody else's, in whose form it is then.

mod clock;
mod config;
pub mod dto;
mod openapi;
mod operations;
mod problem;
mod prometheus;
mod queries;
mod render;
mod route;
mod tenant;
mod ui;

pub use config::Config;
pub use openapi::document as openapi_document;
pub use operations::{CompactWanted, Operations};
pub use problem::Problem;
pub use prometheus::{
    ActiveAlert, Alerting, ErrorType, Evaluated, Exemplar, ExemplarsOf, Fault, MetricMetadata,
    MetricMetadataText, Prometheus, PrometheusAnswer, PrometheusFuture, PrometheusQuery, PrometheusSelection,
    Rule, RuleGroup, ScrapePool, ScrapeTarget, SeriesStatistics, Setup, When,
};
pub use queries::{
    Failure, LogFilter, MetricFilter, NextBatch, Queries, QueryFuture, RecordStream, SeriesRequest,
    SqlRequest, TimeRange, TraceFilter,
};
pub use route::router;
pub use tenant::{Scope, Sight};

#[cfg(test)]
mod tests;
