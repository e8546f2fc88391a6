//! What the shop answers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::Shop;
use crate::failure::Failure;
use crate::orders::Order;

const CENTS: u32 = 450;

#[derive(serde::Deserialize)]
struct Wanted {
    product: String,
    quantity: u32,
}

pub(crate) fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(order))
        .route("/payments/charge", post(charge))
        .with_state(shop)
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
    shop.placed.add(1, &[("shop.product", &product)]); // SDK
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
