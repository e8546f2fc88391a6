//! What the doors over HTTP have in common: the parts of an answer that are HTTP's and not their
//! protocol's.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use model::ErrorKind;

use crate::error::Refusal;

/// A header's text; empty where there is none.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The status of a refusal.
pub(crate) fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::ContentType { .. } | Refusal::ContentEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        other => match other.kind() {
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
            ErrorKind::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
            ErrorKind::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// Adds to a refusal's answer what the sender should do next.
pub(crate) fn advise(response: &mut Response, refusal: &Refusal, version: Version) {
    let headers = response.headers_mut();
    if let Some(after) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if matches!(refusal, Refusal::Method) {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    // A body that was not read is still on its way: the connection cannot be used again.
    if version < Version::HTTP_2 && refusal.before_the_end() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}
