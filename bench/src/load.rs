//! Senders: as fast as they are answered, or at a given pace.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use testkit::http::{Client, Request};

use crate::quantiles::Quantiles;

/// What a sender that is refused waits before it tries again.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);
/// Refusals of one request after which something is wrong.
const REFUSED_MAX: usize = 3_000;

/// What was sent, and acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Requests, each acknowledged.
    pub(crate) requests: usize,
    /// Bytes of their bodies as sent.
    pub(crate) bytes: u64,
    /// Answers that asked to try again later.
    pub(crate) refused: usize,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Of each request, in seconds, until its acknowledgement.
    pub(crate) latencies: Quantiles,
    /// The same, counted from when it was sent.
    pub(crate) since_sent: Quantiles,
}

impl Sent {
    /// Acknowledged requests a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Sends request after request over each of the connections, until `requests` gives no more for
/// the next index. Latencies are those of the answers.
pub(crate) fn closed_loop<'a>(
    address: SocketAddr,
    requests: impl Fn(usize) -> Option<Cow<'a, Request>> + Sync,
    connections: usize,
) -> Result<Sent> {
    send(address, requests, connections, |_| Instant::now())
}

/// Sends request after request at this pace, over as many connections: request `n` is due `n`
/// paces after the start, whatever became of those before it. Latencies are counted from then, so
/// that what waits for a connection is seen.
pub(crate) fn paced<'a>(
    address: SocketAddr,
    requests: impl Fn(usize) -> Option<Cow<'a, Request>> + Sync,
    connections: usize,
    per_second: f64,
) -> Result<Sent> {
    let start = Instant::now();
    send(address, requests, connections, |index| wait_until(due(start, index, per_second)))
}

/// When the event with this index is due.
pub(crate) fn due(start: Instant, index: usize, per_second: f64) -> Instant {
    start + Duration::from_secs_f64(index as f64 / per_second)
}

/// Sleeps until then, if it is not over; gives it back.
pub(crate) fn wait_until(then: Instant) -> Instant {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
    then
}

/// What one connection did.
#[derive(Default)]
struct Done {
    latencies: Vec<f64>,
    since_sent: Vec<f64>,
    bytes: u64,
    refused: usize,
}

fn send<'a>(
    address: SocketAddr,
    requests: impl Fn(usize) -> Option<Cow<'a, Request>> + Sync,
    connections: usize,
    begin: impl Fn(usize) -> Instant + Sync,
) -> Result<Sent> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let connection = || -> Result<Done> {
        let (mut client, mut done) = (Client::new(address), Done::default());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests(index) else { return Ok(done) };
            let begun = begin(index);
            let sent = Instant::now();
            done.refused += acknowledged(&mut client, &request)?;
            done.latencies.push(begun.elapsed().as_secs_f64());
            done.since_sent.push(sent.elapsed().as_secs_f64());
            done.bytes += request.body_bytes().len() as u64;
        }
    };
    let done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(connection)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("a sender does not panic"));
        joined.collect::<Result<Vec<Done>>>()
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let (bytes, refused) =
        done.iter().fold((0, 0), |(bytes, refused), one| (bytes + one.bytes, refused + one.refused));
    let (latencies, since_sent): (Vec<_>, Vec<_>) =
        done.into_iter().map(|one| (one.latencies, one.since_sent)).unzip();
    let (latencies, since_sent) = (Quantiles::of(latencies.concat()), Quantiles::of(since_sent.concat()));
    Ok(Sent { requests: latencies.len(), bytes, refused, seconds, latencies, since_sent })
}

/// Sends until it is acknowledged; how often it was asked to try again.
fn acknowledged(client: &mut Client, request: &Request) -> Result<usize> {
    for refused in 0..REFUSED_MAX {
        let answer = client.send(request).context("send to the server")?;
        match answer.status {
            200 => {
                // An accepted OTLP request is answered with an empty message, a remote write with nothing.
                ensure!(answer.body.is_empty(), "accepted in part only: {}", answer.text());
                return Ok(refused);
            }
            204 => return Ok(refused),
            429 | 503 => std::thread::sleep(REFUSED_PAUSE),
            status => bail!("the server answers {status}: {}", answer.text()),
        }
    }
    bail!("refused {REFUSED_MAX} times")
}
