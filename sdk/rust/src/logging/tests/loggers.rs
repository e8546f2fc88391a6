use std::time::Duration;

use serde_json::json;

use super::json as records;
use crate::logging::{
    DatabaseQuery, ErrorInfo, Id, LogContext, Logger, NO_VALUES, QueueMessage, Severity, request_fields,
    response_fields,
};

#[derive(Debug, thiserror::Error)]
#[error("cannot pay")]
struct PayError(#[source] std::fmt::Error);

#[test]
fn a_child_has_its_parents_name_and_values_and_a_call_goes_over_them() {
    let all = records(|| {
        let shop =
            Logger::new("shop").with("region", "eu").with("n", 1).with_tag("t").with_id(Id::User, "ann");
        let cart = shop.child("cart").with("n", 2);
        LogContext::new().id(Id::Request, "r").id(Id::User, "bob").with(|| {
            cart.info("a", [("n", 3)]);
            cart.info("b", [("items", json!([{"sku": "x"}]))]);
            shop.info("c", NO_VALUES);
        });
    });
    let names: Vec<_> = all.iter().map(|it| it["context"].as_str().unwrap()).collect();
    assert_eq!(names, ["shop:cart", "shop:cart", "shop"]);
    assert_eq!(all[0]["metadata"], json!({"region": "eu", "n": 3}));
    assert_eq!(all[1]["metadata"], json!({"region": "eu", "n": 2, "items": [{"sku": "x"}]}));
    assert_eq!(all[2]["metadata"], json!({"region": "eu", "n": 1}));
    for it in &all {
        assert_eq!(
            (&it["requestId"], &it["userId"], &it["tags"]),
            (&json!("r"), &json!("ann"), &json!(["t"]))
        );
    }
}

#[test]
fn an_error_keeps_its_name_causes_code_and_values() {
    let all = records(|| {
        let logger = Logger::new("shop");
        logger.error("no", Some(&PayError(std::fmt::Error)), [("order", 7)]);
        let info = ErrorInfo::of(&PayError(std::fmt::Error)).code("E1").custom("tries", 3).with_backtrace();
        logger.log_error(Severity::Error, "no", Some(info), NO_VALUES);
        let error = PayError(std::fmt::Error);
        tracing::error!(error = &error as &dyn std::error::Error, "no");
    });
    let causes = format!("cannot pay: {}", std::fmt::Error);
    assert_eq!(all[0]["error"], json!({"name": "PayError", "message": causes}));
    assert_eq!(all[0]["metadata"], json!({"order": 7}));
    assert_eq!((&all[1]["error"]["code"], &all[1]["error"]["custom"]), (&json!("E1"), &json!({"tries": 3})));
    assert!(all[1]["error"]["stack"].as_str().unwrap().contains("an_error_keeps_its_name"));
    assert_eq!(all[2]["error"]["message"], json!(causes));
}

#[test]
fn what_is_timed_tells_that_it_began_and_how_it_ended() {
    let all = records(|| {
        let logger = Logger::new("shop");
        assert_eq!(logger.time("load", Severity::Debug, || Ok::<_, PayError>(7)).unwrap(), 7);
        let failed = logger.time("pay", Severity::Info, || Err::<(), _>(PayError(std::fmt::Error)));
        assert!(failed.is_err(), "the failure is returned");
        let run = || logger.time("burn", Severity::Info, || -> Result<(), PayError> { panic!("on purpose") });
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(panicked.is_err(), "the panic goes on");
    });
    let told: Vec<_> =
        all.iter().map(|it| (it["level"].as_str().unwrap(), it["message"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("debug", "load started"),
            ("debug", "load completed"),
            ("info", "pay started"),
            ("error", "pay failed"),
            ("info", "burn started"),
            ("error", "burn failed"),
        ]
    );
    assert_eq!(all[0]["performance"], serde_json::Value::Null);
    for ended in [1, 3, 5] {
        let performance = &all[ended]["performance"];
        assert!(performance["durationMs"].as_f64().unwrap() >= 0.0, "{performance}");
        assert!(performance["memory"]["rssBytes"].as_u64().unwrap() > 0, "{performance}");
        assert!(performance["memory"]["rssDeltaBytes"].is_i64(), "{performance}");
    }
    assert_eq!(
        (&all[3]["error"]["message"], &all[5]["error"]["message"]),
        (&json!("cannot pay"), &json!("panicked"))
    );
}

#[tokio::test]
async fn a_future_is_timed_too_and_one_that_is_dropped_was_cancelled() {
    use tracing::instrument::WithSubscriber;
    use tracing_subscriber::layer::SubscriberExt;

    let bench = super::log(super::LogFormat::Json, super::Redactor::none(), || {});
    let subscriber = || tracing_subscriber::registry().with(bench.logging.layer());
    let logger = Logger::new("shop");
    let load = logger.time_async("load", Severity::Info, async { Ok::<_, PayError>(()) });
    load.with_subscriber(subscriber()).await.unwrap();
    let hang = logger.time_async("hang", Severity::Info, std::future::pending::<Result<(), PayError>>());
    let never = tokio::time::timeout(Duration::ZERO, hang).with_subscriber(subscriber());
    assert!(never.await.is_err());
    assert!(bench.logging.flush(super::PATIENCE));
    let told: Vec<_> =
        bench.kept.json().iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told[..3], ["load started", "load completed", "hang started"]);
}

#[test]
fn records_that_every_service_makes_have_the_names_of_the_conventions() {
    let all = records(|| {
        let logger = Logger::new("shop");
        let duration = Duration::from_millis(12);
        logger.database_query(&DatabaseQuery { operation: "SELECT", table: "orders", duration });
        logger.queue_message(&QueueMessage { action: "publish", queue: "paid", message_id: "m-1" });
        let headers = [("Accept", "text/html"), ("Authorization", "Bearer x"), ("X-Api-Key", "k")];
        let mut fields = request_fields("GET", "/cart?id=7&token=t", headers);
        fields.extend(response_fields(200, [("content-type", "text/html")], Some(duration)));
        logger.info("request", fields);
    });
    assert_eq!(all[0]["metadata"], json!({"db.operation.name": "SELECT", "db.collection.name": "orders"}));
    assert_eq!(all[0]["performance"]["durationMs"], json!(12.0));
    assert_eq!(
        all[1]["metadata"],
        json!({"messaging.operation.name": "publish", "messaging.destination.name": "paid", "messaging.message.id": "m-1"})
    );
    assert_eq!(
        all[2]["metadata"],
        json!({
            "http.request.method": "GET",
            "url.path": "/cart",
            "url.query": {"id": "7", "token": "[REDACTED]"},
            "http.request.header.accept": "text/html",
            "http.request.header.authorization": "[REDACTED]",
            "http.request.header.x-api-key": "[REDACTED]",
            "http.response.status_code": 200,
            "http.response.header.content-type": "text/html",
            "http.server.request.duration": 0.012,
        })
    );
}
