//! Telemetry over TLS, to a server whose certificate an authority of our own has signed. Each sender
//! is this program again, told by the environment whom to trust; outputs of logs are told by their
//! configuration.

#![cfg(feature = "https")]
#![allow(clippy::unwrap_used)]

mod certificates;
mod receiver;

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use fresnel_sdk::config::Loader;
use fresnel_sdk::logging::{LoggingConfig, Source};
use fresnel_sdk::telemetry::http::HttpExporter;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Folder;
use crate::receiver::read_request;

/// Set in the child; without it the child's test has nothing to do.
const CHILD: &str = "FRESNEL_HTTPS_CHILD";
/// For as long the child waits for a receiver that it does not trust; for one that it does, not at all.
const PATIENCE: Duration = Duration::from_secs(10);
const SIGNALS: [&str; 3] = ["logs", "traces", "metrics"];

/// The child: records, and says what became of it.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let guard = fresnel_sdk::init();
    tracing::info_span!("work").in_scope(|| tracing::info!("worked"));
    let mut said = format!("\nsaid flushed: {}\n", guard.flush(PATIENCE));
    for output in guard.health().exports.outputs {
        said += &format!("said {}: {}\n", output.name, output.error.unwrap_or_else(|| "well".into()));
    }
    let registry = guard.registry().clone();
    // What is tried again until the end is lost only then.
    guard.shutdown();
    let page = registry.prometheus();
    let lost = page.lines().find_map(|line| {
        line.strip_prefix("otel_sdk_exporter_span_exported_total{error_type=\"export_failed\"} ")
    });
    said += &format!("said lost: {}\n", lost.unwrap());
    std::io::stdout().write_all(said.as_bytes()).unwrap();
}

/// Takes everything that comes over TLS. Returns its port, and the first lines of the requests.
fn server(config: ServerConfig) -> (u16, Receiver<String>) {
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = sync_channel(1000);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            // Who does not trust it, or is not trusted, goes away in the handshake.
            let Some((head, _)) = read_request(&mut stream) else { continue };
            sender.send(head.lines().next().unwrap().to_owned()).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (port, requests)
}

/// What the child says, and the lines that it logs.
struct Said(String);

/// Runs the child with files of the folder named by variables.
fn run(folder: &Folder, endpoint: &str, variables: &[(&str, &str)]) -> Said {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(["--exact", "child", "--nocapture"]).env(CHILD, "1");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    for (name, file) in variables {
        command.env(format!("OTEL_EXPORTER_OTLP_{name}"), folder.file(file));
    }
    let output = command.output().unwrap();
    let said = Said(String::from_utf8_lossy(&output.stdout).into_owned());
    assert!(output.status.success(), "{}", said.0);
    said
}

impl Said {
    fn of(&self, what: &str) -> &str {
        let lines = self.0.lines().find_map(|line| line.strip_prefix(&format!("said {what}: ")));
        lines.unwrap_or_else(|| panic!("nothing is said of {what}: {}", self.0))
    }

    /// Everything was delivered.
    #[track_caller]
    fn well(&self) {
        assert_eq!((self.of("flushed"), self.of("lost")), ("true", "0"), "{}", self.0);
        SIGNALS.iter().for_each(|signal| assert_eq!(self.of(signal), "well"));
    }

    /// Nothing was, and that is told: to who flushes, in the health with all of these, as a line, and
    /// in what is counted.
    #[track_caller]
    fn failed(&self, causes: &[&str]) {
        assert_eq!((self.of("flushed"), self.of("lost")), ("false", "1"), "{}", self.0);
        for signal in SIGNALS {
            let error = self.of(signal);
            assert!(causes.iter().all(|cause| error.contains(cause)), "{causes:?}: {error}");
        }
        let told = |line: &str| line.contains("telemetry not delivered") && line.contains(causes[0]);
        assert!(self.0.lines().any(told), "{}", self.0);
    }

    /// A line was logged with all of these.
    #[track_caller]
    fn warned(&self, parts: &[&str]) {
        let warns = |line: &&str| line.contains("\"warn\"") && parts.iter().all(|part| line.contains(part));
        assert_eq!(self.0.lines().filter(warns).count(), 1, "{parts:?}: {}", self.0);
    }
}

#[test]
fn telemetry_goes_over_tls_to_whom_the_authority_has_signed() {
    let folder = Folder::new();
    let (port, requests) = server(folder.server(false));
    let endpoint = format!("https://localhost:{port}");
    run(&folder, &endpoint, &[("CERTIFICATE", "ca.pem")]).well();
    let lines: Vec<_> = requests.try_iter().collect();
    for signal in SIGNALS {
        assert!(lines.contains(&format!("POST /v1/{signal} HTTP/1.1")), "{lines:?}");
    }
}

#[test]
fn a_signal_may_have_an_authority_of_its_own() {
    let folder = Folder::new();
    let (port, requests) = server(folder.server(false));
    let variables = [("CERTIFICATE", "stranger.pem"), ("LOGS_CERTIFICATE", "ca.pem")];
    let said = run(&folder, &format!("https://localhost:{port}"), &variables);
    assert_eq!((said.of("logs"), said.of("flushed")), ("well", "false"));
    assert!(said.of("traces").contains("UnknownIssuer"), "{}", said.0);
    assert!(requests.try_iter().all(|line| line == "POST /v1/logs HTTP/1.1"));
}

#[test]
fn who_is_not_trusted_gets_nothing_and_it_is_said_why_and_what_to_do() {
    let folder = Folder::new();
    let (port, requests) = server(folder.server(false));
    let (by_name, by_address) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    let unknown =
        [&*format!("cannot send to {by_name}: "), "UnknownIssuer", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
    run(&folder, &by_name, &[]).failed(&unknown);
    run(&folder, &by_name, &[("CERTIFICATE", "stranger.pem")]).failed(&unknown);
    let elsewhere = [&*format!("cannot send to {by_address}: "), "not valid for name"];
    run(&folder, &by_address, &[("CERTIFICATE", "ca.pem")]).failed(&elsewhere);
    assert_eq!(requests.try_iter().count(), 0);
}

#[test]
fn with_certificates_that_cannot_be_used_nothing_is_sent() {
    let folder = Folder::new();
    let (port, requests) = server(folder.server(false));
    let endpoint = format!("https://localhost:{port}");
    for (file, why) in [
        ("nowhere.pem", "No such file"),
        ("text.pem", "no certificate in PEM"),
        ("server.key", "no certificate"),
    ] {
        let said = run(&folder, &endpoint, &[("CERTIFICATE", file)]);
        let parts = ["OTEL_EXPORTER_OTLP_CERTIFICATE", file, why];
        said.failed(&parts);
        said.warned(&[&parts[..], &["nothing is sent"]].concat());
    }
    // A key that is not the certificate's, no key in its file, a certificate without a key.
    for (key, why) in [("server.key", "not the key of the certificate"), ("ca.pem", "no private key in PEM")]
    {
        let variables =
            [("CERTIFICATE", "ca.pem"), ("CLIENT_CERTIFICATE", "client.pem"), ("CLIENT_KEY", key)];
        run(&folder, &endpoint, &variables).failed(&["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", key, why]);
    }
    let alone = [("CERTIFICATE", "ca.pem"), ("CLIENT_CERTIFICATE", "client.pem")];
    run(&folder, &endpoint, &alone).failed(&["OTEL_EXPORTER_OTLP_CLIENT_KEY are needed together"]);
    assert_eq!(requests.try_iter().count(), 0);
}

#[test]
fn a_server_that_wants_to_know_who_comes_is_shown_a_certificate() {
    let folder = Folder::new();
    let (port, requests) = server(folder.server(true));
    let endpoint = format!("https://localhost:{port}");
    let variables =
        [("CERTIFICATE", "ca.pem"), ("CLIENT_CERTIFICATE", "client.pem"), ("CLIENT_KEY", "client.key")];
    run(&folder, &endpoint, &variables).well();
    assert!(requests.try_iter().count() >= SIGNALS.len());
    run(&folder, &endpoint, &variables[..1]).failed(&[&format!("cannot send to {endpoint}: ")]);
    assert_eq!(requests.try_iter().count(), 0);
}

#[test]
fn certificates_count_only_where_there_is_tls() {
    let (folder, free) = (Folder::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let endpoint = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let said = run(&folder, &endpoint, &[("CERTIFICATE", "nowhere.pem")]);
    said.failed(&[&format!("cannot send to {endpoint}: ")]);
    assert!(!said.0.contains("nowhere.pem"), "{}", said.0);
}

#[test]
fn an_exporter_is_told_what_is_wrong_with_its_files() {
    let folder = Folder::new();
    let exporter = || HttpExporter::new("https://localhost:1").unwrap();
    let text = exporter().ca_file(folder.file("text.pem")).unwrap_err().to_string();
    assert!(
        text.ends_with("text.pem` cannot be used for TLS: there is no certificate in PEM in it"),
        "{text}"
    );
    let error = exporter().client_certificate(folder.file("client.pem"), folder.file("nowhere.key"));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("nowhere.key` cannot be used for TLS: No such file"), "{text}");
}

/// An output of this kind for the server at the port, with these files of the folder.
fn output(folder: &Folder, kind: &str, url: &str, files: &[(&str, &str)]) -> Result<LoggingConfig, String> {
    let settings = match kind {
        "datadog" => "api_key = 'k'\n",
        _ => "",
    };
    let mut text = "outputs.stdout.filter = 'off'\n[outputs.away]\ninterval = '1ms'\n".to_owned();
    text += &format!("[outputs.away.to.{kind}]\nurl = '{url}'\n{settings}[outputs.away.to.{kind}.tls]\n");
    for (name, file) in files {
        text += &format!("{name} = '{}'\n", folder.file(file).display());
    }
    let file = folder.file("logging.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = Loader::<LoggingConfig>::new().file(&file).load();
    loaded.map(|it| LoggingConfig::clone(&it.value)).map_err(|error| error.to_string())
}

/// What the output says of itself after a record.
fn logged(config: &LoggingConfig) -> (u64, Option<String>) {
    use tracing_subscriber::layer::SubscriberExt;

    let logging = config.start(Vec::new(), Source::default()).unwrap();
    let subscriber = tracing_subscriber::registry().with(logging.layer());
    tracing::subscriber::with_default(subscriber, || tracing::info!("over TLS"));
    let outcome = || {
        let output = logging.health().into_iter().find(|it| it.name == "away").unwrap();
        (output.written, output.error)
    };
    while outcome() == (0, None) {
        std::thread::yield_now();
    }
    let outcome = outcome();
    logging.close(Duration::ZERO);
    outcome
}

const KINDS: [(&str, &str); 3] = [("http", ""), ("elasticsearch", "/_bulk"), ("datadog", "")];

#[test]
fn logs_go_over_tls_to_whom_the_authority_has_signed_and_show_a_certificate() {
    let folder = Folder::new();
    let client = [("ca_file", "ca.pem"), ("cert_file", "client.pem"), ("key_file", "client.key")];
    for (kind, path) in KINDS {
        for (strict, files) in [(false, &client[..1]), (true, &client[..])] {
            let (port, requests) = server(folder.server(strict));
            let config = output(&folder, kind, &format!("https://localhost:{port}"), files).unwrap();
            let (written, error) = logged(&config);
            // The answer of the server has no JSON, which only Elasticsearch misses.
            let taken = kind == "elasticsearch" || (written, &error) == (1, &None);
            assert!(taken, "{kind}, strict: {strict}: {error:?}");
            assert_eq!(requests.recv().unwrap(), format!("POST {path} HTTP/1.1"), "{kind}");
        }
        // Who is not shown a certificate hears nothing, and neither does a stranger.
        let (port, requests) = server(folder.server(true));
        let url = format!("https://localhost:{port}");
        let error = logged(&output(&folder, kind, &url, &client[..1]).unwrap()).1.unwrap();
        assert!(error.starts_with(&format!("cannot send to {url}")), "{error}");
        let error = logged(&output(&folder, kind, &url, &[("ca_file", "stranger.pem")]).unwrap()).1.unwrap();
        assert!(error.contains("UnknownIssuer") && error.contains("tls.ca_file"), "{error}");
        assert_eq!(requests.try_iter().count(), 0);
    }
}

#[test]
fn an_output_of_logs_is_told_what_is_wrong_with_its_files() {
    let folder = Folder::new();
    let wrong = |url: &str, files: &[(&str, &str)], why: &str| {
        for (kind, _) in KINDS {
            let error = output(&folder, kind, url, files).unwrap_err();
            assert!(error.contains("`tls`") && error.contains(why), "{kind}: {error}");
        }
    };
    let https = "https://localhost:1";
    wrong(https, &[("ca_file", "nowhere.pem")], "No such file");
    wrong(https, &[("ca_file", "text.pem")], "no certificate in PEM");
    wrong(https, &[("cert_file", "client.pem")], "`cert_file` and `key_file` together");
    let strange = [("cert_file", "client.pem"), ("key_file", "server.key")];
    wrong(https, &strange, "not the key of the certificate");
    wrong("http://localhost:1", &[("ca_file", "ca.pem")], "nothing would be encrypted");
}
