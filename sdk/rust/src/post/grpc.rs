//! Unary calls of gRPC: one message there, one back, a status in the trailers
//! ([PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)).

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::{Endpoint, Header, connect, left, tls};
use crate::grpc_status::code_of_http;

/// More of an answer is not taken.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Of its headers and of its trailers.
const HEADERS_BYTES_MAX: u32 = 64 << 10;
/// Saying goodbye does not hold up what was answered.
const GOODBYE: Duration = Duration::from_millis(100);

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    /// Whether they are compressed with gzip.
    pub(crate) gzip: bool,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status: 0 is success.
    pub(crate) code: u32,
    /// What the server says about it, percent-encoded.
    pub(crate) text: String,
    /// A `google.rpc.Status`, when there is one.
    pub(crate) details: Vec<u8>,
    /// The message; nothing when there is none, or one in another form than was asked for.
    pub(crate) message: Vec<u8>,
}

/// Calls `path` and waits for the answer, all within `timeout`. The path of the endpoint does not
/// count: a method of gRPC has one place.
///
/// An error says that no status came: nobody was there, the connection broke, the time was over.
///
/// # Panics
/// On a thread that runs tasks of a runtime: it blocks.
pub(crate) fn call(
    endpoint: &Endpoint,
    path: &str,
    headers: &[Header],
    message: &Message,
    timeout: Duration,
) -> io::Result<Reply> {
    let deadline = Instant::now() + timeout;
    let tcp = connect(&endpoint.authority, deadline)?;
    tcp.set_nonblocking(true)?;
    let request = request(endpoint, path, headers, message, left(deadline)?)?;
    let body = frame(message)?;
    let exchanged = async {
        let tcp = TcpStream::from_std(tcp)?;
        if endpoint.tls {
            exchange(tls::wrap_h2(tcp, endpoint.host(), &endpoint.trust).await?, request, body).await
        } else {
            exchange(tcp, request, body).await
        }
    };
    // For this call alone: nothing runs, and nothing is kept, between calls.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async { timeout_at(deadline.into(), exchanged).await });
    result.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

fn request(
    endpoint: &Endpoint,
    path: &str,
    headers: &[Header],
    message: &Message,
    timeout: Duration,
) -> io::Result<Request<()>> {
    let scheme = if endpoint.tls { "https" } else { "http" };
    let uri = format!("{scheme}://{}{path}", endpoint.authority);
    let mut request = Request::post(uri).body(()).map_err(io::Error::other)?;
    let all = request.headers_mut();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        all.insert(name, HeaderValue::from_str(value).map_err(io::Error::other)?);
    }
    // What gRPC itself says goes over that.
    let agent = concat!("fresnel-sdk/", env!("CARGO_PKG_VERSION"));
    all.insert(USER_AGENT, HeaderValue::from_static(agent));
    all.insert(TE, HeaderValue::from_static("trailers"));
    all.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    all.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
    if message.gzip {
        all.insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    all.insert("grpc-timeout", HeaderValue::from_str(&grpc_timeout(timeout)).map_err(io::Error::other)?);
    Ok(request)
}

/// In milliseconds; at most eight digits are allowed.
fn grpc_timeout(timeout: Duration) -> String {
    const MAX: u64 = 99_999_999;
    match u64::try_from(timeout.as_millis()) {
        Ok(milliseconds @ ..=MAX) => format!("{}m", milliseconds.max(1)),
        _ => format!("{}S", timeout.as_secs().min(MAX)),
    }
}

/// A message with its prefix: whether it is compressed, and its length.
fn frame(message: &Message) -> io::Result<Bytes> {
    let length = u32::try_from(message.bytes.len()).map_err(io::Error::other)?;
    Ok([&[u8::from(message.gzip)], &length.to_be_bytes()[..], &message.bytes].concat().into())
}

/// The message of an answer, if it is one and not compressed, which was not asked for.
fn unframe(body: &[u8]) -> Option<&[u8]> {
    let (&[flag, ref length @ ..], rest) = body.split_first_chunk::<5>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    rest.get(..length).filter(|_| flag == 0)
}

async fn exchange(
    io: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<()>,
    body: Bytes,
) -> io::Result<Reply> {
    let mut builder = h2::client::Builder::new();
    builder.max_header_list_size(HEADERS_BYTES_MAX).enable_push(false);
    let (sender, connection) = builder.handshake(io).await.map_err(broken)?;
    let (mut connection, mut answer) = (Box::pin(connection), pin!(converse(sender, request, body)));
    tokio::select! {
        biased;
        answer = &mut answer => {
            // A receiver that hears goodbye does not take the end for a failure.
            let _ = timeout(GOODBYE, connection).await;
            answer
        }
        ended = &mut connection => {
            // What had come before it ended may still be an answer. As long as it is there, a connection
            // that could not write tells nobody that none comes any more.
            drop(connection);
            match (answer.await, ended) {
                (Err(_), Err(error)) => Err(broken(error)),
                (answer, _) => answer,
            }
        }
    }
}

async fn converse(mut sender: SendRequest<Bytes>, request: Request<()>, body: Bytes) -> io::Result<Reply> {
    std::future::poll_fn(|context| sender.poll_ready(context)).await.map_err(broken)?;
    let (answer, mut stream) = sender.send_request(request, false).map_err(broken)?;
    stream.send_data(body, true).map_err(broken)?;
    let (head, mut body) = answer.await.map_err(broken)?.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(broken)?;
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        bytes.extend_from_slice(&chunk);
        body.flow_control().release_capacity(chunk.len()).map_err(broken)?;
    }
    let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
    // An answer without a message has its status in the headers.
    let status = if trailers.contains_key(STATUS) { &trailers } else { &head.headers };
    Ok(reply(head.status, status, unframe(&bytes).unwrap_or_default()))
}

const STATUS: &str = "grpc-status";

fn reply(http: StatusCode, headers: &HeaderMap, message: &[u8]) -> Reply {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (code, text) = match header(STATUS).map(str::parse) {
        Some(Ok(code)) => (code, header("grpc-message").unwrap_or_default().to_owned()),
        _ => (code_of_http(http.as_u16()) as u32, format!("HTTP status {http} and no status of gRPC")),
    };
    // With padding or without: both are said.
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let details = header("grpc-status-details-bin").unwrap_or_default();
    let details = GeneralPurpose::new(&STANDARD, lenient).decode(details).unwrap_or_default();
    Reply { code, text, details, message: message.to_vec() }
}

fn broken(error: h2::Error) -> io::Error {
    // What is not HTTP/2 at all is most often the port of OTLP/HTTP.
    let hint = if error.is_io() || error.is_remote() { "" } else { "; is this the port of gRPC?" };
    io::Error::other(format!("{error}{hint}"))
}
