use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use parking_lot::Mutex;
use prost::Message;
use tracing::Dispatch;

use crate::logging::{Id, LogContext, Logger, LoggingConfig, RedactConfig};
use crate::start::environment::Environment;
use crate::start::{Builder, Guard, builder};
use crate::telemetry::{ExportError, Exporter, Signal};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<Request>>>);

type Request = (Signal, Vec<u8>);

/// The names of attributes and their values.
type Attributes = Vec<(String, Option<Any>)>;

impl Exporter for Sink {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        self.0.lock().push((signal, request));
        Ok(())
    }
}

/// Without lines, which would stand among those of the tests.
fn quiet() -> Builder {
    let logging = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    builder().logging(logging).shutdown_timeout(PATIENCE)
}

/// Not for the whole process.
pub(crate) fn start(builder: Builder) -> (Guard, Dispatch) {
    let (started, dispatch) = builder.build(&mut Environment::default()).unwrap();
    (Guard::new(started), dispatch)
}

impl Sink {
    /// Log records with the texts of their attributes.
    fn logs(&self) -> Vec<(String, i32, Attributes)> {
        let all = self.0.lock();
        let requests = all.iter().filter(|(signal, _)| *signal == Signal::Logs);
        let decode = |it: &Vec<u8>| ExportLogsServiceRequest::decode(&it[..]).unwrap();
        let scopes = requests.flat_map(|(_, it)| decode(it).resource_logs).flat_map(|it| it.scope_logs);
        let records = scopes.flat_map(|it| it.log_records).map(|record| {
            let body = match record.body.and_then(|it| it.value) {
                Some(Any::StringValue(text)) => text,
                other => format!("{other:?}"),
            };
            let attributes =
                record.attributes.into_iter().map(|it| (it.key, it.value.and_then(|it| it.value)));
            (body, record.severity_number, attributes.collect())
        });
        records.collect()
    }

    fn signals(&self) -> Vec<Signal> {
        let mut signals: Vec<_> = self.0.lock().iter().map(|(signal, _)| *signal).collect();
        signals.sort();
        signals.dedup();
        signals
    }
}

#[test]
fn dropping_the_guard_sends_logs_spans_and_metrics() {
    let sink = Sink::default();
    let (guard, dispatch) = start(quiet().exporter(sink.clone()));
    guard.registry().counter("orders", "{order}", "Orders.").bind(&[]).add(1);
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::info_span!("request").in_scope(|| tracing::info!("x"));
    });
    drop(guard);
    assert_eq!(sink.signals(), [Signal::Logs, Signal::Traces, Signal::Metrics]);
    assert_eq!(sink.logs().len(), 1);
}

#[test]
fn exported_records_have_what_surrounds_them_and_no_secrets() {
    let sink = Sink::default();
    let (guard, dispatch) = start(quiet().exporter(sink.clone()));
    tracing::dispatcher::with_default(&dispatch, || {
        let _request = LogContext::new().id(Id::User, "ann").field("n", 1).push();
        tracing::info!(n = 2, password = "1234", "of tracing");
        let values = [("cart", serde_json::json!({"api_key": "k", "items": [1, true]}))];
        Logger::new("shop").child("cart").info("of a logger", values);
        crate::fatal!(code = 7, "the end");
    });
    assert!(guard.shutdown());
    // Requests have the records of one module after those of another.
    let mut logs = sink.logs();
    logs.sort_by_key(|(body, ..)| ["of tracing", "of a logger", "the end"].iter().position(|it| it == body));
    let text = |text: &str| Some(Any::StringValue(text.to_owned()));
    let of = |place: usize, key: &str| {
        let mut found = logs[place].2.iter().filter(|(own, _)| own == key).map(|(_, value)| value.clone());
        let first = found.next().flatten();
        assert!(found.next().is_none(), "{key} is there twice");
        first
    };
    assert_eq!((of(0, "user.id"), of(0, "password")), (text("ann"), text("[REDACTED]")));
    assert_eq!(of(0, "n"), Some(Any::IntValue(2)), "the record's own value");
    assert_eq!((of(1, "log.logger"), of(1, "n")), (text("shop:cart"), Some(Any::IntValue(1))));
    let cart = format!("{:?}", of(1, "cart"));
    assert!(cart.contains("[REDACTED]") && cart.contains("IntValue(1)") && !cart.contains("\"k\""), "{cart}");
    assert_eq!((logs[2].0.as_str(), logs[2].1, logs[2].2.len()), ("the end", 21, 3), "{:?}", logs[2]);
}

#[cfg(feature = "logging")]
#[test]
fn patterns_hold_for_what_is_exported_too() {
    let sink = Sink::default();
    let mut redact = RedactConfig::default();
    let pattern = crate::logging::PatternConfig { pattern: r"\d{4}".into(), replacement: "#".into() };
    redact.patterns.insert("pin".into(), pattern);
    let logging = LoggingConfig { outputs: Default::default(), redact, ..LoggingConfig::default() };
    let (guard, dispatch) = start(quiet().logging(logging).exporter(sink.clone()));
    tracing::dispatcher::with_default(&dispatch, || tracing::info!(said = "pin 1234", "it is 5678"));
    assert!(guard.shutdown());
    let (body, _, attributes) = &sink.logs()[0];
    assert_eq!(body, "it is #");
    assert_eq!(attributes[0].1, Some(Any::StringValue("pin #".into())));
}

#[test]
fn what_is_configured_holds_for_spans_of_both_kinds() {
    let sink = Sink::default();
    let redact = RedactConfig { paths: vec!["user.email".into()], ..RedactConfig::default() };
    let logging = LoggingConfig { outputs: Default::default(), redact, ..LoggingConfig::default() };
    let (guard, dispatch) = start(quiet().logging(logging).exporter(sink.clone()));
    tracing::dispatcher::with_default(&dispatch, || {
        drop(tracing::info_span!("traced", user.email = "ann@example.org", db.password = "1234"));
        guard.tracer().span("own").attribute("user.email", "ann@example.org").start().end();
    });
    assert!(guard.shutdown());
    let all = sink.0.lock();
    let (_, request) = all.iter().find(|(signal, _)| *signal == Signal::Traces).unwrap();
    let sent = String::from_utf8_lossy(request);
    assert_eq!(sent.matches("[REDACTED]").count(), 3, "{sent}");
    assert!(!sent.contains("ann@") && !sent.contains("1234"), "{sent}");
}

#[test]
fn levels_change_at_run_time_and_health_tells_of_everything() {
    let (guard, dispatch) = start(quiet().exporter(Sink::default()).level("info"));
    tracing::dispatcher::with_default(&dispatch, || {
        assert!(!tracing::enabled!(target: "shop", tracing::Level::DEBUG));
        guard.set_level("info,shop=debug").unwrap();
        assert!(tracing::enabled!(target: "shop", tracing::Level::DEBUG));
        assert!(guard.set_level("a=b=c").is_err());
    });
    assert!(guard.level().contains("shop=debug"));
    assert!(guard.health().is_healthy());
    assert_eq!(guard.health().exports.outputs.len(), 3);
    assert!(guard.flush(PATIENCE));
}

#[test]
fn a_wrong_filter_of_the_environment_counts_as_not_said_and_a_wrong_one_of_the_program_is_refused() {
    let mut environment = Environment { filter: Some("a=b=c".into()), ..Environment::default() };
    let (started, _dispatch) =
        quiet().exporter(Sink::default()).level("warn").build(&mut environment).unwrap();
    assert_eq!(Guard::new(started).level(), "warn");
    assert!(environment.warnings[0].contains("`a=b=c` is not a log filter"), "{:?}", environment.warnings);
    let error = quiet().level("a=b=c").build(&mut Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "`a=b=c` is not a log filter");
}

#[test]
fn what_is_disabled_sends_nothing_and_still_ends_well() {
    let sink = Sink::default();
    let mut environment = Environment { disabled: true, ..Environment::default() };
    let (started, dispatch) = quiet().exporter(sink.clone()).build(&mut environment).unwrap();
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("x"));
    assert!(Guard::new(started).shutdown());
    assert!(sink.0.lock().is_empty());
}

#[cfg(feature = "http")]
#[test]
fn without_any_exporter_nothing_waits_and_nothing_is_lost() {
    let mut environment = Environment::default();
    environment.signals.iter_mut().for_each(|signal| signal.off = true);
    let (started, dispatch) = quiet().build(&mut environment).unwrap();
    let guard = Guard::new(started);
    tracing::dispatcher::with_default(&dispatch, || {
        (0..10_000).for_each(|_| tracing::info_span!("x").in_scope(|| tracing::info!("x")));
    });
    assert!(guard.flush(PATIENCE));
    let page = guard.registry().prometheus();
    assert!(guard.shutdown(), "there is nothing to be lost");
    let processed: Vec<_> = page.lines().filter(|line| line.starts_with("otel_sdk_processor_")).collect();
    assert!(!processed.is_empty() && processed.iter().all(|line| line.ends_with(" 0")), "{processed:?}");
}

/// Hangs until the test is over.
struct Hanging(Mutex<std::sync::mpsc::Receiver<()>>);

impl Exporter for Hanging {
    fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
        let _ = self.0.lock().recv();
        Ok(())
    }
}

#[test]
fn a_receiver_that_hangs_does_not_keep_the_guard() {
    let (release, hang) = std::sync::mpsc::sync_channel(0);
    let builder = quiet().exporter(Hanging(Mutex::new(hang))).shutdown_timeout(Duration::from_millis(100));
    let (guard, dispatch) = start(builder);
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("x"));
    assert!(!guard.shutdown(), "it says that something is lost");
    drop(release);
}

/// Refuses twice, as a receiver does that restarts.
struct Restarting(Mutex<u32>, Sink);

impl Exporter for Restarting {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        let mut refusals = self.0.lock();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(ExportError::retry_after("restarting", Duration::from_millis(1)));
        }
        self.1.export(signal, request)
    }
}

#[test]
fn a_receiver_that_refuses_for_now_is_tried_again_at_the_end_too() {
    let sink = Sink::default();
    let (guard, dispatch) = start(quiet().exporter(Restarting(Mutex::new(2), sink.clone())));
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("x"));
    assert!(guard.shutdown());
    assert_eq!(sink.logs().len(), 1);
}
