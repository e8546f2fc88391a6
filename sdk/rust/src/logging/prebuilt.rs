//! Records that every service makes, under the names of OpenTelemetry's semantic conventions.

use std::time::Duration;

use serde_json::{Value, json};

use super::entry::{Fields, Performance};
use super::logger::{Details, Logger};
use crate::telemetry::otlp::Severity;

/// A query of a database, as [`Logger::database_query`] logs it.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseQuery<'a> {
    /// `SELECT`.
    pub operation: &'a str,
    /// The table, or what stands for one.
    pub table: &'a str,
    /// How long it took.
    pub duration: Duration,
}

/// A message of a queue, as [`Logger::queue_message`] logs it.
#[derive(Clone, Copy, Debug)]
pub struct QueueMessage<'a> {
    /// `publish`, `receive`, `ack`.
    pub action: &'a str,
    /// The queue or topic.
    pub queue: &'a str,
    /// The id of the message.
    pub message_id: &'a str,
}

impl Logger {
    /// A query was made.
    pub fn database_query(&self, query: &DatabaseQuery<'_>) {
        let mut values = [
            ("db.operation.name".into(), query.operation.into()),
            ("db.collection.name".into(), query.table.into()),
        ];
        let performance = Some(Performance { duration: query.duration, memory: None });
        let details = Details { error: None, performance };
        let mut values = values.iter_mut().map(std::mem::take);
        self.emit(Severity::Debug, "database query", &mut values, details);
    }

    /// Something happened to a message.
    pub fn queue_message(&self, message: &QueueMessage<'_>) {
        let values = [
            ("messaging.operation.name", message.action),
            ("messaging.destination.name", message.queue),
            ("messaging.message.id", message.message_id),
        ];
        self.info("queue message", values);
    }
}

/// A request as it is logged. Headers are redacted by their names, as all values are.
///
/// ```
/// use fresnel_sdk::logging::{request_fields, response_fields, Logger};
/// use std::time::Duration;
///
/// let mut fields = request_fields("GET", "/cart?id=7", [("accept", "text/html")]);
/// fields.extend(response_fields(200, [], Some(Duration::from_millis(12))));
/// Logger::new("shop:http").info("request", fields);
/// ```
pub fn request_fields<'a>(
    method: &str,
    target: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Fields {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut fields = Fields::new();
    fields.insert("http.request.method".into(), method.into());
    fields.insert("url.path".into(), path.into());
    if let Some(query) = query {
        // By name and value, so that a token in it is hidden like any other.
        fields.insert("url.query".into(), Value::Object(pairs(query)));
    }
    put_headers(&mut fields, "http.request.header", headers);
    fields
}

/// An answer as it is logged.
pub fn response_fields<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    duration: Option<Duration>,
) -> Fields {
    let mut fields = Fields::new();
    fields.insert("http.response.status_code".into(), status.into());
    if let Some(duration) = duration {
        // In seconds, as the metric of that name has it.
        fields.insert("http.server.request.duration".into(), json!(duration.as_secs_f64()));
    }
    put_headers(&mut fields, "http.response.header", headers);
    fields
}

fn put_headers<'a>(fields: &mut Fields, under: &str, headers: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (name, value) in headers {
        fields.insert(format!("{under}.{}", name.to_ascii_lowercase()), value.into());
    }
}

fn pairs(query: &str) -> Fields {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), Value::from(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}
