//! The command line: stdout is data, stderr is talk, the exit code is the answer.

use std::time::{Duration, Instant};

use testkit::http::Request;
use testkit::records::Sender;
use testkit::wait_for;

use crate::fresnel;

#[test]
fn version_is_one_line_on_stdout() {
    let finished = fresnel().run(&["version"]).expect(0);
    assert!(
        finished.stdout.lines().count() == 1 && finished.stdout.starts_with("fresnel "),
        "{}",
        finished.stdout
    );
    assert_eq!(finished.stderr, "");
    fresnel().run(&["--version"]).expect(0);
}

#[test]
fn help_teaches_every_command() {
    let help = fresnel().run(&["--help"]).expect(0).stdout;
    for command in ["serve", "demo", "check", "query", "status", "version", "completions"] {
        assert!(help.contains(command), "{command}: {help}");
        let own = fresnel().run(&[command, "--help"]).expect(0).stdout;
        assert!(own.contains("Usage:"), "{own}");
    }
    let serve = fresnel().run(&["serve", "--help"]).expect(0).stdout;
    for option in ["--data-dir", "--config", "--http", "--otlp-grpc", "--otlp-http", "--memory-limit"] {
        assert!(serve.contains(option), "{option}: {serve}");
    }
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [&["nonsense"][..], &["serve", "--nonsense"], &["query", "--format", "xml", "SELECT 1"]]
    {
        let finished = fresnel().run(arguments).expect(2);
        assert!(finished.stderr.contains("error:") && finished.stdout.is_empty(), "{}", finished.stderr);
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let completions = fresnel().run(&["completions", shell]).expect(0).stdout;
        assert!(completions.contains("fresnel") && completions.contains("data-dir"), "{shell}");
    }
}

#[test]
fn query_prints_a_table_json_or_csv() {
    let server = fresnel().start();
    server.send(&Sender::new("cli", 1).logs(2));
    let statement = "SELECT attributes['test.id'] AS id, severity_number FROM logs WHERE service_name = 'cli' ORDER BY id";
    let query = |format: &str| {
        let url = server.url();
        fresnel().run(&["query", "--url", &url, "--format", format, statement]).expect(0).stdout
    };
    assert!(query("table").contains("cli-1-1"));
    assert_eq!(query("csv").lines().next(), Some("id,severity_number"));
    let json: serde_json::Value = serde_json::from_str(&query("json")).unwrap();
    assert!(json.to_string().contains("cli-1-0"));
}

#[test]
fn query_says_what_is_wrong_and_where() {
    let server = fresnel().start();
    let finished = fresnel().run(&["query", "--url", &server.url(), "SELECT nothing FROM logs"]);
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("error:") && finished.stderr.contains("nothing"), "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
}

#[test]
fn a_server_that_is_not_there_is_said_with_a_hint() {
    for command in [
        &["query", "--url", "http://127.0.0.1:9", "SELECT 1"][..],
        &["status", "--url", "http://127.0.0.1:9"],
    ] {
        let finished = fresnel().run(command);
        assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("127.0.0.1:9") && finished.stderr.contains("hint:"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn status_tells_people_and_programs() {
    let server = fresnel().start();
    let url = server.url();
    let text = fresnel().run(&["status", "--url", &url]).expect(0).stdout;
    assert!(text.contains("memory") && text.contains("segments"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&fresnel().run(&["status", "--json", "--url", &url]).expect(0).stdout).unwrap();
    assert_eq!(json["status"]["ready"], true);
    assert_eq!(json["ledger"]["balanced"], true);
}

#[test]
fn the_environment_and_the_command_line_go_over_the_file() {
    let server =
        fresnel().config("[memory]\nlimit = \"300 MiB\"\n").env("FRESNEL_MEMORY_LIMIT", "400 MiB").start();
    assert_eq!(server.get_json("/api/v1/status")["memory"]["limit_bytes"], 400 << 20);
    let server = fresnel().env("FRESNEL_MEMORY_LIMIT", "400 MiB").memory_limit("500 MiB").start();
    assert_eq!(server.get_json("/api/v1/status")["memory"]["limit_bytes"], 500 << 20);
}

#[test]
fn the_start_says_where_to_look() {
    let server = fresnel().start();
    let address = server.doors().http.to_string();
    let said = wait_for("the address", Duration::from_secs(5), || {
        let said = [server.stdout(), server.log()].concat().join("\n");
        said.contains(&address).then_some(said)
    });
    assert!(!said.contains('\u{1b}'), "NO_COLOR is honoured");
}

#[test]
fn a_graceful_stop_is_quick_and_loses_nothing() {
    let mut server = fresnel().start();
    let mut sender = Sender::new("stop", 1);
    server.send(&sender.logs(1_000));
    server.send(&sender.spans(1_000));
    let started = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    server.restart();
    assert_eq!(server.sql("SELECT count(*) FROM logs WHERE service_name = 'stop'").integer(), 1_000);
    assert_eq!(server.sql("SELECT count(*) FROM spans WHERE service_name = 'stop'").integer(), 1_000);
}

#[test]
fn a_client_that_keeps_its_connection_does_not_hold_up_the_stop() {
    let mut server = fresnel().start();
    let mut client = testkit::http::Client::new(server.doors().http);
    client.send(&Request::get("/livez")).unwrap();
    let _idle = std::net::TcpStream::connect(server.doors().otlp_http).unwrap();
    let started = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
