//! The page of metrics, for axum: `GET /metrics`.
//!
//! What is answered is what the reader asks for by `Accept`: Prometheus' text (the default),
//! OpenMetrics (`application/openmetrics-text`) or JSON (`application/json`); `?format=text`,
//! `openmetrics` or `json` is stronger.
//!
//! ```
//! use fresnel_sdk::telemetry::metrics::{Registry, axum::router};
//!
//! let registry = Registry::new();
//! let app: axum::Router = axum::Router::new().merge(router(registry));
//! # let _ = app;
//! ```

#[cfg(test)]
mod tests;

use ::axum::Router;
use ::axum::extract::{Query, State};
use ::axum::http::{HeaderMap, StatusCode, header};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::get;
use serde::Deserialize;

use super::{OPENMETRICS_CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE, Registry};

/// A form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Text,
    OpenMetrics,
    Json,
}

#[derive(Deserialize)]
struct Asked {
    format: Option<Form>,
}

/// The page of a registry, at `/metrics`.
pub fn router(registry: Registry) -> Router {
    Router::new().route("/metrics", get(page)).with_state(registry)
}

async fn page(State(registry): State<Registry>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let form = asked.format.unwrap_or_else(|| wanted(accept.unwrap_or_default()));
    let (content_type, page) = match form {
        Form::Text => (PROMETHEUS_CONTENT_TYPE, registry.prometheus()),
        Form::OpenMetrics => (OPENMETRICS_CONTENT_TYPE, registry.openmetrics()),
        Form::Json => ("application/json", registry.json().to_string()),
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
    // It depends on the header, should somebody keep it all the same.
    (StatusCode::OK, headers, [(header::VARY, "accept")], page).into_response()
}

/// The form that is accepted most; text where nothing is known.
fn wanted(accept: &str) -> Form {
    let mut best = (Form::Text, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/openmetrics-text" => Form::OpenMetrics,
            "application/json" => Form::Json,
            "text/plain" | "text/*" | "*/*" => Form::Text,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
        if quality > best.1 {
            best = (form, quality);
        }
    }
    best.0
}
