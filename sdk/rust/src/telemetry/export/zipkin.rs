//! Zipkin's form of spans, version 2 of its JSON.

use serde_json::{Map, Value as Json, json};

use crate::telemetry::otlp::{KeyValue, Resource, Scope, Span, SpanKind, Status, Value, decode_spans};

/// The body of `POST /api/v2/spans` with the spans of an OTLP request, as OpenTelemetry's specification
/// translates them; none when the request has no spans that can be read.
pub fn zipkin_json(request: &[u8]) -> Option<Json> {
    let groups = decode_spans(request)?;
    let spans = groups
        .iter()
        .flat_map(|(resource, scope, spans)| spans.iter().map(move |span| one(span, resource, scope)));
    Some(spans.collect())
}

fn one(span: &Span, resource: &Resource, scope: &Scope) -> Json {
    let service = resource.attributes.iter().find(|it| it.key == "service.name").map(|it| plain(&it.value));
    let micros = |nanos: u64| nanos / 1000;
    // Zipkin knows no zero.
    let duration = micros(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano)).max(1);
    let mut json = Map::new();
    let mut put = |name: &str, value: Json| drop(json.insert(name.to_owned(), value));
    put("traceId", format!("{:032x}", u128::from_be_bytes(span.trace_id)).into());
    put("id", format!("{:016x}", u64::from_be_bytes(span.span_id)).into());
    if let Some(parent) = span.parent_span_id {
        put("parentId", format!("{:016x}", u64::from_be_bytes(parent)).into());
    }
    put("name", span.name.clone().into());
    if let Some(kind) = kind(span.kind) {
        put("kind", kind.into());
    }
    put("timestamp", micros(span.start_time_unix_nano).into());
    put("duration", duration.into());
    put("localEndpoint", json!({ "serviceName": service.unwrap_or_else(|| "unknown_service".into()) }));
    if matches!(span.kind, SpanKind::Client | SpanKind::Producer)
        && let Some(address) = span.attributes.iter().find(|it| it.key == "server.address")
    {
        put("remoteEndpoint", json!({ "serviceName": plain(&address.value) }));
    }
    put("tags", tags(span, scope).into());
    let annotations = span.events.iter().map(|event| {
        json!({ "timestamp": micros(event.time_unix_nano), "value": annotation(&event.name, &event.attributes) })
    });
    put("annotations", annotations.collect());
    Json::Object(json)
}

const fn kind(kind: SpanKind) -> Option<&'static str> {
    match kind {
        SpanKind::Internal => None,
        SpanKind::Server => Some("SERVER"),
        SpanKind::Client => Some("CLIENT"),
        SpanKind::Producer => Some("PRODUCER"),
        SpanKind::Consumer => Some("CONSUMER"),
    }
}

fn tags(span: &Span, scope: &Scope) -> Map<String, Json> {
    let own = span.attributes.iter().map(|it| (it.key.to_string(), plain(&it.value).into()));
    let mut tags: Map<_, _> = own.collect();
    tags.insert("otel.scope.name".into(), scope.name.clone().into());
    match &span.status {
        Status::Unset => {}
        Status::Ok => drop(tags.insert("otel.status_code".into(), "OK".into())),
        Status::Error(message) => {
            tags.insert("otel.status_code".into(), "ERROR".into());
            tags.insert("error".into(), message.clone().into());
        }
    }
    tags
}

/// The name, and the facts as JSON where there are any.
fn annotation(name: &str, attributes: &[KeyValue]) -> String {
    if attributes.is_empty() {
        return name.to_owned();
    }
    let facts: Map<_, _> =
        attributes.iter().map(|it| (it.key.to_string(), plain(&it.value).into())).collect();
    format!("\"{name}\": {}", Json::Object(facts))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}
