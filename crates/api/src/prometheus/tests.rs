#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use promql::histogram::{BucketSpan, Histogram};
use promql::{Labels, ParseOptions, Point, Sample, Series, Value};
use serde_json::json;

use super::parameters::{Parameters, duration, time};
use super::{tree, write, yaml};

fn text(write: impl Fn(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

#[test]
fn numbers_are_texts_with_the_shortest_digits() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-07"),
        (1e-6, "0.000001"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (1e100, "1e+100"),
    ];
    for (value, expected) in cases {
        assert_eq!(text(|out| write::number(out, value)), format!("\"{expected}\""));
    }
    // Those with three decimals, and what is next to them.
    for thousandths in [1, 10, 100, 999, 1_001, 12_340, 500_500, 16_777_217, 999_999_999_999_999_u64] {
        let decimal = thousandths as f64 / 1000.0;
        for value in [decimal, -decimal, f64::next_down(decimal), f64::next_up(decimal)] {
            assert_eq!(text(|out| write::number(out, value)), format!("\"{value}\""));
        }
    }
    // Around where they are written in another way.
    let whole = (1_u64 << 53) as f64;
    for edge in [1e-6, 1e-5, 1e-4, 1.0, 12_345_678.0, 1e15, whole, 9e15, 1e16, 9e20] {
        let near = [edge, -edge, f64::next_down(edge), f64::next_up(edge), edge - 1.0, edge + 1.0];
        for value in near.into_iter().chain([edge / 3.0, -edge * 1.7]) {
            if (1e-6..1e21).contains(&value.abs()) {
                assert_eq!(text(|out| write::number(out, value)), format!("\"{value}\""));
            }
        }
    }
}

#[test]
fn times_are_seconds_with_milliseconds() {
    for (value, expected) in [(0, "0"), (1_500, "1.500"), (1_007, "1.007"), (-1_500, "-1.500"), (2_000, "2")]
    {
        assert_eq!(text(|out| write::time(out, value)), expected);
    }
}

#[test]
fn times_and_durations_are_read() {
    assert_eq!(time("1435781430.781"), Ok(1_435_781_430_781));
    assert_eq!(time("2015-07-01T20:10:51.781Z"), Ok(1_435_781_451_781));
    assert_eq!(time("2015-07-01T22:10:51+02:00"), Ok(1_435_781_451_000));
    assert_eq!(time("-292273086-05-16T16:47:06Z"), Ok(i64::MIN / 1_000_000));
    assert_eq!(time(""), Err("cannot parse \"\" to a valid timestamp".into()));
    assert!(time("2015-07-01").is_err() && time("NaN").is_err() && time("now").is_err());
    assert_eq!(duration("15"), Ok(15_000));
    assert_eq!(duration("0.5"), Ok(500));
    assert_eq!(duration("1h30m"), Ok(5_400_000));
    assert_eq!(duration("1m5ms"), Ok(60_005));
    assert!(duration("30m1h").is_err() && duration("1x").is_err() && duration("").is_err());
    assert!(duration("1e30").is_err_and(|error| error.ends_with("It overflows int64")));
}

#[test]
fn selectors_must_not_fit_everything() {
    let fault = |query| Parameters::parse(query).selectors().unwrap_err().message;
    assert_eq!(fault("match[]=%7Bjob%3D~%22.*%22%7D"), "match[] must contain at least one non-empty matcher");
    assert!(fault("match[]=%7B").starts_with("1:2: parse error: "));
    assert_eq!(Parameters::parse("match[]=up&match[]=down").selectors().unwrap().len(), 2);
}

#[test]
fn values_have_prometheus_shape() {
    let labels: Labels = [("__name__", "x"), ("a", "\"\n")].into_iter().collect();
    let histogram = Histogram {
        count: 4.0,
        sum: 7.5,
        zero_threshold: 0.5,
        zero_count: 1.0,
        positive_spans: vec![BucketSpan { offset: 1, length: 1 }],
        positive_buckets: vec![3.0],
        ..Histogram::default()
    };
    let point = Point::Histogram(Arc::new(histogram));
    let vector =
        Value::Vector(vec![Sample { labels: labels.clone(), time_ms: 1_500, point: Point::Float(2.0) }]);
    assert_eq!(
        write::data(&vector, None),
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"x","a":"\"\n"},"value":[1.500,"2"]}]}"#
    );
    let matrix = Value::Matrix(vec![Series { labels, points: vec![(0, Point::Float(1.0)), (1000, point)] }]);
    let data: serde_json::Value = serde_json::from_str(&write::data(&matrix, None)).unwrap();
    assert_eq!(
        data["result"][0],
        json!({
            "metric": {"__name__": "x", "a": "\"\n"},
            "values": [[0, "1"]],
            "histograms": [[1, {"count": "4", "sum": "7.5", "buckets": [[3, "-0.5", "0.5", "1"], [0, "1", "2", "3"]]}]],
        })
    );
    assert_eq!(
        write::data(&Value::Scalar { time_ms: 1, value: 3.0 }, None),
        r#"{"resultType":"scalar","result":[0.001,"3"]}"#
    );
    let small = write::data(&Value::Scalar { time_ms: 0, value: 1e-9 }, None);
    assert_eq!(small, r#"{"resultType":"scalar","result":[0,"0.000000001"]}"#);
}

#[test]
fn trees_are_prometheus() {
    let expr =
        promql::parse("sum by (job) (rate(x{a=\"b\"}[5m] offset 1m)) > 1", &ParseOptions::default()).unwrap();
    let tree = tree::json(&expr);
    assert_eq!(
        (&tree["type"], &tree["op"], &tree["matching"]),
        (&json!("binaryExpr"), &json!(">"), &json!(null))
    );
    assert_eq!(tree["lhs"]["grouping"], json!(["job"]));
    let call = &tree["lhs"]["expr"];
    assert_eq!(
        call["func"],
        json!({"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"})
    );
    let selector = &call["args"][0];
    assert_eq!(
        (
            &selector["type"],
            &selector["name"],
            &selector["range"],
            &selector["offset"],
            &selector["timestamp"]
        ),
        (&json!("matrixSelector"), &json!("x"), &json!(300_000), &json!(60_000), &json!(null))
    );
    assert_eq!(selector["matchers"][0], json!({"name": "a", "value": "b", "type": "="}));
    assert_eq!(tree["rhs"], json!({"type": "numberLiteral", "val": "1"}));
}

#[test]
fn yaml_is_in_blocks_and_texts_stay_texts() {
    let value = json!({
        "a": {"interval": "15s", "none": {}, "list": [], "off": false, "count": 3},
        "jobs": [{"name": "x", "targets": ["127.0.0.1:9090", "b"], "deep": {"c": [["d"]]}}, "last"],
        "texts": ["no", "1e3", "0x1", "3.5", "2026-01-01", "- a", "a: b", "#", "", "ü", "a b", "node_load1", "/a/b.yml", "\"\n"],
    });
    let expected = "\
a:
  count: 3
  interval: 15s
  list: []
  none: {}
  \"off\": false
jobs:
- deep:
    c:
    - - d
  name: x
  targets:
  - \"127.0.0.1:9090\"
  - b
- last
texts:
- \"no\"
- \"1e3\"
- \"0x1\"
- \"3.5\"
- \"2026-01-01\"
- \"- a\"
- \"a: b\"
- \"#\"
- \"\"
- \"ü\"
- \"a b\"
- node_load1
- /a/b.yml
- \"\\\"\\n\"
";
    assert_eq!(yaml::document(&value), expected);
    assert_eq!(yaml::document(&json!({})), "{}\n");
}
