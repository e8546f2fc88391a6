use axum::Json;
use axum::extract::{Path, State};

use super::Desk;
use super::parameters::{Parameters, parse_trace_id};
use crate::dto;
use crate::problem::Problem;
use crate::queries::{LogFilter, MetricFilter, SeriesRequest, TraceFilter};
use crate::tenant::Scope;

const LIMIT_MAX: u32 = 10_000;
const NANOS_PER_MS: i64 = 1_000_000;

/// Names of services.
#[utoipa::path(get, path = "/api/v1/services", tag = "data",
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = dto::Services), (status = 400, body = Problem)))]
pub(crate) async fn services(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Json<dto::Services>, Problem> {
    parameters.only(&["from", "to"])?;
    Ok(Json(desk.queries.services(tenant, parameters.range()?).await?))
}

/// Newest log records.
#[utoipa::path(get, path = "/api/v1/logs", tag = "data",
    params(("service" = Option<String>, Query), ("severity_min" = Option<i32>, Query), ("q" = Option<String>, Query),
        ("trace_id" = Option<String>, Query), ("attr" = Option<Vec<String>>, Query, description = "key:value, repeatable"),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("before" = Option<String>, Query, description = "`next` of an earlier answer")),
    responses((status = 200, body = dto::Logs), (status = 400, body = Problem)))]
pub(crate) async fn logs(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Json<dto::Logs>, Problem> {
    parameters.only(&[
        "service",
        "severity_min",
        "q",
        "trace_id",
        "attr",
        "from",
        "to",
        "limit",
        "before",
    ])?;
    Ok(Json(desk.queries.logs(tenant, log_filter(&parameters)?).await?))
}

/// Log records counted by time and severity.
#[utoipa::path(get, path = "/api/v1/logs/histogram", tag = "data",
    params(("service" = Option<String>, Query), ("severity_min" = Option<i32>, Query), ("q" = Option<String>, Query),
        ("trace_id" = Option<String>, Query), ("attr" = Option<Vec<String>>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("buckets" = Option<u32>, Query)),
    responses((status = 200, body = dto::LogHistogram), (status = 400, body = Problem)))]
pub(crate) async fn log_histogram(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Json<dto::LogHistogram>, Problem> {
    parameters.only(&["service", "severity_min", "q", "trace_id", "attr", "from", "to", "buckets"])?;
    let buckets = parameters.number("buckets", 1, 1_000)?;
    let buckets = buckets.and_then(|buckets| u32::try_from(buckets).ok()).unwrap_or(60);
    Ok(Json(desk.queries.log_histogram(tenant, log_filter(&parameters)?, buckets).await?))
}

/// Newest traces.
#[utoipa::path(get, path = "/api/v1/traces", tag = "data",
    params(("service" = Option<String>, Query), ("name" = Option<String>, Query), ("error" = Option<bool>, Query),
        ("min_duration_ms" = Option<i64>, Query), ("max_duration_ms" = Option<i64>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = dto::Traces), (status = 400, body = Problem)))]
pub(crate) async fn traces(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Json<dto::Traces>, Problem> {
    parameters.only(&[
        "service",
        "name",
        "error",
        "min_duration_ms",
        "max_duration_ms",
        "from",
        "to",
        "limit",
    ])?;
    let duration = |name| -> Result<Option<i64>, Problem> {
        let milliseconds = parameters.number(name, 0, i64::MAX / NANOS_PER_MS)?;
        Ok(milliseconds.map(|milliseconds| milliseconds * NANOS_PER_MS))
    };
    let filter = TraceFilter {
        range: parameters.range()?,
        service: parameters.text("service")?,
        name: parameters.text("name")?,
        error: parameters.flag("error")?,
        duration_min_nano: duration("min_duration_ms")?,
        duration_max_nano: duration("max_duration_ms")?,
        limit: parameters.limit(50, 1_000)?,
    };
    Ok(Json(desk.queries.traces(tenant, filter).await?))
}

/// One trace with all its spans.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}", tag = "data",
    params(("trace_id" = String, Path, description = "32 hex digits")),
    responses((status = 200, body = dto::Trace), (status = 404, body = Problem)))]
pub(crate) async fn trace(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    Path(trace_id): Path<String>,
) -> Result<Json<dto::Trace>, Problem> {
    let trace = desk.queries.trace(tenant, parse_trace_id(&trace_id)?).await?;
    if trace.spans.is_empty() && trace.summary.complete {
        return Err(Problem::not_found(format!("no span of trace {} is stored", trace.trace_id))
            .hint("it may have expired, or its sender does not sample it"));
    }
    Ok(Json(trace))
}

/// Names of metrics.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "data",
    params(("q" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = dto::Metrics), (status = 400, body = Problem)))]
pub(crate) async fn metrics(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Json<dto::Metrics>, Problem> {
    parameters.only(&["q", "from", "to"])?;
    let filter = MetricFilter { range: parameters.range()?, text: parameters.text("q")? };
    Ok(Json(desk.queries.metrics(tenant, filter).await?))
}

/// Labels of a metric with their values.
#[utoipa::path(get, path = "/api/v1/metrics/{name}/labels", tag = "data",
    params(("name" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = dto::MetricLabels), (status = 400, body = Problem)))]
pub(crate) async fn metric_labels(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<dto::MetricLabels>, Problem> {
    parameters.only(&["from", "to"])?;
    Ok(Json(desk.queries.metric_labels(tenant, name, parameters.range()?).await?))
}

/// A metric's series over time.
#[utoipa::path(get, path = "/api/v1/metrics/{name}/series", tag = "data",
    params(("name" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("step_ms" = Option<i64>, Query), ("match" = Option<Vec<String>>, Query, description = "key:value, repeatable"),
        ("by" = Option<Vec<String>>, Query, description = "label, repeatable"), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = dto::MetricSeries), (status = 400, body = Problem)))]
pub(crate) async fn metric_series(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<dto::MetricSeries>, Problem> {
    parameters.only(&["from", "to", "step_ms", "match", "by", "limit"])?;
    let request = SeriesRequest {
        name,
        range: parameters.range()?,
        step_ms: parameters.number("step_ms", 1, 86_400_000)?,
        matches: parameters.pairs("match")?,
        by: parameters.all("by").to_vec(),
        limit: parameters.limit(50, 1_000)?,
    };
    Ok(Json(desk.queries.metric_series(tenant, request).await?))
}

fn log_filter(parameters: &Parameters) -> Result<LogFilter, Problem> {
    Ok(LogFilter {
        range: parameters.range()?,
        service: parameters.text("service")?,
        severity_min: parameters.number("severity_min", 0, 24)?.and_then(|number| i32::try_from(number).ok()),
        text: parameters.text("q")?,
        trace_id: parameters.trace_id("trace_id")?,
        attributes: parameters.pairs("attr")?,
        limit: parameters.limit(100, LIMIT_MAX)?,
        before: parameters.text("before")?,
    })
}
