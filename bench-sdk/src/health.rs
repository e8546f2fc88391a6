//! How long a service takes to say how it is, over a socket, while some of its checks hang.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fresnel_sdk::health::axum::{Sight, router};
use fresnel_sdk::health::{CheckOptions, Checker, Finding, RegisterError};
use fresnel_sdk::telemetry::metrics::Registry;

use crate::ours::fail;

/// More than a service has.
pub(crate) const CHECKS: usize = 100;
const TIMES: usize = 5_000;

/// Of all checks every tenth one never comes to an end, and is cut off by its timeout.
fn checker() -> Result<Checker, RegisterError> {
    let checker = Checker::new("1", &Registry::new());
    for n in 0..CHECKS {
        let options = CheckOptions { critical: n % 10 != 0, ..CheckOptions::default() };
        checker.register(format!("check {n}"), options, move || async move {
            if n % 10 == 0 { std::future::pending().await } else { Finding::healthy() }
        })?;
    }
    Ok(checker)
}

/// Serves in the background, in a runtime that ends with what is given back.
fn serve() -> std::io::Result<(SocketAddr, tokio::runtime::Runtime)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let checker = checker().unwrap_or_else(fail);
    {
        let _runtime = runtime.enter();
        checker.start_monitoring();
    }
    let serving = axum::serve(listener, router(checker, Sight::everybody()));
    // It ends with the runtime.
    runtime.spawn(async move { serving.await.unwrap_or_else(fail) });
    Ok((address, runtime))
}

/// Sends one request and reads its answer, with all that the checks found.
fn ask(stream: &mut BufReader<TcpStream>) -> std::io::Result<usize> {
    stream.get_mut().write_all(b"GET /health?detailed=true HTTP/1.1\r\nhost: bench\r\n\r\n")?;
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(length)
}

/// How long each answer took, the shortest first, and how many bytes it has.
///
/// # Errors
/// Those of the sockets.
pub(crate) fn answers() -> std::io::Result<(Vec<Duration>, usize)> {
    let (address, _runtime) = serve()?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut took = Vec::with_capacity(TIMES);
    let bytes = ask(&mut stream)?;
    for _ in 0..TIMES {
        let started = Instant::now();
        ask(&mut stream)?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    Ok((took, bytes))
}
