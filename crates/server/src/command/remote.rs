//! Asking a running server.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::RemoteArgs;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// An answer whose status was a success.
pub struct Answer {
    pub body: Bytes,
    /// The trailer `x-fresnel-complete`, where the format has no place for it.
    pub complete: Option<bool>,
}

/// Sends one request and reads the whole answer; on a terminal it shows that it waits.
pub fn ask(remote: &RemoteArgs, method: Method, path: &str, body: String) -> Result<Answer> {
    run(exchange(remote, method, path, body, None))
}

/// As [`ask`], but hands the answer over piece by piece: it may be larger than memory. The body of
/// the [`Answer`] is empty.
pub fn stream(
    remote: &RemoteArgs,
    method: Method,
    path: &str,
    body: String,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Answer> {
    run(exchange(remote, method, path, body, Some(&mut take)))
}

fn run<T>(exchange: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("could not start").cause(error))?;
    runtime.block_on(exchange)
}

/// Where the pieces of an answer go.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

async fn exchange(
    remote: &RemoteArgs,
    method: Method,
    path: &str,
    body: String,
    take: Option<Take<'_>>,
) -> Result<Answer> {
    let uri = server(remote)?;
    let host = uri.host().unwrap_or("127.0.0.1");
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let unreachable = |cause: String| {
        Failure::new(format!("no server answers at {}", remote.url))
            .cause(cause)
            .hint("start one with `fresnel serve`, or name another with --url or FRESNEL_URL")
    };
    let stream = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(&address))
        .await
        .map_err(|_| unreachable("no connection within 5 s".into()))?
        .map_err(|error| unreachable(error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", uri.path().trim_end_matches('/')))
        .header(header::HOST, &address)
        .header(header::TE, "trailers");
    if let Some(tenant) = &remote.tenant {
        request = request.header("x-scope-orgid", tenant);
    }
    if let Some(key) = &remote.key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Failure::usage("not a valid request").cause(error))?;
    let progress = &Progress::default();
    // The sender moves in and ends with the answer; the connection ends with the sender.
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status();
        let is_answer =
            status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE && path == "/healthz";
        let (body, complete) = read(response.into_body(), progress, take.filter(|_| is_answer)).await?;
        if is_answer { Ok(Answer { body, complete }) } else { Err(refused(status, &body)) }
    };
    progress.during(async { tokio::join!(exchange, connection).0 }).await
}

/// The address of the server.
fn server(remote: &RemoteArgs) -> Result<Uri> {
    let url = &remote.url;
    let uri: Uri =
        url.parse().map_err(|error| Failure::usage(format!("`{url}` is not a URL")).cause(error))?;
    match uri.scheme_str() {
        Some("http") => Ok(uri),
        Some("https") => {
            Err(Failure::usage(format!("cannot ask `{url}`: this program does not speak https"))
                .hint("the server does not either; ask it by http, on its own machine or through a tunnel"))
        }
        _ => {
            Err(Failure::usage(format!("`{url}` is not an http:// URL"))
                .hint("it is like http://127.0.0.1:4300"))
        }
    }
}

/// Reads a body to its end, into memory where nobody takes it; and the trailer that says whether it
/// is complete.
async fn read(
    mut body: Incoming,
    progress: &Progress,
    mut take: Option<Take<'_>>,
) -> Result<(Bytes, Option<bool>)> {
    let (mut kept, mut complete) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        if let Some(trailers) = frame.trailers_ref() {
            complete = trailers.get("x-fresnel-complete").map(|value| value == "true");
        }
        let Some(data) = frame.data_ref() else { continue };
        progress.received(data.len());
        match &mut take {
            Some(take) => {
                progress.answers();
                take(data)?;
            }
            None => kept.extend_from_slice(data),
        }
    }
    Ok((kept.into(), complete))
}

/// The server has begun to answer and cannot say why it goes no further.
fn broken(error: &hyper::Error) -> Failure {
    Failure::new("the answer broke off; what was printed, if anything, is not the whole").chain(error).hint(
        "the server cuts an answer off when its time is over (--timeout; query.timeout at most), when memory is used up, \
         or when it stops; its log tells which",
    )
}

/// A problem document as a failure.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), Into::into);
    let failure = Failure::new("the server refused").cause(detail);
    match problem["hint"].as_str() {
        Some(hint) => failure.hint(hint),
        None if status == StatusCode::UNAUTHORIZED => failure.hint("show a key with --key or FRESNEL_KEY"),
        None => failure,
    }
}
