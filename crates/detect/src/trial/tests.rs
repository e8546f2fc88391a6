#![allow(clippy::unwrap_used)]

use super::{FailureKind, Report, TrialFile, TrialOptions, run};
use crate::rules::RuleFile;

const RULES: &str = r#"
groups:
  - name: records
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
  - name: alerts
    rules:
      - alert: Down
        expr: job:up:sum == 0
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.job }} is down in {{ $externalLabels.region }}, see {{ $externalURL }}"}
"#;

fn trial_with(rules: &str, text: &str) -> Report {
    let file = TrialFile::parse(text).map_err(|problems| format!("{problems:?}")).unwrap();
    let options = TrialOptions::default();
    let rules = RuleFile::parse(rules, &options.parse_options()).unwrap();
    run(&file, &[("rules.yml".to_owned(), rules)], options)
}

fn trial(tests: &str) -> Report {
    trial_with(RULES, &format!("rule_files: [rules.yml]\nevaluation_interval: 1m\n{tests}"))
}

fn problems(text: &str) -> Vec<String> {
    let problems = TrialFile::parse(text).expect_err(text);
    problems.iter().map(ToString::to_string).collect()
}

const RIGHT: &str = r#"
tests:
  - name: all of it
    interval: 1m
    external_labels: {region: eu}
    external_url: http://here
    input_series:
      - series: 'up{job="a", instance="1"}'
        values: '1 1 0x10'
      - series: 'h'
        values: '{{schema:0 sum:5 count:4 buckets:[1 2 1]}}x10'
    alert_rule_test:
      - eval_time: 3m
        alertname: Down
      - eval_time: 4m30s
        alertname: Down
        exp_alerts:
          - exp_labels: {job: a, severity: page}
            exp_annotations: {summary: "a is down in eu, see http://here"}
    promql_expr_test:
      - expr: job:up:sum
        eval_time: 1m
        exp_samples:
          - labels: 'job:up:sum{job="a"}'
            value: 1
      - expr: h
        eval_time: 1m
        exp_samples: [{labels: h, histogram: '{{schema:0 sum:5 count:4 buckets:[1 2 1]}}'}]
      - expr: time()
        eval_time: 2m
        exp_samples: [{value: 120}]
      - expr: vector(0) / 0
        exp_samples: [{labels: '{}', value: .nan}]
      - expr: absent(up)
        eval_time: 1m
"#;

#[test]
fn what_is_as_expected_passes() {
    let report = trial(RIGHT);
    assert_eq!((report.cases, report.failed), (7, 0), "{:?}", report.failures);
}

#[test]
fn what_differs_is_shown_beside_what_was_expected() {
    let wrong = RIGHT
        .replace("eval_time: 3m", "eval_time: 4m")
        .replace("exp_labels: {job: a,", "exp_labels: {job: b,")
        .replace("value: 120", "value: 121")
        .replace("expr: absent(up)", "expr: absent(");
    let report = trial(&wrong);
    assert_eq!((report.cases, report.failed), (7, 4));
    let [early, alerts, number, broken] = &report.failures[..] else { panic!("{:?}", report.failures) };
    assert_eq!((early.line, early.column, early.time_ms), (15, 9, 240_000));
    assert_eq!(early.test.as_deref(), Some("all of it"));
    let FailureKind::Alerts { name, expected, got } = &alerts.kind else { panic!("{alerts:?}") };
    assert_eq!(name, "Down");
    assert_eq!(
        expected,
        &[[r#"{alertname="Down", job="b", severity="page"}"#, "  summary: a is down in eu, see http://here"]]
    );
    assert_eq!(
        got,
        &[[r#"{alertname="Down", job="a", severity="page"}"#, "  summary: a is down in eu, see http://here"]]
    );
    let FailureKind::Samples { expected, got, .. } = &number.kind else { panic!("{number:?}") };
    assert_eq!((expected.join(""), got.join("")), ("{} 121".to_owned(), "{} 120".to_owned()));
    let FailureKind::Query { error, .. } = &broken.kind else { panic!("{broken:?}") };
    assert!(error.contains("parse error"), "{error}");
}

#[test]
fn a_rule_that_fails_ends_the_test() {
    let rules = "groups: [{name: g, rules: [{record: r, expr: m, labels: {a: x}}]}]";
    let text = "rule_files: [r]\ntests:\n- input_series: [{series: 'm{a=\"1\"}', values: 1}, {series: 'm{a=\"2\"}', values: 1}]\n  promql_expr_test: [{expr: r}, {expr: m}]\n";
    let report = trial_with(rules, text);
    assert_eq!((report.cases, report.failed, report.failures.len()), (2, 2, 1));
    let FailureKind::Rule { group, rule, error } = &report.failures[0].kind else { panic!() };
    assert_eq!((group.as_str(), rule.as_str()), ("g", "r"));
    assert!(error.contains("same labelset"), "{error}");
}

#[test]
fn fuzzy_comparison_forgives_the_last_bit() {
    let text = |fuzzy: &str| {
        format!(
            "{fuzzy}\ntests:\n- promql_expr_test: [{{expr: vector(0.1 + 0.2), exp_samples: [{{labels: '{{}}', value: 0.3}}]}}]\n"
        )
    };
    assert_eq!(trial_with("", &text("")).failed, 1);
    assert_eq!(trial_with("", &text("fuzzy_compare: true")).failed, 0);
}

#[test]
fn a_test_may_begin_at_any_time() {
    let report = trial(
        "tests:\n- start_timestamp: 2021-01-01T00:00:00Z\n  input_series: [{series: 'up{job=\"a\"}', values: 0x9}]\n  alert_rule_test: [{eval_time: 1m, alertname: Down}]\n  promql_expr_test: [{expr: ALERTS_FOR_STATE, eval_time: 3m, exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname=\"Down\",job=\"a\",severity=\"page\"}', value: 1609459200}]}]\n",
    );
    assert_eq!(report.failed, 0, "{:?}", report.failures);
}

#[test]
fn rules_do_not_see_samples_of_the_future() {
    let rules = "groups: [{name: g, rules: [{record: r, expr: m offset -4m}]}]";
    let text = "rule_files: [r]\ntests:\n- input_series: [{series: m, values: 0+1x20}]\n  promql_expr_test: [{expr: r, eval_time: 10m, exp_samples: [{labels: r, value: 10}]}]\n";
    assert_eq!(trial_with(rules, text).failed, 0);
}

#[test]
fn groups_are_evaluated_in_the_order_that_is_named() {
    let rules = "groups: [{name: second, rules: [{record: b, expr: a}]}, {name: first, rules: [{record: a, expr: m}]}]";
    let text = |order: &str, samples: &str| {
        format!(
            "rule_files: [r]\n{order}\ntests:\n- input_series: [{{series: m, values: 1}}]\n  promql_expr_test: [{{expr: b, exp_samples: [{samples}]}}]\n"
        )
    };
    assert_eq!(
        trial_with(rules, &text("group_eval_order: [first, second]", "{labels: b, value: 1}")).failed,
        0
    );
    assert_eq!(trial_with(rules, &text("", "")).failed, 0);
}

#[test]
fn every_mistake_of_a_file_is_said() {
    let found = problems(
        "rule_file: x\nevaluation_interval: 1\ngroup_eval_order: [a, a]\ntests:\n- intervall: 1m\n  start_timestamp: now\n  input_series:\n  - {series: 'm{', values: 1}\n  - {series: m, values: 1+}\n  - {values: 1}\n  alert_rule_test:\n  - {eval_time: 1m}\n  promql_expr_test:\n  - {eval_time: 1m}\n  - {expr: m, exp_samples: [{labels: 'm{', value: 1}, {labels: m, value: x}, {labels: m, histogram: '1'}]}\n",
    );
    let expected = [
        "1:1: unknown key `rule_file`",
        "2:22: not a valid duration string: \"1\"",
        "3:23: group name repeated in evaluation order: a",
        "5:3: unknown key `intervall`",
        "6:20: expected seconds since 1970",
        "8:6: m{ 1: ",
        "9:6: m 1+: ",
        "10:5: `series` is missing",
        "12:5: an item under alert_rule_test misses required attribute alertname",
        "14:5: `expr` is missing",
        "15:30: labels \"m{\": ",
        "15:74: expected a number, got \"x\"",
        "15:90: expected one histogram, got 1",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} does not begin with {expected}");
    }
}

#[test]
fn a_test_that_would_take_too_long_is_refused() {
    let report =
        trial_with("", "evaluation_interval: 1ms\ntests:\n- promql_expr_test: [{expr: m, eval_time: 10y}]\n");
    assert!(matches!(report.failures[0].kind, FailureKind::TooLong { .. }));
    assert_eq!(report.failed, 1);
}
