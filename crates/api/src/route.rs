//! Who answers which path. One file an area.

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, delete, get, post};

use crate::operations::Operations;
use crate::problem::Problem;
use crate::queries::Queries;
use crate::{openapi, prometheus, ui};

mod admin;
mod data;
pub(crate) mod parameters;
pub(crate) mod sql;
mod system;

pub(crate) use admin::*;
pub(crate) use data::*;
pub(crate) use system::*;

#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) queries: Arc<dyn Queries>,
    pub(crate) operations: Arc<dyn Operations>,
}

/// Everything on the HTTP port.
pub fn router(queries: Arc<dyn Queries>, operations: Arc<dyn Operations>) -> Router {
    let api = Router::new()
        .route("/v1/sql", get(sql::get).post(sql::post))
        .route("/v1/queries", get(queries_running))
        .route("/v1/queries/{id}", delete(query_cancel))
        .route("/v1/services", get(services))
        .route("/v1/logs", get(logs))
        .route("/v1/logs/histogram", get(log_histogram))
        .route("/v1/traces", get(traces))
        .route("/v1/traces/{trace_id}", get(trace))
        .route("/v1/metrics", get(metrics))
        .route("/v1/metrics/{name}/labels", get(metric_labels))
        .route("/v1/metrics/{name}/series", get(metric_series))
        .route("/v1/ledger", get(ledger))
        .route("/v1/status", get(status))
        .route("/v1/admin/compact", post(compact))
        .route("/openapi.json", get(openapi::serve))
        .fallback(unknown);
    Router::new()
        .nest("/api", api)
        .route("/api/", any(unknown))
        .nest("/prometheus", prometheus::router())
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/healthz", get(healthz))
        .route("/health", get(healthz))
        .route("/metrics", get(own_metrics))
        .fallback(ui::serve)
        .with_state(Desk { queries, operations })
}

async fn unknown() -> Problem {
    Problem::not_found("no such path in the API").hint("what there is stands in /api/openapi.json")
}
