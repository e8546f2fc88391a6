use std::error::Error;
use std::fmt;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisError, RedisFuture, Value};

use super::{Database, Queue};
use crate::telemetry::metrics::Registry;
use crate::telemetry::trace::Tracer;

/// A connection of `redis` whose commands are seen: a client span and `db.client.operation.duration`
/// each, as [`Database`] has them, named by the command. Neither keys nor values are recorded. Wherever
/// the connection goes, this does.
///
/// ```no_run
/// # use fresnel_sdk::telemetry::{metrics::Registry, trace::Tracer};
/// use fresnel_sdk::instrument::Redis;
/// use redis::AsyncCommands;
///
/// # async fn with(tracer: Tracer, registry: Registry) -> redis::RedisResult<()> {
/// let client = redis::Client::open("redis://cache.internal")?;
/// let connection = client.get_multiplexed_async_connection().await?;
/// let mut redis = Redis::new(&tracer, &registry, connection).server("cache.internal", 6379);
/// let stock: Option<u32> = redis.get("stock:tea").await?; // the span `GET`
/// # let _ = stock;
/// # Ok(())
/// # }
/// ```
///
/// What waits for others, such as `BRPOP`, is better asked over a connection of its own that is not seen:
/// how long it takes says nothing.
#[derive(Clone)]
pub struct Redis<C> {
    connection: C,
    database: Database,
    queue: Queue,
}

impl<C> fmt::Debug for Redis<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("database", &self.database).finish_non_exhaustive()
    }
}

impl<C: ConnectionLike> Redis<C> {
    /// Around this connection, whose number of a database is `db.namespace`.
    pub fn new(tracer: &Tracer, registry: &Registry, connection: C) -> Self {
        let database = Database::new(tracer, registry, "redis");
        let database = database.namespace(connection.get_db().to_string()).error_code(code);
        Self { connection, database, queue: Queue::new(tracer, registry, "redis") }
    }

    /// Where it is, `server.address` and `server.port`: a connection does not tell.
    #[must_use]
    pub fn server(self, address: impl Into<String>, port: u16) -> Self {
        Self { database: self.database.server(address).port(port), ..self }
    }

    /// For messages in lists and streams: their spans join those who send to those who work.
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl<C: ConnectionLike + Send> ConnectionLike for Redis<C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let Self { connection, database, .. } = self;
        Box::pin(async move {
            // What Redis refuses is an answer, too, and an error for whoever asked.
            let answer = async { connection.req_packed_command(command).await?.extract_error() };
            database.time_query(&name(command), "", answer).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Self { connection, database, .. } = self;
        Box::pin(async move {
            let answers = async {
                let asked = connection.req_packed_commands(pipeline, offset, count).await;
                asked.map_err(Refused::All).and_then(Refused::one_of)
            };
            let query = batch_name(pipeline);
            match database.query(&query, "").batch(pipeline.len()).run(answers).await {
                Ok(answers) | Err(Refused::Some(_, answers)) => Ok(answers),
                Err(Refused::All(error)) => Err(error),
            }
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// What of a pipeline went wrong.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    All(RedisError),
    /// The first error, and all answers: it is for the caller to say which errors count.
    #[error("{0}")]
    Some(RedisError, Vec<Value>),
}

impl Refused {
    fn one_of(answers: Vec<Value>) -> Result<Vec<Value>, Self> {
        let refused = answers.iter().find_map(|answer| match answer {
            Value::ServerError(error) => Some(error.clone().into()),
            _ => None,
        });
        match refused {
            Some(error) => Err(Self::Some(error, answers)),
            None => Ok(answers),
        }
    }
}

/// The first word of an answer that is an error.
fn code(error: &(dyn Error + 'static)) -> Option<String> {
    let error = match error.downcast_ref() {
        Some(Refused::All(error) | Refused::Some(error, _)) => error,
        None => error.downcast_ref::<RedisError>()?,
    };
    error.code().map(str::to_owned)
}

/// The word of a command. One that nobody has is `_OTHER`, so that values never become names.
fn name(command: &Cmd) -> String {
    const LENGTH_MAX: usize = 32;
    let word = match command.args_iter().next() {
        Some(Arg::Simple(word)) => word,
        _ => &[],
    };
    let known = (1..=LENGTH_MAX).contains(&word.len())
        && word.iter().all(|byte| byte.is_ascii_alphabetic() || b"._-".contains(byte));
    let word = known.then(|| String::from_utf8_lossy(word).to_ascii_uppercase());
    word.unwrap_or_else(|| "_OTHER".to_owned())
}

/// As the conventions have it: `PIPELINE` or `MULTI`, with the command if all are the same.
fn batch_name(pipeline: &Pipeline) -> String {
    let kind = if pipeline.is_transaction() { "MULTI" } else { "PIPELINE" };
    let mut names = pipeline.cmd_iter().map(name);
    match names.next() {
        Some(first) if names.all(|it| it == first) => format!("{kind} {first}"),
        _ => kind.to_owned(),
    }
}
