use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Formatted, Output, WriteError, of_system};
use crate::logging::format::time::rfc3339;
use crate::logging::source::Source;
use crate::telemetry::otlp::Severity;

/// How syslog is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A datagram for each message (RFC 5426), to `host:port`. Losses are not seen.
    Udp(String),
    /// Messages with their lengths before them (RFC 6587, octet counting), to `host:port`.
    Tcp(String),
    /// A datagram for each message to a socket of this machine, such as `/dev/log`.
    Unix(PathBuf),
}

/// Messages as RFC 5424 has them. Logger, source and time are in their header, the rest is the
/// line of the format.
#[derive(Debug)]
pub struct Syslog {
    name: String,
    transport: Transport,
    /// 0 to 23.
    facility: u8,
    source: Source,
    connection: Option<Connection>,
}

#[derive(Debug)]
enum Connection {
    Udp(UdpSocket),
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

/// How long a connection or a write may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Syslog {
    /// Messages of a facility, such as 1 for programs of users or 16 for `local0`.
    pub fn new(transport: Transport, facility: u8, source: Source) -> Self {
        let name = match &transport {
            Transport::Udp(address) | Transport::Tcp(address) => format!("syslog {address}"),
            Transport::Unix(path) => format!("syslog {}", path.display()),
        };
        Self { name, transport, facility: facility.min(23), source, connection: None }
    }

    fn message(&self, it: &Formatted) -> Vec<u8> {
        let priority = u32::from(self.facility) * 8 + severity(it.entry.severity);
        let source = &self.source;
        let head = format!(
            "<{priority}>1 {} {} {} {} {} [origin software=\"{}\" swVersion=\"{}\"] ",
            rfc3339(it.entry.time),
            word(source.host.as_deref().unwrap_or_default(), 255),
            word(&source.service, 48),
            source.pid,
            word(&it.entry.logger, 32),
            parameter(&source.service, 48),
            parameter(&source.version, 32),
        );
        let mut message = head.into_bytes();
        message.extend_from_slice(&it.line);
        message
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.transport)?,
        };
        match self.connection.insert(connection) {
            Connection::Udp(socket) => socket.send(message).map(drop),
            Connection::Tcp(stream) => {
                let mut frame = format!("{} ", message.len()).into_bytes();
                frame.extend_from_slice(message);
                stream.write_all(&frame)
            }
            #[cfg(unix)]
            Connection::Unix(socket) => socket.send(message).map(drop),
        }
    }
}

fn connect(transport: &Transport) -> io::Result<Connection> {
    let resolve = |address: &str| {
        let mut all = address.to_socket_addrs()?;
        all.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
    };
    match transport {
        Transport::Udp(address) => {
            let address = resolve(address)?;
            let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(own)?;
            socket.connect(address)?;
            Ok(Connection::Udp(socket))
        }
        Transport::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&resolve(address)?, PATIENCE)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Connection::Tcp(stream))
        }
        #[cfg(unix)]
        Transport::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(Connection::Unix(socket))
        }
        #[cfg(not(unix))]
        Transport::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl Output for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        for (place, it) in batch.iter().enumerate() {
            let message = self.message(it);
            let Err(error) = self.send(&message) else { continue };
            self.connection = None;
            let rest = |from: usize| (from..batch.len()).collect();
            // EMSGSIZE: it will never fit into a datagram.
            let too_large = error.raw_os_error() == Some(90);
            let (left, refused) = if too_large { (rest(place + 1), 1) } else { (rest(place), 0) };
            return Err(of_system(&format!("cannot send to {}", self.name), &error).with_left(left, refused));
        }
        Ok(())
    }

    fn is_remote(&self) -> bool {
        !matches!(self.transport, Transport::Unix(_))
    }
}

/// The numbers of RFC 5424.
fn severity(severity: Severity) -> u32 {
    match severity {
        Severity::Fatal => 2,
        Severity::Error => 3,
        Severity::Warn => 4,
        Severity::Info => 6,
        Severity::Trace | Severity::Debug => 7,
    }
}

/// A word of the header: printable, bounded, `-` for none.
fn word(text: &str, length_max: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(length_max).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// The value of a parameter: `"`, `\` and `]` are escaped.
fn parameter(text: &str, length_max: usize) -> String {
    let mut value = String::new();
    for c in text.chars().filter(|c| !c.is_control()).take(length_max) {
        if matches!(c, '"' | '\\' | ']') {
            value.push('\\');
        }
        value.push(c);
    }
    value
}
