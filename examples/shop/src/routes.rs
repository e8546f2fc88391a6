//! What the shop answers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fresnel_sdk::health::axum::{Sight, router as health};
use fresnel_sdk::health::{CheckOptions, Phase, RegisterError};
use fresnel_sdk::resilience::Fault;
use fresnel_sdk::telemetry::metrics::axum::router as metrics;

use crate::Shop;
use crate::failure::Failure;
use crate::orders::Order;
use crate::payments::CHARGE;

const CENTS: u32 = 450;

#[derive(serde::Deserialize)]
struct Wanted {
    product: String,
    quantity: u32,
}

/// An effect on calls of the payment service: how often, from 0 to 1, and an error or a delay.
#[derive(serde::Deserialize)]
struct Chaos {
    probability: f64,
    error: Option<String>,
    #[serde(default)]
    latency_ms: u64,
}

/// Watches what the shop needs.
pub(crate) fn watch(shop: &Arc<Shop>) -> Result<(), RegisterError> {
    let (database, redis) = (Arc::clone(shop), Arc::clone(shop));
    let health = &shop.seen.health;
    health.register("database", CheckOptions::default(), move || {
        let shop = Arc::clone(&database);
        async move { shop.orders.ping().await }
    })?;
    health.register("redis", CheckOptions::default(), move || {
        let shop = Arc::clone(&redis);
        async move { shop.jobs.ping().await }
    })?;
    health.start_monitoring();
    health.set_phase(Phase::Running);
    Ok(())
}

pub(crate) fn router(shop: Arc<Shop>) -> Router {
    let (server, checker, registry) =
        (shop.seen.server.clone(), shop.seen.health.clone(), shop.seen.registry.clone());
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(order))
        .route("/payments/charge", post(charge))
        .route("/chaos", put(chaos))
        .with_state(shop)
        .layer(server) // SDK
        .merge(health(checker, Sight::everybody())) // SDK
        .merge(metrics(registry)) // SDK
}

async fn place(State(shop): State<Arc<Shop>>, Json(wanted): Json<Wanted>) -> Result<Json<Order>, Failure> {
    let Wanted { product, quantity } = wanted;
    let stock = match shop.jobs.known_stock(&product).await? {
        Some(stock) => stock,
        None => {
            let stock = shop.orders.stock(&product).await?;
            shop.jobs.remember_stock(&product, stock).await?;
            stock
        }
    };
    if stock < quantity {
        return Err(Failure::SoldOut { left: stock });
    }
    shop.payments.charge(CENTS * quantity).await?;
    let id = shop.orders.place(&product, quantity).await?;
    shop.jobs.enqueue(id).await?;
    shop.seen.placed.add(1, &[("shop.product", &product)]); // SDK
    tracing::info!(order = id, product, quantity, "placed");
    Ok(Json(shop.orders.order(id).await?))
}

async fn order(State(shop): State<Arc<Shop>>, Path(id): Path<i64>) -> Result<Json<Order>, Failure> {
    shop.orders.order(id).await.map(Json)
}

/// The payment service's side, so that the example needs no other process.
async fn charge(Json(cents): Json<u32>) {
    tracing::info!(cents, "charged");
}

async fn chaos(State(shop): State<Arc<Shop>>, Json(chaos): Json<Chaos>) {
    use fresnel_sdk::resilience::Effect;
    let Chaos { probability, error, latency_ms } = chaos;
    let latency = || Effect::Latency(std::time::Duration::from_millis(latency_ms));
    let effect = error.map_or_else(latency, Effect::Error);
    shop.seen.faults.set(CHARGE, vec![Fault { probability, effect, times: None }]);
    shop.seen.faults.enable(probability > 0.0);
}
