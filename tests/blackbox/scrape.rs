//! The scraper, by Prometheus' configuration, and what is told of its targets; pushed text.

mod target;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Request, percent_encoded};
use testkit::{Fresnel, wait_for};

use self::target::{Answer, Target};
use crate::fresnel;
use crate::settings::{LARGE_BODIES, QUIET, SMALLEST_MEMORY};

const API: &str = "/prometheus/api/v1";
const PUSH: &str = "/prometheus/api/v1/import/prometheus";
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that scrapes by a file, and the folder that the file is in.
struct Scraping {
    server: Fresnel,
    folder: tempfile::TempDir,
}

impl Scraping {
    fn start(jobs: &str) -> Self {
        Self::allowing(jobs, &[])
    }

    /// With warnings that are expected.
    fn allowing(jobs: &str, warnings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prometheus.yml");
        write(&file, &whole(jobs));
        let config = format!("{QUIET}[receive.scrape]\nfiles = [\"{}\"]\n", file.display());
        let builder = warnings.iter().fold(fresnel().config(&config), |it, text| it.allow_warning(text));
        Self { server: builder.start(), folder }
    }

    fn configure(&self, text: &str) {
        write(&self.folder.path().join("prometheus.yml"), text);
    }

    /// What an instant query finds now: labels and values.
    fn query(&self, query: &str) -> Vec<(Value, String)> {
        let answer = self.server.get_json(&format!("{API}/query?query={}", percent_encoded(query)));
        assert_eq!(answer["status"], "success", "{answer}");
        let result = answer["data"]["result"].as_array().unwrap();
        let pair = |it: &Value| (it["metric"].clone(), it["value"][1].as_str().unwrap().to_owned());
        result.iter().map(pair).collect()
    }

    /// The values that a query finds.
    fn values(&self, query: &str) -> Vec<String> {
        self.query(query).into_iter().map(|(_, value)| value).collect()
    }

    #[track_caller]
    fn wait(&self, query: &str, expected: &[&str]) {
        wait_for(&format!("{query} to be {expected:?}"), DEADLINE, || {
            (self.values(query) == expected).then_some(())
        });
    }

    fn targets(&self, parameters: &str) -> Value {
        self.server.get_json(&format!("{API}/targets{parameters}"))["data"].clone()
    }

    /// The only target of a job.
    fn target_of(&self, job: &str) -> Value {
        let targets = self.targets(&format!("?state=active&scrapePool={job}"));
        targets["activeTargets"].as_array().unwrap().first().cloned().unwrap_or_default()
    }

    #[track_caller]
    fn wait_error(&self, job: &str, error: &str) {
        wait_for(&format!("{job} to fail with {error:?}"), DEADLINE, || {
            let target = self.target_of(job);
            (target["health"] == "down" && target["lastError"].as_str()?.contains(error)).then_some(())
        });
    }
}

/// Written beside and renamed, as editors do.
fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn whole(jobs: &str) -> String {
    format!("global:\n  scrape_interval: 200ms\nscrape_configs:\n{jobs}")
}

/// A job with one target; `more` is further lines.
fn job(name: &str, target: &Target, more: &str) -> String {
    let own: String = more.lines().map(|line| format!("    {line}\n")).collect();
    format!("  - job_name: {name}\n{own}    static_configs:\n      - targets: ['{}']\n", target.address())
}

#[test]
fn a_target_is_asked_as_prometheus_asks_and_what_it_says_is_stored() {
    let target = Target::start(
        "# HELP shop_orders_total Orders \\\\ so far.\n# TYPE shop_orders_total counter\n\
         shop_orders_total{code=\"200\"} 7\nshop_orders_total{code=\"500\",job=\"own\"} 1\n",
    );
    let more = "metrics_path: /m\nparams:\n  module: [a, b]\nbasic_auth:\n  username: u\n  password: p\n\
                http_headers:\n  x-own:\n    values: [v]\nscrape_timeout: 150ms";
    let scraping = Scraping::start(&job("shop", &target, more));
    scraping.wait("shop_orders_total{code=\"200\"}", &["7"]);
    let instance = target.address();
    let (labels, _) = scraping.query("shop_orders_total{code=\"500\"}").remove(0);
    let expected = json!({"__name__": "shop_orders_total", "code": "500", "exported_job": "own",
        "instance": instance, "job": "shop"});
    assert_eq!(labels, expected);
    for (series, value) in [
        ("up", "1"),
        ("scrape_samples_scraped", "2"),
        ("scrape_samples_post_metric_relabeling", "2"),
        ("count(scrape_series_added)", "1"),
        ("scrape_duration_seconds < bool 10", "1"),
    ] {
        assert_eq!(scraping.values(series), [value], "{series}");
    }

    let head = target.asked().remove(0).to_ascii_lowercase();
    for part in [
        "get /m?module=a&module=b http/1.1",
        "authorization: basic dtpw",
        "x-own: v",
        "accept-encoding: gzip",
        "x-prometheus-scrape-timeout-seconds: 0.15",
        "accept: application/openmetrics-text;version=1.0.0",
        &format!("host: {instance}"),
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }

    let told = scraping.target_of("shop");
    assert_eq!(told["labels"], json!({"instance": instance, "job": "shop"}));
    assert_eq!((&told["health"], &told["lastError"]), (&json!("up"), &json!("")));
    assert_eq!(told["scrapeUrl"], json!(format!("http://{instance}/m?module=a&module=b")));
    assert_eq!((&told["scrapeInterval"], &told["scrapeTimeout"]), (&json!("200ms"), &json!("150ms")));
    assert_eq!(told["discoveredLabels"]["__address__"], json!(instance));
    assert!(told["lastScrapeDuration"].as_f64().unwrap() > 0.0, "{told}");
    assert!(told["lastScrape"].as_str().unwrap() > "2020", "{told}");
    assert_eq!(
        scraping.server.get_json(&format!("{API}/scrape_pools"))["data"],
        json!({"scrapePools": ["shop"]})
    );
    let selector = percent_encoded("{job=\"shop\"}");
    let metadata = scraping.server.get_json(&format!("{API}/targets/metadata?match_target={selector}"));
    let expected = json!([{"target": told["labels"], "metric": "shop_orders_total", "type": "counter",
        "help": "Orders \\ so far.", "unit": ""}]);
    assert_eq!(metadata["data"], expected);
    let metadata = scraping.server.get_json(&format!("{API}/metadata?metric=shop_orders_total"));
    let expected = json!([{"type": "counter", "help": "Orders \\ so far.", "unit": ""}]);
    assert_eq!(metadata["data"]["shop_orders_total"], expected);
    let elsewhere = percent_encoded("{job=\"other\"}");
    let metadata = scraping.server.get_json(&format!("{API}/targets/metadata?match_target={elsewhere}"));
    assert_eq!(metadata["data"], json!([]));
    let entry = scraping.server.balanced_ledger().entry("default", "metrics").unwrap().clone();
    assert_eq!((entry.rejected, entry.received), (0, entry.stored));
}

#[test]
fn what_is_gone_is_gone_at_once() {
    let target = Target::start("a 1\nb 1\n");
    let scraping = Scraping::start(&job("shop", &target, ""));
    scraping.wait("count({job=\"shop\",__name__=~\"a|b\"})", &["2"]);
    // A series that disappears is not shown for the five minutes that a query looks back.
    target.expose("a 2\n");
    scraping.wait("b", &[]);
    scraping.wait("a", &["2"]);
    // Nor what a target had that does not answer.
    target.answer(Answer { status: "503 Service Unavailable", ..Answer::text("a 3\n") });
    scraping.wait("up", &["0"]);
    assert_eq!(scraping.values("a"), Vec::<String>::new());
    scraping.wait_error("shop", "server returned HTTP status 503 Service Unavailable");
    target.expose("a 4\n");
    scraping.wait("a", &["4"]);
    assert_eq!(scraping.values("up"), ["1"]);
}

#[test]
fn a_scrape_that_is_not_as_it_should_be_fails_as_a_whole_and_says_why() {
    let body = "a 1\nb 1\n";
    let targets: Vec<Target> = (0..8).map(|_| Target::start(body)).collect();
    let [garbage, slow, many, large, nameless, html, zipped, bomb] = &targets[..] else { panic!("eight") };
    garbage.expose("a 1\nb{ 1\n");
    slow.answer(Answer { held: true, ..Answer::text(body) });
    html.answer(Answer { content_type: "text/html", ..Answer::text(body) });
    zipped.answer(Answer { encoding: "gzip", body: gzip(body.as_bytes()), ..Answer::text("") });
    bomb.answer(Answer { encoding: "gzip", body: gzip(&vec![b'#'; 1 << 20]), ..Answer::text("") });
    nameless.answer(Answer {
        content_type: "application/openmetrics-text; version=1.0.0",
        ..Answer::text("a 1\n")
    });
    let jobs = [
        job("garbage", garbage, ""),
        job("slow", slow, "scrape_timeout: 100ms"),
        job("many", many, "sample_limit: 1"),
        job("large", large, "body_size_limit: 7B"),
        job("cut-off", nameless, ""),
        job("html", html, ""),
        job("html-as-text", html, "fallback_scrape_protocol: PrometheusText0.0.4"),
        job("zipped", zipped, ""),
        job("bomb", bomb, "body_size_limit: 64KB"),
        job("labels", many, "label_limit: 2"),
        "  - job_name: crowd\n    target_limit: 1\n    static_configs:\n      - targets: ['a:1', 'b:1']\n"
            .to_owned(),
    ];
    let scraping = Scraping::start(&jobs.concat());
    for (job, error) in [
        ("garbage", "line 2: a quote or a brace does not end"),
        ("slow", "no answer within the timeout of 100ms"),
        ("many", "sample_limit of 1 exceeded: 2 samples"),
        ("large", "body_size_limit exceeded: more than 7 bytes"),
        ("cut-off", "the body ends without `# EOF`: it was cut off"),
        ("html", "received unsupported Content-Type \"text/html\""),
        ("bomb", "body_size_limit exceeded: more than 64000 bytes"),
        ("labels", "label_limit of 2 exceeded: a has 3 labels"),
        ("crowd", "target_limit of 1 exceeded: 2 targets"),
    ] {
        scraping.wait_error(job, error);
        scraping.wait(&format!("max(up{{job=\"{job}\"}})"), &["0"]);
        assert_eq!(scraping.query(&format!("{{job=\"{job}\",__name__=~\"a|b\"}}")), [], "{job}");
    }
    for job in ["html-as-text", "zipped"] {
        scraping.wait(&format!("up{{job=\"{job}\"}}"), &["1"]);
        assert_eq!(scraping.values(&format!("sum({{job=\"{job}\",__name__=~\"a|b\"}})")), ["2"], "{job}");
    }
    slow.expose(body);
    scraping.wait("up{job=\"slow\"}", &["1"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    testkit::Encoding::Gzip.encode(bytes)
}

#[test]
fn labels_are_rewritten_as_prometheus_rewrites_them() {
    let (kept, dropped) = (Target::start("a{job=\"own\",secret=\"x\"} 1\ngo_gc 1\n"), Target::start("a 1\n"));
    let config = format!(
        "  - job_name: shop
    honor_labels: true
    static_configs:
      - targets: ['{}', '{}']
        labels: {{zone: 'eu-1'}}
    relabel_configs:
      - source_labels: [__address__]
        regex: '{}'
        action: drop
      - source_labels: [zone]
        regex: '(.*)-(.*)'
        target_label: region
        replacement: '$1'
      - target_label: instance
        replacement: renamed
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: 'go_.*'
        action: drop
      - regex: secret
        action: labeldrop
",
        kept.address(),
        dropped.address(),
        dropped.address()
    );
    let scraping = Scraping::start(&config);
    scraping.wait("a", &["1"]);
    let (labels, _) = scraping.query("a").remove(0);
    assert_eq!(
        labels,
        json!({"__name__": "a", "instance": "renamed", "job": "own", "region": "eu", "zone": "eu-1"})
    );
    assert_eq!(scraping.values("scrape_samples_scraped{job=\"shop\"}"), ["2"]);
    assert_eq!(scraping.values("scrape_samples_post_metric_relabeling{job=\"shop\"}"), ["1"]);
    assert_eq!(scraping.query("go_gc"), []);
    let told = scraping.targets("");
    assert_eq!(told["activeTargets"].as_array().unwrap().len(), 1);
    assert_eq!(told["droppedTargets"][0]["discoveredLabels"]["__address__"], json!(dropped.address()));
    assert_eq!(told["droppedTargetCounts"], json!({"shop": 1}));
    assert_eq!(dropped.asked(), Vec::<String>::new());
}

#[test]
fn files_are_followed_while_the_server_runs() {
    let (first, second) = (Target::start("a 1\n"), Target::start("b 1\n"));
    let discovered = "  - job_name: files\n    file_sd_configs:\n      - files: ['targets-*.json']\n";
    let scraping = Scraping::allowing(
        &(job("one", &first, "") + discovered),
        &["configuration not reloaded", "keep the targets that a file had before"],
    );
    scraping.wait("a", &["1"]);
    // A new file of targets is found, and what it does not have any more is marked.
    let file = scraping.folder.path().join("targets-1.json");
    let groups = json!([{"targets": [second.address()], "labels": {"zone": "x", "shelf": 3}}]);
    write(&file, &groups.to_string());
    scraping.wait("b{job=\"files\",zone=\"x\",shelf=\"3\"}", &["1"]);
    let discovered_from = scraping.target_of("files")["discoveredLabels"]["__meta_filepath"].clone();
    assert_eq!(discovered_from, json!(file.to_str().unwrap()));
    write(&file, "[{");
    wait_for("a warning", DEADLINE, || {
        scraping.server.log().iter().any(|line| line.contains("keep the targets")).then_some(())
    });
    assert_eq!(scraping.values("b"), ["1"]);
    write(&file, "[]");
    scraping.wait("b", &[]);
    assert_eq!(scraping.values("up{job=\"files\"}"), Vec::<String>::new());

    // A configuration that is wrong changes nothing; one that is right does.
    scraping.configure(&whole("  - job_nam: x\n"));
    wait_for("an error", DEADLINE, || {
        scraping.server.log().iter().any(|line| line.contains("configuration not reloaded")).then_some(())
    });
    first.expose("a 2\n");
    scraping.wait("a", &["2"]);
    scraping.configure(&whole(&job("two", &second, "")));
    scraping.wait("b{job=\"two\"}", &["1"]);
    scraping.wait("a", &[]);
    scraping.wait("count(up)", &["1"]);
    // The target stays, its job changes: nothing is marked, and nothing is missing.
    scraping.configure(&whole(&job("two", &second, "sample_limit: 100")));
    wait_for("more scrapes", DEADLINE, || (second.asked().len() > 20).then_some(()));
    let stale = "SELECT count(*) FROM samples WHERE metric_name = 'b' AND flags = 1 AND \
                 attributes['job'] = 'two'";
    let stale = scraping.server.sql(&stale.replace("samples", "metrics"));
    assert_eq!(stale.integer(), 0);
    assert_eq!(
        scraping.server.get_json(&format!("{API}/scrape_pools"))["data"],
        json!({"scrapePools": ["two"]})
    );
}

#[test]
fn who_asks_is_shown_by_files_that_are_read_at_each_request() {
    let secrets = tempfile::tempdir().unwrap();
    let (token, user, password) =
        (secrets.path().join("token"), secrets.path().join("user"), secrets.path().join("password"));
    write(&token, "t-first\n");
    write(&user, "shop\n");
    write(&password, "p-first\n");
    let [bearer, basic, own] = ["a 1\n", "b 1\n", "c 1\n"].map(Target::start);
    let wants = |target: &Target, wanted: &'static str, body: &str| {
        target.answer(Answer { wants: Some(wanted), ..Answer::text(body) });
    };
    wants(&bearer, "Bearer t-first", "a 1\n");
    // As `printf shop:p-first | base64` says.
    wants(&basic, "Basic c2hvcDpwLWZpcnN0", "b 1\n");
    wants(&own, "Token t-own", "c 1\n");
    let authorization = format!("authorization:\n  credentials_file: {}", token.display());
    let basic_auth =
        format!("basic_auth:\n  username_file: {}\n  password_file: {}", user.display(), password.display());
    let jobs = [
        job("bearer", &bearer, &authorization),
        job("basic", &basic, &basic_auth),
        job("own", &own, "authorization:\n  type: Token\n  credentials: t-own"),
    ];
    let scraping = Scraping::start(&jobs.concat());
    for metric in ["a", "b", "c"] {
        scraping.wait(metric, &["1"]);
    }

    // A target that changes its secret, and then the one who asks: nothing is configured anew.
    wants(&bearer, "Bearer t-second", "a 2\n");
    wants(&basic, "Basic c2hvcDpwLXNlY29uZA==", "b 2\n");
    for job in ["bearer", "basic"] {
        scraping.wait_error(job, "server returned HTTP status 401 Unauthorized");
        scraping.wait(&format!("up{{job=\"{job}\"}}"), &["0"]);
    }
    write(&token, "  t-second");
    write(&password, "p-second");
    scraping.wait("a", &["2"]);
    scraping.wait("b", &["2"]);

    std::fs::remove_file(&token).unwrap();
    scraping.wait_error("bearer", &format!("{} cannot be read: ", token.display()));
    scraping.wait("up{job=\"bearer\"}", &["0"]);
    assert_eq!(scraping.values("up{job!=\"bearer\"}"), ["1", "1"]);
    // A secret is told to the target alone.
    let told = format!("{}{}", scraping.targets(""), scraping.server.log().join("\n"));
    for secret in ["t-first", "t-second", "t-own", "p-first", "p-second"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let asked = |target: &Target| target.asked().len();
    assert!(asked(&bearer) > 2 && asked(&basic) > 2);
}

#[test]
fn a_server_of_targets_is_shown_who_asks() {
    let secrets = tempfile::tempdir().unwrap();
    let token = secrets.path().join("token");
    write(&token, "t-first");
    let target = Target::start("a 1\n");
    let groups = |rack: &str| json!([{"targets": [target.address()], "labels": {"rack": rack}}]).to_string();
    let discovery = Target::start("");
    let answer = |wanted: &'static str, rack: &str| {
        let answer = Answer { content_type: "application/json", ..Answer::text(&groups(rack)) };
        discovery.answer(Answer { wants: Some(wanted), ..answer });
    };
    answer("Bearer t-first", "r1");
    let config = format!(
        "  - job_name: found\n    http_sd_configs:\n      - url: http://{}/targets\n        refresh_interval: 100ms\n        \
         authorization:\n          credentials_file: {}\n",
        discovery.address(),
        token.display()
    );
    let scraping = Scraping::allowing(&config, &["keep the targets that a server told before"]);
    scraping.wait("a{rack=\"r1\"}", &["1"]);
    answer("Bearer t-second", "r2");
    write(&token, "t-second");
    scraping.wait("a{rack=\"r2\"}", &["1"]);
    // The target is not who is shown it.
    assert!(target.asked().iter().all(|head| !head.to_ascii_lowercase().contains("authorization")));
}

#[test]
fn targets_come_from_a_server_too() {
    let target = Target::start("a 1\n");
    let groups = json!([{"targets": [target.address()], "labels": {"__meta_rack": "r1"}}]).to_string();
    let discovery = Target::start("");
    discovery.answer(Answer { content_type: "application/json", ..Answer::text(&groups) });
    let config = format!(
        "  - job_name: found\n    http_sd_configs:\n      - url: http://{}/targets\n        refresh_interval: 100ms\n    \
         relabel_configs:\n      - source_labels: [__meta_rack]\n        target_label: rack\n",
        discovery.address()
    );
    let scraping = Scraping::start(&config);
    scraping.wait("a{rack=\"r1\"}", &["1"]);
    discovery.answer(Answer { content_type: "application/json", ..Answer::text("[]") });
    scraping.wait("a", &[]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    for (text, expected) in [
        (
            whole("  - job_name: a\n    scrape_intervall: 5s\n"),
            "prometheus.yml:5:5: unknown key `scrape_intervall`",
        ),
        (
            whole("  - job_name: a\n    kubernetes_sd_configs: [{role: pod}]\n"),
            "prometheus.yml:5:28: `kubernetes_sd_configs` is a discovery that Fresnel does not have",
        ),
        (
            whole("  - job_name: a\n    relabel_configs:\n      - regex: '('\n        target_label: b\n"),
            "prometheus.yml:6:16: `regex` is not a regular expression",
        ),
        (
            whole("  - job_name: a\n    scrape_interval: 1s\n    scrape_timeout: 2s\n"),
            "prometheus.yml:6:21: `scrape_timeout` must be at most the scrape_interval",
        ),
        (whole("  - job_name: a\n  - job_name: a\n"), "there is a job `a` already"),
        (
            whole("  - job_name: a\n    oauth2:\n      client_id: b\n"),
            "`oauth2` is not supported: let something else fetch the token",
        ),
        (
            whole("  - job_name: a\n    proxy_from_environment: true\n"),
            "prometheus.yml:5:29: `proxy_from_environment` ",
        ),
        (
            whole("  - job_name: a\n    proxy_url: http://b\n    no_proxy: c\n"),
            "prometheus.yml:6:15: `no_proxy` is not known: give those targets a job of their own",
        ),
        (whole("  - job_name: a\n    authorization:\n      type: Basic\n"), "prometheus.yml:6:13: `type` "),
        (
            whole(
                "  - job_name: a\n    authorization:\n      credentials: b\n    basic_auth:\n      username: c\n",
            ),
            "`authorization` ",
        ),
        (
            whole("  - job_name: a\n    proxy_url: ftp://b\n"),
            "prometheus.yml:5:16: `proxy_url` must be a URL with http or https",
        ),
        (
            whole("  - job_name: a\n    scrape_protocols: [PrometheusProto, PrometheusProto]\n"),
            "`scrape_protocols` must not name a format twice",
        ),
    ] {
        write(&file, &text);
        let config = format!("[receive.scrape]\nfiles = [\"{}\"]\n", file.display());
        let refused = fresnel().config(&config).refused().expect(2);
        assert!(refused.stderr.contains(expected), "{expected} in {}", refused.stderr);
    }
}

/// A field with a length below 128.
fn field(key: u8, content: &[u8]) -> Vec<u8> {
    [&[key, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A message of `io.prometheus.client`, with its length before it: one native histogram with a count
/// of 1 between 0.5 and 1, and of 2 between 1 and 2.
fn native_histogram() -> Vec<u8> {
    let sum = [&[0x11][..], &4.0_f64.to_le_bytes()].concat();
    let created = field(0x7a, &[0x08, 0x80, 0xe2, 0xcf, 0xaa, 0x06]);
    let spans = field(0x62, &[0x08, 0, 0x10, 2]);
    let histogram = [&[0x08, 3][..], &sum, &[0x28, 0], &spans, &[0x68, 2, 0x68, 2], &created].concat();
    let family = [field(0x0a, b"size"), vec![0x18, 4], field(0x22, &field(0x3a, &histogram))].concat();
    [vec![u8::try_from(family.len()).unwrap()], family].concat()
}

#[test]
fn native_histograms_are_scraped_as_protobuf() {
    let target = Target::start("");
    let content_type =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    target.answer(Answer { content_type, body: native_histogram(), ..Answer::text("") });
    let more = "scrape_protocols: [PrometheusProto, PrometheusText0.0.4]";
    let scraping = Scraping::start(&job("shop", &target, more));
    scraping.wait("histogram_count(size)", &["3"]);
    assert_eq!(scraping.values("histogram_sum(size)"), ["4"]);
    assert_eq!(scraping.values("histogram_fraction(0, 1, size) * 3"), ["1"]);
    let start = "SELECT CAST(min(start_time) AS BIGINT) FROM histograms WHERE metric_name = 'size'";
    assert_eq!(scraping.server.sql(start).integer(), 1_700_000_000_000_000_000);
    let metadata = scraping.server.get_json(&format!("{API}/metadata?metric=size"));
    assert_eq!(metadata["data"]["size"][0]["type"], "histogram", "{metadata}");

    let head = target.asked().remove(0).to_ascii_lowercase();
    let accept = "accept: application/vnd.google.protobuf;proto=io.prometheus.client.metricfamily;\
                  encoding=delimited;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4";
    assert!(head.contains(accept), "{head}");

    // Cut off in the middle, or another message.
    target.answer(Answer { content_type, body: native_histogram()[..20].to_vec(), ..Answer::text("") });
    scraping.wait_error("shop", "metric family 1: ");
    scraping.wait("histogram_count(size)", &[]);
    let content_type = "application/vnd.google.protobuf; proto=own; encoding=delimited";
    target.answer(Answer { content_type, ..Answer::text("") });
    scraping.wait_error("shop", "received unsupported Content-Type");
}

#[test]
fn a_target_is_asked_through_a_proxy() {
    // It answers whatever it is asked for, as a proxy does that has the answer.
    let proxy = Target::start("a 1\n");
    let jobs = format!(
        "  - job_name: far\n    proxy_url: http://u:p@{}\n    static_configs:\n      - targets: ['far.invalid:80']\n",
        proxy.address()
    );
    let scraping = Scraping::start(&jobs);
    scraping.wait("a{instance=\"far.invalid:80\"}", &["1"]);
    let head = proxy.asked().remove(0).to_ascii_lowercase();
    assert!(head.starts_with("get http://far.invalid/metrics http/1.1"), "{head}");
    assert!(head.contains("proxy-authorization: basic dtpw"), "{head}");
}

#[test]
fn a_scrape_without_memory_fails_and_says_so() {
    let target = Target::start("small 1\n");
    // As long as a busy machine may take until the memory is used up.
    let more = "body_size_limit: 0\nscrape_interval: 4s";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    write(&file, &whole(&job("shop", &target, more)));
    let config = format!("{QUIET}{LARGE_BODIES}[receive.scrape]\nfiles = [\"{}\"]\n", file.display());
    let server = fresnel().config(&config).memory_limit(SMALLEST_MEMORY).start();
    let scraping = Scraping { server, folder };
    scraping.wait("small", &["1"]);
    // A body that there is no room for, though it is smaller than the largest that may be.
    let large = "# of no use\n".repeat(9 << 20);
    target.answer(Answer { body: large.into_bytes(), ..Answer::text("") });
    scraping.wait_error("shop", "overloaded: ");
    scraping.wait("up", &["0"]);
    assert_eq!(scraping.values("small"), Vec::<String>::new());
    let failures = || {
        let page = scraping.server.get("/metrics").expect(200).text();
        let line = page.lines().find(|line| {
            line.starts_with("fresnel_receive_scrapes_total{") && line.contains("outcome=\"failure\"")
        });
        line.map(str::to_owned)
    };
    assert!(failures().is_some_and(|line| !line.ends_with(" 0")), "{:?}", failures());
    // It goes on as soon as there is room.
    target.expose("small 2\n");
    scraping.wait("small", &["2"]);
    assert_eq!(scraping.values("up"), ["1"]);
    let entry = scraping.server.balanced_ledger().entry("default", "metrics").unwrap().clone();
    assert_eq!((entry.rejected, entry.received), (0, entry.stored));
}

#[test]
fn pushed_text_is_stored_line_by_line_and_again_after_a_crash() {
    let mut server = fresnel().config(QUIET).start();
    let body = "# HELP jobs_done How many.\njobs_done{job=\"backup\"} 3 1700000000000\nbroken{ 1\n\
                jobs_done{job=\"backup\"} 4 1700000060000\n";
    let refused = server.ask(&Request::post(PUSH, body)).expect(400);
    let expected = "1 rejected: malformed_line (line 3: a quote or a brace does not end)";
    assert_eq!(refused.text(), expected);
    assert_eq!(refused.header("x-prometheus-remote-write-samples-written"), Some("2"));
    let open = "# TYPE t counter\nt_total{job=\"om\"} 5 1700000000 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 1\n# EOF\n";
    let typed =
        |request: Request| request.header("content-type", "application/openmetrics-text; version=1.0.0");
    server
        .ask(&typed(Request::post(PUSH, gzip(open.as_bytes())).header("content-encoding", "gzip")))
        .expect(204);
    let cut = server.ask(&typed(Request::post(PUSH, "t_total 6\n"))).expect(400);
    assert!(cut.text().contains("the body ends without `# EOF`"), "{}", cut.text());
    server.ask(&Request::get(PUSH)).expect(405);
    server.ask(&Request::post(PUSH, "a 1\n").header("content-type", "application/json")).expect(415);
    for round in 0..2 {
        let rows = server
            .sql("SELECT value, description FROM metrics WHERE metric_name = 'jobs_done' ORDER BY time");
        assert_eq!(rows.texts("value"), ["3.0", "4.0"], "round {round}");
        assert_eq!(rows.texts("description"), ["How many."; 2]);
        assert_eq!(server.sql("SELECT count(*) FROM metrics WHERE metric_name = 't_total'").integer(), 1);
        assert_eq!(server.sql("SELECT trace_id FROM exemplars").texts("trace_id").len(), 1);
        let entry = server.balanced_ledger().entry("default", "metrics").unwrap().clone();
        assert_eq!((entry.received, entry.stored, entry.rejected), (4, 3, 1));
        server.kill9();
        server.restart();
    }
}
