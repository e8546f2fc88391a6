use model::Table;
use serde_json::{Value, json};

use super::fixture::Place;
use crate::schema;

/// The type of a column, as Delta Lake writes it.
fn check(table: Table, column: &str, nullable: bool, expected: Value) {
    let columns = serde_json::to_value(schema::columns(table).unwrap()).unwrap();
    let field = columns["fields"].as_array().unwrap().iter().find(|field| field["name"] == column).unwrap();
    assert_eq!(field["type"], expected, "{table}.{column}");
    assert_eq!(field["nullable"], nullable, "{table}.{column}");
}

#[test]
fn columns_have_the_types_of_the_contract() {
    let map = json!({ "type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": true });
    check(Table::Logs, "time_unix_nano", false, json!("long"));
    check(Table::Logs, "severity_number", false, json!("integer"));
    check(Table::Logs, "body", true, json!("string"));
    check(Table::Logs, "trace_id", true, json!("binary"));
    check(Table::Logs, "attributes", false, map.clone());
    check(Table::Samples, "value", true, json!("double"));
    check(Table::Samples, "value_scaled", true, json!("long"));
    check(Table::Series, "is_monotonic", true, json!("boolean"));
    let list = |element: &str| json!({ "type": "array", "elementType": element, "containsNull": false });
    check(Table::Histograms, "positive_buckets", false, list("long"));
    check(Table::Histograms, "custom_bounds", false, list("double"));
    let field =
        |name: &str, of: Value| json!({ "name": name, "type": of, "nullable": false, "metadata": {} });
    let events = json!({ "type": "struct", "fields": [
        field("time_unix_nano", json!("long")),
        field("name", json!("string")),
        field("attributes", map),
        field("dropped_attributes_count", json!("integer")),
    ]});
    check(
        Table::Spans,
        "events",
        false,
        json!({ "type": "array", "elementType": events, "containsNull": false }),
    );
}

#[test]
fn every_table_has_the_columns_of_its_files_and_of_their_path() {
    for table in Table::ALL {
        let columns = schema::columns(table).unwrap();
        let names: Vec<&str> = columns.fields().map(|field| field.name().as_str()).collect();
        let file = model::schema::stored(table);
        let in_file = file.fields().iter().map(|field| field.name().as_str());
        assert_eq!(names, in_file.chain(["tenant", "day"]).collect::<Vec<_>>(), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_an_older_release_gets_the_new_columns_and_stays_the_same_table() {
    let mut place = Place::new();
    place.add(Table::Logs, "default", 2, 0);
    place.publish().await;
    // As it was before the last column of the files was there.
    let path = place.log_dir(Table::Logs).join(format!("{:020}.json", 0));
    let text = std::fs::read_to_string(&path).unwrap();
    let column = r#"{\"name\":\"scope_schema_url\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}},"#;
    assert!(text.contains(column), "{text}");
    std::fs::write(&path, text.replace(column, "")).unwrap();
    place.restart();
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert_eq!((change.version, change.committed, change.rebuilt), (Some(1), true, false));
    let metadata = |version| {
        let actions = place.version(Table::Logs, version);
        actions.into_iter().find(|(kind, _)| kind == "metaData").unwrap().1
    };
    assert_eq!(metadata(0)["id"], metadata(1)["id"]);
    assert!(metadata(1)["schemaString"].as_str().unwrap().contains("scope_schema_url"));
    place.assert_published().await;
    let change = place.publish().await.remove(&Table::Logs).unwrap();
    assert!(!change.committed);
}
