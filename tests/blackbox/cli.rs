//! The command line: stdout is data, stderr is talk, the exit code is the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use testkit::http::Request;
use testkit::records::Sender;
use testkit::{skip, wait_for};

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
    for command in ["serve", "demo", "check", "query", "status", "compact", "version", "completions"] {
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
fn a_plan_is_printed_line_by_line() {
    let server = fresnel().start();
    let explain = "EXPLAIN SELECT service_name, count(*) FROM logs GROUP BY 1";
    let plan = fresnel().run(&["query", "--url", &server.url(), explain]).expect(0).stdout;
    assert!(plan.starts_with("logical_plan\n  Projection: "), "{plan}");
    assert!(plan.lines().count() > 5 && !plan.contains('\u{2424}'), "{plan}");
}

/// A server that sends so much of an answer and goes away.
#[test]
fn an_answer_that_breaks_off_is_printed_as_far_as_it_came() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}8\r\nn\n1\n2\n3\n\r\n").as_bytes()).unwrap();
    });
    let url = format!("http://{address}");
    let finished = fresnel().run(&["query", "--url", &url, "--format", "csv", "SELECT 1"]).expect(1);
    server.join().unwrap();
    assert_eq!(finished.stdout, "n\n1\n2\n3");
    for part in ["error: the answer broke off", "cause:", "hint:", "--timeout"] {
        assert!(finished.stderr.contains(part), "{part}: {}", finished.stderr);
    }
}

#[test]
fn what_is_no_address_is_said_with_what_one_looks_like() {
    for address in ["4300", ":4300", "localhost:4300", "127.0.0.1"] {
        let finished = fresnel().run(&["serve", "--http", address]).expect(2);
        assert!(finished.stderr.contains("such as `127.0.0.1:"), "{}", finished.stderr);
        assert!(finished.stderr.contains(&format!("got {address}")), "{}", finished.stderr);
    }
    for url in ["127.0.0.1:4300", "https://127.0.0.1:4300", "nonsense"] {
        let finished = fresnel().run(&["query", "--url", url, "SELECT 1"]).expect(2);
        assert!(finished.stderr.contains("hint: "), "{}", finished.stderr);
    }
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

/// A server that answers one statement, after it is told to.
fn answers_when_told() -> (SocketAddr, mpsc::SyncSender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        while !String::from_utf8_lossy(&asked).ends_with("SELECT 1") {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).unwrap();
            asked.extend_from_slice(&piece[..read]);
        }
        told.recv().unwrap();
        let body = r#"{"columns":[{"name":"one","type":"int"}],"rows":[[1]],"complete":true,"warnings":[],"stats":{"elapsed_ms":5}}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
    });
    (address, tell)
}

#[test]
fn a_long_query_shows_on_a_terminal_that_it_runs() {
    let (address, tell) = answers_when_told();
    let query = format!("{} query --url http://{address} 'SELECT 1'", env!("CARGO_BIN_EXE_fresnel"));
    let mut command = Command::new("script");
    command.args(["-qefc", &query, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", "1");
    let mut terminal = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
        Ok(terminal) => terminal,
        Err(error) => return skip(&format!("there is no terminal without `script`: {error}")),
    };
    let shown = Arc::new(Mutex::new(Vec::new()));
    let (mut stdout, written) = (terminal.stdout.take().unwrap(), Arc::clone(&shown));
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 1024];
        while let Ok(read @ 1..) = stdout.read(&mut piece) {
            written.lock().unwrap().extend_from_slice(&piece[..read]);
        }
    });
    let text = || String::from_utf8_lossy(&shown.lock().unwrap()).into_owned();
    wait_for("a sign of life", Duration::from_secs(20), || text().contains("running").then_some(()));
    assert!(!text().contains("\u{1b}[3"), "without colours: {:?}", text());
    tell.send(()).unwrap();
    assert!(terminal.wait().unwrap().success());
    reader.join().unwrap();
    assert!(text().contains("1 row in 5 ms"), "{:?}", text());
}

#[test]
fn a_long_query_shows_nothing_in_a_pipe() {
    let (address, tell) = answers_when_told();
    // Long enough to show something.
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        tell.send(()).unwrap();
    });
    let finished = fresnel()
        .env("TERM", "xterm")
        .run(&["query", "--url", &format!("http://{address}"), "SELECT 1"])
        .expect(0);
    later.join().unwrap();
    assert_eq!((finished.stderr.as_str(), finished.stdout.as_str()), ("1 row in 5 ms", "one\n---\n1"));
}

#[test]
fn a_disk_that_does_not_answer_does_not_hold_up_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    // A pipe in the place of a file of the second Delta table: who reads it waits for ever.
    let log = folder.path().join("data/segments/spans/_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    std::fs::write(log.join("00000000000000000000.json"), "").unwrap();
    assert!(Command::new("mkfifo").arg(log.join("_last_checkpoint")).status().unwrap().success());
    let mut server = fresnel().within(folder.path()).start();
    server.send(&Sender::new("stop", 1).spans(10));
    wait_for("the publication of the first table", Duration::from_secs(30), || {
        let metrics = server.get("/metrics").text();
        metrics.contains("fresnel_publish_commits_total{table=\"logs\"} 1").then_some(())
    });
    assert_eq!(server.terminate().code(), Some(0));
    server.no_unexpected_warnings();
}
