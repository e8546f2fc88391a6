//! What is told of the configuration, in the words of Prometheus' configuration and command line.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::Request;
use testkit::{Fresnel, wait_for};

use super::{API, QUIET, data};
use crate::fresnel;
use crate::settings::KEYS;

const PATIENCE: Duration = Duration::from_secs(20);

const SCRAPED: &str = r#"
global:
  scrape_interval: 20s
  sample_limit: 5000
scrape_configs:
  - job_name: shop
    metrics_path: /m
    scheme: https
    body_size_limit: 10MB
    basic_auth:
      username: u
      password: very-secret
    http_headers:
      x-own: {secrets: [very-secret-too]}
    static_configs:
      - targets: ['127.0.0.1:1']
        labels: {rack: 'no'}
    relabel_configs:
      - source_labels: [__address__]
        target_label: at
        replacement: ''
  - job_name: files
    scrape_interval: 1m30s
    authorization:
      credentials_file: token
    file_sd_configs:
      - files: ['targets-*.json']
"#;

/// A server in a folder, with the files that it is configured by.
fn started(folder: &tempfile::TempDir) -> Fresnel {
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("prometheus.yml"), SCRAPED).unwrap();
    std::fs::write(at("rules.yml"), "groups: []\n").unwrap();
    let more = format!(
        "[receive.scrape]\nfiles = [\"{}\"]\n[rules]\nfiles = [\"{}\"]\nevaluation_interval = \"45s\"\n\
         external_labels = {{ zone = \"eu\" }}\n[store.retention]\nmetrics = \"90d\"\n[query]\ntimeout = \"12s\"\n\
         [query.prometheus]\nexperimental = true\nlookback = \"7m\"\npromote_resource_attributes = [\"k8s.pod.name\"]\n",
        at("prometheus.yml"),
        at("rules.yml")
    );
    fresnel().config(&format!("{QUIET}{more}")).start()
}

/// The configuration of such a server.
fn expected(folder: &tempfile::TempDir) -> String {
    let at = |name: &str| folder.path().join(name).display().to_string();
    format!(
        r#"global:
  evaluation_interval: 45s
  external_labels:
    zone: eu
  scrape_interval: 20s
  scrape_timeout: 10s
otlp:
  promote_resource_attributes:
  - k8s.pod.name
rule_files:
- {rules}
scrape_configs:
- basic_auth:
    password: "***"
    username: u
  body_size_limit: 10MB
  http_headers:
    x-own:
      secrets:
      - "***"
  job_name: shop
  metrics_path: /m
  relabel_configs:
  - action: replace
    modulus: 0
    replacement: ""
    separator: ";"
    source_labels:
    - __address__
    target_label: at
  sample_limit: 5000
  scheme: https
  scrape_interval: 20s
  scrape_timeout: 10s
  static_configs:
  - labels:
      rack: "no"
    targets:
    - "127.0.0.1:1"
- authorization:
    credentials_file: {token}
    type: Bearer
  file_sd_configs:
  - files:
    - "{targets}"
    refresh_interval: 5m
  job_name: files
  metrics_path: /metrics
  sample_limit: 5000
  scheme: http
  scrape_interval: 1m30s
  scrape_timeout: 10s
"#,
        rules = at("rules.yml"),
        token = at("token"),
        targets = at("targets-*.json"),
    )
}

fn told(server: &Fresnel) -> String {
    data(server, "status/config", &[])["yaml"].as_str().unwrap().to_owned()
}

fn runtime(server: &Fresnel) -> Value {
    data(server, "status/runtimeinfo", &[])
}

#[test]
fn configuration_and_flags_say_what_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder);
    assert_eq!(told(&server), expected(&folder));
    let flags = data(&server, "status/flags", &[]);
    for (flag, value) in [
        ("query.timeout", "12s"),
        ("query.lookback-delta", "7m"),
        ("query.max-samples", "50000000"),
        ("storage.tsdb.retention.time", "90d"),
        ("web.enable-remote-write-receiver", "true"),
    ] {
        assert_eq!(flags[flag], value, "{flags}");
    }
    assert!(flags["enable-feature"].as_str().unwrap().contains("promql-experimental-functions"), "{flags}");
    let start = runtime(&server);
    assert_eq!((&start["reloadConfigSuccess"], &start["storageRetention"]), (&json!(true), &json!("90d")));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!((start["hostname"].as_str().unwrap(), start["CWD"] == ""), (host.trim(), false));
    let moment = |name: &str| start[name].as_str().unwrap().to_owned();
    assert!(moment("startTime").ends_with('Z') && moment("lastConfigTime").ends_with('Z'), "{start}");
}

#[test]
fn how_the_last_reload_went_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = started(&folder);
    let file = folder.path().join("prometheus.yml");
    let start = runtime(&server);
    server.allow_warning("prometheus.yml");
    std::fs::write(&file, "scrape_configs: [{job_nam: a}]\n").unwrap();
    wait_for("the wrong file to be told", PATIENCE, || {
        (runtime(&server)["reloadConfigSuccess"] == false).then_some(())
    });
    assert_eq!(runtime(&server)["lastConfigTime"], start["lastConfigTime"]);
    assert_eq!(told(&server), expected(&folder), "the old one stays");
    // As it was.
    std::fs::write(&file, SCRAPED).unwrap();
    wait_for("the right file to be told", PATIENCE, || {
        (runtime(&server)["reloadConfigSuccess"] == true).then_some(())
    });
    assert!(runtime(&server)["lastConfigTime"].as_str() > start["lastConfigTime"].as_str());
    std::fs::write(&file, SCRAPED.replace("20s", "25s")).unwrap();
    let changed = expected(&folder).replace("20s", "25s");
    wait_for("the changed file to be told", PATIENCE, || (told(&server) == changed).then_some(()));
}

#[test]
fn what_is_scraped_is_told_to_its_tenant_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, SCRAPED).unwrap();
    let more = format!(
        "[receive.scrape]\nfiles = [\"{}\"]\ntenant = \"shop\"\n[rules]\ntenant = \"bank\"\nevaluation_interval = \"45s\"\n",
        file.display()
    );
    let server = fresnel().config(&format!("{QUIET}{KEYS}{more}")).start();
    let yaml = |secret: &str| -> String {
        let request = Request::get(&format!("{API}/status/config"));
        let answer =
            server.ask(&request.header("authorization", &format!("Bearer {secret}"))).expect(200).json();
        let yaml: &Value = &answer["data"]["yaml"];
        yaml.as_str().unwrap().to_owned()
    };
    let shop = yaml(crate::settings::SHOP_SECRET);
    assert!(shop.contains("job_name: shop") && !shop.contains("evaluation_interval"), "{shop}");
    assert!(!shop.contains("very-secret"), "{shop}");
    assert_eq!(yaml(crate::settings::BANK_SECRET), "global:\n  evaluation_interval: 45s\n");
}
