#![allow(clippy::unwrap_used)]

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type};
use model::Batch;
use wire::prometheus::Version;
use wire::{Context, Decide, Limits as WireLimits};

use super::*;
use crate::scrape::relabel::RelabelConfig;

const AT: i64 = 1_700_000_000_000;

fn rules(relabel: &[serde_json::Value]) -> Rules {
    let rule = |json: &serde_json::Value| {
        let config: RelabelConfig = serde_json::from_value(json.clone()).unwrap();
        Rule::new(&config).unwrap()
    };
    Rules { honor_timestamps: true, relabel: relabel.iter().map(rule).collect(), ..Rules::default() }
}

fn target() -> Labels {
    [("job", "node"), ("instance", "a:1")].into_iter().collect()
}

/// The samples of a request in the text format, sorted; `stale` is the marker.
fn told(request: RequestWriter) -> Vec<String> {
    let limits = WireLimits::default();
    let context = Context { received_unix_nano: 0, decide: Decide::Apply(&limits) };
    let decoded = wire::prometheus::decode(Version::V2, &request.finish(), &context).unwrap();
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    let Batch::Metrics(metrics) = decoded.batch else { panic!("metrics") };
    let column = |name: &str| metrics.samples.column_by_name(name).unwrap().clone();
    let attributes = metrics.series.column_by_name("attributes").unwrap().as_map().clone();
    let labels = |series: usize| {
        let labels = attributes.value(series);
        let (names, values) = (labels.column(0).as_string::<i32>(), labels.column(1).as_string::<i32>());
        (0..labels.len())
            .map(|at| format!("{}={}", names.value(at), values.value(at)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (series, values, times) = (column("series"), column("value"), column("time_unix_nano"));
    let mut rows: Vec<String> = (0..metrics.samples.num_rows())
        .map(|row| {
            let value = values.as_primitive::<Float64Type>().value(row);
            let value = if value.to_bits() == STALE { "stale".to_owned() } else { value.to_string() };
            let time = times.as_primitive::<Int64Type>().value(row) / 1_000_000 - AT;
            let series = series.as_primitive::<UInt32Type>().value(row) as usize;
            format!("{} {value} @{time}", labels(series))
        })
        .collect();
    rows.sort();
    rows
}

/// One scrape that is stored: its samples and counts, or why it failed and what was stored then.
fn scrape(series: &mut Series, rules: &Rules, body: &str, at: i64) -> (Vec<String>, Result<Counts, String>) {
    series.begin();
    let read = series.read((Exposed::Lines(Format::Text), body.as_bytes()), rules, &target(), AT + at);
    let (request, counts) = match read {
        Ok((request, counts)) => (request, Ok(counts)),
        Err((_, reason)) => (series.fail(AT + at), Err(reason)),
    };
    series.commit(counts.is_err());
    (told(request), counts)
}

#[test]
fn labels_of_the_target_win_or_give_way() {
    let body = "a{job=\"own\",exported_job=\"older\",x=\"1\"} 1\n";
    let (found, counts) = scrape(&mut Series::default(), &rules(&[]), body, 0);
    let expected = "__name__=a exported_exported_job=own exported_job=older instance=a:1 job=node x=1 1 @0";
    assert_eq!((found, counts.unwrap().kept), (vec![expected.to_owned()], 1));
    let honored = Rules { honor_labels: true, ..rules(&[]) };
    let (found, _) = scrape(&mut Series::default(), &honored, body, 0);
    assert_eq!(found, ["__name__=a exported_job=older instance=a:1 job=own x=1 1 @0"]);
}

#[test]
fn rules_drop_and_change_series() {
    let rules = rules(&[
        serde_json::json!({"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}),
        serde_json::json!({"regex": "secret", "action": "labeldrop"}),
        serde_json::json!({"source_labels": ["__name__"], "regex": "old", "target_label": "__name__", "replacement": "new"}),
    ]);
    let mut series = Series::default();
    for (at, added) in [(0, 1), (1, 0)] {
        let (found, counts) = scrape(&mut series, &rules, "go_gc 1\nold{secret=\"x\"} 2\n", at);
        assert_eq!(found, [format!("__name__=new instance=a:1 job=node 2 @{at}")]);
        assert_eq!(counts.unwrap(), Counts { scraped: 2, kept: 1, added, duplicates: 0 });
    }
}

#[test]
fn what_is_gone_is_marked_once() {
    let (mut series, rules) = (Series::default(), rules(&[]));
    let line =
        |name: &str, value: &str, at: i64| format!("__name__={name} instance=a:1 job=node {value} @{at}");
    drop(scrape(&mut series, &rules, "a 1\nb{x=\"1\",y=\"2\"} 1\nc 1\n", 0));
    // The order of labels does not make another series.
    let (found, _) = scrape(&mut series, &rules, "a 2\nb{y=\"2\",x=\"1\"} 1\n", 1);
    assert!(found.contains(&line("c", "stale", 1)) && found.len() == 3, "{found:?}");
    let (found, _) = scrape(&mut series, &rules, "a 3\n", 2);
    assert_eq!(found, [line("a", "3", 2), "__name__=b instance=a:1 job=node x=1 y=2 stale @2".into()]);
    let (found, _) = scrape(&mut series, &rules, "a 4\n", 3);
    assert_eq!(found, [line("a", "4", 3)]);
}

#[test]
fn a_scrape_that_fails_marks_all_and_stores_nothing_of_it() {
    let (mut series, rules) = (Series::default(), rules(&[]));
    drop(scrape(&mut series, &rules, "a 1\n", 0));
    let (found, failed) = scrape(&mut series, &rules, "b 1\na 2\nc{ 1\n", 1);
    assert_eq!(found, ["__name__=a instance=a:1 job=node stale @1"]);
    assert_eq!(failed.unwrap_err(), "line 3: a quote or a brace does not end");
    let (found, _) = scrape(&mut series, &rules, "a 3\n", 2);
    assert_eq!(found, ["__name__=a instance=a:1 job=node 3 @2"]);
    for (body, reason) in [
        ("{x=\"1\"} 1\n", "line 1: the series has no name (`__name__`)"),
        ("a{x=\"1\",x=\"1\"} 1\n", "line 1: the label `x` is written twice"),
    ] {
        assert_eq!(scrape(&mut series, &rules, body, 3).1.unwrap_err(), reason);
    }
}

#[test]
fn a_scrape_that_was_not_stored_did_not_happen() {
    let (mut series, rules) = (Series::default(), rules(&[]));
    drop(scrape(&mut series, &rules, "a 1\nb 1\n", 0));
    series.begin();
    // Here `b` is gone, and nobody hears of it.
    assert!(series.read((Exposed::Lines(Format::Text), b"a 2\n"), &rules, &target(), AT + 1).is_ok());
    let (found, _) = scrape(&mut series, &rules, "a 3\n", 2);
    assert!(found.contains(&"__name__=b instance=a:1 job=node stale @2".to_owned()), "{found:?}");
}

#[test]
fn times_of_the_target_are_kept_and_not_marked_or_left_aside() {
    let mut series = Series::default();
    let body = format!("a 1 {}\na 2 {}\nb 1\nb 2\n", AT - 5, AT - 4);
    let (found, counts) = scrape(&mut series, &rules(&[]), &body, 0);
    let a = |value, at| format!("__name__=a instance=a:1 job=node {value} @{at}");
    assert_eq!(found, [a(1, -5), a(2, -4), "__name__=b instance=a:1 job=node 1 @0".into()]);
    assert_eq!(counts.unwrap().duplicates, 1);
    let (found, _) = scrape(&mut series, &rules(&[]), "b 3\n", 1);
    assert_eq!(found, ["__name__=b instance=a:1 job=node 3 @1"], "`a` is not marked");

    let left_aside = Rules { honor_timestamps: false, ..rules(&[]) };
    let (found, _) = scrape(&mut Series::default(), &left_aside, &body, 0);
    assert!(found.contains(&a(1, 0)) && found.len() == 2, "{found:?}");
    let tracked = Rules { track_timestamps: true, ..rules(&[]) };
    let mut series = Series::default();
    drop(scrape(&mut series, &tracked, &body, 0));
    let (found, _) = scrape(&mut series, &tracked, "b 3\n", 1);
    assert!(found.contains(&"__name__=a instance=a:1 job=node stale @1".to_owned()), "{found:?}");
}

#[test]
fn limits_fail_the_scrape() {
    let with = |limits| Rules { limits, ..rules(&[]) };
    for (limits, body, expected) in [
        (Limits { samples: 1, ..Limits::default() }, "a 1\nb 1\n", "sample_limit of 1 exceeded: 2 samples"),
        (
            Limits { labels: 3, ..Limits::default() },
            "a{x=\"1\"} 1\n",
            "line 1: label_limit of 3 exceeded: a has 4 labels",
        ),
        (
            Limits { name_bytes: 8, ..Limits::default() },
            "a{longer_name=\"1\"} 1\n",
            "line 1: label_name_length_limit of 8 exceeded: a has a name of 11 bytes",
        ),
        (
            Limits { value_bytes: 5, ..Limits::default() },
            "a{x=\"123456\"} 1\n",
            "line 1: label_value_length_limit of 5 exceeded: a has a `x` of 6 bytes",
        ),
    ] {
        let (_, failed) = scrape(&mut Series::default(), &with(limits), body, 0);
        assert_eq!(failed.unwrap_err(), expected);
    }
    let dropped = Rules {
        limits: Limits { samples: 1, ..Limits::default() },
        ..rules(&[serde_json::json!({"source_labels": ["__name__"], "regex": "b", "action": "drop"})])
    };
    assert!(
        scrape(&mut Series::default(), &dropped, "a 1\nb 1\n", 0).1.is_ok(),
        "what is dropped does not count"
    );
}

#[test]
fn what_is_kept_between_scrapes_is_as_large_as_a_scrape() {
    let (mut series, rules) = (Series::default(), rules(&[]));
    let body =
        |round: usize| (0..100).map(|number| format!("a{{x=\"{round}-{number}\"}} 1\n")).collect::<String>();
    drop(scrape(&mut series, &rules, &body(0), 0));
    let first = series.bytes();
    for round in 1..50 {
        drop(scrape(&mut series, &rules, &body(round), 1));
        assert!(series.bytes() <= first + 1000, "{} bytes after {round}, {first} at first", series.bytes());
    }
    for round in 50..100 {
        // These fail in their last line.
        drop(scrape(&mut series, &rules, &(body(round) + "{"), 1));
        assert!(series.bytes() <= first * 16, "{} bytes after {round}, {first} at first", series.bytes());
    }
}

#[test]
fn an_exemplar_that_is_exposed_again_is_the_same() {
    let (mut series, rules) = (Series::default(), rules(&[]));
    let exemplars = |series: &mut Series, id: &str| {
        series.begin();
        let body = format!("# TYPE a counter\na_total 1 # {{trace_id=\"{id}\"}} 2\n# EOF\n");
        let (request, _) = series
            .read((Exposed::Lines(Format::OpenMetrics), body.as_bytes()), &rules, &target(), AT)
            .map_err(|it| it.1)
            .unwrap();
        series.commit(false);
        let limits = WireLimits::default();
        let context = Context { received_unix_nano: 0, decide: Decide::Apply(&limits) };
        let decoded = wire::prometheus::decode(Version::V2, &request.finish(), &context).unwrap();
        let Batch::Metrics(metrics) = decoded.batch else { panic!("metrics") };
        metrics.exemplars.num_rows()
    };
    assert_eq!(
        [exemplars(&mut series, "x"), exemplars(&mut series, "x"), exemplars(&mut series, "y")],
        [1, 0, 1]
    );
    assert_eq!(series.metadata()["a"].kind, "counter");
}
