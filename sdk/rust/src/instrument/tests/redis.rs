//! Commands, a cache and a queue in Redis.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisError};
use tracing::instrument::WithSubscriber;

use super::{CLIENT, CONSUMER, Observed, PRODUCER, fact};
use crate::instrument::{Cache, Database, Message, Queue};
use crate::propagation::Context;

/// A server of its own, until it is dropped.
struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// `cargo xtask setup` installs it.
fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"]);
    let started = command.current_dir(folder.path()).stdout(Stdio::piped()).spawn();
    let mut process = started.expect("redis-server is needed: run `cargo xtask setup`");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Ready to accept connections")), "redis ended");
    // What it says later has to be read by somebody.
    std::thread::spawn(move || lines.for_each(drop));
    Server { process, port, _folder: folder }
}

async fn connect(server: &Server) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// The first word of an answer that is an error.
fn code(error: &(dyn Error + 'static)) -> Option<String> {
    Some(error.downcast_ref::<RedisError>()?.code()?.to_owned())
}

#[tokio::test]
async fn commands_are_spans_without_their_values() {
    let (observed, server) = (Observed::new(), start());
    let mut redis = connect(&server).await;
    let database = Database::new(&observed.tracer, &observed.registry, "redis")
        .namespace("0")
        .server("127.0.0.1")
        .port(server.port)
        .error_code(code);
    database.time_query("SET", "user:*", redis.set::<_, _, ()>("user:7", "secret")).await.unwrap();
    let found: String = database.time_query("GET", "user:*", redis.get("user:7")).await.unwrap();
    assert_eq!(found, "secret");
    let wrong = database.time_query("LPUSH", "user:*", redis.lpush::<_, _, ()>("user:7", "secret")).await;
    assert_eq!(wrong.unwrap_err().code(), Some("WRONGTYPE"));
    let mut unknown = redis::cmd("GTE");
    let unknown = unknown.arg("secret").query_async::<()>(&mut redis);
    let unknown = database.time_query("GTE", "", unknown).await.unwrap_err();
    assert!(unknown.to_string().contains("secret"), "Redis repeats what it was told: {unknown}");

    let get = observed.span("GET user:*", CLIENT);
    let facts = ["db.system.name", "db.operation.name", "db.namespace", "server.address", "server.port"];
    let port = server.port.to_string();
    assert_eq!(facts.map(|name| fact(&get, name).unwrap()), ["redis", "GET", "0", "127.0.0.1", &port]);
    let push = observed.span("LPUSH user:*", CLIENT);
    assert_eq!(fact(&push, "db.response.status_code").as_deref(), Some("WRONGTYPE"));
    assert_eq!(fact(&observed.span("GTE", CLIENT), "error.type").as_deref(), Some("ERR"));
    assert!(!format!("{:?}", observed.spans()).contains("secret"));
    let counted = observed.lines("db_client_operation_duration_seconds_count");
    let label = format!("server_port=\"{port}\"");
    assert!(counted.len() == 4 && counted.iter().all(|it| it.contains(&label)), "{counted:?}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_connection_is_seen_wherever_it_goes() {
    let (observed, server) = (Observed::new(), start());
    let connection = connect(&server).await;
    let redis = crate::instrument::Redis::new(&observed.tracer, &observed.registry, connection);
    let mut redis = redis.server("127.0.0.1", server.port);
    redis.set::<_, _, ()>("user:7", "secret").await.unwrap();
    assert_eq!(redis.clone().get::<_, String>("user:7").await.unwrap(), "secret");
    let wrong = redis.lpush::<_, _, ()>("user:7", "secret").await.unwrap_err();
    assert_eq!(wrong.code(), Some("WRONGTYPE"));
    let made_up = redis::cmd("user:7").query_async::<()>(&mut redis).await.unwrap_err();
    assert!(made_up.to_string().contains("user:7"), "Redis repeats what it was told: {made_up}");

    let both: (String, String) =
        redis::pipe().get("user:7").get("user:7").query_async(&mut redis).await.unwrap();
    assert_eq!(both, ("secret".into(), "secret".into()));
    let mut mixed = redis::pipe();
    mixed.atomic().set("user:8", "secret").ignore().get("user:8");
    assert_eq!(mixed.query_async::<(String,)>(&mut redis).await.unwrap().0, "secret");
    let mut partly = redis::pipe();
    partly.lpush("user:7", "secret").get("user:7").ignore_errors();
    let answers = partly.query_async::<Vec<redis::RedisResult<String>>>(&mut redis).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap_err().code(), Some("WRONGTYPE"));
    assert_eq!(answers[1].as_deref(), Ok("secret"), "what went well is there all the same");

    let get = observed.span("GET", CLIENT);
    let facts = ["db.system.name", "db.operation.name", "db.namespace", "server.address", "server.port"];
    let port = server.port.to_string();
    assert_eq!(facts.map(|name| fact(&get, name).unwrap()), ["redis", "GET", "0", "127.0.0.1", &port]);
    let told = |name: &str, of: &str| fact(&observed.span(name, CLIENT), of);
    assert_eq!(told("LPUSH", "db.response.status_code").as_deref(), Some("WRONGTYPE"));
    assert_eq!(told("_OTHER", "error.type").as_deref(), Some("ERR"));
    assert_eq!(told("PIPELINE GET", "db.operation.batch.size").as_deref(), Some("2"));
    assert_eq!(told("MULTI", "error.type"), None);
    assert_eq!(told("PIPELINE", "db.response.status_code").as_deref(), Some("WRONGTYPE"));
    let spans = format!("{:?}", observed.spans());
    assert!(!spans.contains("secret") && !spans.contains("user:"), "neither keys nor values: {spans}");
    assert_eq!(observed.lines("db_client_operation_duration_seconds_count").len(), 7);
}

#[tokio::test]
async fn what_a_cache_in_redis_finds_is_counted() {
    let (observed, server) = (Observed::new(), start());
    let mut redis = connect(&server).await;
    let cache = Cache::new(&observed.registry, "stock");
    redis.set_ex::<_, _, ()>("stock:tea", 3, 60).await.unwrap();
    for (key, expected) in [("stock:tea", Some(3)), ("stock:cake", None), ("stock:tea", Some(3))] {
        let started = Instant::now();
        let found: Option<u32> = redis.get(key).await.unwrap();
        assert_eq!(cache.found_in(started.elapsed(), found), expected);
    }
    let counts = ["hit\"} 2", "miss\"} 1"];
    let lines = observed.lines("cache_lookups_total");
    assert!(lines.iter().zip(counts).all(|(line, end)| line.ends_with(end)), "{lines:?}");
    let timed = observed.lines("cache_lookup_duration_seconds_count");
    assert!(timed[0].ends_with(" 3"), "{timed:?}");
}

#[tokio::test]
async fn a_message_in_a_list_is_one_trace_from_end_to_end() {
    let (observed, server) = (Observed::new(), start());
    let (mut producer, mut consumer) = (connect(&server).await, connect(&server).await);
    let queue = Queue::new(&observed.tracer, &observed.registry, "redis");
    let sent = async {
        let send = async |headers: BTreeMap<String, String>| {
            producer.lpush::<_, _, ()>("orders", serde_json::to_string(&headers).unwrap()).await
        };
        queue.produce("orders", BTreeMap::new(), send).await.unwrap();
    };
    let sent = Context::with_baggage("tenant", "acme").scope(sent);
    sent.with_subscriber(observed.dispatch.clone()).await;
    let (_, message): (String, String) = consumer.brpop("orders", 0.0).await.unwrap();
    let headers: BTreeMap<String, String> = serde_json::from_str(&message).unwrap();
    let message = Message { destination: "orders", id: None, worker: Some("packing") };
    let work = async {
        assert_eq!(Context::baggage().get("tenant"), Some("acme"));
        consumer.lpush::<_, _, ()>("packed", "7").await
    };
    queue.time_processing(message, &headers, work).await.unwrap();

    let (sent, worked) = (observed.span("send orders", PRODUCER), observed.span("process orders", CONSUMER));
    assert_eq!((&worked.trace_id, &worked.parent_span_id), (&sent.trace_id, &sent.span_id));
    assert!(worked.status.is_none() && sent.status.is_none());
}
