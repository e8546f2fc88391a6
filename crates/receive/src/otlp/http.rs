use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use model::Signal;
use std::sync::Arc;
use wire::compression::Encoding;
use wire::otlp::response::{self, Format};

use crate::body::read;
use crate::error::Refusal;
use crate::http::{advise, status, text};
use crate::intake::{Body, Intake, Message, Outcome};
use crate::senders::Senders;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const FORMATS: &str = "application/x-protobuf or application/json";
pub(super) const ENCODINGS: &str = "none, gzip, zstd, deflate or snappy";

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
            advise(&mut response, &refusal, version);
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
        .ok_or_else(|| Refusal::content_type(text(&head.headers, &header::CONTENT_TYPE), FORMATS))?;
    let encoding = encoding_of(&head.headers)?;
    let (bytes, reservation) = read(&door.intake, &head.headers, body).await?;
    let message = match format {
        Format::Protobuf => Message::Otlp,
        Format::Json => Message::OtlpJson,
    };
    let body = Body { message, encoding, bytes, reservation };
    door.intake.take(tenant, signal, body).await
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let essence = text(headers, &header::CONTENT_TYPE).split(';').next()?.trim().to_ascii_lowercase();
    match essence.as_str() {
        PROTOBUF => Some(Format::Protobuf),
        JSON => Some(Format::Json),
        _ => None,
    }
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let name = text(headers, &header::CONTENT_ENCODING).trim();
    Encoding::parse(name).ok_or_else(|| Refusal::content_encoding(name, ENCODINGS))
}

/// The answer to a request with these headers that whoever stands before the door refuses.
pub fn refusal(refusal: &Refusal, headers: &HeaderMap) -> Response {
    refuse(refusal, format_of(headers).unwrap_or(Format::Protobuf))
}

fn refuse(refusal: &Refusal, format: Format) -> Response {
    let code = super::grpc::code_of(refusal.kind());
    let body = response::status(code, &refusal.to_string(), refusal.retry_after(), format);
    reply(status(refusal), format, body)
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
