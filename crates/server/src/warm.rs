//! The last of the start: asks what readers will ask, before they do.
//!
//! The first reader does not wait then until footers and indexes are read from disk, nor until the code
//! is: what is mapped stays in memory when the system forgets files.

use std::net::SocketAddr;

use model::Tenant;
use query::Engine;
use tokio::io::{AsyncWriteExt as _, copy, sink};
use tokio::net::TcpStream;

use crate::supervise::Supervisor;
use crate::{allocator, program};

/// Tenants whose indexes are read ahead of the first question.
const TENANTS_MAX: usize = 16;

/// A trace that there is.
struct Known<'a> {
    tenant: &'a Tenant,
    id: [u8; 16],
}

/// Asks for each tenant, then only so that the code of a look-up is mapped and nothing else of the start.
/// `door` is where readers come in.
pub fn warm(engine: Engine, tenants: Vec<Tenant>, door: SocketAddr, supervisor: &Supervisor) {
    supervisor.spawn("warm-up", move |stop| {
        let (engine, tenants) = (engine.clone(), tenants.clone());
        async move {
            let asked = stop.run_until_cancelled(async {
                let known = ask_all(&engine, &tenants).await;
                program::forget_start();
                if let Some(known) = known {
                    look_up(&engine, door, &known).await;
                    allocator::give_back();
                }
            });
            if asked.await.is_some() {
                stop.cancelled().await;
            }
        }
    });
}

async fn ask_all<'a>(engine: &Engine, tenants: &'a [Tenant]) -> Option<Known<'a>> {
    let mut known = None;
    for tenant in tenants.iter().take(TENANTS_MAX) {
        match engine.warm(tenant).await {
            Ok(trace) => known = known.or(trace.map(|id| Known { tenant, id })),
            Err(error) => tracing::debug!(%tenant, error = %error, "skip the warm-up"),
        }
    }
    known
}

/// Asks the engine, which always answers, and then as a reader does, who may need a key.
async fn look_up(engine: &Engine, door: SocketAddr, known: &Known<'_>) {
    let Known { tenant, id } = known;
    if let Err(error) = engine.trace(tenant, *id).await {
        tracing::debug!(%tenant, error = %error, "skip the warm-up");
    }
    if let Err(error) = read(door, known).await {
        tracing::debug!(%door, error = %error, "skip the warm-up");
    }
}

async fn read(door: SocketAddr, Known { tenant, id }: &Known<'_>) -> std::io::Result<()> {
    let id = u128::from_be_bytes(*id);
    let request = format!(
        "GET /api/v1/traces/{id:032x} HTTP/1.1\r\nHost: {door}\r\nX-Scope-OrgID: {tenant}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(door).await?;
    stream.write_all(request.as_bytes()).await?;
    copy(&mut stream, &mut sink()).await.map(drop)
}
