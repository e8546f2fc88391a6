use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use model::{ErrorKind, Signal};
use std::sync::Arc;
use wire::compression::Encoding;
use wire::otlp::response::{self, Format};

use crate::body::read;
use crate::error::Refusal;
use crate::intake::{Body, Intake, Outcome};
use crate::senders::Senders;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[derive(Clone)]
struct Door {
    intake: Intake,
    senders: Arc<Senders>,
}

/// `/v1/logs`, `/v1/traces`, `/v1/metrics`.
pub fn router(intake: Intake, senders: Arc<Senders>) -> Router {
    let door = Door { intake, senders };
    Router::new()
        .route("/v1/logs", any(logs))
        .route("/v1/traces", any(traces))
        .route("/v1/metrics", any(metrics))
        .fallback(unknown)
        .with_state(door)
}

async fn logs(State(door): State<Door>, request: Request<HttpBody>) -> Response {
    answer(door, Signal::Logs, request).await
}

async fn traces(State(door): State<Door>, request: Request<HttpBody>) -> Response {
    answer(door, Signal::Spans, request).await
}

async fn metrics(State(door): State<Door>, request: Request<HttpBody>) -> Response {
    answer(door, Signal::Metrics, request).await
}

async fn unknown(request: Request<HttpBody>) -> Response {
    let format = format_of(request.headers()).unwrap_or(Format::Protobuf);
    let message = format!(
        "no such path `{}`: OTLP/HTTP has /v1/logs, /v1/traces and /v1/metrics",
        request.uri().path()
    );
    reply(StatusCode::NOT_FOUND, format, response::status(5, &message, None, format))
}

async fn answer(door: Door, signal: Signal, request: Request<HttpBody>) -> Response {
    let format = format_of(request.headers());
    let version = request.version();
    let result = take(&door, signal, request).await;
    door.intake.metrics().request(signal, "http", result.as_ref().err());
    // The answer is in the format of the question; a question in none of ours gets protobuf.
    let format = format.unwrap_or(Format::Protobuf);
    match result {
        Ok(Outcome { rejected, message, .. }) => {
            reply(StatusCode::OK, format, response::export(signal, rejected, &message, format))
        }
        Err(refusal) => {
            let mut response = refuse(&refusal, format);
            // A body that was not read is still on its way: the connection cannot be used again.
            if version < Version::HTTP_2 && refusal.before_the_end() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

async fn take(door: &Door, signal: Signal, request: Request<HttpBody>) -> Result<Outcome, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let (head, body) = request.into_parts();
    let tenant = door.senders.identify(&head.headers)?;
    let format = format_of(&head.headers)
        .ok_or_else(|| Refusal::ContentType(text(&head.headers, header::CONTENT_TYPE.as_str()).into()))?;
    let encoding = encoding_of(&head.headers)?;
    let (bytes, reservation) = read(&door.intake, &head.headers, body).await?;
    let body = Body { json: format == Format::Json, encoding, bytes, reservation };
    door.intake.take(tenant, signal, body).await
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let essence = text(headers, header::CONTENT_TYPE.as_str()).split(';').next()?.trim().to_ascii_lowercase();
    match essence.as_str() {
        PROTOBUF => Some(Format::Protobuf),
        JSON => Some(Format::Json),
        _ => None,
    }
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let name = text(headers, header::CONTENT_ENCODING.as_str()).trim();
    Encoding::parse(name).ok_or_else(|| Refusal::ContentEncoding(name.into()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The answer to a request with these headers that whoever stands before the door refuses.
pub fn refusal(refusal: &Refusal, headers: &HeaderMap) -> Response {
    refuse(refusal, format_of(headers).unwrap_or(Format::Protobuf))
}

/// The HTTP status of a refusal.
pub(super) fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::ContentType(_) | Refusal::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
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

fn refuse(refusal: &Refusal, format: Format) -> Response {
    let status = status_of(refusal);
    let code = super::grpc::code_of(refusal.kind());
    let body = response::status(code, &refusal.to_string(), refusal.retry_after(), format);
    let mut response = reply(status, format, body);
    if let Some(after) = refusal.retry_after() {
        let seconds = HeaderValue::from(after.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn reply(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let content_type = match format {
        Format::Protobuf => PROTOBUF,
        Format::Json => JSON,
    };
    let mut response = Response::new(HttpBody::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
