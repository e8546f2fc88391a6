//! How a call that was turned away is answered over HTTP.

use ::axum::Json;
use ::axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::Rejected;

/// A problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) without names of what is
/// inside: 429 for a rate limit, 504 for what took too long, else 503; with `Retry-After` where it
/// is known.
impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let (status, detail) = match &self {
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "there were too many requests"),
            Self::TimedOut { .. } | Self::DeadlineExceeded => {
                (StatusCode::GATEWAY_TIMEOUT, "it took too long")
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, "it is not possible at the moment"),
        };
        let title = status.canonical_reason().unwrap_or_default();
        let problem = serde_json::json!({
            "type": "about:blank", "status": status.as_u16(), "title": title, "detail": detail,
        });
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after() {
            // Whole seconds, rounded up: who comes earlier is turned away again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.max(1).into());
        }
        response
    }
}
