//! Prometheus' rules: their files checked and tested on the command line, evaluated by the server,
//! and asked for over Prometheus' API.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Request, percent_encoded};
use testkit::records::now_unix_nano;
use testkit::remote_write::{
    BucketSpan, Count, Histogram, TimeSeries, V1, WriteRequest, labels, request, series,
};
use testkit::{Builder, Fresnel, root, wait_for};

use crate::fresnel;
use crate::settings::QUIET;

const API: &str = "/prometheus/api/v1";
/// Long enough for a busy machine; what is waited for comes within a second.
const DEADLINE: Duration = Duration::from_secs(60);

const RULES: &str = r#"
groups:
  - name: queues
    rules:
      - record: job:queue_fill:max
        expr: max by (job) (queue_fill)
        labels: {unit: ratio}
      - record: job:queue_high
        expr: job:queue_fill:max > 0.8
      - record: job:queue_count
        expr: count by (job) (queue_fill)
  - name: alerts
    limit: 100
    rules:
      - alert: QueueFull
        expr: job:queue_high
        for: 1s
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.job }} is at {{ $value | humanizePercentage }} in {{ $externalLabels.region }}"
      - alert: QueueFullForLong
        expr: job:queue_high
        for: 1h
"#;

/// A folder with rule files of its own, and a server that follows them.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(rules: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("queues.yml", rules);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        // In one step: a reader sees the old text or the new one.
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    fn server(&self) -> Builder {
        let files = self.path("*.yml");
        fresnel().config(&format!(
            "{QUIET}\n[rules]\nfiles = [{:?}]\nevaluation_interval = \"200ms\"\nfor_grace_period = \"0s\"\n\
             external_labels = {{ region = \"eu\" }}\n",
            files.to_str().unwrap()
        ))
    }
}

/// A sample of now.
fn send(server: &Fresnel, job: &str, value: f64) {
    let now_ms = i64::try_from(now_unix_nano() / 1_000_000).unwrap();
    let labels = [("__name__", "queue_fill"), ("instance", "a"), ("job", job)];
    let message =
        WriteRequest { timeseries: vec![series(&labels, &[(value, now_ms)])], metadata: Vec::new() };
    server.ask(&request(V1, &message)).expect(204);
}

fn data(server: &Fresnel, path: &str) -> Value {
    let answer = server.get_json(&format!("{API}/{path}"));
    assert_eq!(answer["status"], "success", "{answer}");
    answer["data"].clone()
}

/// The samples of an instant query.
fn ask(server: &Fresnel, query: &str) -> Vec<Value> {
    let result = data(server, &format!("query?query={}", percent_encoded(query)))["result"].clone();
    result.as_array().unwrap().clone()
}

#[track_caller]
fn wait_for_one(server: &Fresnel, query: &str) -> Value {
    wait_for(query, DEADLINE, || ask(server, query).pop())
}

fn number(sample: &Value) -> f64 {
    sample["value"][1].as_str().unwrap().parse().unwrap()
}

#[test]
fn rules_are_evaluated_and_what_they_give_is_stored() {
    let place = Place::new(RULES);
    let server = place.server().start();
    send(&server, "cart", 0.9);
    send(&server, "shop", 0.5);

    let firing = wait_for_one(&server, "ALERTS{alertstate='firing'}");
    assert_eq!(
        firing["metric"],
        json!({
            "__name__": "ALERTS", "alertname": "QueueFull", "alertstate": "firing", "job": "cart",
            "severity": "page", "unit": "ratio",
        })
    );
    let recorded = ask(&server, "sort(job:queue_fill:max)");
    let labels = |job: &str| json!({"__name__": "job:queue_fill:max", "job": job, "unit": "ratio"});
    let metrics: Vec<&Value> = recorded.iter().map(|sample| &sample["metric"]).collect();
    assert_eq!(metrics, [&labels("shop"), &labels("cart")]);
    assert_eq!((number(&recorded[0]), number(&recorded[1])), (0.5, 0.9));
    assert_eq!(ask(&server, "ALERTS{alertname='QueueFullForLong', alertstate='pending'}").len(), 1);
    // They came by the door that everybody comes by.
    assert!(server.balanced_ledger().entry("default", "metrics").unwrap().stored > 10);
}

#[test]
fn native_histograms_are_recorded() {
    let place = Place::new("groups:\n  - name: g\n    rules:\n      - {record: both, expr: sum(duration)}\n");
    let server = place.server().start();
    let timestamp = i64::try_from(now_unix_nano() / 1_000_000).unwrap();
    let of = |instance: &str| TimeSeries {
        labels: labels(&[("__name__", "duration"), ("instance", instance)]),
        histograms: vec![Histogram {
            count: Some(Count::CountFloat(4.0)),
            sum: 7.5,
            schema: 1,
            zero_threshold: 0.5,
            zero_count_float: 1.0,
            positive_spans: vec![BucketSpan { offset: -2, length: 1 }, BucketSpan { offset: 1, length: 1 }],
            positive_counts: vec![1.0, 1.0],
            negative_spans: vec![BucketSpan { offset: 0, length: 1 }],
            negative_counts: vec![1.0],
            timestamp,
            ..Default::default()
        }],
        ..Default::default()
    };
    let message = WriteRequest { timeseries: vec![of("a"), of("b")], metadata: Vec::new() };
    server.ask(&request(V1, &message)).expect(204);
    wait_for_one(&server, "both");
    let of_query = |query: &str| ask(&server, query).remove(0)["histogram"][1].clone();
    assert_eq!(of_query("both"), of_query("sum(duration)"));
    assert_eq!(of_query("both")["count"], "8");
}

#[test]
fn series_end_when_a_rule_does_not_give_them_any_more() {
    let place = Place::new(RULES);
    let server = place.server().start();
    send(&server, "cart", 0.9);
    wait_for_one(&server, "ALERTS{alertstate='firing'}");
    send(&server, "cart", 0.1);
    // They would be found for five minutes more without the markers of their end.
    wait_for("the end of the alert", DEADLINE, || {
        ask(&server, "{__name__=~'ALERTS|job:queue_high'}").is_empty().then_some(())
    });
    assert_eq!(ask(&server, "job:queue_fill:max").len(), 1);
    let alerts = wait_for("no alert", DEADLINE, || {
        let alerts = data(&server, "alerts")["alerts"].clone();
        (alerts == json!([])).then_some(alerts)
    });
    assert_eq!(alerts, json!([]));
}

#[test]
fn rules_and_alerts_are_answered_as_prometheus_does() {
    let place = Place::new(RULES);
    let server = place.server().start();
    let file = place.path("queues.yml");
    let rules = |filter: &str| data(&server, &format!("rules?{filter}"))["groups"].clone();
    // They are there before the first evaluation.
    wait_for("the groups", DEADLINE, || (rules("") != json!([])).then_some(()));
    send(&server, "cart", 0.9);
    wait_for_one(&server, "ALERTS{alertstate='firing'}");

    let queues = rules("rule_group[]=queues");
    let group = &queues[0];
    assert_eq!((&group["name"], &group["file"]), (&json!("queues"), &json!(file.to_str().unwrap())));
    assert_eq!((&group["interval"], &group["limit"]), (&json!(0.2), &json!(0)));
    let rule = &group["rules"][0];
    assert_eq!(rule["name"], "job:queue_fill:max");
    assert_eq!(rule["query"], "max by (job) (queue_fill)");
    assert_eq!(
        (&rule["labels"], &rule["health"], &rule["type"]),
        (&json!({"unit": "ratio"}), &json!("ok"), &json!("recording"))
    );
    assert!(rule["lastEvaluation"].as_str().unwrap().starts_with("20"), "{rule}");

    // What an evaluation wrote can be asked for a moment before the evaluation has ended.
    let alerting = wait_for("the alert to fire", DEADLINE, || {
        let alerting = rules("type=alert&rule_name[]=QueueFull")[0]["rules"][0].clone();
        (alerting["state"] == "firing").then_some(alerting)
    });
    assert_eq!(alerting["duration"], json!(1.0));
    let alert = &alerting["alerts"][0];
    assert_eq!(alert["annotations"]["summary"], "cart is at 90% in eu");
    assert_eq!((&alert["state"], &alert["value"]), (&json!("firing"), &json!("9e-01")));
    let all = data(&server, "alerts")["alerts"].clone();
    assert!(all.as_array().unwrap().iter().any(|one| one["labels"] == alert["labels"]), "{all}");
    let excluded = &rules("type=alert&exclude_alerts=true")[0]["rules"][0]["alerts"];
    assert_eq!(excluded, &json!([]));
    assert_eq!(rules("match[]=%7Bseverity%3D%22page%22%7D")[0]["rules"].as_array().unwrap().len(), 1);

    // Another tenant has no rules.
    let of_other = server.ask(&Request::get(&format!("{API}/rules")).header("X-Scope-OrgID", "other"));
    assert_eq!(of_other.expect(200).json()["data"]["groups"], json!([]));
    server.get(&format!("{API}/rules?type=both")).expect(400);
    let metrics = server.get("/metrics").expect(200).text();
    for name in [
        "fresnel_rules_evaluated_total",
        "fresnel_rules_group_duration_seconds_count",
        "fresnel_rules_alerts",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
}

#[test]
fn alerts_remember_over_a_restart() {
    let place = Place::new(RULES);
    let mut server = place.server().start();
    send(&server, "cart", 0.9);
    wait_for_one(&server, "ALERTS{alertstate='firing'}");
    let since = "ALERTS_FOR_STATE{alertname='QueueFull'}";
    let before = wait_for_one(&server, since);
    server.terminate();
    let stopped = now_unix_nano() / 1_000_000_000;
    server.restart();
    let newer = format!("timestamp({since}) > {}", stopped + 1);
    wait_for_one(&server, &newer);
    // It fired before, so that it has been active since then.
    let after = wait_for_one(&server, since);
    assert_eq!(number(&after), number(&before));
    let long = wait_for_one(&server, "ALERTS_FOR_STATE{alertname='QueueFullForLong'}");
    assert!(number(&long) >= number(&before), "the outage does not count: {long} {before}");
}

#[test]
fn invalid_rules_are_refused_at_the_start() {
    let place = Place::new(
        "groups:\n  - name: g\n    rules:\n      - record: r\n        expr: sum(up\n      - alert: A\n        expr: up\n        fro: 5m\n",
    );
    let refused = place.server().refused().expect(2);
    let file = place.path("queues.yml").display().to_string();
    assert!(refused.stderr.contains("invalid rules"), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains(&format!("{file}:5:21: group \"g\", rule 1, \"r\": could not parse expression")),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains(&format!("{file}:8:9: unknown key `fro`")), "{}", refused.stderr);

    let missing = fresnel().config("[rules]\nfiles = [\"/nowhere/rules.yml\"]\n").refused().expect(2);
    assert!(missing.stderr.contains("/nowhere/rules.yml: no such file"), "{}", missing.stderr);
}

#[test]
fn changed_files_take_effect_without_a_restart() {
    let place = Place::new(RULES);
    let mut server = place.server().start();
    send(&server, "cart", 0.9);
    let since = "ALERTS_FOR_STATE{alertname='QueueFull'}";
    wait_for_one(&server, since);
    wait_for_one(&server, "ALERTS{alertstate='firing'}");
    let before = wait_for_one(&server, since);
    let changed =
        RULES.replace("record: job:queue_count", "record: job:queue_number").replace("is at", "stands at");
    place.write("queues.yml", &changed);
    wait_for_one(&server, "job:queue_number");
    // What the old file gave ends at once, and the alert goes on.
    wait_for("the end of the old series", DEADLINE, || {
        ask(&server, "job:queue_count").is_empty().then_some(())
    });
    wait_for("the new text", DEADLINE, || {
        data(&server, "alerts").to_string().contains("cart stands at 90% in eu").then_some(())
    });
    assert_eq!(number(&wait_for_one(&server, since)), number(&before));

    // A mistake changes nothing.
    server.allow_warning("keep the rules before");
    place.write("queues.yml", "groups: 5\n");
    wait_for("the warning", DEADLINE, || {
        let log = server.log();
        log.iter()
            .any(|line| line.contains("keep the rules before") && line.contains("queues.yml:1:9"))
            .then_some(())
    });
    let newest = || number(&wait_for_one(&server, "timestamp(job:queue_number)"));
    let seen = newest();
    wait_for("a later evaluation", DEADLINE, || (newest() > seen).then_some(()));

    // Without its file a group ends.
    place.write("queues.yml", "groups: []\n");
    wait_for("no group", DEADLINE, || (data(&server, "rules")["groups"] == json!([])).then_some(()));
    wait_for("the end of its series", DEADLINE, || {
        ask(&server, "{__name__=~'ALERTS.*|job:.*'}").is_empty().then_some(())
    });
}

#[test]
fn a_rule_that_fails_says_so_and_stops_no_other() {
    let place = Place::new(
        "groups:\n  - name: g\n    rules:\n      - {record: same, expr: queue_fill, labels: {job: x}}\n      - {record: fine, expr: count(queue_fill)}\n",
    );
    let server = place.server().allow_warning("rule failed").start();
    send(&server, "cart", 0.9);
    send(&server, "shop", 0.9);
    let fine = wait_for("two series", DEADLINE, || {
        ask(&server, "fine").pop().filter(|sample| number(sample) == 2.0)
    });
    assert_eq!(fine["metric"], json!({"__name__": "fine"}));
    let rules = wait_for("the health", DEADLINE, || {
        let rules = data(&server, "rules")["groups"][0]["rules"].clone();
        (rules[0]["health"] == "err").then_some(rules)
    });
    let error = "vector contains metrics with the same labelset after applying rule labels";
    assert_eq!((&rules[0]["lastError"], &rules[1]["health"]), (&json!(error), &json!("ok")));
    let warnings = server.log().iter().filter(|line| line.contains("rule failed")).count();
    assert_eq!(warnings, 1, "once, not with every evaluation");
}

/// Files that are there for the comparison with `promtool`.
fn golden(name: &str) -> String {
    root().join("tests/golden/rules").join(name).to_str().unwrap().to_owned()
}

#[test]
fn rule_files_are_checked_on_the_command_line() {
    let good = golden("shop.rules.yml");
    let finished = fresnel().run(&["check", "rules", &good]).expect(0);
    assert_eq!(finished.stdout, format!("{good}: 2 groups, 5 rules"));
    let (broken, key) = (golden("broken/expression.yml"), golden("broken/unknown-key.yml"));
    let finished = fresnel().run(&["check", "rules", &broken, &good, &key]).expect(1);
    assert!(finished.stdout.contains("shop.rules.yml: 2 groups"), "{}", finished.stdout);
    for expected in [format!("{broken}:4:34: "), format!("{key}:4:31: unknown key `label`")] {
        assert!(finished.stderr.contains(&expected), "{expected}: {}", finished.stderr);
    }
    let experimental = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(experimental.path(), "groups: [{name: g, rules: [{record: r, expr: 'limitk(1, up)'}]}]")
        .unwrap();
    let path = experimental.path().to_str().unwrap();
    fresnel().run(&["check", "rules", path]).expect(1);
    fresnel().run(&["check", "rules", "--experimental", path]).expect(0);
}

#[test]
fn unit_tests_of_rules_are_run_on_the_command_line() {
    let pass = golden("pass.test.yml");
    let finished = fresnel().run(&["test", "rules", &pass]).expect(0);
    assert_eq!(finished.stdout, format!("{pass}: ok, 13 checks"));

    let fail = golden("fail-alert.test.yml");
    let finished = fresnel().run(&["test", "rules", &pass, &fail]).expect(1);
    for expected in [
        format!("{fail}: 1 of 1 checks failed"),
        format!("{fail}:7:9: alert Down at 5m"),
        r#"  - {alertname="Down", instance="b:9100", job="node"}"#.to_owned(),
        r#"  + {alertname="Down", instance="a:9100", job="node"}"#.to_owned(),
        "  +   kind: machine".to_owned(),
    ] {
        assert!(finished.stdout.contains(&expected), "{expected}: {}", finished.stdout);
    }
    assert!(finished.stderr.contains("1 of 2 test files failed"), "{}", finished.stderr);

    let finished = fresnel()
        .run(&["test", "rules", "--format", "json", &golden("fail-value.test.yml"), &pass])
        .expect(1);
    let json: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&json["passed"], &json["checks"], &json["failed"]), (&json!(false), &json!(14), &json!(1)));
    let failure = &json["files"][0]["failures"][0];
    assert_eq!(
        (&failure["kind"], &failure["line"], &failure["eval_time"]),
        (&json!("samples"), &json!(7), &json!("5m"))
    );
    assert_eq!(failure["got"], json!([r#"{__name__="job:http_requests:rate5m", job="web"} 1"#]));

    let finished = fresnel().run(&["test", "rules", &golden("fail-rule-file.test.yml")]).expect(1);
    assert!(
        finished.stdout.contains("cannot be run") && finished.stdout.contains("expression.yml:4:34: "),
        "{}",
        finished.stdout
    );
}
