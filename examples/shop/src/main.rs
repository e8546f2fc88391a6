//! A shop that takes orders: axum, SQLite, Redis as cache and as queue, and a payment service that
//! is called over HTTP. What makes it seen and resilient is in [`seen`] and marked `// SDK` elsewhere.
//!
//! `SHOP_HTTP` is where it listens (127.0.0.1:8088), `SHOP_DATABASE` its file (shop.db), `SHOP_REDIS`
//! the Redis (redis://127.0.0.1:6379), `SHOP_PAYMENTS` the payment service (its own). Telemetry goes
//! where OpenTelemetry's variables say.

mod failure;
mod orders;
mod payments;
mod queue;
mod routes;
mod seen;
mod worker;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use self::orders::Orders;
use self::payments::Payments;
use self::queue::Jobs;
use self::seen::Seen;

/// All parts of the shop.
pub(crate) struct Shop {
    orders: Orders,
    jobs: Jobs,
    payments: Payments,
    seen: Seen,
}

#[tokio::main]
async fn main() -> Result<()> {
    let guard = fresnel_sdk::init(); // SDK
    let seen = Seen::new(&guard); // SDK
    let listener = tokio::net::TcpListener::bind(setting("SHOP_HTTP", "127.0.0.1:8088")).await?;
    let address = listener.local_addr()?;
    let payments = setting("SHOP_PAYMENTS", &format!("http://{address}"));
    let shop = Arc::new(Shop {
        orders: Orders::open(&setting("SHOP_DATABASE", "shop.db"), &seen)?,
        jobs: Jobs::connect(&setting("SHOP_REDIS", "redis://127.0.0.1:6379"), &seen).await?,
        payments: Payments::new(&payments, &seen),
        seen,
    });
    routes::watch(&shop)?; // SDK
    tracing::info!(server.address = %address, "the shop is open");
    let mut terminated = signal(SignalKind::terminate())?;
    let closed = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    };
    let served = axum::serve(listener, routes::router(Arc::clone(&shop))).with_graceful_shutdown(closed);
    tokio::select! {
        served = served => served.context("serve"),
        never = worker::run(shop) => match never {},
    }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
