//! Examples of each form.

use super::*;

fn floats(line: &str) -> Vec<Option<f64>> {
    let description = parse_series(line).expect(line);
    let float = |value: &SequenceValue| match value {
        SequenceValue::Gap => None,
        SequenceValue::Float(value) => Some(*value),
        SequenceValue::Histogram { histogram, .. } => Some(histogram.count),
    };
    description.values.iter().map(float).collect()
}

#[test]
fn sequences_are_expanded() {
    let some = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
    assert_eq!(floats("m 1 -2.5 1e3"), some(&[1.0, -2.5, 1000.0]));
    assert_eq!(floats("m 1+2x3"), some(&[1.0, 3.0, 5.0, 7.0]));
    assert_eq!(floats("m -1-2x1"), some(&[-1.0, -3.0]));
    assert_eq!(floats("m 0x3"), some(&[0.0; 4]));
    assert_eq!(floats("m _ 7 _x2"), [None, Some(7.0), None, None]);
    assert_eq!(floats("m -Inf inf"), some(&[f64::NEG_INFINITY, f64::INFINITY]));
    assert_eq!(floats("m {{count:2}}+{{count:3}}x2"), some(&[2.0, 5.0, 8.0]));
    assert_eq!(floats("m {{count:9}}-{{count:3}}x1 {{}}x1"), some(&[9.0, 6.0, 0.0, 0.0]));
    let stale = parse_series("m stale").expect("is right");
    let [SequenceValue::Float(value)] = stale.values[..] else { panic!("one float") };
    assert_eq!(value.to_bits(), crate::histogram::STALE_NAN_BITS);
}

#[test]
fn labels_may_be_quoted() {
    let labels = |line: &str| {
        parse_labels(line).expect(line).iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>()
    };
    assert_eq!(labels("m"), ["__name__=m"]);
    assert_eq!(labels(r#"m{b="x\n\"y", a='`'}"#), ["__name__=m", "a=`", "b=x\n\"y"]);
    assert_eq!(labels(r#"{"a name", "a.b"="c",}"#), ["__name__=a name", "a.b=c"]);
    assert_eq!(labels("{}"), [""; 0]);
}

#[test]
fn start_times_are_relative() {
    let line = parse_line(r#"m{a="b"}@st _ -30s-1mx2 0 _x2"#).expect("is right");
    let SeriesLine::StartTimes(times) = line else { panic!("start times") };
    let offsets = [None, Some(-30_000), Some(-90_000), Some(-150_000), Some(0), None, None];
    assert_eq!(times.offsets_ms, offsets);
}

#[test]
fn durations_have_units_in_order() {
    assert_eq!(parse_duration_ms("1h30m").ok(), Some(5_400_000));
    assert_eq!(parse_duration_ms("10s53ms").ok(), Some(10_053));
    assert_eq!(parse_duration_ms("0").ok(), Some(0));
    for wrong in ["", "5", "1m1h", "1m1m", "1x", "99999999999y"] {
        assert!(parse_duration_ms(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn mistakes_have_a_place() {
    let at = |line: &str| parse_series(line).expect_err(line).at;
    assert_eq!(at("m 1+2"), 5);
    assert_eq!(at("m{a=b} 1"), 4);
    assert_eq!(at("m 1x1000000"), 11);
    assert_eq!(at("m {{schema:9}}"), 12);
    assert_eq!(at("m {{sum:1 sum:2}}"), 13);
}
