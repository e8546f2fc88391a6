//! Who sends: services and their instances.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Services, each with its language.
pub(super) const SERVICES: [(&str, &str); 10] = [
    ("frontend", "nodejs"),
    ("checkout", "java"),
    ("cart", "dotnet"),
    ("payment", "go"),
    ("catalog", "rust"),
    ("shipping", "python"),
    ("recommendation", "python"),
    ("currency", "cpp"),
    ("email", "ruby"),
    ("inventory", "java"),
];
/// Instances of all services together.
pub(super) const INSTANCES: usize = 40;

/// The resource of a sender, one instance after the other: seven attributes.
pub(super) fn resource(sender: usize) -> Resource {
    let instance = sender % INSTANCES;
    let (service, language) = SERVICES[instance % SERVICES.len()];
    let attributes = vec![
        text("service.name", service),
        text("service.version", "2.7.1"),
        text("service.instance.id", &format!("{service}-6d5f8c9b7-{instance:05}")),
        text("deployment.environment.name", "production"),
        text("k8s.namespace.name", "shop"),
        text("host.name", &format!("node-{:02}.eu-central-1.internal", instance % 7)),
        text("telemetry.sdk.language", language),
    ];
    Resource { attributes, ..Resource::default() }
}

/// The instrumentation of a sender.
pub(super) fn scope(sender: usize) -> InstrumentationScope {
    let name = format!("shop.{}", SERVICES[sender % SERVICES.len()].0);
    InstrumentationScope { name, version: "1.4.0".to_owned(), ..InstrumentationScope::default() }
}

/// An attribute that is a text.
pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// An attribute that is a number.
pub(super) fn integer(key: &str, value: usize) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
