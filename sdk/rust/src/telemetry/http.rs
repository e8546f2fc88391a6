//! OTLP over plain HTTP, blocking, without a client library: for programs that send to a server
//! on the same machine or network.

mod zipkin;

pub use self::zipkin::ZipkinExporter;

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::export::{ExportError, Exporter, Signal};

/// Sends requests to an OTLP/HTTP receiver at an `http://` endpoint.
#[derive(Clone, Debug)]
pub struct HttpExporter {
    /// `host:port`, as in the `Host` header.
    authority: String,
    /// What comes before `/v1/logs`.
    path: String,
    headers: Vec<(String, String)>,
    timeout: Duration,
}

/// An endpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{endpoint}` is not an endpoint: it must be like `http://127.0.0.1:4318`")]
pub struct EndpointError {
    endpoint: String,
}

/// More of an answer is not read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// The port of OTLP/HTTP.
const PORT: u16 = 4318;

impl HttpExporter {
    /// Sends to `endpoint`, such as `http://127.0.0.1:4318`; a path in it comes first.
    ///
    /// # Errors
    /// It is no `http://` endpoint.
    pub fn new(endpoint: &str) -> Result<Self, EndpointError> {
        let invalid = || EndpointError { endpoint: endpoint.to_owned() };
        let rest = endpoint.trim().strip_prefix("http://").ok_or_else(invalid)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let legal = |c: char| c.is_ascii_graphic() && c != '@';
        if authority.is_empty() || !rest.chars().all(legal) {
            return Err(invalid());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") };
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { authority, path, headers: Vec::new(), timeout: Duration::from_secs(10) })
    }

    /// As the environment says: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and
    /// `OTEL_EXPORTER_OTLP_TIMEOUT` (milliseconds), else `default`.
    ///
    /// # Errors
    /// The endpoint is none.
    pub fn from_env(default: &str) -> Result<Self, EndpointError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut exporter = Self::new(variable("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref().unwrap_or(default))?;
        for pair in variable("OTEL_EXPORTER_OTLP_HEADERS").iter().flat_map(|all| all.split(',')) {
            if let Some((name, value)) = pair.split_once('=') {
                exporter = exporter.header(name.trim(), value.trim());
            }
        }
        if let Some(milliseconds) = variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|text| text.parse().ok())
        {
            exporter.timeout = Duration::from_millis(milliseconds);
        }
        Ok(exporter)
    }

    /// Sends one more header. One that is empty or not legal is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name_ok =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if name_ok && !value.is_empty() && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Gives up a request after this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// One request on one connection. Returns the head of the answer.
    fn post(&self, path: &str, content_type: &str, body: &[u8]) -> io::Result<String> {
        let deadline = Instant::now() + self.timeout;
        let mut stream = self.connect(deadline)?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.set_nodelay(true)?;
        let mut head = format!(
            "POST {}{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\nuser-agent: fresnel-sdk/{}\r\n",
            self.path,
            self.authority,
            body.len(),
            env!("CARGO_PKG_VERSION"),
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        // A receiver that refuses may answer before it has read everything.
        let answer = read_head(stream, deadline);
        match (answer, sent) {
            (Ok(answer), _) => Ok(answer),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// The time that is left, never zero.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Reads up to the empty line: what comes after it says nothing that we act on.
fn read_head(mut stream: TcpStream, deadline: Instant) -> io::Result<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let length = stream.read(&mut chunk)?;
        if length == 0 || head.len() as u64 > ANSWER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is not HTTP"));
        }
        head.extend_from_slice(&chunk[..length]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

impl Exporter for HttpExporter {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        self.deliver(&format!("/v1/{}", signal.name()), "application/x-protobuf", &request)
    }
}

impl HttpExporter {
    /// Posts a body and looks at the answer.
    fn deliver(&self, path: &str, content_type: &str, body: &[u8]) -> Result<(), ExportError> {
        let answer = self.post(path, content_type, body).map_err(|error| {
            let message = format!("cannot send to http://{}: {error}", self.authority);
            ExportError::retry_after(message, Duration::from_millis(200))
        })?;
        judge(&answer)
    }
}

/// What the head of an answer means: OTLP names four statuses that may be retried.
fn judge(head: &str) -> Result<(), ExportError> {
    let status: u16 = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let message = || format!("the receiver answered {status}");
    match status {
        200..300 => Ok(()),
        429 | 502..=504 => Err(ExportError::retry_after(message(), retry_after(head))),
        _ => Err(ExportError::permanent(message())),
    }
}

/// The seconds of `Retry-After`; its other form, a date, is not worth a calendar.
fn retry_after(head: &str) -> Duration {
    let header = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("retry-after").then(|| value.trim().parse().ok())?
    });
    Duration::from_secs(header.unwrap_or(1))
}
