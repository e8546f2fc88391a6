//! How a call that was turned away is answered over HTTP.

use ::axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::Map;

use super::Rejected;
use crate::problem::problem;

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
        let mut response = problem(status, detail, Map::new());
        if let Some(wait) = self.retry_after() {
            // Whole seconds, rounded up: who comes earlier is turned away again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.max(1).into());
        }
        response
    }
}
