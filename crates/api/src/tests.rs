#![allow(clippy::unwrap_used)]

mod health;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder, TimestampNanosecondArray,
};
use serde_json::{Value, json};

use crate::clock;
use crate::dto::Summary;
use crate::render::Format;
use crate::route::parameters::{Parameters, parse_trace_id};

fn batch() -> RecordBatch {
    let times =
        TimestampNanosecondArray::from(vec![Some(1_700_000_000_123_456_789), None]).with_timezone("UTC");
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("a\"b");
    maps.values().append_value("1,2");
    maps.append(true).unwrap();
    maps.append(true).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(times)),
        ("n", Arc::new(Int64Array::from(vec![i64::MAX, -1]))),
        ("text", Arc::new(StringArray::from(vec![Some("x,\"y\"\n"), None]))),
        ("attributes", Arc::new(maps.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn rendered(format: Format, batches: usize) -> Vec<u8> {
    let batch = batch();
    let mut render = format.render(batch.schema()).unwrap();
    let mut out = Vec::from(render.begin().unwrap());
    for _ in 0..batches {
        out.extend_from_slice(&render.batch(&batch).unwrap());
    }
    out.extend_from_slice(&render.end(&Summary { complete: true, ..Summary::default() }).unwrap());
    out
}

#[test]
fn json_has_columns_rows_and_completeness() {
    let answer: Value = serde_json::from_slice(&rendered(Format::Json, 2)).unwrap();
    assert_eq!(answer["columns"][0], json!({"name": "time", "type": "timestamp"}));
    assert_eq!(answer["columns"][3], json!({"name": "attributes", "type": "map"}));
    assert_eq!(answer["rows"].as_array().unwrap().len(), 4);
    assert_eq!(answer["rows"][0][1], json!(i64::MAX));
    assert_eq!(answer["rows"][0][3], json!({"a\"b": "1,2"}));
    assert_eq!(answer["rows"][1][0], Value::Null);
    assert!(answer["rows"][0][0].as_str().unwrap().starts_with("2023-11-14T22:13:20.123456789"));
    assert_eq!(answer["complete"], json!(true));
    let empty: Value = serde_json::from_slice(&rendered(Format::Json, 0)).unwrap();
    assert_eq!(empty["rows"], json!([]));
}

#[test]
fn ndjson_ends_with_its_summary() {
    let text = String::from_utf8(rendered(Format::Ndjson, 1)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["text"], Value::Null);
    assert_eq!(lines[2]["$summary"]["complete"], json!(true));
}

#[test]
fn csv_quotes_and_writes_maps_as_json() {
    let text = String::from_utf8(rendered(Format::Csv, 1)).unwrap();
    assert!(text.starts_with("time,n,text,attributes\n"), "{text}");
    assert!(text.contains("\"x,\"\"y\"\"\n\""), "{text}");
    assert!(text.contains(r#""{""a\""b"":""1,2""}""#), "{text}");
}

#[test]
fn arrow_and_parquet_are_read_back() {
    let stream = rendered(Format::Arrow, 2);
    let read = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    assert_eq!(read.map(|batch| batch.unwrap()).collect::<Vec<_>>(), vec![batch(), batch()]);
    let file = bytes::Bytes::from(rendered(Format::Parquet, 2));
    let read = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1024).unwrap();
    assert_eq!(read.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
}

#[test]
fn parameters_are_checked() {
    let parameters = Parameters::parse("limit=5&attr=a:b&attr=c\\:d:e:f&q=&x=1").unwrap();
    assert_eq!(parameters.limit(1, 10).unwrap(), 5);
    let pairs = parameters.pairs("attr").unwrap();
    assert_eq!(pairs, vec![("a".into(), "b".into()), ("c:d".into(), "e:f".into())]);
    assert_eq!(parameters.text("q").unwrap(), None);
    let problem = parameters.only(&["limit", "attr", "q"]).unwrap_err();
    assert_eq!(problem.detail, "unknown parameter `x`");
    assert!(parameters.limit(1, 4).is_err());
    assert!(Parameters::parse("attr=nocolon").unwrap().pairs("attr").is_err());
    assert!(Parameters::parse("error=yes").unwrap().flag("error").is_err());
    assert!(Parameters::parse("from=1&from=2").unwrap().one("from").is_err());
}

#[test]
fn times_are_rfc_3339_or_milliseconds() {
    let range = clock::range(Some("2026-11-21T10:00:00Z"), Some("1795258801000")).unwrap();
    assert_eq!(range.from, 1_795_255_200_000_000_000);
    assert_eq!(range.to - range.from, 3_601_000_000_000);
    assert!(clock::range(Some("5"), Some("5")).is_err());
    assert!(clock::range(Some("yesterday"), None).unwrap_err().detail.contains("yesterday"));
    assert!(clock::range(Some("9223372036854775807"), None).is_err());
    assert_eq!(clock::duration("timeout", "500ms").unwrap().as_millis(), 500);
    assert!(clock::duration("timeout", "5").is_err());
    assert!(clock::duration("timeout", "ms").is_err());
}

#[test]
fn trace_ids_have_32_hex_digits() {
    assert_eq!(parse_trace_id("0000000000000000000000000000000A").unwrap()[15], 10);
    for bad in ["", "1", "+000000000000000000000000000000a", "g0000000000000000000000000000000"] {
        assert!(parse_trace_id(bad).is_err(), "{bad}");
    }
}
