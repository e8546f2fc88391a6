use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use super::Desk;
use crate::dto;
use crate::problem::Problem;
use crate::tenant::{Scope, Sight};

/// Queries that run now.
#[utoipa::path(get, path = "/api/v1/queries", tag = "queries", responses((status = 200, body = Vec<dto::RunningQuery>)))]
pub(crate) async fn queries_running(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
) -> Json<Vec<dto::RunningQuery>> {
    Json(desk.queries.running(&tenant))
}

/// Cancel a query.
#[utoipa::path(delete, path = "/api/v1/queries/{id}", tag = "queries",
    params(("id" = String, Path, description = "Its id, from the header X-Fresnel-Query-Id")),
    responses((status = 204, description = "Cancelled"), (status = 404, body = Problem)))]
pub(crate) async fn query_cancel(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if desk.queries.cancel(&tenant, &id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found(format!("no query `{id}` is running")))
    }
}

/// What became of every record received: of the key's tenant, or with an `admin` key of all.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "system", responses((status = 200, body = dto::Ledger)))]
pub(crate) async fn ledger(State(desk): State<Desk>, sight: Sight) -> Json<dto::Ledger> {
    Json(desk.operations.ledger(&sight))
}

/// The server in figures.
#[utoipa::path(get, path = "/api/v1/status", tag = "system", responses((status = 200, body = dto::Status)))]
pub(crate) async fn status(State(desk): State<Desk>, sight: Sight) -> Json<dto::Status> {
    Json(desk.operations.status(&sight).await)
}

/// Whether the process is alive: 200 as long as it can answer.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "Alive")))]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// Whether requests are served: 503 while starting and stopping.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "Ready"), (status = 503, description = "Starting or stopping")))]
pub(crate) async fn readyz(State(desk): State<Desk>) -> Response {
    if desk.operations.ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

/// Health of each part; also under `/health`, where some probers look.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, body = dto::Health), (status = 503, body = dto::Health, description = "A component fails")))]
pub(crate) async fn healthz(State(desk): State<Desk>, sight: Sight) -> Response {
    let health = desk.operations.health(&sight);
    let status = match health.status {
        dto::HealthStatus::Fail => StatusCode::SERVICE_UNAVAILABLE,
        dto::HealthStatus::Pass | dto::HealthStatus::Warn => StatusCode::OK,
    };
    (status, Json(health)).into_response()
}

/// The server's own metrics in Prometheus' text format; of other tenants only with an `admin` key.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, content_type = "text/plain", body = String)))]
pub(crate) async fn own_metrics(State(desk): State<Desk>, sight: Sight) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    ([(header::CONTENT_TYPE, content_type)], desk.operations.metrics(&sight)).into_response()
}
