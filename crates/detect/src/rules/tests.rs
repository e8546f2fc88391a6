#![allow(clippy::unwrap_used)]

use promql::ParseOptions;

use super::{Rule, RuleFile};

fn parse(text: &str) -> Result<RuleFile, Vec<String>> {
    let problems = RuleFile::parse(text, &ParseOptions::default());
    problems.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err(text)
}

#[test]
fn everything_a_file_may_say_is_read() {
    let file = parse(
        r#"
groups:
  - name: http
    interval: 30s
    query_offset: 1m
    limit: 10
    labels: {team: web, severity: info}
    rules:
      - record: job:requests:rate5m
        expr: sum by (job) (rate(http_requests_total[5m]))
        labels: {source: rule}
      - alert: High
        expr: |
          job:requests:rate5m
            > 100
        for: 1h30m
        keep_firing_for: 5m
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.job }} has {{ $value | humanize }}"
          runbook: 5
  - name: empty
    rules: []
"#,
    )
    .unwrap();
    let [http, empty] = &file.groups[..] else { panic!("two groups") };
    assert_eq!(
        (http.name.as_str(), http.interval_ms, http.query_offset_ms, http.limit),
        ("http", Some(30_000), Some(60_000), 10)
    );
    assert_eq!((empty.interval_ms, empty.rules.len()), (None, 0));
    let [Rule::Recording(record), Rule::Alerting(alert)] = &http.rules[..] else { panic!("one of each") };
    assert_eq!(record.expr.to_string(), "sum by (job) (rate(http_requests_total[5m]))");
    let labels: Vec<_> = record.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["severity=info", "source=rule", "team=web"]);
    assert_eq!((alert.name.as_str(), alert.for_ms, alert.keep_firing_for_ms), ("High", 5_400_000, 300_000));
    assert_eq!(alert.labels["severity"].source(), "page");
    assert_eq!(alert.annotations["runbook"].source(), "5");
    assert!(parse("").unwrap().groups.is_empty());
    assert!(parse("groups:\n").unwrap().groups.is_empty());
}

#[test]
fn every_mistake_is_said_at_once_and_where() {
    let found = problems(
        r#"groups:
  - name: g
    intervall: 30s
    rules:
      - record: "a{b}"
        expr: up
        for: 5m
        annotations: {a: b}
      - alert: A
        expr: sum(up
        labels: {__name__: x, ok: "{{ $nothing }}"}
        annotations:
          summary: "{{ upper }}"
      - expr: up
      - record: r
        alert: a
        expr: up
      - record: no_expr
  - name: g
    limit: many
  - name: ""
    interval: 5
other: 1
"#,
    );
    let expected = [
        "3:5: unknown key `intervall`; there are name, interval, query_offset, limit, labels, rules",
        "5:9: group \"g\", rule 1, \"a{b}\": braces present in the recording rule name; should it be in expr?: a{b}",
        "7:9: group \"g\", rule 1, \"a{b}\": invalid field 'for' in recording rule",
        "8:9: group \"g\", rule 1, \"a{b}\": invalid field 'annotations' in recording rule",
        "10:21: group \"g\", rule 2, \"A\": could not parse expression: 1:7: parse error: unclosed left parenthesis",
        "11:18: group \"g\", rule 2, \"A\": invalid label name: __name__",
        "11:35: group \"g\", rule 2, \"A\": label \"ok\": template: 1:4: undefined variable \"$nothing\"",
        "13:20: group \"g\", rule 2, \"A\": annotation \"summary\": template: 1:4: function \"upper\" not defined",
        "14:9: group \"g\", rule 3, \"\": one of 'record' or 'alert' must be set",
        "15:9: group \"g\", rule 4, \"a\": only one of 'record' and 'alert' must be set",
        "18:9: group \"g\", rule 5, \"no_expr\": field 'expr' must be set in rule",
        "19:5: groupname: \"g\" is repeated in the same file",
        "20:12: expected a whole number, got \"many\"",
        "21:5: Groupname must not be empty",
        "22:15: not a valid duration string: \"5\"",
        "23:1: unknown key `other`; there are groups",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mistake_in_an_expression_has_its_place_in_the_file() {
    let place = |rule: &str| {
        let text = format!("groups:\n- name: g\n  rules:\n  - record: r\n    expr: {rule}\n");
        let problem = problems(&text).remove(0);
        problem.split(": ").next().unwrap().to_owned()
    };
    assert_eq!(place("up +"), "5:15");
    assert_eq!(place("'up + )'"), "5:18");
    assert_eq!(place("|\n      up\n        + )"), "7:12");
    // Folded: only where the text begins.
    assert_eq!(place(">\n      up\n      + )"), "6:7");
}

#[test]
fn values_of_another_kind_are_refused() {
    assert_eq!(problems("groups: 5\n"), ["1:9: expected a list, got a single value"]);
    assert_eq!(problems("- a\n"), ["1:1: expected a table, got a list"]);
    let rule = |text: &str| problems(&format!("groups:\n- name: g\n  rules:\n  - {text}\n")).join("; ");
    assert!(rule("record: [a]\n    expr: up").contains("4:13: expected a text, got a list"));
    assert!(
        rule("record: a\n    expr: up\n    labels: [a]")
            .contains("6:13: expected names and texts, got a list")
    );
    assert!(rule("alert: a\n    expr: up\n    for: 1m30").contains("not a valid duration string: \"1m30\""));
}

#[test]
fn rules_that_overwrite_each_other_are_found() {
    let file = parse(
        "groups:\n- name: g\n  rules:\n  - {record: a, expr: up}\n  - {record: a, expr: down, labels: {x: y}}\n- name: h\n  rules:\n  - {record: a, expr: other}\n",
    )
    .unwrap();
    let twice = file.duplicates();
    assert_eq!(twice.len(), 1);
    assert_eq!((twice[0].0, twice[0].1.len()), ("a", 0));
}
