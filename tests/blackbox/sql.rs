//! `/api/v1/sql`.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::http::{self, Request, percent_encoded};
use testkit::records::Sender;
use testkit::{Fresnel, Rows, wait_for};

use crate::fresnel;

const STATEMENT: &str =
    "SELECT attributes['test.id'] AS id, body FROM logs WHERE service_name = 'sql' ORDER BY id";

fn with_logs(count: u64) -> Fresnel {
    let server = fresnel().start();
    server.send(&Sender::new("sql", 1).logs(count));
    server
}

/// A statement that runs longer than any test.
fn endless() -> String {
    let tables: Vec<_> = (0..6).map(|number| format!("logs AS l{number}")).collect();
    format!(
        "SELECT count(*) FROM {} WHERE {}",
        tables.join(", "),
        "l0.severity_number + l5.severity_number <> 1"
    )
}

#[test]
fn json_has_columns_rows_completeness_and_figures() {
    let server = with_logs(3);
    let response = server.ask_sql("default", "json", STATEMENT).expect(200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert!(response.header("x-fresnel-query-id").is_some_and(|id| !id.is_empty()));
    let rows = Rows::from_json(&response.json());
    assert_eq!(rows.columns, ["id", "body"]);
    assert_eq!(rows.texts("id"), ["sql-1-0", "sql-1-1", "sql-1-2"]);
    assert!(rows.complete && rows.warnings.is_empty());
    for figure in ["elapsed_ms", "rows", "scanned_rows", "scanned_bytes", "segments", "segments_skipped"] {
        assert!(rows.stats[figure].is_number(), "{figure}: {}", rows.stats);
    }
    assert_eq!(rows.stats["rows"], 3);
}

#[test]
fn ndjson_has_an_object_a_row_and_a_summary() {
    let server = with_logs(3);
    let text = server.ask_sql("default", "ndjson", STATEMENT).expect(200).text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["id"], "sql-1-0");
    assert_eq!(lines[3]["$summary"]["complete"], true);
}

#[test]
fn csv_has_a_header_and_says_in_a_trailer_that_it_is_complete() {
    let server = with_logs(3);
    let response = server.ask_sql("default", "csv", STATEMENT).expect(200);
    assert!(response.header("content-type").unwrap().starts_with("text/csv"));
    assert_eq!(response.trailer("x-fresnel-complete"), Some("true"));
    let text = response.text();
    assert_eq!((text.lines().next(), text.lines().count()), (Some("id,body"), 4));
}

#[test]
fn arrow_and_parquet_are_whole_files() {
    let server = with_logs(3);
    let arrow = server.ask_sql("default", "arrow", STATEMENT).expect(200);
    assert_eq!(arrow.body[..4], [0xff; 4], "an IPC stream begins with a continuation marker");
    assert_eq!(arrow.trailer("x-fresnel-complete"), Some("true"));
    let parquet = server.ask_sql("default", "parquet", STATEMENT).expect(200);
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(parquet.trailer("x-fresnel-complete"), Some("true"));
}

#[test]
fn the_statement_may_stand_in_the_url_or_in_a_form() {
    let server = with_logs(3);
    assert_eq!(Rows::from_json(&server.sql_by_get(STATEMENT).expect(200).json()).len(), 3);
    let form = Request::post("/api/v1/sql", format!("query={}", percent_encoded(STATEMENT)));
    let response = server.ask(&form.header("content-type", "application/x-www-form-urlencoded")).expect(200);
    assert_eq!(Rows::from_json(&response.json()).len(), 3);
}

#[test]
fn mistakes_are_problems_that_say_where() {
    let server = with_logs(1);
    for (statement, named) in [
        ("SELEC 1", "SELEC"),
        ("SELECT nothing FROM logs", "nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT 1; SELECT 2", ""),
        ("", ""),
    ] {
        let response = server.ask_sql("default", "json", statement).expect(400);
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let problem = response.json();
        assert_eq!(problem["status"], 400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(!detail.is_empty() && detail.contains(named), "{statement}: {problem}");
    }
    let unknown =
        server.ask(&Request::post("/api/v1/sql?format=xml", "SELECT 1").header("content-type", "text/plain"));
    assert!(unknown.expect(400).text().contains("xml"));
}

#[test]
fn nothing_but_reading_is_allowed() {
    let server = with_logs(1);
    for statement in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "COPY (SELECT 1) TO '/tmp/fresnel-test-copy.csv'",
        "INSERT INTO logs SELECT * FROM logs",
        "DELETE FROM logs",
        "DROP TABLE logs",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
    ] {
        let response = server.ask_sql("default", "json", statement);
        assert!(
            (400..500).contains(&response.status),
            "{statement}: {} {}",
            response.status,
            response.text()
        );
    }
    assert!(!std::path::Path::new("/tmp/fresnel-test-copy.csv").exists());
    assert_eq!(server.sql("SELECT count(*) FROM logs WHERE service_name = 'sql'").integer(), 1);
}

#[test]
fn a_deadline_ends_a_statement_and_the_answer_says_so() {
    let server = with_logs(2_000);
    let started = Instant::now();
    let request = Request::post("/api/v1/sql?timeout=300ms", endless()).header("content-type", "text/plain");
    let response = server.ask(&request);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let says_so = match response.status {
        200 => response.json()["complete"] == false,
        status => status == 504 && response.header("content-type") == Some("application/problem+json"),
    };
    assert!(says_so, "status {}: {}", response.status, response.text());
}

#[test]
fn a_statement_can_be_cancelled_by_its_id() {
    let server = with_logs(2_000);
    let address = server.doors().http;
    let asker = std::thread::spawn(move || {
        let target = "/api/v1/sql?query_id=mine&timeout=50s";
        http::send(address, &Request::post(target, endless()).header("content-type", "text/plain"))
    });
    wait_for("the statement among the running ones", Duration::from_secs(10), || {
        let running = server.get_json("/api/v1/queries");
        running.as_array().unwrap().iter().any(|query| query["id"] == "mine").then_some(())
    });
    server.ask(&Request::new("DELETE", "/api/v1/queries/mine")).expect(204);
    let response = asker.join().unwrap().unwrap();
    let says_so = response.status != 200 || response.json()["complete"] == false;
    assert!(says_so, "a cancelled answer is not complete: {}", response.text());
    server.ask(&Request::new("DELETE", "/api/v1/queries/mine")).expect(404);
}

#[test]
fn a_client_that_goes_away_cancels_its_statement() {
    let server = with_logs(2_000);
    let mut stream = std::net::TcpStream::connect(server.doors().http).unwrap();
    let body = endless();
    let head = format!(
        "POST /api/v1/sql?query_id=left HTTP/1.1\r\nhost: {}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
        server.doors().http,
        body.len()
    );
    std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).unwrap();
    let runs = || server.get("/api/v1/queries").text().contains("\"left\"");
    wait_for("the statement runs", Duration::from_secs(10), || runs().then_some(()));
    drop(stream);
    wait_for("the statement has ended", Duration::from_secs(10), || (!runs()).then_some(()));
}

#[test]
fn a_statement_gets_no_more_than_its_share_of_memory() {
    let server = fresnel().memory_limit("128 MiB").start();
    let mut sender = Sender::new("sql", 1);
    for _ in 0..4 {
        server.send(&sender.logs(5_000));
    }
    // Every combination has to be held to be sorted.
    let statement = "SELECT a.body FROM logs a CROSS JOIN logs b ORDER BY b.body, a.body, b.time";
    let request = Request::post("/api/v1/sql?format=csv&timeout=30s", statement);
    let response = server.ask(&request.header("content-type", "text/plain"));
    let complete = response.status == 200 && response.trailer("x-fresnel-complete") == Some("true");
    assert!(!complete, "400 million rows do not fit into 128 MiB");
    assert_eq!(server.sql("SELECT count(*) FROM logs WHERE service_name = 'sql'").integer(), 20_000);
}
