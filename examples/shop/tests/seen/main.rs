//! The shop beside a real server: what it does is found there, by its API and on its page.
//!
//! It needs Redis (`cargo xtask setup`), and the server's binary where cargo puts it.

#![allow(clippy::unwrap_used)]

mod lines;
mod page;
mod run;

use std::process::Command;

use self::run::{Redis, Shop, count, is_there, is_worth, server};

#[test]
fn an_order_is_one_trace_through_http_database_redis_and_queue_with_its_logs_and_metrics() {
    let (Some(server), Some(redis)) = (server(), Redis::start()) else { return };
    let shop = Shop::open(&server, &redis);
    shop.order_is_packed("tea", 2);
    // One trace: the request, the call of the payment service and its answer, queries, the queue.
    let trace = "(SELECT trace_id FROM spans WHERE name = 'POST /orders')";
    for (kind, name) in [
        ("SERVER", "POST /orders"),
        ("CLIENT", "GET"),
        ("CLIENT", "SELECT products"),
        ("CLIENT", "SETEX"),
        ("CLIENT", "POST"),
        ("SERVER", "POST /payments/charge"),
        ("CLIENT", "INSERT orders"),
        ("PRODUCER", "send shop:orders"),
        ("CLIENT", "LPUSH"),
        ("CONSUMER", "process shop:orders"),
        ("CLIENT", "UPDATE orders"),
    ] {
        let span = format!("spans WHERE trace_id IN {trace} AND name = '{name}' AND kind ILIKE '%{kind}'");
        is_there(&server, &format!("the span `{name}`, {kind}"), 1, &span);
    }
    let systems = "SELECT DISTINCT attributes['db.system.name'] AS s FROM spans WHERE name IN ('GET', 'LPUSH', \
                   'INSERT orders') ORDER BY s";
    assert_eq!(server.sql(systems).texts("s"), ["redis", "sqlite"]);
    let remembered = server.sql("SELECT attributes FROM spans WHERE name = 'SETEX'").rows;
    assert!(!format!("{remembered:?}").contains("tea"), "neither keys nor values: {remembered:?}");
    for body in ["placed", "charged", "packed"] {
        let log = format!("logs WHERE trace_id IN {trace} AND body = '{body}'");
        is_there(&server, &format!("the log `{body}` in its trace"), 1, &log);
    }
    is_worth(&server, r#"shop_orders_total{shop_product="tea"}"#, 1.0);
    is_worth(&server, r#"http_server_request_duration_seconds_count{http_route="/orders"}"#, 1.0);
    is_worth(&server, r#"db_client_operation_duration_seconds_count{db_operation_name="INSERT"}"#, 1.0);
    is_worth(&server, r#"sum(db_client_operation_duration_seconds_count{db_system_name="redis"})"#, 3.0);
    is_worth(&server, r#"messaging_process_duration_seconds_count"#, 1.0);
    is_worth(&server, r#"min(health_check_status_ratio{health_check_name=~"database|redis"})"#, 1.0);
    is_worth(&server, r#"process_memory_usage_bytes"#, 1.0);
    is_worth(&server, r#"tokio_workers"#, 1.0);
}

#[test]
fn injected_faults_open_the_breaker_and_all_of_it_is_seen() {
    let (Some(server), Some(redis)) = (server(), Redis::start()) else { return };
    let shop = Shop::open(&server, &redis);
    shop.payments_fail();
    shop.breaker_opens();
    is_worth(
        &server,
        r#"resilience_circuit_breaker_state_ratio{resilience_circuit_breaker_state="open"}"#,
        1.0,
    );
    is_worth(&server, r#"resilience_fault_injected_total"#, 10.0);
    let failed = "spans WHERE name = 'POST /orders' AND status_code ILIKE '%ERROR'";
    is_there(&server, "the failed requests", 10, failed);
    let told = "logs WHERE body LIKE '%the request failed%' AND severity_text = 'ERROR'";
    is_there(&server, "why they failed", 10, told);
    shop.payments_work();
    shop.breaker_closes();
    is_worth(
        &server,
        r#"resilience_circuit_breaker_state_ratio{resilience_circuit_breaker_state="closed"}"#,
        1.0,
    );
}

#[test]
fn what_was_recorded_before_the_end_arrives_and_the_end_is_orderly() {
    let (Some(server), Some(redis)) = (server(), Redis::start()) else { return };
    let mut shop = Shop::open(&server, &redis);
    for _ in 0..50 {
        shop.order("tea", 1).expect(200);
    }
    shop.order("cake", 4).expect(409);
    let told = Command::new("kill").args(["-TERM", &shop.process.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(shop.process.0.wait().unwrap().success());
    let spans = "spans WHERE name = 'POST /orders'";
    assert_eq!(count(&server, spans), 51, "all of them, at once");
    assert_eq!(count(&server, "logs WHERE body = 'placed'"), 50);
}
