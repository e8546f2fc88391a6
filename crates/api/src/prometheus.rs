//! Prometheus' HTTP API, below `/prometheus`: what Grafana, `promtool` and their like ask.
//!
//! Enters: requests as Prometheus 3 takes them. Leaves: answers in its envelope, to the letter: what
//! reads Prometheus reads this. Must hold: an error has Prometheus' type, text and status, also where
//! the rest of the API would answer with a problem document; unknown parameters are ignored, as
//! there; an answer that is not complete has a warning.

pub(crate) mod answer;
mod ask;
mod fault;
pub(crate) mod label;
mod parameters;
pub(crate) mod query;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod target;
mod tree;
mod write;
mod yaml;

use axum::Router;
use axum::routing::get;

pub use ask::{
    ActiveAlert, Alerting, Evaluated, Exemplar, ExemplarsOf, MetricMetadata, MetricMetadataText, Prometheus,
    PrometheusAnswer, PrometheusFuture, PrometheusQuery, PrometheusSelection, Rule, RuleGroup, ScrapePool,
    ScrapeTarget, SeriesStatistics, Setup, When,
};
pub use fault::{ErrorType, Fault};

use crate::problem::Problem;
use crate::route::Desk;

/// Everything below `/prometheus` that is read.
pub(crate) fn router() -> Router<Desk> {
    let api = Router::new()
        .route("/query", get(query::instant).post(query::instant_form))
        .route("/query_range", get(query::range).post(query::range_form))
        .route("/query_exemplars", get(query::exemplars).post(query::exemplars_form))
        .route("/format_query", get(query::format).post(query::format_form))
        .route("/parse_query", get(query::parse).post(query::parse_form))
        .route("/labels", get(label::names).post(label::names_form))
        .route("/label/{name}/values", get(label::values))
        .route("/series", get(label::series).post(label::series_form))
        .route("/metadata", get(label::metadata))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/targets", get(target::targets))
        .route("/targets/metadata", get(target::metadata))
        .route("/scrape_pools", get(target::pools))
        .route("/alertmanagers", get(status::alertmanagers))
        .route("/status/buildinfo", get(status::build))
        .route("/status/runtimeinfo", get(status::runtime))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/tsdb", get(status::tsdb));
    Router::new()
        .nest("/api/v1", api)
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::ready))
        .fallback(unknown)
}

async fn unknown() -> Problem {
    Problem::not_found("no such path in Prometheus' API").hint("what there is stands in /api/openapi.json")
}

#[cfg(test)]
mod tests;
