#![allow(clippy::unwrap_used)]

use promql::histogram::{STALE_NAN_BITS, go_float};
use promql::series_description::parse_series;
use promql::{Labels, Options, ParseOptions, Point, Sample, Value};

use super::{AlertState, Defaults, Group, Health, Restore, Series};
use crate::rules::RuleFile;
use crate::trial::store::Store;

const MINUTE: i64 = 60_000;

fn defaults() -> Defaults {
    Defaults {
        interval_ms: MINUTE,
        query_offset_ms: 0,
        limit: 3,
        external_labels: [("region", "eu")].into_iter().collect(),
        external_url: "http://here".to_owned(),
    }
}

fn group(rules: &str) -> Group {
    let text = format!("groups:\n- name: g\n  {}\n", rules.replace('\n', "\n  "));
    let file = RuleFile::parse(&text, &ParseOptions::default()).map_err(|problems| format!("{problems:?}"));
    Group::new("f.yml", file.unwrap().groups.remove(0), &defaults())
}

fn store(series: &[&str]) -> Store {
    let mut store = Store::new(Options::default());
    for line in series {
        store.load(&parse_series(line).unwrap(), 0, MINUTE);
    }
    store
}

/// Evaluates every minute, the last one included; what a query gives then.
fn evaluate(group: &mut Group, store: &mut Store, minutes: std::ops::RangeInclusive<i64>) {
    for minute in minutes {
        group.evaluate(minute * MINUTE, store);
    }
}

fn ask(store: &Store, expr: &str, minute: i64) -> Vec<String> {
    match store.query(expr, minute * MINUTE).unwrap() {
        Value::Vector(vector) => vector
            .iter()
            .map(|sample| match &sample.point {
                Point::Float(value) => format!("{} {}", sample.labels, go_float(*value)),
                Point::Histogram(histogram) => format!("{} {histogram}", sample.labels),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn bad(group: &Group, rule: usize) -> String {
    match group.rules()[rule].health() {
        Health::Bad(error) => error.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn recording_rules_name_and_label_what_they_give() {
    let mut group = group(
        "labels: {team: web, gone: ''}\nrules:\n- record: job:up:sum\n  expr: sum by (job, gone) (up)\n  labels: {job2: x}\n- record: twice\n  expr: job:up:sum * 2\n- record: number\n  expr: 1 + 1",
    );
    let mut store = store(&["up{job=\"a\",gone=\"y\"} 1x9", "up{job=\"b\"} 3x9"]);
    group.evaluate(0, &mut store);
    // A rule sees what those before it gave at the same time.
    assert_eq!(
        ask(&store, "twice", 0),
        [
            r#"{__name__="twice", job="a", job2="x", team="web"} 2"#,
            r#"{__name__="twice", job="b", job2="x", team="web"} 6"#,
        ]
    );
    assert_eq!(ask(&store, "number", 0), [r#"{__name__="number", team="web"} 2"#]);
    assert_eq!(group.rules().iter().filter(|rule| *rule.health() == Health::Ok).count(), 3);
}

#[test]
fn native_histograms_are_recorded() {
    let mut group = group("rules:\n- record: sum\n  expr: sum(h)");
    let mut store =
        store(&["h{a=\"1\"} {{count:2 sum:3 buckets:[2]}}x3", "h{a=\"2\"} {{count:1 sum:1 buckets:[1]}}x3"]);
    group.evaluate(0, &mut store);
    assert_eq!(ask(&store, "sum", 0), [r#"{__name__="sum"} {count:3, sum:4, (0.5,1]:3}"#]);
}

#[test]
fn series_that_vanish_are_ended() {
    let mut group = group("rules:\n- record: r\n  expr: m > 1");
    let mut store = store(&["m{a=\"x\"} 2 2 0 2"]);
    evaluate(&mut group, &mut store, 0..=2);
    assert_eq!(ask(&store, "r", 1).len(), 1);
    // Without a marker it would be found for five minutes more.
    assert_eq!(ask(&store, "r", 2).len(), 0);
    evaluate(&mut group, &mut store, 3..=3);
    assert_eq!(ask(&store, "r", 3).len(), 1);
}

#[test]
fn rules_that_cannot_be_evaluated_say_why() {
    let mut group = group(
        "limit: 1\nrules:\n- record: r\n  expr: m\n  labels: {a: x}\n- record: r\n  expr: m\n- alert: A\n  expr: m\n- alert: A\n  expr: m\n  labels: {a: same}\n- record: r\n  expr: m[5m]\n- record: r\n  expr: m * on () group_right () m",
    );
    let mut store = store(&["m{a=\"x\"} 1x9", "m{a=\"y\"} 1x9"]);
    group.evaluate(0, &mut store);
    let same = "vector contains metrics with the same labelset after applying";
    assert_eq!(bad(&group, 0), format!("{same} rule labels"));
    assert_eq!(bad(&group, 1), "exceeded limit of 1 with 2 series");
    assert_eq!(bad(&group, 2), "exceeded limit of 1 with 2 alerts");
    assert_eq!(bad(&group, 3), format!("{same} alert labels"));
    assert_eq!(bad(&group, 4), "rule result is not a vector or scalar");
    assert!(bad(&group, 5).contains("found duplicate series"), "{}", bad(&group, 5));
    assert_eq!(ask(&store, "r", 0).len(), 0);
}

#[test]
fn a_group_cannot_raise_the_limit_of_all() {
    let mut group = group("limit: 100\nrules:\n- record: r\n  expr: m\n- alert: A\n  expr: m");
    let mut store = store(&["m{a='1'} 1", "m{a='2'} 1", "m{a='3'} 1", "m{a='4'} 1"]);
    group.evaluate(0, &mut store);
    assert_eq!(bad(&group, 0), "exceeded limit of 3 with 4 series");
    assert_eq!((bad(&group, 1), group.limit()), ("exceeded limit of 3 with 4 alerts".to_owned(), 100));
    assert_eq!(group.rules()[1].active_alerts().count(), 0);
}

#[test]
fn what_is_not_kept_is_tried_again() {
    /// Keeps nothing while it is broken.
    struct Broken(Store, bool);
    impl Series for Broken {
        fn query(&self, expr: &str, time_ms: i64) -> Result<Value, String> {
            self.0.query(expr, time_ms)
        }
        fn append(&mut self, samples: Vec<Sample>) -> Result<(), String> {
            if self.1 { Err("disk full".to_owned()) } else { self.0.append(samples) }
        }
    }
    let mut group = group("rules:\n- record: r\n  expr: m > 1");
    let mut series = Broken(store(&["m 2 0 0 0"]), false);
    group.evaluate(0, &mut series);
    series.1 = true;
    group.evaluate(MINUTE, &mut series);
    assert_eq!(bad(&group, 0), "disk full");
    series.1 = false;
    group.evaluate(2 * MINUTE, &mut series);
    // The marker that was lost is written now.
    assert_eq!((ask(&series.0, "r", 1).len(), ask(&series.0, "r", 2).len()), (1, 0));
}

const ALERT: &str = "rules:\n- alert: Low\n  expr: m < 5\n  for: 2m\n  labels: {severity: page, level: '{{ $value }}'}\n  annotations: {summary: '{{ $labels.a }} is {{ $value }} in {{ $externalLabels.region }}', worse: '{{ $nope.x }}'}";

#[test]
fn alerts_wait_fire_and_end() {
    let alert = ALERT.replace(", worse: '{{ $nope.x }}'", "");
    let mut group = group(&alert);
    group.begin_anew();
    let mut store = store(&["m{a=\"x\"} 1 1 1 1 9 9"]);
    group.evaluate(0, &mut store);
    let only = |group: &Group| group.rules()[0].active_alerts().next().cloned();
    let pending = only(&group).unwrap();
    assert_eq!((pending.state, pending.active_at_ms), (AlertState::Pending, 0));
    let labels = r#"a="x", alertname="Low""#;
    assert_eq!(
        ask(&store, "ALERTS", 0),
        [format!(r#"{{__name__="ALERTS", {labels}, alertstate="pending", level="1", severity="page"}} 1"#)]
    );
    evaluate(&mut group, &mut store, 1..=2);
    let firing = only(&group).unwrap();
    assert_eq!((firing.state, firing.fired_at_ms), (AlertState::Firing, Some(2 * MINUTE)));
    assert_eq!(firing.annotations["summary"], "x is 1 in eu");
    assert_eq!(group.rules()[0].state(), AlertState::Firing);
    // The pending series has ended.
    assert_eq!(
        ask(&store, "ALERTS", 2),
        [format!(r#"{{__name__="ALERTS", {labels}, alertstate="firing", level="1", severity="page"}} 1"#)]
    );
    assert_eq!(
        ask(&store, "ALERTS_FOR_STATE", 3),
        [format!(r#"{{__name__="ALERTS_FOR_STATE", {labels}, level="1", severity="page"}} 0"#)]
    );
    evaluate(&mut group, &mut store, 3..=4);
    assert_eq!((only(&group), group.rules()[0].state()), (None, AlertState::Inactive));
    assert_eq!(ask(&store, "{__name__=~'ALERTS.*'}", 4).len(), 0);
}

#[test]
fn an_alert_that_ends_before_its_time_begins_anew() {
    let mut group = group("rules:\n- alert: Low\n  expr: m < 5\n  for: 2m");
    group.begin_anew();
    let mut store = store(&["m 1 9 1 1 1"]);
    evaluate(&mut group, &mut store, 0..=3);
    assert_eq!(group.rules()[0].state(), AlertState::Pending);
    evaluate(&mut group, &mut store, 4..=4);
    assert_eq!(group.rules()[0].state(), AlertState::Firing);
}

#[test]
fn an_alert_may_go_on_firing() {
    let mut group = group("rules:\n- alert: Low\n  expr: m < 5\n  keep_firing_for: 2m");
    group.begin_anew();
    let mut store = store(&["m 1 9 1 9 9 9 1"]);
    let mut states = Vec::new();
    for minute in 0..=6 {
        group.evaluate(minute * MINUTE, &mut store);
        let since = group.rules()[0].active_alerts().next().and_then(|alert| alert.keep_firing_since_ms);
        states.push((group.rules()[0].state().as_str(), since.map(|since| since / MINUTE)));
    }
    let expected = [
        ("firing", None),
        ("firing", Some(1)),
        ("firing", None),
        ("firing", Some(3)),
        ("firing", Some(3)),
        ("inactive", None),
        ("firing", None),
    ];
    assert_eq!(states, expected);
}

#[test]
fn a_template_that_fails_says_so_in_its_place() {
    let mut group = group(
        "rules:\n- alert: A\n  expr: m\n  annotations: {x: '{{ query \"(\" }}', y: '{{ query \"m * 2\" | first | value }}'}",
    );
    group.begin_anew();
    let mut store = store(&["m 4 4"]);
    group.evaluate(0, &mut store);
    let alert = group.rules()[0].active_alerts().next().cloned().unwrap();
    assert!(
        alert.annotations["x"]
            .starts_with("<error expanding template: error calling query: 1:2: parse error: ")
    );
    assert_eq!(alert.annotations["y"], "8");
}

#[test]
fn rules_are_evaluated_in_the_past_where_the_group_says_so() {
    let mut group = group("query_offset: 2m\nrules:\n- record: r\n  expr: m");
    let mut store = store(&["m 1 2 3 4 5"]);
    group.evaluate(4 * MINUTE, &mut store);
    assert_eq!(ask(&store, "timestamp(r)", 3), ["{} 120"]);
    assert_eq!(ask(&store, "r", 4), [r#"{__name__="r"} 3"#]);
}

/// One minute of being pending, then `down` minutes of nothing, then two evaluations and the memory.
fn restored(for_minutes: i64, grace: i64, down: i64) -> Group {
    let rules = format!("rules:\n- alert: Low\n  expr: m < 5\n  for: {for_minutes}m");
    let mut before = group(&rules);
    before.begin_anew();
    let mut store = store(&["m 1x600"]);
    evaluate(&mut before, &mut store, 0..=10);
    let start = 10 + down;
    let mut after = group(&rules);
    evaluate(&mut after, &mut store, start..=start + 1);
    // Nothing is written before it is known.
    assert!(!after.is_restored());
    let newest = ask(&store, "timestamp(ALERTS_FOR_STATE)", start + 1);
    assert!(down > 3 || newest == [r#"{alertname="Low"} 600"#], "{newest:?}");
    let restore = Restore {
        now_ms: (start + 1) * MINUTE,
        outage_tolerance_ms: 60 * MINUTE,
        grace_period_ms: grace * MINUTE,
        lookback_ms: 5 * MINUTE,
    };
    after.restore(&restore, &store).unwrap();
    assert!(after.is_restored());
    after
}

fn active_minute(group: &Group) -> i64 {
    group.rules()[0].active_alerts().next().unwrap().active_at_ms / MINUTE
}

#[test]
fn alerts_remember_over_a_restart() {
    // The three minutes that it was down and the one until it knows do not count.
    assert_eq!(active_minute(&restored(30, 5, 2)), 3);
    // It would fire within the grace period, which it has to wait for.
    assert_eq!(active_minute(&restored(12, 5, 2)), 13 + 5 - 12);
    // It fired, and does again.
    assert_eq!(active_minute(&restored(8, 5, 2)), 0);
    // Too short to be worth it; too long away.
    assert_eq!(active_minute(&restored(4, 5, 2)), 12);
    assert_eq!(active_minute(&restored(30, 5, 70)), 80);
}

#[test]
fn an_alert_that_had_ended_remembers_nothing() {
    let rules = "rules:\n- alert: Low\n  expr: m < 5\n  for: 30m";
    let mut before = group(rules);
    before.begin_anew();
    let mut store = store(&["m 1x4 9x2 1x600"]);
    evaluate(&mut before, &mut store, 0..=6);
    let mut after = group(rules);
    evaluate(&mut after, &mut store, 8..=9);
    let restore = Restore {
        now_ms: 9 * MINUTE,
        outage_tolerance_ms: 60 * MINUTE,
        grace_period_ms: 0,
        lookback_ms: 5 * MINUTE,
    };
    after.restore(&restore, &store).unwrap();
    assert_eq!(active_minute(&after), 8);
}

#[test]
fn a_changed_group_keeps_what_is_the_same() {
    let mut before = group(
        "rules:\n- alert: Low\n  expr: m < 5\n  for: 10m\n- record: old\n  expr: m\n- record: kept\n  expr: m",
    );
    before.begin_anew();
    let mut store = store(&["m 1x99"]);
    evaluate(&mut before, &mut store, 0..=4);
    let mut after = group(
        "rules:\n- record: kept\n  expr: m > 5\n- alert: Low\n  expr: m < 3\n  for: 10m\n- alert: New\n  expr: m",
    );
    after.adopt(before);
    evaluate(&mut after, &mut store, 5..=5);
    let low = after.rules()[1].active_alerts().next().cloned().unwrap();
    assert_eq!((low.active_at_ms, after.is_restored()), (0, true));
    // What the old file gave is ended, what does not hold any more too.
    assert_eq!((ask(&store, "old", 5).len(), ask(&store, "kept", 5).len()), (0, 0));
    assert_eq!(ask(&store, "count(ALERTS)", 5), ["{} 2"]);
    after.end(6 * MINUTE, &mut store).unwrap();
    assert_eq!(ask(&store, "count(ALERTS)", 6).len(), 0);
}

#[test]
fn groups_have_places_within_their_interval() {
    let group = group("rules: []");
    let slot = group.slot_ms(1_000_000_000);
    assert!(slot <= 1_000_000_000 && slot > 1_000_000_000 - MINUTE);
    assert_eq!(group.slot_ms(slot), slot);
    assert_eq!(group.slot_ms(slot + MINUTE - 1), slot);
    assert_eq!(group.slot_ms(slot + MINUTE), slot + MINUTE);
    assert_eq!(group.slot_ms(slot - 1), slot - MINUTE);
    let other = Group::new(
        "other.yml",
        RuleFile::parse("groups: [{name: g}]", &ParseOptions::default()).unwrap().groups.remove(0),
        &defaults(),
    );
    assert_ne!(other.slot_ms(1_000_000_000), slot);
}

#[test]
fn markers_are_those_of_prometheus() {
    let labels: Labels = [("__name__", "m")].into_iter().collect();
    let Point::Float(value) = super::stale(labels, 0).point else { panic!("a float") };
    assert_eq!(value.to_bits(), STALE_NAN_BITS);
}
