use axum::Json;
use utoipa::OpenApi;

use crate::{prometheus, route};

/// The API's description; `docs/reference/openapi.json` and the page's types are made from it.
#[derive(OpenApi)]
#[openapi(
    info(title = "Fresnel", description = "Everything a running system says about itself."),
    paths(
        route::sql::get,
        route::sql::post,
        route::queries_running,
        route::query_cancel,
        route::services,
        route::logs,
        route::log_histogram,
        route::traces,
        route::trace,
        route::metrics,
        route::metric_labels,
        route::metric_series,
        route::ledger,
        route::status,
        route::compact,
        route::livez,
        route::readyz,
        route::healthz,
        route::own_metrics,
        prometheus::query::instant,
        prometheus::query::instant_form,
        prometheus::query::range,
        prometheus::query::range_form,
        prometheus::query::exemplars,
        prometheus::query::exemplars_form,
        prometheus::query::format,
        prometheus::query::format_form,
        prometheus::query::parse,
        prometheus::query::parse_form,
        prometheus::label::names,
        prometheus::label::names_form,
        prometheus::label::values,
        prometheus::label::series,
        prometheus::label::series_form,
        prometheus::label::metadata,
        prometheus::rules::rules,
        prometheus::rules::alerts,
        prometheus::target::targets,
        prometheus::target::metadata,
        prometheus::target::pools,
        prometheus::status::alertmanagers,
        prometheus::status::build,
        prometheus::status::runtime,
        prometheus::status::config,
        prometheus::status::flags,
        prometheus::status::tsdb,
        prometheus::status::healthy,
        prometheus::status::ready,
    )
)]
struct Document;

/// The description as JSON text.
pub fn document() -> String {
    let mut document = Document::openapi();
    document.info.version = "1".into();
    serde_json::to_string_pretty(&document).expect("the description has only text keys")
}

pub(crate) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    let mut document = Document::openapi();
    document.info.version = "1".into();
    Json(document)
}
