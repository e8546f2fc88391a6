//! Redis: what is known of the stock, and the orders that wait to be packed.

use std::collections::BTreeMap;

use fresnel_sdk::instrument::{Cache, Queue};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::failure::Failure;
use crate::seen::Seen;

const WAITING: &str = "shop:orders";
const STOCK_SECONDS: u64 = 5;

pub(crate) struct Jobs {
    redis: MultiplexedConnection,
    client: redis::Client,
    cache: Cache,
    queue: Queue,
}

/// An order to be packed, with the headers that its trace goes on by.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Job {
    pub(crate) order: i64,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Jobs {
    pub(crate) async fn connect(url: &str, seen: &Seen) -> redis::RedisResult<Self> {
        let client = redis::Client::open(url)?;
        let redis = client.get_multiplexed_async_connection().await?;
        Ok(Self { redis, client, cache: seen.cache.clone(), queue: seen.queue.clone() })
    }

    pub(crate) async fn ping(&self) -> redis::RedisResult<()> {
        redis::cmd("PING").query_async(&mut self.redis.clone()).await
    }

    pub(crate) async fn known_stock(&self, product: &str) -> Result<Option<u32>, Failure> {
        let known = self.redis.clone().get(key(product)).await?;
        Ok(self.cache.found(known)) // SDK
    }

    pub(crate) async fn remember_stock(&self, product: &str, stock: u32) -> Result<(), Failure> {
        Ok(self.redis.clone().set_ex(key(product), stock, STOCK_SECONDS).await?)
    }

    pub(crate) async fn enqueue(&self, order: i64) -> Result<(), Failure> {
        let mut redis = self.redis.clone();
        let send = |headers| async move {
            let job = serde_json::json!(Job { order, headers }).to_string();
            redis.lpush::<_, _, ()>(WAITING, job).await
        };
        Ok(self.queue.produce(WAITING, BTreeMap::new(), send).await?) // SDK
    }

    /// A connection of its own: it waits.
    pub(crate) async fn listen(&self) -> redis::RedisResult<Waiting> {
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        Ok(Waiting(self.client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

pub(crate) struct Waiting(MultiplexedConnection);

impl Waiting {
    pub(crate) const NAME: &'static str = WAITING;

    /// The next job; nothing where something else was in the queue.
    pub(crate) async fn next(&mut self) -> redis::RedisResult<Option<Job>> {
        let (_, job): (String, String) = self.0.brpop(WAITING, 0.0).await?;
        Ok(serde_json::from_str(&job).ok())
    }
}

fn key(product: &str) -> String {
    format!("shop:stock:{product}")
}
