//! Listening, and ending it: connections that are in the middle of a request may finish it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Result};

/// How long a sender may take for the head of its request.
const HEADER_WITHIN: Duration = Duration::from_secs(30);
/// How long requests may take to finish when the server stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);
/// Connections of one door at a time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 4_096;

/// A door that is bound but does not answer yet.
pub struct Door {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Binds.
    pub async fn bind(name: &'static str, setting: &str, address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let failure = Failure::new(format!("cannot listen on {address} for {name}")).cause(&error);
            match error.kind() {
                std::io::ErrorKind::AddrInUse => failure.hint(format!(
                    "another process has this port, perhaps another fresnel; stop it or set `{setting}`"
                )),
                _ => failure.hint(format!("the address comes from `{setting}`")),
            }
        })?;
        let address = listener.local_addr().map_err(|error| Failure::new("no local address").cause(error))?;
        Ok(Self { name, listener, address })
    }

    /// Where it listens; the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, then lets what runs finish within a bound.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        let connections = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(permit) = std::sync::Arc::clone(&connections).acquire_owned().await else { break };
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Too many open files, most often: wait for some to close.
                        tracing::warn!(door = self.name, error = %error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let serving = connection(stream, router.clone(), &graceful);
            #[expect(
                clippy::disallowed_methods,
                reason = "one task a connection; hyper contains its panics"
            )]
            tokio::spawn(async move {
                serving.await;
                drop(permit);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(DRAIN_WITHIN, graceful.shutdown()).await.is_err() {
            tracing::warn!(door = self.name, "cut connections that did not finish in time");
        }
    }
}

fn connection(
    stream: TcpStream,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "cannot set TCP_NODELAY");
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(256)
        // A body of several MiB should not wait for a window update every 64 KiB.
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let service = TowerToHyperService::new(router);
    let watched = graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    async move {
        if let Err(error) = watched.await {
            tracing::debug!(error = %error, "connection ended badly");
        }
    }
}
