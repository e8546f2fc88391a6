//! Samples that are downsampled: the answers are those of the samples, also when these have expired.

mod histograms;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Request, percent_encoded};
use testkit::remote_write::{V1, WriteRequest, request, series};
use testkit::{Fresnel, wait_for};

use crate::fresnel;
use crate::settings::QUIET;

/// The begin of a UTC day, in milliseconds.
const DAY: i64 = 1_699_920_000_000;
const HOUR: i64 = 3_600_000;
/// A sample every 30 seconds for six hours.
const SAMPLES: i64 = 720;
const PATIENCE: Duration = Duration::from_secs(120);

/// Tiers of what begins with `node_`, whose samples stay so long as they came.
fn started(retention: &str) -> Fresnel {
    let tiers = format!(
        r#"
[store.seal]
age = "300ms"
[store.retention]
metrics = "0s"
[[store.tiers]]
metrics = ["node_.+"]
retention = "{retention}"
[[store.tiers.downsample]]
after = "1h"
resolution = "5m"
retention = "0s"
[[store.tiers.downsample]]
after = "10d"
resolution = "1h"
retention = "0s"
"#
    );
    fresnel().config(&format!("{QUIET}{tiers}")).start()
}

/// What a gauge says, and a counter that is reset now and then.
fn value(name: &str, instance: i64, sample: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let of = |number: i64| number as f64;
    match name {
        "node_ops_total" => of((sample + 40 * instance) % (97 + instance) * (3 + instance)),
        _ => of((sample * (7919 + instance)) % 1009) / 8.0 - 40.0,
    }
}

fn send(server: &Fresnel, samples: std::ops::Range<i64>) {
    let mut timeseries = Vec::new();
    for name in ["node_load", "node_ops_total", "other"] {
        for instance in 0..3_i64 {
            let points = samples
                .clone()
                .map(|sample| (value(name, instance, sample), DAY + 7_000 + sample * 30_000 + instance));
            let labels = [("__name__", name), ("instance", &format!("i{instance}"))];
            timeseries.push(series(&labels, &points.collect::<Vec<_>>()));
        }
    }
    server.ask(&request(V1, &WriteRequest { timeseries, metadata: Vec::new() })).expect(204);
}

fn tier_rows(server: &Fresnel) -> Vec<u64> {
    let status = server.get_json("/api/v1/status");
    let tiers = status["store"]["tiers"].as_array().unwrap();
    tiers.iter().map(|tier| tier["rows"].as_u64().unwrap()).collect()
}

/// All samples are in files and in both tiers.
fn downsampled(server: &Fresnel) {
    let samples = (6 * SAMPLES).to_string();
    wait_for("all samples in both tiers", PATIENCE, || {
        let sql =
            "SELECT resolution_ms, CAST(sum(count) AS BIGINT) AS n FROM downsampled GROUP BY 1 ORDER BY 1";
        (server.sql(sql).texts("n") == [samples.as_str(); 2]).then_some(())
    });
    assert!(tier_rows(server)[0] > tier_rows(server)[1] && tier_rows(server)[1] > 0);
}

/// A range query from three to five o'clock, so that ranges have samples from their begin; further parameters as they are in the address.
fn ask(server: &Fresnel, query: &str, step_s: i64, more: &str) -> Value {
    let (start, end) = ((DAY + 3 * HOUR) / 1000, (DAY + 5 * HOUR) / 1000);
    let path = format!(
        "/prometheus/api/v1/query_range?query={}&start={start}&end={end}&step={step_s}{more}",
        percent_encoded(query)
    );
    let response = server.ask(&Request::get(&path));
    assert_eq!(response.status, 200, "{query}: {}", response.text());
    serde_json::from_str(&response.text()).unwrap()
}

/// Series with their points, which are about the same.
fn assert_alike(query: &str, raw: &Value, tier: &Value) {
    let series = |answer: &Value| answer["data"]["result"].as_array().unwrap().clone();
    let (raw, tier) = (series(raw), series(tier));
    assert!(!raw.is_empty(), "{query}");
    assert_eq!(raw.len(), tier.len(), "{query}");
    for (raw, tier) in raw.iter().zip(&tier) {
        assert_eq!(raw["metric"], tier["metric"], "{query}");
        let points = |series: &Value| -> Vec<(f64, f64)> {
            let point =
                |point: &Value| (point[0].as_f64().unwrap(), point[1].as_str().unwrap().parse().unwrap());
            series["values"].as_array().unwrap().iter().map(point).collect()
        };
        let (raw, tier) = (points(raw), points(tier));
        assert_eq!(raw.len(), tier.len(), "{query}");
        for (raw, tier) in raw.iter().zip(&tier) {
            let alike = (raw.1 - tier.1).abs() <= 1e-9 * raw.1.abs().max(1.0);
            assert!(raw.0 == tier.0 && alike, "{query}: {raw:?} {tier:?}");
        }
    }
}

/// Queries with a step, and the resolution in seconds that they are answered from.
const QUERIES: [(&str, i64, i64); 17] = [
    ("min_over_time(node_load[1h])", 3600, 3600),
    ("max_over_time(node_load[1h])", 3600, 3600),
    ("sum_over_time(node_load[2h])", 3600, 3600),
    ("count_over_time(node_load[1h])", 3600, 3600),
    ("avg_over_time(node_load[1h])", 3600, 3600),
    ("last_over_time(node_load[1h])", 3600, 3600),
    ("delta(node_load[1h])", 3600, 3600),
    ("rate(node_ops_total[1h])", 3600, 3600),
    ("increase(node_ops_total[3h])", 3600, 3600),
    ("sum by (instance) (rate(node_ops_total[10m]))", 600, 300),
    ("max(avg_over_time(node_load[5m]) * 2) - min(count_over_time(node_load[15m]))", 300, 300),
    ("node_load", 3600, 3600),
    ("sum(node_load)", 300, 300),
    ("avg_over_time(node_load[30m:5m])", 300, 300),
    ("max_over_time(node_load[1h] offset 1h)", 3600, 3600),
    ("sum({__name__=~\"node_load|other\"})", 3600, 3600),
    ("count_over_time(node_load[1h]) + on (instance) count_over_time(other[1h])", 3600, 3600),
];

#[test]
fn answers_from_tiers_are_those_of_the_samples_and_say_so() {
    let server = started("0s");
    send(&server, 0..500);
    send(&server, 500..SAMPLES);
    downsampled(&server);
    for (query, step_s, resolution_s) in QUERIES {
        let raw = ask(&server, query, step_s, "&max_source_resolution=0s");
        let tier = ask(&server, query, step_s, "");
        assert_eq!((&raw["sourceResolution"], &raw["infos"]), (&Value::Null, &Value::Null), "{query}");
        assert_eq!(tier["sourceResolution"], json!(resolution_s), "{query}: {tier}");
        assert!(tier["infos"][0].as_str().unwrap().contains("downsampled to"), "{query}: {tier}");
        assert_alike(query, &raw, &tier);
    }
    // What windows cannot answer, or what is finer than they are, is answered from the samples.
    for (query, step_s) in [
        ("quantile_over_time(0.9, node_load[1h])", 3600),
        ("stddev_over_time(node_load[1h])", 3600),
        ("rate(node_ops_total[1h])", 15),
        ("rate(node_ops_total[2m])", 3600),
        ("sum_over_time(other[1h])", 3600),
        ("count_over_time(other[1h])", 3600),
    ] {
        let tier = ask(&server, query, step_s, "");
        assert_eq!(tier["sourceResolution"], Value::Null, "{query}");
        assert_alike(query, &ask(&server, query, step_s, "&max_source_resolution=raw"), &tier);
    }
    // A finer resolution can be asked for, and one that is none is refused.
    let finer = ask(&server, "sum(node_load)", 3600, "&max_source_resolution=5m");
    assert_eq!(finer["sourceResolution"], json!(300));
    let refused = server.ask(&Request::get("/prometheus/api/v1/query?query=1&max_source_resolution=-1"));
    assert_eq!(refused.status, 400, "{}", refused.text());
    let metrics = server.get("/metrics").text();
    for name in ["fresnel_store_tier_rows", "fresnel_store_tier_size_bytes", "fresnel_store_tier_segments"] {
        assert!(metrics.contains(&format!("{name}{{resolution=\"5m\"}}")), "{name}: {metrics}");
    }
    server.balanced_ledger();
}

#[test]
fn samples_that_came_late_are_in_the_answers_of_tiers() {
    let server = started("0s");
    send(&server, 0..300);
    let counted = || {
        let sql = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) AS n FROM downsampled WHERE resolution_ms = 3600000";
        server.sql(sql).integer()
    };
    wait_for("the first samples in the tiers", PATIENCE, || (counted() == 6 * 300).then_some(()));
    send(&server, 300..SAMPLES);
    // Wherever they are at the moment, each counts once.
    for _ in 0..10 {
        let tier = ask(&server, "count_over_time(node_load[1h])", 3600, "");
        assert_alike(
            "late",
            &ask(&server, "count_over_time(node_load[1h])", 3600, "&max_source_resolution=0s"),
            &tier,
        );
    }
    downsampled(&server);
    for (query, step_s, _) in QUERIES {
        let raw = ask(&server, query, step_s, "&max_source_resolution=0s");
        assert_alike(query, &raw, &ask(&server, query, step_s, ""));
    }
}

#[test]
fn tiers_answer_when_the_samples_have_expired() {
    let (kept, mut server) = (started("0s"), started("11d"));
    for server in [&kept, &server] {
        send(server, 0..SAMPLES);
        downsampled(server);
    }
    wait_for("samples with tiers to expire", PATIENCE, || {
        (server.sql("SELECT count(*) FROM samples WHERE metric_name LIKE 'node_%'").integer() == 0)
            .then_some(())
    });
    let entry = server.balanced_ledger();
    let entry = entry.entry("default", "metrics").unwrap();
    let (all, expired) = (9 * SAMPLES, 6 * SAMPLES);
    assert_eq!((entry.received, entry.stored, entry.expired), (all, all - expired, expired));
    for (query, step_s, _) in QUERIES {
        let raw = ask(&kept, query, step_s, "&max_source_resolution=0s");
        assert_alike(query, &raw, &ask(&server, query, step_s, ""));
    }
    // What windows cannot answer is answered as well as it can be, and says so.
    let doubtful = ask(&server, "quantile_over_time(0.5, node_load[1h])", 3600, "");
    assert_eq!(doubtful["sourceResolution"], json!(300), "the finest that there is");
    assert!(doubtful["infos"].to_string().contains("`quantile_over_time` is approximate"), "{doubtful}");
    // Who wants samples only gets those that are there.
    let none = ask(&server, "node_load", 3600, "&max_source_resolution=0s");
    assert_eq!(none["data"]["result"], json!([]));
    // Also after a restart, and from a catalog that was found whole.
    server.terminate();
    server.restart();
    let again = ask(&server, "rate(node_ops_total[1h])", 3600, "");
    assert_alike(
        "restarted",
        &ask(&kept, "rate(node_ops_total[1h])", 3600, "&max_source_resolution=0s"),
        &again,
    );
    server.balanced_ledger();
}

#[test]
fn a_lost_catalog_leaves_samples_and_windows_complete_and_answered_once() {
    let (mut kept, mut server) = (started("0s"), started("11d"));
    for server in [&kept, &server] {
        send(server, 0..SAMPLES);
        downsampled(server);
    }
    wait_for("samples with tiers to expire", PATIENCE, || {
        (server.sql("SELECT count(*) FROM samples WHERE metric_name LIKE 'node_%'").integer() == 0)
            .then_some(())
    });
    // At the last step no resolution is read but for that the samples have expired.
    let steps = QUERIES.iter().map(|(query, step_s, _)| (*query, *step_s)).chain([("node_load", 15)]);
    let answers = |server: &Fresnel| -> Vec<Value> {
        steps.clone().map(|(query, step_s)| ask(server, query, step_s, "")["data"].clone()).collect()
    };
    let before = (answers(&kept), answers(&server));
    for server in [&mut kept, &mut server] {
        server.terminate();
        std::fs::remove_dir_all(server.data_dir().join("manifest")).unwrap();
        server.allow_warning("manifest");
        server.restart();
    }
    assert_eq!(answers(&kept), before.0);
    assert_eq!(answers(&server), before.1);
    for (query, step_s, _) in QUERIES {
        let raw = ask(&kept, query, step_s, "&max_source_resolution=0s");
        assert_alike(query, &raw, &ask(&kept, query, step_s, ""));
        assert_alike(query, &raw, &ask(&server, query, step_s, ""));
    }
    for (server, stored) in [(&kept, 9 * SAMPLES), (&server, 3 * SAMPLES)] {
        downsampled(server);
        assert_eq!(server.sql("SELECT count(*) FROM samples").integer(), stored);
        assert_eq!(server.balanced_ledger().entry("default", "metrics").unwrap().stored, stored);
    }
}

#[test]
fn patterns_that_are_none_are_refused_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "[[store.tiers]]\nmetrics = [\"node_.+\", \"(\", \"*_total\", \"node_*\"]\n")
        .unwrap();
    let stderr = fresnel().run(&["check", "--config", file.to_str().unwrap()]).expect(2).stderr;
    for cause in [
        "bad.toml:2:23: `metrics[1]` is no regular expression: unclosed group",
        "bad.toml:2:28: `metrics[2]` is no regular expression: repetition operator missing \
         expression; for anything write `.*`",
        "bad.toml:2:39: `metrics[3]` is a regular expression, in which `_*` is any number of `_`",
        "hint: all settings are in docs/reference/config.md",
    ] {
        assert!(stderr.contains(cause), "{cause}: {stderr}");
    }
}
