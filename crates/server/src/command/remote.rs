//! Asking a running server.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("could not start").cause(error))?;
    runtime.block_on(exchange(remote, method, path, body))
}

async fn exchange(remote: &RemoteArgs, method: Method, path: &str, body: String) -> Result<Answer> {
    let uri: Uri = remote
        .url
        .parse()
        .map_err(|error| Failure::usage(format!("`{}` is not a URL", remote.url)).cause(error))?;
    if uri.scheme_str() != Some("http") {
        return Err(Failure::usage(format!("`{}` is not an http:// URL", remote.url)));
    }
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
        let response = sender.send_request(request).await?;
        let status = response.status();
        let counted = response.into_body().map_frame(|frame| {
            progress.received(frame.data_ref().map_or(0, Bytes::len));
            frame
        });
        let collected = counted.collect().await?;
        let complete = collected
            .trailers()
            .and_then(|trailers| trailers.get("x-fresnel-complete"))
            .map(|value| value == "true");
        Ok::<_, hyper::Error>((status, collected.to_bytes(), complete))
    };
    let (answer, _) = progress.during(async { tokio::join!(exchange, connection) }).await;
    let (status, body, complete) = answer.map_err(|error| {
        Failure::new("the answer broke off; what was printed is not the whole").chain(&error)
    })?;
    if status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE && path == "/healthz" {
        return Ok(Answer { body, complete });
    }
    Err(refused(status, &body))
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
