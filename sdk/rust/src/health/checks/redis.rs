use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Tcp, percent};
use crate::clock;
use crate::config::Secret;
use crate::health::{Check, Finding};

/// More of an answer is not read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A Redis server: whether it answers `PING`, in time, and how full its memory is. Being slow or
/// almost full degrades it. It opens a connection of its own and needs no client; a server that
/// speaks TLS only needs a closure.
#[derive(Clone, Debug)]
pub struct Redis {
    tcp: Tcp,
    password: Option<Secret>,
    slower_than: Duration,
    memory_max: f64,
}

impl Redis {
    /// Degraded when `PING` takes longer than 50 ms, or when 90 % of `maxmemory` are used.
    pub fn new(host: impl Into<std::sync::Arc<str>>, port: u16) -> Self {
        let slower_than = Duration::from_millis(50);
        Self { tcp: Tcp::new(host, port), password: None, slower_than, memory_max: 0.9 }
    }

    /// Says this password first.
    #[must_use]
    pub fn password(self, password: Secret) -> Self {
        Self { password: Some(password), ..self }
    }

    /// Other limits: for the answer to `PING`, and for the share of the memory from 0 to 1.
    #[must_use]
    pub fn limits(self, slower_than: Duration, memory_max: f64) -> Self {
        Self { slower_than, memory_max, ..self }
    }

    async fn find(&self) -> io::Result<Finding> {
        let mut stream = self.tcp.connect().await?;
        if let Some(password) = &self.password {
            command(&mut stream, &["AUTH", password.expose()]).await?;
        }
        let start = clock::now();
        command(&mut stream, &["PING"]).await?;
        let took = clock::now() - start;
        let info = command(&mut stream, &["INFO", "memory"]).await?;
        let (used, max) = (figure(&info, "used_memory:"), figure(&info, "maxmemory:"));
        // 0 is no limit.
        let share = used.zip(max).filter(|(_, max)| *max > 0).map(|(used, max)| used as f64 / max as f64);
        let full = share.filter(|share| *share >= self.memory_max);
        let millis = took.as_secs_f64() * 1_000.0;
        let mut finding = match full {
            Some(share) => Finding::degraded(format!("{} of its memory are used", percent(share))),
            None if took > self.slower_than => {
                Finding::degraded(format!("PING took {millis:.1} ms, more than {:?}", self.slower_than))
            }
            None => Finding::healthy(),
        };
        for (name, value) in [("used_memory_bytes", used), ("max_memory_bytes", max)] {
            if let Some(value) = value {
                finding = finding.detail(name, value);
            }
        }
        Ok(finding.detail("response_time_ms", millis))
    }
}

impl Check for Redis {
    fn check(&self) -> BoxFuture<'_, Finding> {
        Box::pin(async { self.tcp.details(self.find().await.unwrap_or_else(Finding::failed)) })
    }
}

/// Sends a command and reads a simple or a bulk string, as RESP 2 has them.
async fn command(stream: &mut TcpStream, words: &[&str]) -> io::Result<String> {
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request += &format!("${}\r\n{word}\r\n", word.len()));
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        if let Some(text) = parse(&answer)? {
            return Ok(text);
        }
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if answer.len() + read > ANSWER_BYTES_MAX {
            return Err(odd());
        }
        answer.extend_from_slice(&part[..read]);
    }
}

/// A whole answer, or `None` when more is to come.
fn parse(answer: &[u8]) -> io::Result<Option<String>> {
    let Some(end) = answer.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = std::str::from_utf8(&answer[..end]).map_err(|_| odd())?;
    let (kind, text) = line.split_at_checked(1).ok_or_else(odd)?;
    match kind {
        "+" => Ok(Some(text.to_owned())),
        "-" => Err(io::Error::other(text.to_owned())),
        "$" => {
            let length: usize = text.parse().map_err(|_| odd())?;
            let body = answer[end + 2..].get(..length);
            body.map(|body| String::from_utf8(body.to_vec()).map_err(|_| odd())).transpose()
        }
        _ => Err(odd()),
    }
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not one of a Redis server")
}

fn figure(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}
