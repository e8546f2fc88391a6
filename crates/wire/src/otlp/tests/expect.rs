//! What a request should become, record by record, read from prost's structs. Nothing is shared with
//! the decoders.

use base64::Engine as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};

use super::{LIMITS, RECEIVED};
use crate::cells::{Cell, Row, text};

/// What is expected of a request: its tables, and of each record all reasons to reject it.
#[derive(Default, Debug)]
pub(super) struct Expected {
    pub(super) tables: Vec<Vec<Row>>,
    pub(super) reasons: Vec<Vec<&'static str>>,
}

pub(super) type Reasons = Vec<&'static str>;

pub(super) fn any(value: Option<&AnyValue>, reasons: &mut Reasons) -> Option<String> {
    let text = match value?.value.as_ref()? {
        Value::StringValueStrindex(_) => return None,
        Value::StringValue(text) => text.clone(),
        other => json(other, 0, reasons),
    };
    if text.len() > LIMITS.value_bytes_max {
        reasons.push("value_too_long");
    }
    Some(text)
}

fn json(value: &Value, depth: usize, reasons: &mut Reasons) -> String {
    let inner = |value: Option<&AnyValue>, reasons: &mut Reasons| match value.and_then(|v| v.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => "null".to_owned(),
        Some(value) => {
            let text = json(value, depth + 1, reasons);
            if text.len() > LIMITS.value_bytes_max {
                reasons.push("value_too_long");
            }
            text
        }
    };
    match value {
        Value::StringValue(text) => serde_json::to_string(text).unwrap(),
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) if value.is_nan() => "\"NaN\"".into(),
        Value::DoubleValue(f64::INFINITY) => "\"Infinity\"".into(),
        Value::DoubleValue(f64::NEG_INFINITY) => "\"-Infinity\"".into(),
        Value::DoubleValue(value) => serde_json::to_string(value).unwrap(),
        Value::BytesValue(bytes) => {
            format!("\"{}\"", base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::ArrayValue(_) | Value::KvlistValue(_) if depth >= 32 => {
            reasons.push("nested_too_deep");
            String::new()
        }
        Value::ArrayValue(array) => {
            let elements: Vec<_> = array.values.iter().map(|value| inner(Some(value), reasons)).collect();
            format!("[{}]", elements.join(","))
        }
        Value::KvlistValue(list) => {
            if list.values.len() > LIMITS.attributes_max {
                reasons.push("too_many_attributes");
            }
            let entries: Vec<_> =
                list.values.iter().map(|entry| (&entry.key, inner(entry.value.as_ref(), reasons))).collect();
            let last = last_of_each_key(entries);
            let entries: Vec<_> = last
                .iter()
                .map(|(key, value)| format!("{}:{value}", serde_json::to_string(key).unwrap()))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::StringValueStrindex(_) => unreachable!(),
    }
}

fn last_of_each_key<K: PartialEq, V>(entries: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut kept: Vec<(K, V)> = Vec::new();
    for (key, value) in entries {
        kept.retain(|(other, _)| *other != key);
        kept.push((key, value));
    }
    kept
}

pub(super) fn attributes(attributes: &[KeyValue], reasons: &mut Reasons) -> Vec<(String, Option<String>)> {
    if attributes.len() > LIMITS.attributes_max {
        reasons.push("too_many_attributes");
    }
    let entries =
        attributes.iter().map(|entry| (entry.key.clone(), any(entry.value.as_ref(), reasons))).collect();
    last_of_each_key(entries)
}

pub(super) fn time(time: u64, reasons: &mut Reasons) -> i64 {
    if time > i64::MAX as u64 {
        reasons.push("time_out_of_range");
        return 0;
    }
    i64::try_from(time).unwrap()
}

fn count(count: u32) -> Cell {
    Cell::Int(i64::from(count.min(i32::MAX as u32)))
}

fn flags(flags: u32) -> Cell {
    Cell::Int(i64::from(flags.cast_signed()))
}

pub(super) fn id(id: &[u8], length: usize, reason: &'static str, reasons: &mut Reasons) -> Cell {
    match id.len() {
        0 => Cell::Null,
        found if found != length => {
            reasons.push(reason);
            Cell::Null
        }
        _ if id.iter().all(|byte| *byte == 0) => Cell::Null,
        _ => Cell::Bytes(id.to_vec()),
    }
}

fn required_id(bytes: &[u8], length: usize, reason: &'static str, reasons: &mut Reasons) -> Cell {
    let id = id(bytes, length, reason, reasons);
    if id == Cell::Null {
        reasons.push(reason);
    }
    id
}

/// Columns of the stream but for its id.
pub(super) fn stream(
    resource: Option<&Resource>,
    resource_url: &str,
    scope: Option<&InstrumentationScope>,
    scope_url: &str,
    reasons: &mut Reasons,
) -> Row {
    let (resource, scope) = (resource.cloned().unwrap_or_default(), scope.cloned().unwrap_or_default());
    let resource_attributes = attributes(&resource.attributes, reasons);
    let service = resource_attributes.iter().find(|(key, _)| key == "service.name");
    let service = service.and_then(|(_, value)| value.as_deref()).filter(|name| !name.is_empty());
    vec![
        ("service_name", text(service.unwrap_or("unknown_service"))),
        ("resource_attributes", Cell::Map(resource_attributes.clone())),
        ("resource_dropped_attributes_count", count(resource.dropped_attributes_count)),
        ("resource_schema_url", text(resource_url)),
        ("scope_name", text(&scope.name)),
        ("scope_version", text(&scope.version)),
        ("scope_attributes", Cell::Map(attributes(&scope.attributes, reasons))),
        ("scope_dropped_attributes_count", count(scope.dropped_attributes_count)),
        ("scope_schema_url", text(scope_url)),
    ]
}

pub(super) fn logs(request: &ExportLogsServiceRequest) -> Expected {
    let mut expected = Expected { tables: vec![Vec::new()], reasons: Vec::new() };
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            let mut shared = Vec::new();
            let stream = stream(
                resource.resource.as_ref(),
                &resource.schema_url,
                scope.scope.as_ref(),
                &scope.schema_url,
                &mut shared,
            );
            for record in &scope.log_records {
                let mut reasons = shared.clone();
                let mut row = log_record(record, &mut reasons);
                row.extend(stream.clone());
                expected.add(0, row, reasons);
            }
        }
    }
    expected
}

impl Expected {
    pub(super) fn add(&mut self, table: usize, row: Row, reasons: Reasons) {
        if reasons.is_empty() {
            self.tables[table].push(row);
        }
        self.reasons.push(reasons);
    }
}

fn log_record(record: &LogRecord, reasons: &mut Reasons) -> Row {
    let observed = time(record.observed_time_unix_nano, reasons);
    let time = [time(record.time_unix_nano, reasons), observed, RECEIVED].into_iter().find(|time| *time != 0);
    vec![
        ("time_unix_nano", Cell::Int(time.unwrap())),
        ("observed_time_unix_nano", Cell::Int(observed)),
        ("severity_number", Cell::Int(severity(record))),
        ("severity_text", text(&record.severity_text)),
        ("body", any(record.body.as_ref(), reasons).map_or(Cell::Null, Cell::Text)),
        ("event_name", text(&record.event_name)),
        ("trace_id", id(&record.trace_id, 16, "invalid_trace_id", reasons)),
        ("span_id", id(&record.span_id, 8, "invalid_span_id", reasons)),
        ("flags", flags(record.flags)),
        ("attributes", Cell::Map(attributes(&record.attributes, reasons))),
        ("dropped_attributes_count", count(record.dropped_attributes_count)),
    ]
}

/// What OpenTelemetry's names mean, by their order; the words that others have are `golden`'s.
fn severity(record: &LogRecord) -> i64 {
    let word = record.severity_text.trim_ascii().to_ascii_uppercase();
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let numbered = names.iter().flat_map(|name| ["", "2", "3", "4"].map(|degree| format!("{name}{degree}")));
    match record.severity_number {
        0 => (1..).zip(numbered).find(|(_, name)| *name == word).map_or(0, |(number, _)| number),
        number => number.into(),
    }
}

pub(super) fn spans(request: &ExportTraceServiceRequest) -> Expected {
    let mut expected = Expected { tables: vec![Vec::new()], reasons: Vec::new() };
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            let mut shared = Vec::new();
            let stream = stream(
                resource.resource.as_ref(),
                &resource.schema_url,
                scope.scope.as_ref(),
                &scope.schema_url,
                &mut shared,
            );
            for record in &scope.spans {
                let mut reasons = shared.clone();
                let mut row = span(record, &mut reasons);
                row.extend(stream.clone());
                expected.add(0, row, reasons);
            }
        }
    }
    expected
}

fn span(span: &Span, reasons: &mut Reasons) -> Row {
    if span.events.len() > LIMITS.events_max {
        reasons.push("too_many_events");
    }
    if span.links.len() > LIMITS.links_max {
        reasons.push("too_many_links");
    }
    let (start, end) = (time(span.start_time_unix_nano, reasons), time(span.end_time_unix_nano, reasons));
    let first = [start, end, RECEIVED].into_iter().find(|time| *time != 0).unwrap();
    let last = if end == 0 { first } else { end };
    let status = span.status.clone().unwrap_or_default();
    vec![
        ("start_time_unix_nano", Cell::Int(first)),
        ("end_time_unix_nano", Cell::Int(last)),
        ("duration_nano", Cell::Int(last - first)),
        ("trace_id", required_id(&span.trace_id, 16, "invalid_trace_id", reasons)),
        ("span_id", required_id(&span.span_id, 8, "invalid_span_id", reasons)),
        ("parent_span_id", id(&span.parent_span_id, 8, "invalid_parent_span_id", reasons)),
        ("trace_state", text(&span.trace_state)),
        ("flags", flags(span.flags)),
        ("name", text(&span.name)),
        ("kind", Cell::Int(span.kind.into())),
        ("status_code", Cell::Int(status.code.into())),
        ("status_message", text(&status.message)),
        ("attributes", Cell::Map(attributes(&span.attributes, reasons))),
        ("events", Cell::List(span.events.iter().map(|it| Cell::Row(event(it, reasons))).collect())),
        ("links", Cell::List(span.links.iter().map(|it| Cell::Row(link(it, reasons))).collect())),
        ("dropped_attributes_count", count(span.dropped_attributes_count)),
        ("dropped_events_count", count(span.dropped_events_count)),
        ("dropped_links_count", count(span.dropped_links_count)),
    ]
}

fn event(event: &Event, reasons: &mut Reasons) -> Row {
    vec![
        ("time_unix_nano", Cell::Int(time(event.time_unix_nano, reasons))),
        ("name", text(&event.name)),
        ("attributes", Cell::Map(attributes(&event.attributes, reasons))),
        ("dropped_attributes_count", count(event.dropped_attributes_count)),
    ]
}

fn link(link: &Link, reasons: &mut Reasons) -> Row {
    let or_zeros = |id: Cell, length| if id == Cell::Null { Cell::Bytes(vec![0; length]) } else { id };
    vec![
        ("trace_id", or_zeros(id(&link.trace_id, 16, "invalid_trace_id", reasons), 16)),
        ("span_id", or_zeros(id(&link.span_id, 8, "invalid_span_id", reasons), 8)),
        ("trace_state", text(&link.trace_state)),
        ("flags", flags(link.flags)),
        ("attributes", Cell::Map(attributes(&link.attributes, reasons))),
        ("dropped_attributes_count", count(link.dropped_attributes_count)),
    ]
}
