//! Their telemetry is theirs: DuckDB, Polars and Delta Lake read the files in place.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::records::Sender;
use testkit::{Encoding, Format, Fresnel, otlp, wait_for};

use crate::fresnel;
use crate::program::{python, run};

/// Seals at once, and nothing else comes in.
const CONFIG: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n[publish]\ninterval = \"1s\"\n\
    [store.seal]\nage = \"1s\"\n";
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

/// Small files are merged at once, and the replaced ones are gone.
const MERGED: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n[publish]\nenabled = false\n\
    [store.seal]\nage = \"300ms\"\n[store.compact]\nfiles_min = 2\ngrace = \"0s\"\n";
const REPLACED_GONE: Duration = Duration::from_secs(90);
const BEGIN_NANO: i64 = 1_795_000_000_000_000_000;

/// Values of every kind, each with its time.
fn values() -> Vec<(i64, f64)> {
    let mut random = testkit::records::Random::new(7);
    let mut some = |number: usize| match number % 8 {
        0 => number as f64,
        1 => (random.below(100_000) as f64) / 100.0,
        2 => -(random.below(1_000) as f64) / 8.0,
        3 => random.below(1 << 50) as f64 * 1024.0,
        4 => [0.1, 0.3, 1e-9, 1e22, 123_456_789.012_345_6, -0.0, 5e-324, f64::MAX][number / 8 % 8],
        5 => f64::from_bits((random.below(1 << 62)) as u64),
        6 => 1.5e9 + number as f64 / 1e3,
        _ => 42.0,
    };
    (0..1_600).map(|number| (BEGIN_NANO + number as i64 * 1_000_000, some(number))).collect()
}

/// Segments of a table that the catalog names.
fn live_segments(server: &Fresnel, table: &str) -> u64 {
    let status = server.get_json("/api/v1/status");
    let tables = status["store"]["tables"].as_array().unwrap();
    tables.iter().filter(|own| own["table"] == table).map(|own| own["segments"].as_u64().unwrap()).sum()
}

/// Files below a folder that end in `.parquet`.
fn parquet_files(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
        true => parquet_files(&path),
        false => u64::from(path.extension().is_some_and(|end| end == "parquet")),
    };
    entries.map(count).sum()
}

#[test]
fn values_of_merged_samples_are_read_bit_for_bit() {
    let server = fresnel().config(MERGED).start();
    let values = values();
    for part in values.chunks(400) {
        // Eight series, each with values of one kind.
        let points = |kind: usize| -> Value {
            let own = part.iter().enumerate().filter(|(number, _)| number % 8 == kind);
            own.map(|(_, (time, value))| json!({"timeUnixNano": time.to_string(), "asDouble": value}))
                .collect()
        };
        let metrics: Vec<Value> = (0..8)
            .map(|kind| json!({"name": format!("m{kind}"), "gauge": {"dataPoints": points(kind)}}))
            .collect();
        let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]});
        let request = testkit::http::Request::post("/v1/metrics", body.to_string())
            .header("content-type", "application/json");
        server.ask_otlp(&request).expect(200);
        wait_for("everything in files", Duration::from_secs(30), || {
            (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
        });
    }
    let expected: Vec<Value> =
        values.iter().map(|(time, value)| json!([time, format!("{:016x}", value.to_bits())])).collect();
    for engine in ["duckdb-values", "polars-values"] {
        if python("open_data.py").is_none() {
            return;
        }
        let found = wait_for("only merged files", REPLACED_GONE, || {
            // A file that was replaced is a second copy until it is deleted, and may be at any time.
            let live = live_segments(&server, "samples");
            (parquet_files(&server.data_dir().join("segments/samples")) == live).then_some(())?;
            let found = read_with(engine, &server)?;
            (found["values"].as_array()?.len() == values.len()).then_some(found)
        });
        let different = found["values"].as_array().unwrap().iter().zip(&expected).find(|(a, b)| a != b);
        assert_eq!(different, None, "{engine}");
        assert!(found["scaled"].as_u64().unwrap() > 1_000, "{engine}: {}", found["scaled"]);
    }
}

const TIERS: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n[publish]\nenabled = false\n\
    [store.seal]\nage = \"300ms\"\n[store.retention]\nmetrics = \"0s\"\n[[store.tiers]]\n\
    [[store.tiers.downsample]]\nafter = \"1h\"\nresolution = \"1h\"\nretention = \"0s\"\n";
/// The begin of a UTC day, in seconds.
const DAY: i64 = 1_699_920_000;

#[test]
fn downsampled_samples_are_read_in_place() {
    let server = fresnel().config(TIERS).start();
    // One each minute for two hours, and the last of an hour at its end.
    let points: Vec<(i64, i64)> = (1..=120).map(|minute| (DAY + minute * 60, minute * minute)).collect();
    let point = |(time, value): &(i64, i64)| {
        let time = (time * 1_000_000_000).to_string();
        json!({"timeUnixNano": time, "asDouble": *value as f64})
    };
    let points_json: Vec<Value> = points.iter().map(point).collect();
    let metrics = json!([{"name": "m", "gauge": {"dataPoints": points_json}}]);
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]});
    let request = testkit::http::Request::post("/v1/metrics", body.to_string())
        .header("content-type", "application/json");
    server.ask_otlp(&request).expect(200);
    wait_for("the samples in a tier", Duration::from_secs(60), || {
        let tiers = &server.get_json("/api/v1/status")["store"]["tiers"];
        (tiers[0]["rows"].as_u64() == Some(2)).then_some(())
    });
    let hours = points.chunks(60).zip(DAY / 3600..).map(|(points, hour)| {
        let sum: i64 = points.iter().map(|(_, value)| value).sum();
        json!(["m", hour, 60, sum as f64 / 60.0, points[0].1 as f64, points[59].1 as f64])
    });
    let expected = Value::from(hours.collect::<Vec<_>>());
    for engine in ["duckdb-tiers", "polars-tiers"] {
        let Some(found) = read_with(engine, &server) else { return };
        assert_eq!(found, expected, "{engine}");
    }
}
