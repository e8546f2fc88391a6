//! Real targets: Debian's node exporter, npm's prom-client and PyPI's prometheus-client, scraped; what is found is what they expose.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::http::{self, Request, percent_encoded};
use testkit::{Fresnel, skip, wait_for};

use crate::fresnel;
use crate::program::{node, python};

const DEADLINE: Duration = Duration::from_secs(60);

/// A target that ends with the test.
struct Exposing {
    process: Child,
    address: SocketAddr,
}

impl Drop for Exposing {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Exposing {
    /// A program that prints the port that it exposes on.
    fn start(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn metrics(&self) -> Option<String> {
        http::send(self.address, &Request::get("/metrics")).ok().map(|answer| answer.expect(200).text())
    }
}

/// Of one target; `more` is further lines of its job.
fn scraping(address: SocketAddr, more: &str) -> (Fresnel, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    let text = format!(
        "global:\n  scrape_interval: 500ms\nscrape_configs:\n  - job_name: real\n    {more}\n    static_configs:\n      \
         - targets: ['{address}']\n"
    );
    std::fs::write(&file, text).unwrap();
    let quiet = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n";
    let config = format!("{quiet}[receive.scrape]\nfiles = [\"{}\"]\n", file.display());
    (fresnel().config(&config).start(), folder)
}

fn query(server: &Fresnel, text: &str) -> Vec<(BTreeMap<String, String>, String)> {
    let answer = server.get_json(&format!("/prometheus/api/v1/query?query={}", percent_encoded(text)));
    let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let series = |it: &Value| {
        let labels = it["metric"].as_object().unwrap().iter();
        (labels.map(|(name, value)| (name.clone(), text(value))).collect(), text(&it["value"][1]))
    };
    result.iter().map(series).collect()
}

fn wait_up(server: &Fresnel) {
    wait_for("a scrape", DEADLINE, || {
        let up = query(server, "up{job=\"real\"}");
        up.first().is_some_and(|(_, value)| value == "1").then_some(())
    });
}

#[test]
fn every_series_of_the_node_exporter_is_there() {
    let path = std::env::var_os("PATH").unwrap();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("prometheus-node-exporter"));
    let Some(program) = programs.find(|it| it.is_file()) else {
        return skip("prometheus-node-exporter is missing: run `cargo xtask setup`");
    };
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Command::new(program)
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let target = Exposing { process, address };
    let exposed = wait_for("the node exporter", DEADLINE, || target.metrics());
    for protocols in ["", "scrape_protocols: [PrometheusProto]"] {
        let (server, _folder) = scraping(address, protocols);
        verify_node_exporter(&server, &exposed);
    }
}

fn verify_node_exporter(server: &Fresnel, exposed: &str) {
    wait_up(server);
    let names = |text: &str| -> std::collections::BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
    };
    let own = [
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    ];
    let stored: std::collections::BTreeSet<String> = query(server, "count by (__name__) ({job=\"real\"})")
        .into_iter()
        .map(|(labels, _)| labels["__name__"].clone())
        .filter(|name| !own.contains(&name.as_str()))
        .collect();
    assert_eq!(stored, names(exposed));
    // As many samples as lines, of the same scrape: it tells how many it saw.
    let counted = query(server, "scrape_samples_scraped - count by (job, instance) ({job=\"real\"}) + 5");
    assert_eq!(counted[0].1, "0", "{counted:?}");
    let uname = query(server, "node_uname_info");
    assert_eq!((uname[0].0["sysname"].as_str(), uname[0].0["job"].as_str()), ("Linux", "real"));
    let metadata = server.get_json("/prometheus/api/v1/targets/metadata?metric=node_cpu_seconds_total");
    assert_eq!(metadata["data"][0]["type"], "counter", "{metadata}");
    let entry = server.balanced_ledger().entry("default", "metrics").unwrap().clone();
    assert_eq!((entry.rejected, entry.received), (0, entry.stored));
}

#[test]
fn prom_client_is_understood_in_both_formats() {
    for format in ["text", "openmetrics"] {
        let Some(mut command) = node("expose.mjs") else { return };
        command.arg(format);
        let target = Exposing::start(command);
        let (server, _folder) = scraping(target.address, "");
        wait_up(&server);
        let orders = query(&server, "orders_total");
        assert_eq!(
            (orders[0].0["code"].as_str(), orders[0].1.as_str()),
            ("a \"b\" \\ c\nd {e}, ü", "7"),
            "{format}"
        );
        for (text, value) in [
            ("temperature", "-1.5"),
            ("latency_seconds_count", "3"),
            ("latency_seconds_bucket{le=\"0.1\"}", "1"),
            ("latency_seconds_bucket{le=\"+Inf\"}", "3"),
            ("size_bytes{quantile=\"0.5\"}", "3"),
            ("count(nodejs_version_info)", "1"),
        ] {
            let found = query(&server, text);
            assert_eq!(found.first().map(|(_, value)| value.as_str()), Some(value), "{text}, {format}");
        }
        let exemplars = server.sql("SELECT DISTINCT trace_id FROM exemplars").texts("trace_id");
        let expected: &[&str] =
            if format == "openmetrics" { &["0af7651916cd43dd8448eb211c80319c"] } else { &[] };
        assert_eq!(exemplars, expected, "{format}");
        assert_eq!(server.balanced_ledger().entry("default", "metrics").unwrap().rejected, 0);
    }
}

#[test]
fn prometheus_client_is_understood_in_both_formats() {
    for (format, protocols) in [("openmetrics", ""), ("text", "scrape_protocols: [PrometheusText0.0.4]")] {
        let Some(command) = python("expose.py") else { return };
        let target = Exposing::start(command);
        let (server, _folder) = scraping(target.address, protocols);
        wait_up(&server);
        let orders = query(&server, "orders_total");
        assert_eq!(
            (orders[0].0["code"].as_str(), orders[0].1.as_str()),
            ("a \"b\" \\ c\nd {e}, ü", "7"),
            "{format}"
        );
        for (text, value) in [
            ("temperature", "-1.5"),
            ("latency_seconds_count", "3"),
            ("latency_seconds_sum", "5.55"),
            ("latency_seconds_bucket{le=\"0.1\"}", "1"),
            ("latency_seconds_bucket{le=\"1.0\"}", "2"),
            ("latency_seconds_bucket{le=\"+Inf\"}", "3"),
            ("size_bytes_count", "2"),
            ("size_bytes_sum", "4"),
            ("build_info{version=\"1.2.3\"}", "1"),
            ("lift_state{lift_state=\"up\"}", "0"),
            ("lift_state{lift_state=\"down\"}", "1"),
            ("scrape_samples_scraped - count by (job, instance) ({job=\"real\"}) + 5", "0"),
        ] {
            let found = query(&server, text);
            assert_eq!(found.first().map(|(_, value)| value.as_str()), Some(value), "{text}, {format}");
        }
        let openmetrics = format == "openmetrics";
        let exemplars = server.sql("SELECT DISTINCT trace_id FROM exemplars").texts("trace_id");
        let expected: &[&str] = if openmetrics { &["0af7651916cd43dd8448eb211c80319c"] } else { &[] };
        assert_eq!(exemplars, expected, "{format}");
        let kind = |metric: &str| {
            let path = format!("/prometheus/api/v1/targets/metadata?metric={metric}");
            server.get_json(&path)["data"][0]["type"].clone()
        };
        assert_eq!(kind("lift_state"), if openmetrics { "stateset" } else { "gauge" });
        assert_eq!(kind("latency_seconds"), "histogram");
        assert_eq!(server.balanced_ledger().entry("default", "metrics").unwrap().rejected, 0);
    }
}

/// Runs openssl in a folder.
fn openssl(folder: &std::path::Path, arguments: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn tls_is_spoken_as_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let made =
        |arguments: &str| openssl(folder.path(), arguments).status().is_ok_and(|status| status.success());
    if !made("version") {
        return skip("openssl is missing: run `cargo xtask setup`");
    }
    let key = "-newkey rsa:2048 -nodes -days 2";
    assert!(made(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca")));
    std::fs::write(folder.path().join("names"), "subjectAltName=DNS:target.example\n").unwrap();
    for name in ["target", "client"] {
        assert!(made(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}.example")));
        assert!(made(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile names"
        )));
    }
    // A file that is sent as it is, head and all.
    let answer = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\n";
    std::fs::write(folder.path().join("metrics"), answer).unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve = format!(
        "s_server -accept {address} -cert target.pem -key target.key -CAfile ca.pem -Verify 1 \
                         -verify_return_error -HTTP -quiet"
    );
    let _target = Exposing { process: openssl(folder.path(), &serve).spawn().unwrap(), address };

    let shown = "cert_file: client.pem, key_file: client.key";
    let jobs = [
        ("well", format!("ca_file: ca.pem, server_name: target.example, {shown}")),
        ("unchecked", format!("insecure_skip_verify: true, {shown}")),
        ("stranger", format!("server_name: target.example, {shown}")),
        ("misnamed", format!("ca_file: ca.pem, {shown}")),
        ("nobody", "ca_file: ca.pem, server_name: target.example".to_owned()),
    ];
    let mut text = "global:\n  scrape_interval: 500ms\nscrape_configs:\n".to_owned();
    for (job, tls) in &jobs {
        text += &format!(
            "  - job_name: {job}\n    scheme: https\n    tls_config: {{{tls}}}\n    static_configs:\n      \
             - targets: ['{address}']\n"
        );
    }
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, text).unwrap();
    let server = fresnel().config(&format!("[receive.scrape]\nfiles = [\"{}\"]\n", file.display())).start();
    for (job, expected) in
        [("well", "1"), ("unchecked", "1"), ("stranger", "0"), ("misnamed", "0"), ("nobody", "0")]
    {
        wait_for(&format!("{job} to be {expected}"), DEADLINE, || {
            let up = query(&server, &format!("up{{job=\"{job}\"}}"));
            up.first().is_some_and(|(_, value)| value == expected).then_some(())
        });
    }
    let told = server.get_json("/prometheus/api/v1/targets?scrapePool=misnamed");
    let error = told["data"]["activeTargets"][0]["lastError"].as_str().unwrap();
    assert!(error.contains("certificate") && error.contains("127.0.0.1"), "{error}");
}
