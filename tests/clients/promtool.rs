//! `promtool` of Prometheus itself, from Debian's package.

use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::Command;

use testkit::otlp::proto::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric::Data, number_data_point::Value,
};
use testkit::records::{Sender, metrics, now_unix_nano, text};
use testkit::{Fresnel, root, skip};

use crate::fresnel;
use crate::program::run;

const SECOND: u64 = 1_000_000_000;

/// A command of promtool; none where it is missing, which is said.
fn promtool(arguments: &[&str]) -> Option<Command> {
    if Command::new("promtool").arg("--version").output().is_err() {
        skip("promtool is missing: run `cargo xtask setup`");
        return None;
    }
    let mut command = Command::new("promtool");
    command.args(arguments);
    Some(command)
}

/// A counter that grows by one a second, and a histogram.
fn send(server: &Fresnel, begin: u64) {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let point = |step: u64| NumberDataPoint {
        attributes: vec![text("http.route", "/")],
        start_time_unix_nano: SECOND,
        time_unix_nano: (begin + step * 15) * SECOND,
        value: Some(Value::AsDouble((step * 15) as f64)),
        ..Default::default()
    };
    let sum =
        Sum { data_points: (0..9).map(point).collect(), aggregation_temporality: 2, is_monotonic: true };
    let histogram = HistogramDataPoint {
        time_unix_nano: begin * SECOND,
        count: 3,
        sum: Some(6.0),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![2.0],
        ..Default::default()
    };
    let histogram = Histogram { data_points: vec![histogram], aggregation_temporality: 2 };
    let metric = |name: &str, unit: &str, data| Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Default::default()
    };
    let list =
        vec![metric("requests", "", Data::Sum(sum)), metric("duration", "s", Data::Histogram(histogram))];
    server.send(&metrics(Sender::new("cart", 1).resource(), list));
}

#[test]
fn promtool_queries() {
    let server = fresnel().start();
    let url = format!("{}/prometheus", server.url());
    let begin = (now_unix_nano() / SECOND - 300) / 60 * 60;
    let (start, end) = (format!("--start={begin}"), format!("--end={}", begin + 60));
    let time = format!("--time={}", begin + 120);
    send(&server, begin);

    let Some(command) = promtool(&["query", "instant", &time, &url, "requests_total"]) else { return };
    let answer = run(command);
    let labels = "requests_total{http_route=\"/\", job=\"cart\"}";
    assert_eq!(answer.trim(), format!("{labels} => 120 @[{}]", begin + 120));

    let range = ["query", "range", &start, &end, "--step=30s", &url, "requests_total"];
    let answer = run(promtool(&range).unwrap());
    let expected = format!("{labels} =>\n0 @[{begin}]\n30 @[{}]\n60 @[{}]", begin + 30, begin + 60);
    assert_eq!(answer.trim(), expected);

    let series = ["query", "series", &start, &end, "--match=duration_seconds_bucket", &url];
    let answer = run(promtool(&series).unwrap());
    assert_eq!(answer.lines().filter(|line| line.contains("duration_seconds_bucket")).count(), 2, "{answer}");

    let labels = ["query", "labels", &start, &end, &url, "http_route"];
    assert_eq!(run(promtool(&labels).unwrap()).trim(), "/");

    let refused = promtool(&["query", "instant", &url, "sum("]).unwrap().output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("bad_data: invalid parameter \"query\": 1:5: parse error"), "{said}");
}

/// What `promtool check metrics` says of what is exposed; none where it is missing.
fn checked(exposed: &str) -> Option<(bool, String)> {
    let mut command = promtool(&["check", "metrics"])?;
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(exposed.as_bytes()).unwrap();
    input.rewind().unwrap();
    let output = command.stdin(input).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn our_own_metrics_are_as_promtool_wants_them() {
    let server = fresnel().start();
    send(&server, now_unix_nano() / SECOND);
    server.get_json("/prometheus/api/v1/query?query=duration_seconds_count");
    let exposed = server.get("/metrics").expect(200).text();
    let samples = exposed.lines().filter(|line| !line.starts_with('#')).count();
    assert!(samples > 50, "{samples} samples are no test");
    let Some((passed, said)) = checked(&exposed) else { return };
    // It says what it does not like also where it passes.
    assert!(passed && said.trim().is_empty(), "{said}");
    let (passed, said) = checked(&format!("{exposed}# TYPE shop_orders counter\nshop_orders 1\n")).unwrap();
    assert!(!passed && said.contains("shop_orders"), "{said}");
}

#[test]
fn the_configuration_that_is_told_is_one_for_promtool() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let scraped = "global:\n  scrape_interval: 20s\nscrape_configs:\n  - job_name: 'no'\n    \
                   basic_auth: {username: u, password: p}\n    body_size_limit: 10MB\n    honor_timestamps: false\n    \
                   static_configs:\n      - targets: ['127.0.0.1:1', '[::1]:2']\n        labels: {rack: '007'}\n    \
                   relabel_configs:\n      - {source_labels: [a, b], regex: 'x(.*):\\d+', target_label: c, replacement: '$1'}\n";
    std::fs::write(at("prometheus.yml"), scraped).unwrap();
    std::fs::write(at("rules.yml"), "groups: [{name: g, rules: [{record: r, expr: up}]}]\n").unwrap();
    let config = format!(
        "[receive.scrape]\nfiles = [\"{}\"]\n[rules]\nfiles = [\"{}\"]\nexternal_labels = {{ zone = \"1e3\" }}\n",
        at("prometheus.yml"),
        at("rules.yml")
    );
    let server = fresnel().config(&config).start();
    let told = server.get_json("/prometheus/api/v1/status/config");
    std::fs::write(at("told.yml"), told["data"]["yaml"].as_str().unwrap()).unwrap();
    let Some(command) = promtool(&["check", "config", &at("told.yml")]) else { return };
    let said = run(command);
    assert!(said.contains("1 rule files found") && said.contains("1 rules found"), "{said}");
    // It is read here, too, and means the same.
    let again = fresnel().config(&config.replace("prometheus.yml", "told.yml")).start();
    let again = again.get_json("/prometheus/api/v1/status/config");
    assert_eq!(again["data"]["yaml"], told["data"]["yaml"]);
}

/// Files below `tests/golden/rules`.
fn rule_files(folder: &str, end: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/golden/rules").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    files.sort();
    assert!(files.len() > 1, "{files:?}");
    files
}

/// Whether promtool and we say the same of each file; the answers.
fn verdicts(command: &[&str; 2], files: &[PathBuf]) -> Option<Vec<bool>> {
    let verdict = |file: &PathBuf| {
        let file = file.to_str().unwrap();
        let theirs = promtool(&[command[0], command[1], file])?.output().unwrap();
        let ours = fresnel().run(&[command[0], command[1], file]);
        let passed = theirs.status.success();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&theirs.stdout), String::from_utf8_lossy(&theirs.stderr));
        assert_eq!(
            ours.code(),
            Some(i32::from(!passed)),
            "{file}: {} {}\n{stdout}\n{stderr}",
            ours.stdout,
            ours.stderr
        );
        Some(passed)
    };
    files.iter().map(verdict).collect()
}

#[test]
fn unit_tests_of_rules_have_promtools_verdict() {
    let files = rule_files("", ".test.yml");
    let Some(verdicts) = verdicts(&["test", "rules"], &files) else { return };
    for (file, passed) in files.iter().zip(verdicts) {
        let expected = file.file_name().unwrap().to_str().unwrap().starts_with("pass");
        assert_eq!(passed, expected, "{}", file.display());
    }
}

#[test]
fn rule_files_have_promtools_verdict() {
    let mut files = rule_files("broken", ".yml");
    files.push(root().join("tests/golden/rules/shop.rules.yml"));
    let Some(verdicts) = verdicts(&["check", "rules"], &files) else { return };
    // This one is only found out when it is evaluated.
    let right = ["same-series.yml", "shop.rules.yml"];
    for (file, passed) in files.iter().zip(verdicts) {
        assert_eq!(
            passed,
            right.contains(&file.file_name().unwrap().to_str().unwrap()),
            "{}",
            file.display()
        );
    }
}
