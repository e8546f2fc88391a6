use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Tcp;
use crate::clock;
use crate::health::{Check, Finding, Status};

/// The first line of an answer is not longer than this.
const LINE_BYTES_MAX: usize = 1024;

/// What an `http://` address answers: 2xx is healthy, any other status degraded, none unhealthy.
/// Redirections are not followed. It needs no HTTP client, and so does not speak TLS: for
/// `https://`, give a closure that uses the client of the service.
#[derive(Clone, Debug)]
pub struct Http {
    url: Arc<str>,
    tcp: Tcp,
    request: Arc<str>,
    otherwise: Status,
}

/// An address that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is not an address like `http://stock.internal:8080/health`{}", if url.starts_with("https:") {
    "; for https, register a closure that uses your own client"
} else {
    ""
})]
pub struct UrlError {
    /// What was given.
    pub url: String,
}

impl Http {
    /// Asks with `HEAD`.
    ///
    /// # Errors
    /// It is no `http://` address.
    pub fn head(url: &str) -> Result<Self, UrlError> {
        Self::new("HEAD", url, Status::Degraded)
    }

    /// Asks with `GET`; the body is not read. Any status but 2xx is unhealthy.
    ///
    /// # Errors
    /// It is no `http://` address.
    pub fn get(url: &str) -> Result<Self, UrlError> {
        Self::new("GET", url, Status::Unhealthy)
    }

    fn new(method: &str, url: &str, otherwise: Status) -> Result<Self, UrlError> {
        let invalid = || UrlError { url: url.to_owned() };
        let rest = url.strip_prefix("http://").ok_or_else(invalid)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let legal =
            !authority.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()) && !authority.contains('@');
        if !legal {
            return Err(invalid());
        }
        let (host, port) = split(authority).ok_or_else(invalid)?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        let request = format!(
            "{method} {slash}{path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: fresnel-sdk\r\naccept: */*\r\nconnection: close\r\n\r\n"
        );
        Ok(Self { url: url.into(), tcp: Tcp::new(host, port), request: request.into(), otherwise })
    }

    async fn ask(&self) -> io::Result<u16> {
        let mut stream = self.tcp.connect().await?;
        stream.write_all(self.request.as_bytes()).await?;
        let mut line = Vec::new();
        while !line.contains(&b'\n') {
            let mut part = [0; 256];
            let read = stream.read(&mut part).await?;
            if read == 0 || line.len() > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"));
            }
            line.extend_from_slice(&part[..read]);
        }
        status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
    }
}

/// Host and port; 80 when there is none. `[::1]:8080` is an address of version 6.
fn split(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then_some((host, port))
}

/// Of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = line.split_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok().filter(|status| (100..600).contains(status))
}

impl Check for Http {
    fn check(&self) -> BoxFuture<'_, Finding> {
        Box::pin(async {
            let start = clock::now();
            let finding = match self.ask().await {
                Ok(status) if (200..300).contains(&status) => {
                    Finding::healthy().detail("status_code", status)
                }
                Ok(status) => {
                    let mut finding = Finding::degraded(format!("the answer has the status {status}"));
                    finding.status = self.otherwise;
                    finding.detail("status_code", status)
                }
                Err(error) => Finding::failed(error),
            };
            let millis = (clock::now() - start).as_secs_f64() * 1_000.0;
            finding.detail("url", &*self.url).detail("response_time_ms", millis)
        })
    }
}
