//! The services that the made records come from.

use testkit::otlp::proto::common::v1::{AnyValue, KeyValue, any_value::Value};
use testkit::otlp::proto::resource::v1::Resource;
use testkit::records::text;

/// How many services there are.
pub(crate) const SERVICES: usize = NAMES.len();

const NAMES: [&str; 20] = [
    "ad",
    "auth",
    "cart",
    "catalog",
    "checkout",
    "currency",
    "email",
    "fraud",
    "gateway",
    "inventory",
    "orders",
    "payment",
    "pricing",
    "profile",
    "quote",
    "recommendation",
    "review",
    "search",
    "shipping",
    "storefront",
];
const OPERATIONS: [&str; 8] = ["GET", "POST", "GET", "PUT", "GET", "DELETE", "GET", "PATCH"];
const THINGS: [&str; 8] = ["items", "orders", "users", "sessions", "offers", "stock", "events", "status"];

/// The name of a service.
pub(crate) fn name(service: usize) -> &'static str {
    NAMES[service % SERVICES]
}

/// One of the eight things that a service does.
pub(crate) fn operation(service: usize, chance: u64) -> String {
    let which = (chance % 8) as usize;
    format!("{} /api/{}/{}", OPERATIONS[which], name(service), THINGS[which])
}

/// What a service says of itself.
pub(crate) fn resource(service: usize) -> Resource {
    let name = name(service);
    let attributes = vec![
        text("service.name", name),
        text("service.namespace", "shop"),
        text("service.version", "2.14.3"),
        text("service.instance.id", &format!("{name}-7d9f8b6c5-x{service:02}")),
        text("k8s.pod.name", &format!("{name}-7d9f8b6c5-x{service:02}")),
        text("k8s.node.name", &format!("node-{:02}", service % 6)),
        text("telemetry.sdk.language", ["java", "go", "python", "nodejs"][service % 4]),
    ];
    Resource { attributes, ..Default::default() }
}

/// An attribute whose value is a whole number.
pub(crate) fn number(key: &str, number: u64) -> KeyValue {
    let value = AnyValue { value: Some(Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX))) };
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}
