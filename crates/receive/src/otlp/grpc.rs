//! OTLP/gRPC: three unary methods, read by hand so that the body reaches the write-ahead log as it
//! was sent, still compressed (`docs/adr/002-grpc-without-a-framework.md`).

use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use model::{ErrorKind, Signal};
use wire::compression::Encoding;
use wire::grpc;
use wire::otlp::response::{self, Format};

use super::http::ENCODINGS;
use crate::body::read;
use crate::error::Refusal;
use crate::intake::{Body, Intake, Message, Outcome};
use crate::senders::Senders;

const GRPC: &str = "application/grpc";
const UNIMPLEMENTED: i32 = 12;

#[derive(Clone)]
struct Door {
    intake: Intake,
    senders: Arc<Senders>,
}

/// The three collector services.
pub fn router(intake: Intake, senders: Arc<Senders>) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", any(logs))
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", any(traces))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", any(metrics))
        .fallback(unknown)
        .with_state(Door { intake, senders })
}

/// The gRPC status code of a kind of failure.
pub(super) fn code_of(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Cancelled => 1,
        ErrorKind::InvalidArgument => 3,
        ErrorKind::DeadlineExceeded => 4,
        ErrorKind::NotFound => 5,
        ErrorKind::PermissionDenied => 7,
        ErrorKind::ResourceExhausted => 8,
        ErrorKind::Internal => 13,
        ErrorKind::Unavailable => 14,
        ErrorKind::Unauthenticated => 16,
    }
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
    if !is_grpc(request.headers()) {
        return not_grpc();
    }
    let message = format!("no such method `{}`", request.uri().path());
    failed(UNIMPLEMENTED, &message, None)
}

async fn answer(door: Door, signal: Signal, request: Request<HttpBody>) -> Response {
    if !is_grpc(request.headers()) {
        return not_grpc();
    }
    let result = take(&door, signal, request).await;
    door.intake.metrics().request(signal, "grpc", result.as_ref().err());
    match result {
        Ok(Outcome { rejected, message, .. }) => {
            succeeded(&response::export(signal, rejected, &message, Format::Protobuf))
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// The answer to a request with these headers that whoever stands before the door refuses.
pub fn refusal(refusal: &Refusal, headers: &HeaderMap) -> Response {
    if is_grpc(headers) {
        return refuse(refusal);
    }
    let mut response = Response::new(HttpBody::from(format!("{refusal}\n")));
    *response.status_mut() = crate::http::status(refusal);
    response
}

fn refuse(refusal: &Refusal) -> Response {
    let code = match refusal {
        Refusal::ContentEncoding { .. } => UNIMPLEMENTED,
        other => code_of(other.kind()),
    };
    // Over the memory budget: RetryInfo tells the sender that it may come again. Without it (a body
    // over its limit) the sender must not.
    let details = refusal
        .retry_after()
        .map(|after| response::status(code, &refusal.to_string(), Some(after), Format::Protobuf));
    failed(code, &refusal.to_string(), details)
}

async fn take(door: &Door, signal: Signal, request: Request<HttpBody>) -> Result<Outcome, Refusal> {
    let (head, body) = request.into_parts();
    let tenant = door.senders.identify(&head.headers)?;
    let encoding = head.headers.get("grpc-encoding").and_then(|value| value.to_str().ok()).unwrap_or("");
    let encoding = Encoding::parse(encoding).ok_or_else(|| Refusal::content_encoding(encoding, ENCODINGS))?;
    let (framed, reservation) = read(&door.intake, &head.headers, body).await?;
    let (compressed, bytes) = grpc::unary(&framed).map_err(|error| Refusal::Malformed(error.to_string()))?;
    let bytes = framed.slice_ref(bytes);
    let encoding = if compressed { encoding } else { Encoding::Identity };
    door.intake.take(tenant, signal, Body { message: Message::Otlp, encoding, bytes, reservation }).await
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim();
    essence == GRPC || essence == "application/grpc+proto"
}

fn not_grpc() -> Response {
    let mut response = Response::new(HttpBody::from(
        "this port speaks OTLP/gRPC (content type application/grpc); OTLP/HTTP is on the other one, 4318 by default\n",
    ));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

fn succeeded(message: &[u8]) -> Response {
    let frames = [
        Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(grpc::frame(message)))),
        Ok(Frame::trailers(status(0, "", None))),
    ];
    let body = HttpBody::new(StreamBody::new(futures::stream::iter(frames)).boxed());
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
    accepts(response.headers_mut());
    response
}

fn failed(code: i32, message: &str, details: Option<Vec<u8>>) -> Response {
    let mut response = Response::new(HttpBody::empty());
    *response.headers_mut() = status(code, message, details);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
    accepts(response.headers_mut());
    response
}

fn accepts(headers: &mut HeaderMap) {
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd,deflate,snappy"));
}

fn status(code: i32, message: &str, details: Option<Vec<u8>>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from(code));
    if !message.is_empty()
        && let Ok(message) = HeaderValue::try_from(grpc::percent_encode(message))
    {
        headers.insert("grpc-message", message);
    }
    if let Some(details) = details
        && let Ok(details) = HeaderValue::try_from(grpc::base64(&details))
    {
        headers.insert("grpc-status-details-bin", details);
    }
    headers
}
