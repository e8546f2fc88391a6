#![allow(clippy::unwrap_used)]

mod capture;
mod hook;
#[cfg(all(feature = "axum", feature = "tower"))]
mod requests;
mod scope;
mod track;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tracing::Dispatch;

use super::ErrorLayer;
use crate::logging::{LoggingConfig, RedactConfig};
use crate::start::Builder;
use crate::telemetry::tests::{Any, Sink, attributes, text};

/// What a receiver got.
struct Received {
    records: Vec<LogRecord>,
    page: String,
}

impl Received {
    /// By the text.
    fn of(&self, body: &str) -> HashMap<&str, Any> {
        attributes(&self.record(body).attributes)
    }

    fn record(&self, body: &str) -> &LogRecord {
        let mut found = self.records.iter().filter(|it| is(it, body));
        let first = found.next().unwrap_or_else(|| panic!("no `{body}` in {:?}", self.records));
        assert!(found.next().is_none(), "`{body}` is there twice");
        first
    }

    fn count(&self, body: &str) -> usize {
        self.records.iter().filter(|it| is(it, body)).count()
    }
}

fn is(record: &LogRecord, body: &str) -> bool {
    record.body.as_ref().and_then(|it| it.value.as_ref()) == Some(&text(body))
}

/// Runs something in a service that is started with one line, and gives what that sends.
fn run(errors: ErrorLayer, f: impl FnOnce()) -> Received {
    run_with(|builder| builder.errors(errors), |_| f())
}

fn run_with(configure: impl FnOnce(Builder) -> Builder, f: impl FnOnce(&Dispatch)) -> Received {
    let sink = Sink::default();
    let redact = RedactConfig { paths: vec!["card".into()], ..RedactConfig::default() };
    let quiet = LoggingConfig { outputs: Default::default(), redact, ..LoggingConfig::default() };
    let builder = configure(crate::builder().service("shop", "1.2.3").logging(quiet)).exporter(sink.clone());
    let (guard, dispatch) = crate::start::tests::started(builder);
    tracing::dispatcher::with_default(&dispatch, || f(&dispatch));
    assert!(guard.flush(crate::telemetry::tests::PATIENCE));
    let page = guard.registry().prometheus();
    assert!(guard.shutdown());
    let logs = sink.logs();
    Received { records: logs.into_iter().map(|(_, record)| record).collect(), page }
}

#[derive(Debug)]
struct Declined(Cause);

#[derive(Debug)]
struct Cause;

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot pay")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("card declined")
    }
}

impl Error for Cause {}

impl Error for Declined {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
