//! Calls of gRPC frame by frame: encodings that no client of ours has, what a refusal carries, and a
//! connection that ends in the middle.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use testkit::Encoding;
use testkit::otlp::Status;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// No answer of the server may take longer than this.
const DEADLINE: Duration = Duration::from_secs(60);

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    trailers: HeaderMap,
}

impl Answer {
    /// gRPC's status; of an answer without a message it is in the headers.
    pub(crate) fn code(&self) -> i32 {
        let code = self.trailers.get("grpc-status").or_else(|| self.headers.get("grpc-status"));
        code.unwrap_or_else(|| panic!("no grpc-status: {self:?}")).to_str().unwrap().parse().unwrap()
    }

    /// The details of a refusal.
    pub(crate) fn details(&self) -> Option<Status> {
        let encoded = self.headers.get("grpc-status-details-bin")?;
        let bytes = STANDARD_NO_PAD.decode(encoded.as_bytes()).unwrap();
        Some(Status::from_protobuf(&bytes))
    }
}

/// Why there is no answer.
pub(crate) type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>>>>;

/// One connection at a time to one address, kept between calls.
pub(crate) struct Client {
    address: SocketAddr,
    runtime: Runtime,
    connection: Option<(SendRequest<Full<Bytes>>, Driver)>,
}

impl Client {
    /// A client that connects at its first call.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { address, runtime, connection: None }
    }

    /// Calls a method with these headers beside those that gRPC asks for; `body` is one message with
    /// its prefix, or whatever a test sends in its place. A connection that failed is not used again;
    /// nothing is sent twice.
    pub(crate) fn call(
        &mut self,
        method: &str,
        encoding: Encoding,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::post(format!("http://{}{method}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(name) = encoding.header() {
            request = request.header("grpc-encoding", name);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let kept = self.connection.take();
        let (answer, connection) = self.runtime.block_on(async {
            let (mut sender, mut driver) = match kept {
                Some(connection) => connection,
                None => connect(self.address).await?,
            };
            let answer = {
                let exchange = pin!(tokio::time::timeout(DEADLINE, exchange(&mut sender, request)));
                tokio::select! {
                    biased;
                    answer = exchange => answer??,
                    ended = &mut driver => return Err(format!("the connection ended first: {ended:?}").into()),
                }
            };
            Ok::<_, NoAnswer>((answer, (sender, driver)))
        })?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

async fn connect(address: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, Driver), NoAnswer> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    Ok((sender, Box::pin(connection)))
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, NoAnswer> {
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Answer { status: head.status, headers: head.headers, body: collected.to_bytes(), trailers })
}

/// One message with its prefix.
pub(crate) fn frame(message: &[u8], compressed: bool) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[u8::from(compressed)], &length[..], message].concat()
}
