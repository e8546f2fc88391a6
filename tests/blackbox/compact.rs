//! Files are merged when somebody asks for it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::Request;
use testkit::records::Sender;
use testkit::{Fresnel, wait_for};

use crate::fresnel;
use crate::settings::{KEYS, OPERATOR, OPERATOR_SECRET, QUIET, SEAL_AT_ONCE, SHOP_SECRET};

const PATIENCE: Duration = Duration::from_secs(30);
/// A day that is over, in nanoseconds.
const BEGIN: u64 = 1_699_920_000_000_000_000;
const DAY: &str = "2023-11-14";

/// Nothing is too old.
const KEPT: &str = "[store.retention]\nlogs = \"0s\"\nmetrics = \"0s\"\n";

/// Three files of each table, of one day.
fn with_files() -> Fresnel {
    let server = fresnel().config(&format!("{QUIET}{SEAL_AT_ONCE}{KEPT}")).start();
    let mut sender = Sender::at("compact", 1, BEGIN);
    for _ in 0..3 {
        server.send(&sender.points(100));
        server.send(&sender.logs(50));
        wait_for("everything in files", PATIENCE, || {
            (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
        });
    }
    server
}

fn segments(server: &Fresnel, table: &str) -> u64 {
    let status = server.get_json("/api/v1/status");
    let tables = status["store"]["tables"].as_array().unwrap();
    tables.iter().filter(|own| own["table"] == table).map(|own| own["segments"].as_u64().unwrap()).sum()
}

/// The days that a table has files of, on the disk.
fn days(server: &Fresnel, table: &str) -> u64 {
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir() && !path.ends_with("_delta_log")).collect::<Vec<_>>()
    };
    let tenants = folders(&server.data_dir().join("segments").join(table));
    tenants.iter().map(|tenant| folders(tenant).len() as u64).sum()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ask(server: &Fresnel, parameters: &str) -> Vec<Value> {
    let answer = server.ask(&Request::post(&format!("/api/v1/admin/compact?{parameters}"), "")).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    lines(&answer.text())
}

/// What is asked of the samples and logs, before and after.
fn answers(server: &Fresnel) -> (Vec<Vec<Value>>, Value) {
    let sql = |statement: &str| {
        let answer = server.ask_sql("default", "json", statement).expect(200).json();
        assert_eq!(answer["complete"], true, "{answer}");
        answer["rows"].as_array().unwrap().clone()
    };
    let rows = vec![
        sql("SELECT metric_name, time, value, attributes FROM metrics ORDER BY 1, 2, 3"),
        sql("SELECT time, body, attributes FROM logs ORDER BY 1, 2"),
    ];
    let instant = BEGIN / 1_000_000_000 + 60;
    let query = "sort(count%20by%20(__name__)(last_over_time({__name__!=%22%22}[10m])))";
    (rows, server.get_json(&format!("/prometheus/api/v1/query?query={query}&time={instant}"))["data"].clone())
}

#[test]
fn one_file_a_table_and_day_is_left_and_the_answers_are_the_same() {
    let server = with_files();
    assert!(segments(&server, "samples") >= 2 && segments(&server, "logs") >= 2);
    let before = answers(&server);
    assert!(before.0.iter().all(|rows| rows.len() >= 150), "there is something to compare");
    // What is in memory yet is merged with the rest.
    server.send(&Sender::at("compact", 2, BEGIN).logs(1));
    let told = ask(&server, &format!("table=samples&day={DAY}"));
    let [merged, done] = told.as_slice() else { panic!("{told:?}") };
    let merged = &merged["merged"];
    assert_eq!((&merged["table"], &merged["day"]), (&json!("samples"), &json!(DAY)));
    assert!(merged["files"].as_u64() >= Some(2) && merged["bytes"].as_u64() > Some(0), "{merged}");
    assert_eq!(done["done"]["complete"], true);
    assert_eq!(done["done"]["bytes"], merged["bytes"]);
    assert_eq!((segments(&server, "samples"), segments(&server, "logs") >= 2), (1, true));
    let told = ask(&server, "");
    assert_eq!(told.last().unwrap()["done"]["failed"], 0);
    for table in ["samples", "series", "logs"] {
        assert_eq!(segments(&server, table), days(&server, table), "{table}");
    }
    let after = answers(&server);
    assert_eq!(after.0[0], before.0[0]);
    assert_eq!(after.0[1].len(), before.0[1].len() + 1);
    assert_eq!(after.1, before.1);
    assert!(ask(&server, "").iter().all(|line| line.get("merged").is_none()), "nothing is left to do");
    server.balanced_ledger();
}

#[test]
fn the_command_line_tells_what_was_merged() {
    let server = with_files();
    let url = server.url();
    let told =
        fresnel().run(&["compact", "--url", &url, "--table", "samples", "--day", DAY]).expect(0).stdout;
    assert!(told.contains("samples") && told.contains(DAY) && told.contains("1 merge, "), "{told}");
    let told =
        fresnel().run(&["compact", "--url", &url, "--table", "samples", "--day", DAY]).expect(0).stdout;
    assert_eq!(told.trim_end(), "nothing to merge");
    let told = fresnel().run(&["compact", "--url", &url, "--tenant", "default", "--json"]).expect(0).stdout;
    assert!(lines(&told).last().unwrap()["done"]["merges"].as_u64() >= Some(1), "{told}");
    let wrong = fresnel().run(&["compact", "--url", &url, "--table", "nothing"]).expect(1);
    assert!(wrong.stderr.contains("there is no table `nothing`"), "{}", wrong.stderr);
}

#[test]
fn what_is_no_table_day_or_tenant_is_refused() {
    let server = fresnel().config(QUIET).start();
    for wrong in ["table=nothing", "day=2023-02-29", "day=today", "tenant=a%20b", "days=2023-11-14"] {
        let answer =
            server.ask(&Request::post(&format!("/api/v1/admin/compact?{wrong}"), "")).expect(400).json();
        assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{wrong}: {answer}");
    }
    server.get("/api/v1/admin/compact").expect(405);
}

#[test]
fn only_a_key_with_admin_may_ask() {
    let server = fresnel().config(&[KEYS, OPERATOR, QUIET].concat()).start();
    let ask = |secret: &str| {
        let request = Request::post("/api/v1/admin/compact", "");
        server.ask(&request.header("authorization", &format!("Bearer {secret}")))
    };
    ask(SHOP_SECRET).expect(403);
    ask(OPERATOR_SECRET).expect(200);
    server.ask(&Request::post("/api/v1/admin/compact", "")).expect(401);
}
