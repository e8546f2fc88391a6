//! HTTP requests with a body, blocking, without a client library: for threads that deliver to a
//! server and act on its status.
//!
//! One request, one connection; a deadline over all of it; no redirects and no cookies. `https://`
//! needs the feature `https`. A call of gRPC is the same over HTTP/2, with the feature `grpc`.

mod answer;
#[cfg(feature = "grpc")]
pub(crate) mod grpc;
#[cfg(feature = "https")]
pub(crate) mod tls;

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

pub(crate) use self::answer::Answer;

/// Where requests go: `http://host:port/path`.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `host:port`, as in the `Host` header.
    pub(crate) authority: String,
    /// What comes before the path of a request, without a slash at the end.
    pub(crate) path: String,
    pub(crate) tls: bool,
    #[cfg(feature = "https")]
    pub(crate) trust: tls::Trust,
}

/// A header of a request.
pub(crate) type Header = (String, String);

impl Endpoint {
    /// Reads an endpoint; without a port it has `port`, or 443 over TLS.
    pub(crate) fn parse(text: &str, port: u16) -> Option<Self> {
        let text = text.trim();
        let (tls, rest) = match text.strip_prefix("https://") {
            Some(rest) if cfg!(feature = "https") => (true, rest),
            Some(_) => return None,
            None => (false, text.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let legal = |c: char| c.is_ascii_graphic() && c != '@';
        if authority.is_empty() || !rest.chars().all(legal) {
            return None;
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if tls { 443 } else { port };
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        Some(Self {
            authority,
            path: path.trim_end_matches('/').to_owned(),
            tls,
            #[cfg(feature = "https")]
            trust: tls::Trust::default(),
        })
    }

    /// As it is written.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// The name or address without the port, and without the brackets of an IPv6 address.
    #[cfg(feature = "https")]
    fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or(&*self.authority, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Whether a header can be sent as it is.
pub(crate) fn is_header(name: &str, value: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !value.is_empty()
        && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

/// Posts a body and reads the answer, all within `timeout`.
pub(crate) fn post(
    endpoint: &Endpoint,
    path: &str,
    headers: &[Header],
    body: &[u8],
    timeout: Duration,
) -> io::Result<Answer> {
    let deadline = Instant::now() + timeout;
    let tcp = Timed { stream: connect(&endpoint.authority, deadline)?, deadline };
    #[cfg(feature = "https")]
    if endpoint.tls {
        let stream = tls::wrap(tcp, endpoint.host(), &endpoint.trust)?;
        return exchange(stream, endpoint, path, headers, body);
    }
    exchange(tcp, endpoint, path, headers, body)
}

fn exchange(
    mut stream: impl Read + Write,
    endpoint: &Endpoint,
    path: &str,
    headers: &[Header],
    body: &[u8],
) -> io::Result<Answer> {
    let mut head = format!(
        "POST {}{path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\nuser-agent: fresnel-sdk/{}\r\n",
        endpoint.path,
        endpoint.authority,
        body.len(),
        env!("CARGO_PKG_VERSION"),
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let sent = sent.and_then(|()| stream.flush());
    // A receiver that refuses may answer before it has read everything.
    match (answer::read(stream), sent) {
        (Ok(answer), _) => Ok(answer),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

fn connect(authority: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection of which every read and write ends at the deadline.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The time that is left, never zero.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
