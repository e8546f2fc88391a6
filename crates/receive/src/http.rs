//! What the doors over HTTP have in common: reading a body, and the parts of an answer that are HTTP's
//! and not their protocol's.

use axum::body::Body as HttpBody;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use http_body_util::BodyExt;
use model::{ErrorKind, Reservation};

use crate::error::Refusal;
use crate::intake::Intake;

/// Reads a body for which memory has been taken first: at once where its length is told, else as
/// it comes (JavaScript's exporters send chunks without a length).
pub(crate) async fn read(
    intake: &Intake,
    headers: &HeaderMap,
    mut body: HttpBody,
) -> Result<(Bytes, Reservation), Refusal> {
    let told: Option<u64> = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let mut reservation = intake.admit(told.unwrap_or(0))?;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Aborted(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len() as u64;
        if length > reservation.bytes() {
            let more = length - reservation.bytes();
            intake.admit_more(&mut reservation, more)?;
        }
        // A body that comes in one piece is not copied.
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(piece) => {
                rest.reserve(usize::try_from(told.unwrap_or(0)).unwrap_or(0).max(piece.len() + data.len()));
                rest.extend_from_slice(&piece);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok((first.unwrap_or_else(|| rest.freeze()), reservation))
}

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
