//! Packs what was ordered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::Shop;
use crate::failure::Failure;
use crate::queue::{Job, Waiting};

/// How long it waits for Redis to come back.
const PAUSE: Duration = Duration::from_secs(1);

/// Works as long as the shop is open.
pub(crate) async fn run(shop: Arc<Shop>) -> Infallible {
    loop {
        let Err(error) = listen(&shop).await;
        tracing::error!(%error, "nobody packs for a while");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(shop: &Shop) -> redis::RedisResult<Infallible> {
    let mut waiting = shop.jobs.listen().await?;
    loop {
        match waiting.next().await? {
            Some(job) => pack(shop, job).await,
            None => tracing::warn!("there was something else in the queue"),
        }
    }
}

async fn pack(shop: &Shop, job: Job) {
    let order = job.order;
    let work = async {
        shop.orders.pack(order).await?;
        tracing::info!(order, "packed");
        Ok::<_, Failure>(())
    };
    let work = shop.jobs.redis.queue().time_processing(Waiting::NAME, &job.headers, work); // SDK
    if let Err(error) = work.await {
        tracing::error!(order, %error, "not packed");
    }
}
