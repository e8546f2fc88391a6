//! Sends OTLP bodies and insists: what is refused for now is sent again.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use testkit::http::{Client, Request};
use testkit::otlp::Export;

/// How often a request is sent before it counts as refused.
const ATTEMPTS: u32 = 100;

/// A connection that posts bodies, compressed with zstd.
pub(crate) struct Poster {
    client: Client,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Poster {
    /// To the OTLP/HTTP door at this address.
    ///
    /// # Errors
    /// When zstd has no memory.
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(1).context("start zstd")?;
        Ok(Self { client: Client::new(address), compressor })
    }

    /// Posts a body until it is accepted whole.
    ///
    /// # Errors
    /// When the server does not answer, does not take the body, or takes only a part of it.
    pub(crate) fn post<E: Export>(&mut self, body: &[u8]) -> Result<()> {
        let body = self.compressor.compress(body).context("compress")?;
        let request = Request::post(E::PATH, body)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "zstd");
        for _ in 0..ATTEMPTS {
            let answer = self.client.send(&request).context("send")?;
            match answer.status {
                200 => {
                    let (rejected, why) = E::partial_success(&answer.body).context("read the answer")?;
                    ensure!(rejected == 0, "{rejected} records were rejected: {why}");
                    return Ok(());
                }
                // What Retry-After says, but at most a second: nobody else is waiting.
                429 | 503 => {
                    let seconds = answer.header("retry-after").and_then(|after| after.parse().ok());
                    std::thread::sleep(Duration::from_millis(
                        seconds.map_or(100, |after: u64| after.min(1) * 1000),
                    ));
                }
                status => bail!("status {status}: {}", answer.text()),
            }
        }
        bail!("refused {ATTEMPTS} times")
    }
}
