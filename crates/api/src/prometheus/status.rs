//! What Prometheus tells about itself.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::Fault;
use super::answer::Answer;
use super::ask::PrometheusSelection;
use super::fault::PrometheusError;
use super::parameters::{Parameters, now_ms};
use super::yaml;
use crate::Sight;
use crate::route::Desk;
use crate::tenant::Scope;

/// The version of Prometheus whose API and language this is; clients choose by it what they ask.
const VERSION: &str = "3.5.0";

/// Entries of a list of `status/tsdb`.
const TOP: usize = 10;
const TOP_MAX: usize = 10_000;

fn answer(data: &Value) -> Answer {
    Answer::of(data.to_string())
}

/// Alertmanagers; there are none.
#[utoipa::path(get, path = "/prometheus/api/v1/alertmanagers", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn alertmanagers() -> Answer {
    answer(&json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}))
}

/// The version of Prometheus whose API this is. Without `features`, which Grafana takes for those of
/// Mimir.
#[utoipa::path(get, path = "/prometheus/api/v1/status/buildinfo", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn build(State(desk): State<Desk>, sight: Sight) -> Answer {
    let own = desk.operations.status(&sight).await.version;
    answer(&json!({
        "version": VERSION,
        "revision": format!("fresnel {own}"),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// The process.
#[utoipa::path(get, path = "/prometheus/api/v1/status/runtimeinfo", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn runtime(State(desk): State<Desk>, Scope(tenant): Scope, sight: Sight) -> Answer {
    let status = desk.operations.status(&sight).await;
    let setup = desk.queries.prometheus_setup(&tenant);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    answer(&json!({
        "startTime": moment(status.started_unix_ms),
        "CWD": setup.folder,
        "hostname": setup.host,
        "serverTime": moment(now_ms()),
        "reloadConfigSuccess": setup.loaded_well,
        "lastConfigTime": moment(setup.loaded_unix_ms),
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": status.memory.limit_bytes,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": setup.retention,
    }))
}

/// RFC 3339.
pub(super) fn moment(unix_ms: i64) -> String {
    arrow::temporal_conversions::timestamp_ms_to_datetime(unix_ms)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}

/// The configuration in Prometheus' words: what is scraped and by which rules, with secrets masked.
#[utoipa::path(get, path = "/prometheus/api/v1/status/config", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn config(State(desk): State<Desk>, Scope(tenant): Scope) -> Answer {
    answer(&json!({"yaml": yaml::document(&desk.queries.prometheus_setup(&tenant).config)}))
}

/// Those of Prometheus' flags that mean something here, and what they would be.
#[utoipa::path(get, path = "/prometheus/api/v1/status/flags", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn flags(State(desk): State<Desk>, Scope(tenant): Scope) -> Answer {
    answer(&json!(desk.queries.prometheus_setup(&tenant).flags))
}

/// How many series there are, and what most of them have.
///
/// Today, or on the days of a time. Selectors narrow to some of them.
#[utoipa::path(get, path = "/prometheus/api/v1/status/tsdb", tag = "prometheus",
    params(("limit" = Option<u64>, Query, description = "Entries of a list, 10 when missing"),
        ("match[]" = Option<Vec<String>>, Query, description = "Selectors of series; Fresnel's own"),
        ("start" = Option<String>, Query, description = "A time on the first day, now when missing; Fresnel's own"),
        ("end" = Option<String>, Query, description = "A time on the last day, now when missing; Fresnel's own"),
        ("focusLabel" = Option<String>, Query,
            description = "The label whose values `seriesCountByFocusLabelValue` counts; Fresnel's own")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn tsdb(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Answer, Fault> {
    let limit = parameters.limit("limit")?.unwrap_or(TOP).min(TOP_MAX);
    let now = now_ms();
    let times_ms = (parameters.time_or("start", || now)?, parameters.time_or("end", || now)?);
    let selection = PrometheusSelection { tenant, selectors: parameters.selectors()?, times_ms };
    let label = Some(parameters.get("focusLabel").to_owned()).filter(|label| !label.is_empty());
    let focused = label.is_some();
    let answered = desk.queries.prometheus_statistics(selection, label, limit).await?;
    let list = |counts: Vec<(String, u64)>| -> Value {
        counts.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    let known = answered.value;
    let mut data = json!({
        "headStats": {
            "numSeries": known.series,
            "numLabelPairs": known.label_pairs,
            "chunkCount": 0,
            "minTime": 0,
            "maxTime": now,
        },
        "seriesCountByMetricName": list(known.by_metric),
        "labelValueCountByLabelName": list(known.values_by_label),
        "memoryInBytesByLabelName": list(known.bytes_by_label),
        "seriesCountByLabelValuePair": list(known.by_pair),
    });
    if focused {
        data["seriesCountByFocusLabelValue"] = list(known.by_value);
    }
    Ok(answer(&data).with(answered.warnings, Vec::new()))
}

/// Whether the process is alive, as Prometheus says it.
#[utoipa::path(get, path = "/prometheus/-/healthy", tag = "prometheus",
    responses((status = 200, description = "Alive")))]
pub(crate) async fn healthy() -> &'static str {
    "Fresnel is Healthy.\n"
}

/// Whether requests are served, as Prometheus says it.
#[utoipa::path(get, path = "/prometheus/-/ready", tag = "prometheus",
    responses((status = 200, description = "Ready"), (status = 503, description = "Starting or stopping")))]
pub(crate) async fn ready(State(desk): State<Desk>) -> Response {
    if desk.operations.ready() {
        "Fresnel is Ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response()
    }
}
