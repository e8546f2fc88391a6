//! Other engines read the tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::Table;
use serde_json::{Value, json};

use super::fixture::Place;
use crate::schema::CHECKPOINT_INTERVAL;

const IMPORTS: &str = "import deltalake, duckdb, polars, pyarrow";

fn own() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
}

/// A Python with the engines; it is set up when it is missing.
fn python() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = here.ancestors().nth(3).ok_or("this test lies in no target directory")?;
    let venv = target.join("clients/venv");
    let python = venv.join("bin/python");
    if succeed(Command::new(&python).args(["-c", IMPORTS])).is_ok() {
        return Ok(python);
    }
    let list = own().join("../../tests/clients/python/requirements.txt");
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let install = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--requirement"];
    succeed(Command::new(&python).args(install).arg(list))?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What the engines see in every table.
fn read(python: &Path, place: &Place) -> BTreeMap<String, Value> {
    let segments = place.dir().join("segments");
    let output = succeed(Command::new(python).arg(own().join("src/tests/readers.py")).arg(segments)).unwrap();
    serde_json::from_slice(&output).unwrap()
}

fn check(python: &Path, place: &Place) {
    let seen = read(python, place);
    for table in Table::ALL {
        let seen = &seen[table.as_str()];
        let live = || place.live.segments.iter().filter(|segment| segment.table == table);
        let rows = |tenant: &str| -> u64 {
            let of_tenant = live().filter(|segment| segment.path.contains(&format!("/tenant={tenant}/")));
            of_tenant.map(|segment| segment.rows).sum()
        };
        let total = rows("default") + rows("team-b");
        for (reader, count) in seen["rows"].as_object().unwrap() {
            let expected = if reader == "polars one tenant" { rows("team-b") } else { total };
            assert_eq!(*count, json!(expected), "{table} read by {reader}");
        }
        assert_eq!(seen["files"], json!(live().count()), "{table}");
        let columns = crate::schema::columns(table).unwrap();
        assert_eq!(seen["columns"], json!(columns.fields().map(|field| field.name()).collect::<Vec<_>>()));
        // What Delta Lake's log says of partitions is what the paths say to those who do without it.
        assert_eq!(seen["groups over delta"], seen["groups over files"], "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deltalake_polars_and_duckdb_read_every_table_in_place() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => {
            assert_ne!(std::env::var("FRESNEL_NO_SKIP").as_deref(), Ok("1"), "{reason}");
            let message = format!("skipped: other engines read the tables: {reason}\n");
            std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).unwrap();
            return;
        }
    };
    let mut place = Place::new();
    let mut merge = Vec::new();
    for table in Table::ALL {
        place.add(table, "team-b", 4, 0);
        merge.push([place.add(table, "default", 7, 0), place.add(table, "default", 5, 0)]);
    }
    place.publish().await;
    check(&python, &place);

    for [first, second] in &merge {
        place.compact(&[first, second], "default");
    }
    place.publish().await;
    check(&python, &place);
    nested_values_arrive(&read(&python, &place));

    // Over a checkpoint, and after what is before it has gone.
    for _ in 0..CHECKPOINT_INTERVAL {
        place.add(Table::Spans, "default", 1, 0);
        place.publish().await;
    }
    for version in 0..CHECKPOINT_INTERVAL {
        std::fs::remove_file(place.log_dir(Table::Spans).join(format!("{version:020}.json"))).unwrap();
    }
    check(&python, &place);
}

/// One row of `spans` and `histograms` as Python sees it.
fn nested_values_arrive(seen: &BTreeMap<String, Value>) {
    let span = &seen["spans"]["first"];
    assert_eq!((&span["tenant"], &span["day"]), (&json!("default"), &json!("2027-03-01")));
    assert_eq!(span["attributes"], json!([["key ä0", "value ä0"]]));
    assert_eq!(span["trace_id"], "00000000000000000000000000000001");
    let event = &span["events"][0];
    assert_eq!((&event["name"], &event["attributes"]), (&json!("name ä0"), &json!([])));
    let histogram = &seen["histograms"]["first"];
    assert_eq!(histogram["positive_spans"], json!([{ "offset": 0, "length": 0 }]));
    assert_eq!(histogram["custom_bounds"], json!([0.0]));
    assert_eq!(seen["spans"]["history"], json!(["OPTIMIZE", "WRITE"]));
}
