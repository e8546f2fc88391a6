//! Redis: what is known of the stock, and the orders that wait to be packed.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::failure::Failure;

const WAITING: &str = "shop:orders";
const STOCK_SECONDS: u64 = 5;

pub(crate) struct Jobs {
    pub(crate) redis: fresnel_sdk::instrument::Redis<MultiplexedConnection>, // SDK
    client: redis::Client,
}

/// An order to be packed.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Job {
    pub(crate) order: i64,
    pub(crate) headers: BTreeMap<String, String>, // SDK
}

impl Job {
    fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl Jobs {
    pub(crate) async fn connect(url: &str) -> redis::RedisResult<Self> {
        let client = redis::Client::open(url)?;
        let redis = client.get_multiplexed_async_connection().await?;
        let redis = fresnel_sdk::service().redis(redis); // SDK
        Ok(Self { redis, client })
    }

    pub(crate) async fn known_stock(&self, product: &str) -> Result<Option<u32>, Failure> {
        Ok(self.redis.clone().get(key(product)).await?)
    }

    pub(crate) async fn remember_stock(&self, product: &str, stock: u32) -> Result<(), Failure> {
        Ok(self.redis.clone().set_ex(key(product), stock, STOCK_SECONDS).await?)
    }

    pub(crate) async fn enqueue(&self, order: i64) -> Result<(), Failure> {
        let mut redis = self.redis.clone();
        let send = async |headers| redis.lpush::<_, _, ()>(WAITING, Job { order, headers }.text()).await; // SDK
        Ok(self.redis.queue().produce(WAITING, BTreeMap::new(), send).await?) // SDK
    }

    /// A connection of its own: it waits.
    pub(crate) async fn listen(&self) -> redis::RedisResult<Waiting> {
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        Ok(Waiting(self.client.get_multiplexed_async_connection_with_config(&config).await?))
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
