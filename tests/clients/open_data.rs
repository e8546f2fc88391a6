//! Their telemetry is theirs: DuckDB, Polars and Delta Lake read the files in place.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::records::Sender;
use testkit::{Encoding, Format, Fresnel, otlp, wait_for};

use crate::fresnel;
use crate::program::{python, run};

/// Seals at once, and nothing else comes in.
const CONFIG: &str =
    "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n[store.seal]\nage = \"1s\"\n";
/// Tables are published in the background within this.
const PUBLISHED: Duration = Duration::from_secs(120);

fn with_records() -> Fresnel {
    let server = fresnel().config(CONFIG).start();
    let mut sender = Sender::new("open", 1);
    server.send(&sender.logs(300));
    server.send(&sender.spans(200));
    server.send(&sender.points(100));
    let other = otlp::request(&Sender::new("open", 2).logs(50), Format::Protobuf, Encoding::None);
    server.ask_otlp(&other.header("x-scope-orgid", "other")).expect(200);
    wait_for("everything in files", Duration::from_secs(30), || {
        (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
    });
    server
}

fn read_with(engine: &str, server: &Fresnel) -> Option<Value> {
    let mut command = python("open_data.py")?;
    command.arg(engine).arg(server.data_dir());
    Some(serde_json::from_str(&run(command)).unwrap())
}

/// 300 of one tenant and 50 of the other; spans and samples of one.
fn expected() -> Value {
    json!({"logs": 350, "spans": 200, "samples": 100})
}

#[test]
fn duckdb_reads_the_segments_in_place() {
    let server = with_records();
    let Some(found) = read_with("duckdb", &server) else { return };
    assert_eq!(found["counts"], expected());
    assert_eq!(found["first"][0], "open");
    assert!(found["first"][1].as_str().unwrap().starts_with("open-"), "attributes are a map: {found}");
    assert_eq!((&found["first"][2], &found["first"][4]), (&json!(true), &json!(true)), "{found}");
}

#[test]
fn polars_reads_the_segments_in_place() {
    let server = with_records();
    let Some(found) = read_with("polars", &server) else { return };
    assert_eq!(found["counts"], expected());
    assert_eq!(found["first"]["service_name"], "open");
    assert!(found["first"]["body"].is_string() && found["first"]["severity_number"].is_i64(), "{found}");
}

#[test]
fn delta_lake_finds_the_published_tables() {
    let server = with_records();
    if python("open_data.py").is_none() {
        return;
    }
    for table in ["logs", "spans", "samples"] {
        let log = server.data_dir().join("segments").join(table).join("_delta_log");
        let first = log.join("00000000000000000000.json");
        wait_for(&format!("{}", first.display()), PUBLISHED, || first.exists().then_some(()));
    }
    let found = wait_for("every record in the Delta tables", PUBLISHED, || {
        read_with("delta", &server).filter(|found| found["counts"] == expected())
    });
    assert_eq!(found["tenants"]["logs"], json!(["default", "other"]));
}
