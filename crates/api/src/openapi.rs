use axum::Json;
use utoipa::OpenApi;

use crate::route;

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
        route::livez,
        route::readyz,
        route::healthz,
        route::own_metrics,
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
