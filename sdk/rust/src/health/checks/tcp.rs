use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::net::TcpStream;

use crate::health::{Check, Finding};

/// Whether something accepts connections at a host and port. The connection is closed at once.
#[derive(Clone, Debug)]
pub struct Tcp {
    host: Arc<str>,
    port: u16,
}

impl Tcp {
    /// A name or an address, and a port.
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((&*self.host, self.port)).await
    }

    pub(super) fn details(&self, finding: Finding) -> Finding {
        finding.detail("host", &*self.host).detail("port", self.port)
    }
}

impl Check for Tcp {
    fn check(&self) -> BoxFuture<'_, Finding> {
        Box::pin(async {
            let connected = self.connect().await.map(drop);
            self.details(connected.into())
        })
    }
}
