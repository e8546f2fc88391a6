//! Programs that begin with one line, in every runtime and with every end, against receivers that
//! take, refuse, hang and close. Each is this program again, told by a variable what to do.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod abort;
mod receiver;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use crate::receiver::{Receiver, Reply, receiver, text};

/// What the child does; without it the child's test has nothing to do.
const SCENARIO: &str = "FRESNEL_START_SCENARIO";
/// How the child's file is called, for those that write one.
const FILE: &str = "FRESNEL_START_FILE";

fn record() {
    tracing::info_span!("work", n = 1).in_scope(|| tracing::info!(answer = 42, "worked"));
}

fn early_return() -> Result<(), String> {
    let _guard = fresnel_sdk::init();
    record();
    Err("early")?;
    tracing::info!("never");
    Ok(())
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The child.
#[test]
fn child() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    match scenario.as_str() {
        "no_runtime" => {
            let _guard = fresnel_sdk::init();
            record();
        }
        "current_thread" => current_thread().block_on(async {
            let _guard = fresnel_sdk::init();
            tokio::task::yield_now().await;
            record();
        }),
        "multi_thread" => tokio::runtime::Runtime::new().unwrap().block_on(async {
            let _guard = fresnel_sdk::init();
            tokio::task::spawn_blocking(record).await.unwrap();
        }),
        "outlives_the_runtime" => {
            let _guard = fresnel_sdk::init();
            current_thread().block_on(async { record() });
        }
        "early_return" => assert_eq!(early_return(), Err("early".into())),
        "panic" => {
            let _guard = fresnel_sdk::init();
            record();
            panic!("on purpose: {}", 7);
        }
        "panic_in_a_task" => {
            let _guard = fresnel_sdk::init();
            record();
            let runtime = current_thread();
            let task = runtime.spawn(async { panic!("in a task") });
            assert!(runtime.block_on(task).is_err());
        }
        "exit" => {
            let guard = fresnel_sdk::init();
            record();
            assert!(guard.shutdown());
            std::process::exit(7);
        }
        "twice" => {
            let _first = fresnel_sdk::init();
            let second = fresnel_sdk::init();
            assert!(second.flush(std::time::Duration::from_secs(1)));
            drop(second);
            record();
        }
        "kill" => write_until_killed(),
        "produce" => {
            let guard = fresnel_sdk::init();
            let queue = fresnel_sdk::instrument::Queue::new(guard.tracer(), guard.registry(), "kafka");
            let print = async |headers: std::collections::BTreeMap<String, String>| {
                let line = format!("headers {:?}\n", headers.keys().collect::<Vec<_>>());
                std::io::stdout().write_all(line.as_bytes()).unwrap();
                Ok::<_, std::fmt::Error>(())
            };
            current_thread().block_on(queue.produce("orders", Default::default(), print)).unwrap();
        }
        other => panic!("there is no scenario {other}"),
    }
}

fn command(scenario: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(["--exact", "child", "--nocapture"]).env(SCENARIO, scenario);
    command
}

fn run(scenario: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> (ExitStatus, String) {
    let mut command = command(scenario);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address).envs(variables.iter().copied());
    let Output { status, stdout, .. } = command.output().unwrap();
    (status, String::from_utf8_lossy(&stdout).into_owned())
}

/// The records among what the child wrote, as JSON.
fn lines(stdout: &str) -> Vec<serde_json::Value> {
    // The runner of tests writes too, perhaps on the same line.
    let objects = stdout.lines().filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok());
    objects.collect()
}

#[test]
fn nothing_is_lost_at_the_end_of_any_runtime() {
    for scenario in
        ["no_runtime", "current_thread", "multi_thread", "outlives_the_runtime", "early_return", "exit"]
    {
        let receiver = receiver(&[]);
        let (status, stdout) = run(scenario, &receiver, &[]);
        assert_eq!(status.code(), Some(if scenario == "exit" { 7 } else { 0 }), "{scenario}: {stdout}");
        assert_eq!(receiver.texts(), ["worked"], "{scenario}");
        assert_eq!(receiver.spans(), ["work"], "{scenario}");
        assert!(!receiver.bodies("/v1/metrics").is_empty(), "{scenario}");
        let lines = lines(&stdout);
        assert_eq!(lines.len(), 1, "{scenario}: {stdout}");
        assert_eq!((&lines[0]["message"], &lines[0]["metadata"]["answer"]), (&"worked".into(), &42.into()));
    }
}

#[test]
fn a_panic_is_recorded_and_everything_before_it_too() {
    for (scenario, message, code) in [("panic", "on purpose: 7", 101), ("panic_in_a_task", "in a task", 0)] {
        let receiver = receiver(&[]);
        let (status, stdout) = run(scenario, &receiver, &[]);
        assert_eq!(status.code(), Some(code), "{stdout}");
        let panicked = format!("panicked: {message}");
        // Requests have the records of one module after those of another.
        let mut texts = receiver.texts();
        texts.sort();
        assert_eq!(texts, [panicked.clone(), "worked".to_owned()]);
        assert_eq!(receiver.spans(), ["work"]);
        let is_panic = |it: &LogRecord| text(it.body.as_ref().and_then(|it| it.value.as_ref())) == panicked;
        let record = receiver.logs().into_iter().find(is_panic).unwrap();
        assert_eq!((record.severity_number, record.severity_text.as_str()), (21, "FATAL"));
        let of = |key: &str| {
            let found = record.attributes.iter().find(|it| it.key == key);
            text(found.and_then(|it| it.value.as_ref()?.value.as_ref()))
        };
        assert_eq!((of("exception.type"), of("exception.message")), ("panic".into(), message.into()));
        assert!(of("exception.stacktrace").contains("start::child"), "{}", of("exception.stacktrace"));
        assert!(of("code.file.path").ends_with("tests/start.rs"), "{}", of("code.file.path"));
        let fatal = lines(&stdout).into_iter().find(|it| it["level"] == "fatal").unwrap();
        assert_eq!((&fatal["error"]["name"], &fatal["error"]["message"]), (&"panic".into(), &message.into()));
        assert!(fatal["error"]["stack"].as_str().unwrap().contains("start::child"));
    }
}

#[test]
fn a_receiver_that_refuses_for_now_gets_everything_in_the_end() {
    let refusals = [
        Reply::Status("503 Service Unavailable"),
        Reply::Status("429 Too Many Requests\r\nretry-after: 0"),
        Reply::Close,
    ];
    let receiver = receiver(&refusals);
    let (status, stdout) = run("no_runtime", &receiver, &[]);
    assert!(status.success(), "{stdout}");
    assert_eq!((receiver.texts(), receiver.spans()), (vec!["worked".to_owned()], vec!["work".to_owned()]));
}

/// More often than it was once tried, and within the time of the end.
#[test]
fn a_receiver_that_is_gone_for_a_while_gets_everything_in_the_end() {
    let receiver = receiver(&[Reply::Close; 9]);
    let (status, stdout) = run("no_runtime", &receiver, &[]);
    assert!(status.success(), "{stdout}");
    assert_eq!((receiver.texts(), receiver.spans()), (vec!["worked".to_owned()], vec!["work".to_owned()]));
    assert!(!receiver.bodies("/v1/metrics").is_empty());
}

#[test]
fn a_receiver_of_logs_that_hangs_holds_up_no_other_signal() {
    let (hanging, others) = (receiver(&[Reply::Hang; 100]), receiver(&[]));
    let (status, stdout) =
        run("no_runtime", &others, &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", hanging.address.as_str())]);
    assert!(status.success(), "{stdout}");
    assert_eq!((others.spans(), others.texts()), (vec!["work".to_owned()], vec![]));
    assert!(!others.bodies("/v1/metrics").is_empty());
}

#[test]
fn spans_go_to_zipkin_or_the_console_when_the_environment_says_so() {
    let receiver = receiver(&[]);
    let endpoint = format!("{}/own/spans", receiver.address);
    let (status, stdout) = run(
        "no_runtime",
        &receiver,
        &[("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", &endpoint)],
    );
    assert!(status.success() && receiver.spans().is_empty(), "{stdout}");
    let spans: serde_json::Value = serde_json::from_slice(&receiver.bodies("/own/spans")[0]).unwrap();
    assert_eq!((&spans[0]["name"], &spans[0]["tags"]["n"]), (&"work".into(), &"1".into()));
    assert_eq!(receiver.texts(), ["worked"], "logs go where they went");
    let mut command = command("no_runtime");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address).env("OTEL_TRACES_EXPORTER", "console");
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success() && stderr.lines().any(|line| line.starts_with("work internal ")), "{stderr}");
}

#[test]
fn contexts_are_sent_as_the_environment_says() {
    let receiver = receiver(&[]);
    for (propagators, headers) in
        [("", r#"headers ["traceparent"]"#), ("b3,jaeger", r#"headers ["b3"]"#), ("none", "headers []")]
    {
        let (status, stdout) = run("produce", &receiver, &[("OTEL_PROPAGATORS", propagators)]);
        assert!(status.success() && stdout.contains(headers), "{propagators}: {stdout}");
        let warned = stdout.contains("OTEL_PROPAGATORS: `jaeger` is left out");
        assert_eq!(warned, propagators.contains("jaeger"), "{stdout}");
    }
}

#[test]
fn a_receiver_that_hangs_or_is_not_there_does_not_keep_the_program() {
    let hanging = receiver(&[Reply::Hang; 100]);
    let gone = Receiver { address: "http://127.0.0.1:1".into(), requests: Arc::default() };
    for receiver in [hanging, gone] {
        let (status, stdout) = run("current_thread", &receiver, &[]);
        assert!(status.success(), "{stdout}");
        assert!(lines(&stdout).iter().any(|it| it["message"] == "worked"), "the lines are there: {stdout}");
    }
}

#[test]
fn the_environment_says_who_sends_what_where() {
    let (all, traces) = (receiver(&[]), receiver(&[]));
    let own = format!("{}/own/path", traces.address);
    let variables = [
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,service.version=3"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"),
        ("OTEL_AUTH_TOKEN", "secret"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"),
        ("OTEL_LOG_LEVEL", "start=info,warn"),
    ];
    let (status, stdout) = run("no_runtime", &all, &variables);
    assert!(status.success(), "{stdout}");
    let head = traces.requests.lock().unwrap()[0].0.clone();
    assert!(head.starts_with("POST /own/path HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nx-key: a b\r\n") && head.contains("\r\nauthorization: Bearer secret\r\n"),
        "{head}"
    );
    assert!(all.bodies("/v1/metrics").is_empty() && all.bodies("/v1/traces").is_empty());
    let request = ExportLogsServiceRequest::decode(&all.bodies("/v1/logs")[0][..]).unwrap();
    let resource = request.resource_logs[0].resource.clone().unwrap();
    let of = |key: &str| {
        let found = resource.attributes.iter().find(|it| it.key == key);
        text(found.and_then(|it| it.value.as_ref()?.value.as_ref()))
    };
    let who = (of("service.name"), of("service.version"), of("deployment.environment.name"));
    assert_eq!(who, ("shop".into(), "3".into(), "staging".into()));
    // What of the environment is wrong is a warning.
    let texts = all.texts();
    assert!(texts[0].contains("`http/xml` is not in this build") && texts[1] == "worked", "{texts:?}");
    assert_eq!(lines(&stdout)[0]["source"]["service"], "shop");
}

#[test]
fn the_environment_says_how_much_a_record_may_say_and_of_what_time_metrics_are() {
    let receiver = receiver(&[]);
    let variables = [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "0"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ];
    let (status, stdout) = run("no_runtime", &receiver, &variables);
    assert!(status.success(), "{stdout}");
    let (spans, logs) = (receiver.all_spans(), receiver.logs());
    assert_eq!((spans[0].attributes.len(), spans[0].dropped_attributes_count), (0, 1), "{spans:?}");
    assert_eq!((logs[0].attributes.len(), logs[0].dropped_attributes_count), (0, 1), "{logs:?}");
    let requests = receiver.bodies("/v1/metrics").into_iter();
    let requests = requests.map(|it| ExportMetricsServiceRequest::decode(&it[..]).unwrap());
    let scopes = requests.flat_map(|it| it.resource_metrics).flat_map(|it| it.scope_metrics);
    let sums = scopes.flat_map(|it| it.metrics).filter_map(|it| match it.data? {
        Data::Sum(sum) => Some((sum.is_monotonic, sum.aggregation_temporality)),
        _ => None,
    });
    let sums: Vec<_> = sums.collect();
    assert!(sums.contains(&(true, 1)) && !sums.contains(&(true, 2)), "{sums:?}");
    let (_, stdout) = run("no_runtime", &receiver, &[("OTEL_SPAN_LINK_COUNT_LIMIT", "few")]);
    assert!(stdout.contains("OTEL_SPAN_LINK_COUNT_LIMIT must be a whole number, not `few`"), "{stdout}");
}

#[test]
fn what_is_disabled_sends_nothing_and_lines_are_written_all_the_same() {
    let receiver = receiver(&[]);
    let (status, stdout) = run("no_runtime", &receiver, &[("OTEL_SDK_DISABLED", "true")]);
    assert!(status.success() && receiver.requests.lock().unwrap().is_empty());
    assert_eq!(lines(&stdout)[0]["message"], "worked");
}

#[test]
fn a_second_start_does_no_harm() {
    let receiver = receiver(&[]);
    let (status, stdout) = run("twice", &receiver, &[]);
    assert!(status.success(), "{stdout}");
    assert_eq!(receiver.texts(), ["worked"]);
}

/// Writes to a file and says what a flush has promised, for ever.
fn write_until_killed() {
    use fresnel_sdk::logging::{File, LoggingConfig, OutputSetup, Rotation};

    let file = File::new(std::env::var(FILE).unwrap(), Rotation::default()).unwrap();
    let nothing = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    let builder = fresnel_sdk::builder().logging(nothing).output(OutputSetup::new("file", file));
    let guard = builder.start().unwrap();
    for n in 0_u64.. {
        tracing::info!(n, "x");
        if n % 10 == 0 && guard.logging().flush(std::time::Duration::from_secs(60)) {
            // One write, so that no line is torn.
            std::io::stdout().write_all(format!("kept {n}\n").as_bytes()).unwrap();
        }
    }
}

/// Promised is what was flushed. What was not may be lost, and the last line may be torn.
#[test]
fn what_was_flushed_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.log");
    let mut child = command("kill")
        .env(FILE, &file)
        .env("OTEL_SDK_DISABLED", "true")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut kept = lines.filter_map(|line| line.split_once("kept ")?.1.parse::<u64>().ok());
    let last = kept.nth(20).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before the kill arrived counts too.
    let last = kept.last().unwrap_or(last);
    let text = std::fs::read_to_string(&file).unwrap();
    let whole = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let numbers: Vec<_> = whole.map(|it| it["metadata"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "no gap and no doubles");
    assert!(numbers.len() as u64 > last, "{} lines, {last} was promised", numbers.len());
}
