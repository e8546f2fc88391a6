//! A shop that takes orders: axum, SQLite, Redis as cache and as queue, and a payment service that
//! is called over HTTP. What makes it seen and resilient is marked `// SDK`; there is no more of it.
//!
//! `SHOP_HTTP` is where it listens (127.0.0.1:8088), `SHOP_DATABASE` its file (shop.db), `SHOP_REDIS`
//! the Redis (redis://127.0.0.1:6379), `SHOP_PAYMENTS` the payment service (its own), `SHOP_KEY` the
//! token of those who may switch faults (nobody has it). Telemetry goes where OpenTelemetry's variables say.

mod failure;
mod orders;
mod payments;
mod queue;
mod routes;
mod worker;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use self::orders::Orders;
use self::payments::Payments;
use self::queue::Jobs;

/// All parts of the shop.
pub(crate) struct Shop {
    orders: Orders,
    jobs: Jobs,
    payments: Payments,
    placed: fresnel_sdk::telemetry::metrics::Counter, // SDK
}

#[tokio::main]
async fn main() -> Result<()> {
    let guard = fresnel_sdk::init(); // SDK
    let listener = tokio::net::TcpListener::bind(setting("SHOP_HTTP", "127.0.0.1:8088")).await?;
    let address = listener.local_addr()?;
    let payments = setting("SHOP_PAYMENTS", &format!("http://{address}"));
    let shop = Arc::new(Shop {
        orders: Orders::open(&setting("SHOP_DATABASE", "shop.db"))?,
        jobs: Jobs::connect(&setting("SHOP_REDIS", "redis://127.0.0.1:6379")).await?,
        payments: Payments::new(&payments),
        placed: guard.registry().counter("shop.orders", "{order}", "Orders that were placed."), // SDK
    });
    let app = routes::router(Arc::clone(&shop));
    let app = guard.service().app(app, fresnel_sdk::health::axum::Sight::bearer(setting("SHOP_KEY", ""))); // SDK
    guard.service().health().watch("database", &shop, async |it| it.orders.stock("tea").await)?; // SDK
    guard.service().health().watch("redis", &shop, async |it| it.jobs.known_stock("tea").await)?; // SDK
    tracing::info!(server.address = %address, "the shop is open");
    let mut terminated = signal(SignalKind::terminate())?;
    let closed = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    };
    let served = axum::serve(listener, app).with_graceful_shutdown(closed);
    tokio::select! {
        served = served => served.context("serve"),
        never = worker::run(shop) => match never {},
    }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
