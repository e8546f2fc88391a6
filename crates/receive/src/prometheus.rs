//! Prometheus' remote write, 1.0 and 2.0, and pushed text, below Prometheus' base URL on the HTTP port.
//!
//! Enters: `POST /prometheus/api/v1/write`, or to one of the paths in [`push`]. Leaves: 204 when all is on disk; 400 when something was
//! rejected, which a sender does not send again, and the rest is on disk; both say exactly what was
//! written. Must hold: a status that a sender repeats means that nothing was stored.

use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use model::Signal;
use wire::compression::Encoding;
use wire::prometheus::{Version, is_message};

use crate::body::read;
use crate::error::Refusal;
use crate::http::{advise, status, text};
use crate::intake::{Body, Intake, Message, Outcome, Written};
use crate::senders::Senders;

/// Where senders write to.
pub const PATH: &str = "/prometheus/api/v1/write";

mod push;

const MEDIA_TYPE: &str = "application/x-protobuf";
const MESSAGES: &str = "application/x-protobuf, without `proto` or with proto=prometheus.WriteRequest or \
                        proto=io.prometheus.write.v2.Request";
const ENCODINGS: &str = "snappy, zstd or none";

const SAMPLES_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

#[derive(Clone)]
struct Door {
    intake: Intake,
    senders: Arc<Senders>,
}

/// [`PATH`], and [`push::PATH`].
pub fn router(intake: Intake, senders: Arc<Senders>) -> Router {
    let router = Router::new().route(PATH, any(write)).route(push::PATH, any(push::push));
    router.with_state(Door { intake, senders })
}

async fn write(State(door): State<Door>, request: Request<HttpBody>) -> Response {
    let version = request.version();
    let result = take(&door, request).await;
    door.intake.metrics().request(Signal::Metrics, "remote_write", result.as_ref().err());
    respond(result, version)
}

/// What a sender of either kind is told.
fn respond(result: Result<Outcome, Refusal>, version: http::Version) -> Response {
    match result {
        Ok(Outcome { rejected: 0, written, .. }) => reply(StatusCode::NO_CONTENT, Some(written), ""),
        Ok(Outcome { message, written, .. }) => reply(StatusCode::BAD_REQUEST, Some(written), &message),
        Err(refusal) => {
            // After a failure of the disk nobody can tell.
            let written = (!matches!(refusal, Refusal::Failed(_))).then(Written::default);
            // A Prometheus drops what was answered with 429 unless it is told otherwise; 5xx it repeats.
            let status = match status(&refusal) {
                StatusCode::TOO_MANY_REQUESTS => StatusCode::SERVICE_UNAVAILABLE,
                other => other,
            };
            let mut response = reply(status, written, &refusal.to_string());
            advise(&mut response, &refusal, version);
            response
        }
    }
}

async fn take(door: &Door, request: Request<HttpBody>) -> Result<Outcome, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let (head, body) = request.into_parts();
    let tenant = door.senders.identify(&head.headers)?;
    let content_type = text(&head.headers, &header::CONTENT_TYPE);
    let version = version_of(content_type).ok_or_else(|| Refusal::content_type(content_type, MESSAGES))?;
    let named = encoding_of(&head.headers)?;
    let (bytes, reservation) = read(&door.intake, &head.headers, body).await?;
    let encoding = named.unwrap_or_else(|| guessed(version, &bytes));
    let body = Body { message: Message::RemoteWrite(version), encoding, bytes, reservation };
    door.intake.take(tenant, Signal::Metrics, body).await
}

/// Which message a content type says; without `proto` it is that of 1.0.
fn version_of(content_type: &str) -> Option<Version> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(MEDIA_TYPE) {
        return None;
    }
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"').to_owned())
    };
    match parts.find_map(parameter).as_deref() {
        None | Some("prometheus.WriteRequest") => Some(Version::V1),
        Some("io.prometheus.write.v2.Request") => Some(Version::V2),
        Some(_) => None,
    }
}

/// The encoding that is named; none where none is.
fn encoding_of(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let name = text(headers, &header::CONTENT_ENCODING).trim();
    if name.is_empty() {
        return Ok(None);
    }
    match Encoding::parse(name) {
        Some(encoding @ (Encoding::Snappy | Encoding::Zstd | Encoding::Identity)) => Ok(Some(encoding)),
        _ => Err(Refusal::content_encoding(name, ENCODINGS)),
    }
}

/// The encoding of a body that comes without its name. Old senders compress and do not say so, and
/// Prometheus takes it for snappy; a message as it is can be told from that.
fn guessed(version: Version, body: &[u8]) -> Encoding {
    if is_message(version, body) { Encoding::Identity } else { Encoding::Snappy }
}

fn reply(status: StatusCode, written: Option<Written>, message: &str) -> Response {
    let mut response = Response::new(HttpBody::from(message.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !message.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    if let Some(Written { samples, histograms, exemplars }) = written {
        headers.insert(SAMPLES_WRITTEN, samples.into());
        headers.insert(HISTOGRAMS_WRITTEN, histograms.into());
        headers.insert(EXEMPLARS_WRITTEN, exemplars.into());
    }
    response
}
