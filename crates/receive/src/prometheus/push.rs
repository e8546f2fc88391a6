//! Pushed text: what scripts and jobs that end have to tell, as they would expose it.
//!
//! Enters: `POST` or `PUT` of Prometheus' text, or of OpenMetrics, at the path that VictoriaMetrics
//! has for it. Leaves: the same answers as for remote write. Must hold: a line that cannot be read
//! is named, and the others are on disk.

use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Request, header};
use model::Signal;
use wire::compression::Encoding;
use wire::prometheus::exposition::Format;

use super::{Door, respond};
use crate::body::read;
use crate::error::Refusal;
use crate::http::text;
use crate::intake::{Body, Message, Outcome};

/// Where text is pushed to.
pub(super) const PATH: &str = "/prometheus/api/v1/import/prometheus";

const TYPES: &str = "text/plain for Prometheus' text, application/openmetrics-text for OpenMetrics";
const ENCODINGS: &str = "gzip, zstd, deflate, snappy or none";
/// What `curl` says of a body where it is told nothing.
const UNSAID: &str = "application/x-www-form-urlencoded";

pub(super) async fn push(State(door): State<Door>, request: Request<HttpBody>) -> Response {
    let version = request.version();
    let result = take(&door, request).await;
    door.intake.metrics().request(Signal::Metrics, "push", result.as_ref().err());
    respond(result, version)
}

async fn take(door: &Door, request: Request<HttpBody>) -> Result<Outcome, Refusal> {
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        return Err(Refusal::Method);
    }
    let (head, body) = request.into_parts();
    let tenant = door.senders.identify(&head.headers)?;
    let format = format_of(&head.headers)?;
    let encoding = encoding_of(&head.headers)?;
    let (bytes, reservation) = read(&door.intake, &head.headers, body).await?;
    let body = Body { message: Message::Exposition(format), encoding, bytes, reservation };
    door.intake.take(tenant, Signal::Metrics, body).await
}

fn format_of(headers: &HeaderMap) -> Result<Format, Refusal> {
    let content_type = text(headers, &header::CONTENT_TYPE);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().as_str() {
        "" | "text/plain" | UNSAID => Ok(Format::Text),
        "application/openmetrics-text" => Ok(Format::OpenMetrics),
        _ => Err(Refusal::content_type(content_type, TYPES)),
    }
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let name = text(headers, &header::CONTENT_ENCODING).trim();
    let encoding = if name.is_empty() { Some(Encoding::Identity) } else { Encoding::parse(name) };
    encoding.ok_or_else(|| Refusal::content_encoding(name, ENCODINGS))
}
