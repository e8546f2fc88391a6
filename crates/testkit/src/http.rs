//! A small blocking HTTP/1.1 client. It exists because tests must send what a well-behaved client
//! never would: foreign `Host` headers, chunked bodies without a length, bodies that are cut off.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of the server may take longer than this.
const TIMEOUT: Duration = Duration::from_secs(150);
/// More than any answer in a test has.
const BODY_BYTES_MAX: u64 = 1 << 30;

/// A request. Headers are sent as given; `Host` and the body's length are added when missing.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunk_bytes: Option<usize>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            chunk_bytes: None,
        }
    }

    /// A `GET`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST` of a body.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this header, instead of one of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the body in chunks of this size and no `Content-Length`, as the JavaScript exporters do.
    #[must_use]
    pub fn chunked(mut self, chunk_bytes: usize) -> Self {
        self.chunk_bytes = Some(chunk_bytes.max(1));
        self
    }

    /// The bytes of the body.
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn head(&self, host: SocketAddr) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.has("host") {
            head.push_str(&format!("host: {host}\r\n"));
        }
        if !self.has("te") {
            // Without it a server keeps its trailers for itself.
            head.push_str("te: trailers\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.chunk_bytes.is_some() {
            head.push_str("transfer-encoding: chunked\r\n");
        } else if !self.has("content-length") && (!self.body.is_empty() || self.method != "GET") {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in the order they came; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without transfer coding.
    pub body: Vec<u8>,
    /// Trailers; names in lower case.
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first trailer of this name (lower case).
    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    /// The body as text, whatever it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => {
                panic!("status {} with a body that is not JSON ({error}): {}", self.status, self.text())
            }
        }
    }

    /// Itself when the status is this one.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "body: {}", self.text());
        self
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// One connection at a time to one address, kept alive between requests.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client that connects at its first request.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends a request and reads its answer. A connection that failed is not used again; nothing is
    /// sent twice.
    ///
    /// # Errors
    /// When the server cannot be reached or ends the connection before a whole answer.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address)?,
        };
        // A server that refuses a large body answers and closes while we still write: the answer
        // counts, not the broken pipe.
        let written = write(connection.get_mut(), request, self.address);
        let response = match (read(&mut connection, &request.method), written) {
            (Ok(response), _) => response,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        // What refuses a body before it has read all of it closes the connection.
        let goes_on = response.status < 400 && response.header("connection") != Some("close");
        self.connection = goes_on.then_some(connection);
        Ok(response)
    }
}

/// Sends one request over a connection of its own.
///
/// # Errors
/// As [`Client::send`].
pub fn send(address: SocketAddr, request: &Request) -> io::Result<Response> {
    Client::new(address).send(request)
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn write(stream: &mut TcpStream, request: &Request, host: SocketAddr) -> io::Result<()> {
    stream.write_all(request.head(host).as_bytes())?;
    match request.chunk_bytes {
        None => stream.write_all(&request.body)?,
        Some(size) => {
            for chunk in request.body.chunks(size) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
    }
    stream.flush()
}

fn read(from: &mut impl BufRead, method: &str) -> io::Result<Response> {
    let status_line = line(from)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| invalid(format!("no status in {status_line:?}")))?;
    let headers = header_lines(from)?;
    let mut response = Response { status, headers, body: Vec::new(), trailers: Vec::new() };
    if method == "HEAD" || status == 204 || status == 304 {
        return Ok(response);
    }
    if response.header("transfer-encoding") == Some("chunked") {
        read_chunks(from, &mut response.body)?;
        response.trailers = header_lines(from)?;
    } else if let Some(length) = response.header("content-length") {
        let length: u64 = length.parse().map_err(|error| invalid(format!("content-length: {error}")))?;
        read_exactly(from, length, &mut response.body)?;
    } else {
        from.take(BODY_BYTES_MAX).read_to_end(&mut response.body)?;
    }
    Ok(response)
}

fn read_chunks(from: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size_line = line(from)?;
        let size = size_line.split(';').next().unwrap_or_default().trim();
        let size =
            u64::from_str_radix(size, 16).map_err(|error| invalid(format!("chunk {size:?}: {error}")))?;
        if size == 0 {
            return Ok(());
        }
        read_exactly(from, size, into)?;
        line(from)?;
    }
}

fn read_exactly(from: &mut impl BufRead, bytes: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let read = from.take(bytes.min(BODY_BYTES_MAX)).read_to_end(into)?;
    if read as u64 == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn header_lines(from: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(from)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid(format!("header {line:?}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A text as it may stand in a query string.
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
