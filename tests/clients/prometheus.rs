//! Debian's Prometheus: it scrapes itself and writes what it finds to the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{self, Request, percent_encoded};
use testkit::{Fresnel, skip, wait_for};

use crate::fresnel;

const DEADLINE: Duration = Duration::from_secs(90);

/// A Prometheus that scrapes itself every second.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("prometheus")).find(|it| it.is_file());
    if found.is_none() {
        skip("prometheus is missing: run `cargo xtask setup`");
    }
    found
}

/// One sender, so that a request is on its way at a time; the rest is as users have it, but quick.
fn config(own: SocketAddr, write_to: &str) -> String {
    format!(
        "global:\n  scrape_interval: 1s\n\
         scrape_configs:\n  - job_name: self\n    static_configs:\n      - targets: ['{own}']\n\
         remote_write:\n  - url: {write_to}\n    send_exemplars: true\n    send_native_histograms: true\n    \
         metadata_config:\n      send_interval: 1s\n    \
         queue_config:\n      max_shards: 1\n      batch_send_deadline: 200ms\n      retry_on_http_429: true\n"
    )
}

impl Prometheus {
    fn start(program: &Path, write_to: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config(address, write_to)).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Self { process, address, _folder: folder };
        wait_for("Prometheus", DEADLINE, || {
            http::send(address, &Request::get("/-/ready")).ok().filter(|answer| answer.status == 200)
        });
        prometheus
    }

    /// Stops and continues it: while it is stopped no request of it begins.
    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(name).arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// All that it has of the five minutes before `end`, in seconds: series and their samples.
    fn samples(&self, end: i64) -> Samples {
        let query = percent_encoded("{__name__=~\".+\"}[5m]");
        let path = format!("/api/v1/query?query={query}&time={end}");
        let answer = http::send(self.address, &Request::get(&path)).unwrap().expect(200).json();
        let mut samples = Samples::new();
        for series in answer["data"]["result"].as_array().unwrap() {
            let labels = labels_of(&series["metric"]);
            for pair in series["values"].as_array().unwrap() {
                let time_ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
                let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
                samples.entry((labels.clone(), time_ms)).or_default().push(value.to_bits());
            }
        }
        samples
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// What an API says of each metric, by its name, sorted: of Prometheus that of all its targets.
fn metadata(answer: &Value) -> BTreeMap<String, Vec<String>> {
    let of = |told: &Value| {
        let text = |told: &Value| ["type", "unit", "help"].map(|of| told[of].to_string()).join(" ");
        let mut told: Vec<_> = told.as_array().unwrap().iter().map(text).collect();
        told.sort();
        told
    };
    answer["data"].as_object().unwrap().iter().map(|(name, told)| (name.clone(), of(told))).collect()
}

/// By labels and milliseconds, the bits of all values.
type Samples = BTreeMap<(BTreeMap<String, String>, i64), Vec<u64>>;

fn labels_of(object: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    object.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// What the server has of the five minutes before `end`, without the markers of staleness, which
/// Prometheus does not show either.
fn stored(server: &Fresnel, end: i64) -> Samples {
    let rows = server.sql(&format!(
        "SELECT attributes, CAST(time AS BIGINT) / 1000000 AS t, CAST(value AS VARCHAR) AS v FROM metrics \
         WHERE service_name = 'self' AND flags = 0 AND value IS NOT NULL \
         AND CAST(time AS BIGINT) > {} AND CAST(time AS BIGINT) <= {}",
        (end - 300) * 1_000_000_000,
        end * 1_000_000_000
    ));
    let mut samples = Samples::new();
    for row in &rows.rows {
        let time_ms = row[1].as_i64().or_else(|| row[1].as_str()?.parse().ok()).unwrap();
        let value: f64 = row[2].as_str().unwrap().parse().unwrap();
        samples.entry((labels_of(&row[0]), time_ms)).or_default().push(value.to_bits());
    }
    samples
}

fn scrapes(server: &Fresnel) -> i64 {
    server.sql("SELECT count(*) FROM samples WHERE metric_name = 'up'").integer()
}

/// Waits for so many more scrapes.
fn wait_scrapes(server: &Fresnel, more: i64) {
    let before = scrapes(server);
    wait_for("scrapes", DEADLINE, || (scrapes(server) >= before + more).then_some(()));
}

/// Kills the server while none of the sender's attempts is without an answer: one that is may be
/// stored, and is sent again.
fn kill_between_requests(server: &mut Fresnel, prometheus: &Prometheus) {
    prometheus.signal("-STOP");
    let received = |server: &Fresnel| server.ledger().entry("default", "metrics").unwrap().received;
    let (mut last, mut same) = (-1, 0);
    wait_for("the end of the last request", DEADLINE, || {
        let now = received(server);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        (same >= 20).then_some(())
    });
    server.kill9();
    prometheus.signal("-CONT");
}

#[test]
fn what_prometheus_scrapes_is_here_once_and_to_the_bit_whatever_happens_to_the_server() {
    let Some(program) = program() else { return };
    let port = free_port();
    let quiet = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n[store.seal]\nage = \"3s\"\n";
    let mut server =
        fresnel().config(quiet).arg("--http").arg(&format!("127.0.0.1:{port}")).allow_warning("wal").start();
    let url = format!("http://127.0.0.1:{port}/prometheus/api/v1/write");
    let prometheus = Prometheus::start(&program, &url);
    for _ in 0..2 {
        wait_scrapes(&server, 4);
        kill_between_requests(&mut server, &prometheus);
        server.restart();
    }
    wait_scrapes(&server, 4);

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let end = i64::try_from(now.as_secs()).unwrap();
    let expected = prometheus.samples(end);
    assert!(expected.len() > 3_000, "{} samples are no test", expected.len());
    let mut found = stored(&server, end);
    wait_for("the samples that are still on their way", DEADLINE, || {
        let missing = expected.keys().any(|key| !found.contains_key(key));
        if missing {
            found = stored(&server, end);
        }
        (!missing).then_some(())
    });
    for (key, values) in &found {
        assert_eq!(Some(values), expected.get(key), "{key:?}");
    }
    let entry = server.balanced_ledger().entry("default", "metrics").unwrap().clone();
    assert_eq!((entry.rejected, entry.received), (0, entry.stored));

    // It tells of metrics in requests without series; what it knows itself is known here.
    let path = "/api/v1/metadata";
    let told = metadata(&http::send(prometheus.address, &Request::get(path)).unwrap().expect(200).json());
    assert!(told.len() > 100, "{} metrics are no test", told.len());
    let mut known = BTreeMap::new();
    wait_for("the metadata", DEADLINE, || {
        known = metadata(&server.get_json(&format!("/prometheus{path}")));
        told.keys().all(|name| known.contains_key(name)).then_some(())
    });
    for (name, told) in &told {
        assert_eq!(known.get(name), Some(told), "{name}");
    }
}
