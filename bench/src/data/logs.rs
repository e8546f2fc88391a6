//! Log records.

use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use testkit::records::Random;

use super::resource::{integer, resource, scope, text};

/// Between a record and the next one.
const STEP_NANOS: u64 = 1_000_000;

/// What a sender has gathered: this many records.
pub(super) fn part(sender: usize, records: usize, start: u64) -> ResourceLogs {
    let mut random = Random::new(sender as u64);
    let first = start + (sender * records) as u64 * STEP_NANOS;
    let times = (0..records as u64).map(|number| first + number * STEP_NANOS);
    let log_records = times.map(|time| record(&mut random, time)).collect();
    let scope_logs = vec![ScopeLogs { scope: Some(scope(sender)), log_records, ..ScopeLogs::default() }];
    ResourceLogs { resource: Some(resource(sender)), scope_logs, ..ResourceLogs::default() }
}

fn record(random: &mut Random, time: u64) -> LogRecord {
    let time_unix_nano = time + random.bits() % STEP_NANOS;
    let (severity_number, severity_text) =
        [(9, "INFO"), (9, "INFO"), (9, "INFO"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR")][random.below(6)];
    let (order, status) = (random.below(1_000_000), [200, 200, 200, 201, 404, 500][random.below(6)]);
    let route = ["/api/orders/{id}", "/api/cart", "/api/products/{id}", "/api/checkout"][random.below(4)];
    LogRecord {
        time_unix_nano,
        observed_time_unix_nano: time_unix_nano + 50_000,
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body(random, order))) }),
        attributes: vec![
            text("http.request.method", ["GET", "POST", "PUT"][random.below(3)]),
            text("http.route", route),
            integer("http.response.status_code", status),
            text("user.id", &format!("u-{:08x}", random.below(200_000))),
            text("session.id", &session(random.below(100_000))),
            text(
                "code.function.name",
                ["shop.orders.Handler.handle", "shop.pricing.Quote.of", "shop.stock.Stock.reserve"]
                    [random.below(3)],
            ),
        ],
        trace_id: [random.bits().to_be_bytes(), (random.bits() | 1).to_be_bytes()].concat(),
        span_id: (random.bits() | 1).to_be_bytes().to_vec(),
        flags: 1,
        ..LogRecord::default()
    }
}

/// The id of a session: chance, but the same for all records of one.
fn session(number: usize) -> String {
    let mut random = Random::new(number as u64);
    format!("{:016x}{:016x}", random.bits(), random.bits())
}

fn body(random: &mut Random, order: usize) -> String {
    let millis = random.below(2_000);
    match random.below(4) {
        0 => format!(
            "order {order} accepted after {millis} ms, payment of {} cents is pending",
            random.below(99_999)
        ),
        1 => format!(
            "cache miss for product {}, loaded from the database in {millis} ms by replica {}",
            random.below(50_000),
            millis % 3
        ),
        2 => format!("request finished in {millis} ms with {} bytes for order {order}", random.below(65_536)),
        _ => format!(
            "connection to inventory.shop.svc:{} reset by peer, retry {} of 5 follows",
            random.below(65_536),
            millis % 5
        ),
    }
}
