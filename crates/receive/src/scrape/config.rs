//! The settings, in Prometheus' words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fresnel_sdk::config::{ByteSize, Duration, Report, Secret, Validate};
use http::{HeaderName, HeaderValue};
use model::Tenant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::relabel::RelabelConfig;

/// Which targets are scraped.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Files of Prometheus' configuration: their `global` and `scrape_configs` say what is scraped;
    /// a change of them is followed. In YAML, or with the same keys in TOML or JSON.
    pub files: Vec<PathBuf>,
    /// The tenant that what is scraped belongs to.
    pub tenant: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { files: Vec::new(), tenant: Tenant::DEFAULT.into() }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        if let Err(error) = Tenant::parse(&self.tenant) {
            report.error("tenant", format!("is not a tenant: {error}"));
        }
    }
}

/// A file of Prometheus' configuration. What is not about scraping is taken and not used.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusFile {
    /// What holds for every job that does not say otherwise.
    pub global: Global,
    /// The jobs.
    pub scrape_configs: Vec<Job>,
    /// Refused: the files belong to `receive.scrape.files`.
    pub scrape_config_files: Vec<String>,
    /// Not used.
    pub rule_files: Value,
    /// Not used.
    pub alerting: Value,
    /// Not used.
    pub remote_write: Value,
    /// Not used.
    pub remote_read: Value,
    /// Not used.
    pub storage: Value,
    /// Not used.
    pub tracing: Value,
    /// Not used.
    pub otlp: Value,
    /// Not used.
    pub runtime: Value,
}

impl PrometheusFile {
    /// Sections that say something and are not used.
    pub(super) fn unused(&self) -> Vec<&'static str> {
        let sections = [
            ("rule_files", &self.rule_files),
            ("alerting", &self.alerting),
            ("remote_write", &self.remote_write),
            ("remote_read", &self.remote_read),
            ("storage", &self.storage),
            ("tracing", &self.tracing),
            ("otlp", &self.otlp),
            ("runtime", &self.runtime),
            ("global.external_labels", &self.global.external_labels),
        ];
        sections.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect()
    }
}

/// What holds for every job that does not say otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Global {
    /// How often a target is scraped.
    pub scrape_interval: Duration,
    /// How long a scrape may take.
    pub scrape_timeout: Duration,
    /// Not used: it is for rules.
    pub evaluation_interval: Value,
    /// Not used: they are for other systems.
    pub external_labels: Value,
    /// See `scrape_configs`.
    pub scrape_protocols: Vec<Protocol>,
    /// See `scrape_configs`.
    pub body_size_limit: ByteSize,
    /// See `scrape_configs`.
    pub sample_limit: u64,
    /// See `scrape_configs`.
    pub label_limit: u64,
    /// See `scrape_configs`.
    pub label_name_length_limit: u64,
    /// See `scrape_configs`.
    pub label_value_length_limit: u64,
    /// See `scrape_configs`.
    pub target_limit: u64,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_mins(1),
            scrape_timeout: Duration::from_secs(10),
            evaluation_interval: Value::Null,
            external_labels: Value::Null,
            scrape_protocols: Protocol::USUAL.into(),
            body_size_limit: ByteSize::new(0),
            sample_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            target_limit: 0,
        }
    }
}

/// One of Prometheus' `scrape_configs`. A limit of 0 is none.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    /// The label `job` of its targets.
    pub job_name: String,
    /// How often a target is scraped.
    pub scrape_interval: Option<Duration>,
    /// How long a scrape may take; no longer than the interval.
    pub scrape_timeout: Option<Duration>,
    /// Where the metrics are.
    pub metrics_path: String,
    /// How they are fetched.
    pub scheme: Scheme,
    /// Parameters of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of what is scraped win over those of the target.
    pub honor_labels: bool,
    /// Whether times of what is scraped are kept.
    pub honor_timestamps: bool,
    /// Whether series with times of their own are marked stale when they disappear.
    pub track_timestamps_staleness: bool,
    /// The formats that a target is asked for, the one that is liked best first.
    pub scrape_protocols: Option<Vec<Protocol>>,
    /// What a body is that does not say what it is.
    pub fallback_scrape_protocol: Option<Protocol>,
    /// Whether bodies may be compressed.
    pub enable_compression: bool,
    /// A user and a password.
    pub basic_auth: Option<BasicAuth>,
    /// The header `Authorization`.
    pub authorization: Option<Authorization>,
    /// Other headers.
    pub http_headers: BTreeMap<String, Header>,
    /// How `https` is spoken.
    pub tls_config: Option<TlsConfig>,
    /// A proxy in front of the targets.
    pub proxy_url: Option<Secret<String>>,
    /// Refused: there is no such log-in here.
    pub oauth2: Value,
    /// Refused: a proxy is named by `proxy_url`.
    pub proxy_from_environment: Value,
    /// Refused: a proxy is for all targets of a job.
    pub no_proxy: Value,
    /// Refused: a proxy is told no more than `proxy_url`.
    pub proxy_connect_header: Value,
    /// Not used: HTTP/2 is spoken where a target offers it.
    pub enable_http2: Value,
    /// Whether an answer may say to look elsewhere.
    pub follow_redirects: bool,
    /// Largest body, uncompressed.
    pub body_size_limit: Option<ByteSize>,
    /// Most samples of a scrape.
    pub sample_limit: Option<u64>,
    /// Most labels of a sample.
    pub label_limit: Option<u64>,
    /// Longest name of a label, in bytes.
    pub label_name_length_limit: Option<u64>,
    /// Longest value of a label, in bytes.
    pub label_value_length_limit: Option<u64>,
    /// Most targets; with more, none is scraped.
    pub target_limit: Option<u64>,
    /// Targets by name.
    pub static_configs: Vec<Group>,
    /// Targets in files.
    pub file_sd_configs: Vec<FileSd>,
    /// Targets that a server tells.
    pub http_sd_configs: Vec<HttpSd>,
    /// Rules for the labels of targets.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules for the labels of what is scraped.
    pub metric_relabel_configs: Vec<RelabelConfig>,
    /// Refused: there is no such discovery here.
    pub kubernetes_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub consul_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub dns_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub ec2_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub azure_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub gce_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub docker_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub dockerswarm_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub openstack_sd_configs: Value,
    /// Refused: there is no such discovery here.
    pub nomad_sd_configs: Value,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            job_name: String::new(),
            scrape_interval: None,
            scrape_timeout: None,
            metrics_path: "/metrics".into(),
            scheme: Scheme::Http,
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            scrape_protocols: None,
            fallback_scrape_protocol: None,
            enable_compression: true,
            basic_auth: None,
            authorization: None,
            http_headers: BTreeMap::new(),
            tls_config: None,
            proxy_url: None,
            oauth2: Value::Null,
            proxy_from_environment: Value::Null,
            no_proxy: Value::Null,
            proxy_connect_header: Value::Null,
            enable_http2: Value::Null,
            follow_redirects: true,
            body_size_limit: None,
            sample_limit: None,
            label_limit: None,
            label_name_length_limit: None,
            label_value_length_limit: None,
            target_limit: None,
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            http_sd_configs: Vec::new(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
            kubernetes_sd_configs: Value::Null,
            consul_sd_configs: Value::Null,
            dns_sd_configs: Value::Null,
            ec2_sd_configs: Value::Null,
            azure_sd_configs: Value::Null,
            gce_sd_configs: Value::Null,
            docker_sd_configs: Value::Null,
            dockerswarm_sd_configs: Value::Null,
            openstack_sd_configs: Value::Null,
            nomad_sd_configs: Value::Null,
        }
    }
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// As it is.
    #[default]
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A format of what is scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Protocol {
    /// Prometheus' text.
    #[serde(rename = "PrometheusText0.0.4")]
    Text,
    /// Prometheus' text with names of any characters.
    #[serde(rename = "PrometheusText1.0.0")]
    Text1,
    /// OpenMetrics.
    #[serde(rename = "OpenMetricsText0.0.1")]
    OpenMetrics0,
    /// OpenMetrics.
    #[serde(rename = "OpenMetricsText1.0.0")]
    OpenMetrics,
    /// Prometheus' messages, which alone have native histograms.
    #[serde(rename = "PrometheusProto")]
    Protobuf,
}

impl Protocol {
    /// What is asked for where nothing is said.
    const USUAL: [Self; 4] = [Self::OpenMetrics, Self::OpenMetrics0, Self::Text1, Self::Text];

    /// As the header `Accept` has it; with names as they are where the format has them.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain;version=0.0.4",
            Self::Text1 => "text/plain;version=1.0.0;escaping=allow-utf-8",
            Self::OpenMetrics0 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetrics => "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;\
                 escaping=allow-utf-8"
            }
        }
    }
}

/// A user and a password.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// A file with the user.
    pub username_file: Option<PathBuf>,
    /// The password.
    pub password: Secret<String>,
    /// A file with the password; it is read at every scrape.
    pub password_file: Option<PathBuf>,
}

/// The header `Authorization`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// Its first word.
    #[serde(rename = "type")]
    pub scheme: String,
    /// The rest of it.
    pub credentials: Secret<String>,
    /// A file with the rest of it; it is read at every scrape.
    pub credentials_file: Option<PathBuf>,
}

impl Default for Authorization {
    fn default() -> Self {
        Self { scheme: "Bearer".into(), credentials: Secret::default(), credentials_file: None }
    }
}

/// The values of a header.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// As they are.
    pub values: Vec<String>,
    /// As they are, never shown.
    pub secrets: Vec<Secret<String>>,
    /// From files, which are read at every scrape.
    pub files: Vec<PathBuf>,
}

/// How `https` is spoken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Who is believed, in PEM, instead of those whom the system believes.
    pub ca: Option<String>,
    /// A file with them.
    pub ca_file: Option<PathBuf>,
    /// The certificate that is shown, in PEM.
    pub cert: Option<String>,
    /// A file with it.
    pub cert_file: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<Secret<String>>,
    /// A file with it.
    pub key_file: Option<PathBuf>,
    /// The name that the target's certificate must have.
    pub server_name: Option<String>,
    /// Whether whatever certificate is taken.
    pub insecure_skip_verify: bool,
}

/// Targets with labels that they have in common.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Host and port of each.
    pub targets: Vec<String>,
    /// Labels of all.
    pub labels: BTreeMap<String, String>,
}

/// Targets in files.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileSd {
    /// Files in JSON or YAML; the last part of a path may have a `*`.
    pub files: Vec<String>,
    /// How often they are read even if nothing seems to have changed.
    pub refresh_interval: Duration,
}

impl Default for FileSd {
    fn default() -> Self {
        Self { files: Vec::new(), refresh_interval: Duration::from_mins(5) }
    }
}

/// Targets that a server tells.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSd {
    /// What is asked.
    pub url: String,
    /// How often.
    pub refresh_interval: Duration,
    /// As for a job.
    pub basic_auth: Option<BasicAuth>,
    /// As for a job.
    pub authorization: Option<Authorization>,
    /// As for a job.
    pub http_headers: BTreeMap<String, Header>,
    /// As for a job.
    pub tls_config: Option<TlsConfig>,
    /// As for a job.
    pub proxy_url: Option<Secret<String>>,
    /// Refused, as for a job.
    pub oauth2: Value,
    /// As for a job.
    pub follow_redirects: bool,
}

impl Default for HttpSd {
    fn default() -> Self {
        Self {
            url: String::new(),
            refresh_interval: Duration::from_mins(1),
            basic_auth: None,
            authorization: None,
            http_headers: BTreeMap::new(),
            tls_config: None,
            proxy_url: None,
            oauth2: Value::Null,
            follow_redirects: true,
        }
    }
}

impl Validate for PrometheusFile {
    fn validate(&self, report: &mut Report) {
        if !self.scrape_config_files.is_empty() {
            report.error("scrape_config_files", "is not followed: name the files in `receive.scrape.files`");
        }
        check_protocols("global.scrape_protocols", &self.global.scrape_protocols, report);
        let (interval, timeout) = (self.global.scrape_interval, self.global.scrape_timeout);
        if interval.is_zero() {
            report.error("global.scrape_interval", "must not be zero");
        }
        if timeout > interval && self.global.scrape_timeout != Global::default().scrape_timeout {
            report.error("global.scrape_timeout", "must be at most the scrape_interval");
        }
        for (index, job) in self.scrape_configs.iter().enumerate() {
            report.within(&format!("scrape_configs[{index}]"), job);
            if job.scrape_timeout.is_some_and(|timeout| timeout > job.scrape_interval.unwrap_or(interval)) {
                let path = format!("scrape_configs[{index}].scrape_timeout");
                report.error(&path, "must be at most the scrape_interval");
            }
            if self.scrape_configs[..index].iter().any(|other| other.job_name == job.job_name) {
                report.error(
                    &format!("scrape_configs[{index}].job_name"),
                    format!("must be another one: there is a job `{}` already", job.job_name),
                );
            }
        }
    }
}

impl Job {
    /// With what holds for every job, and paths as seen from where the process runs.
    pub(super) fn resolved(&self, global: &Global, folder: &Path) -> Self {
        let mut job = self.clone();
        let interval = *job.scrape_interval.get_or_insert(global.scrape_interval);
        // As in Prometheus: what holds for all is cut where the job's interval is shorter.
        job.scrape_timeout.get_or_insert(global.scrape_timeout.min(interval));
        job.scrape_protocols.get_or_insert_with(|| global.scrape_protocols.clone());
        job.body_size_limit.get_or_insert(global.body_size_limit);
        job.sample_limit.get_or_insert(global.sample_limit);
        job.label_limit.get_or_insert(global.label_limit);
        job.label_name_length_limit.get_or_insert(global.label_name_length_limit);
        job.label_value_length_limit.get_or_insert(global.label_value_length_limit);
        job.target_limit.get_or_insert(global.target_limit);
        let mut seen_from = Folder(folder);
        seen_from.access(
            &mut job.basic_auth,
            &mut job.authorization,
            &mut job.http_headers,
            &mut job.tls_config,
        );
        for discovery in &mut job.http_sd_configs {
            let HttpSd { basic_auth, authorization, http_headers, tls_config, .. } = discovery;
            seen_from.access(basic_auth, authorization, http_headers, tls_config);
        }
        for file in job.file_sd_configs.iter_mut().flat_map(|discovery| &mut discovery.files) {
            *file = folder.join(&*file).to_string_lossy().into_owned();
        }
        job
    }

    fn unsupported(&self) -> [(&'static str, &Value); 10] {
        [
            ("kubernetes_sd_configs", &self.kubernetes_sd_configs),
            ("consul_sd_configs", &self.consul_sd_configs),
            ("dns_sd_configs", &self.dns_sd_configs),
            ("ec2_sd_configs", &self.ec2_sd_configs),
            ("azure_sd_configs", &self.azure_sd_configs),
            ("gce_sd_configs", &self.gce_sd_configs),
            ("docker_sd_configs", &self.docker_sd_configs),
            ("dockerswarm_sd_configs", &self.dockerswarm_sd_configs),
            ("openstack_sd_configs", &self.openstack_sd_configs),
            ("nomad_sd_configs", &self.nomad_sd_configs),
        ]
    }
}

/// Where the paths of a file begin.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn path(&self, path: &mut Option<PathBuf>) {
        if let Some(path) = path {
            *path = self.0.join(&*path);
        }
    }

    fn access(
        &mut self,
        basic_auth: &mut Option<BasicAuth>,
        authorization: &mut Option<Authorization>,
        headers: &mut BTreeMap<String, Header>,
        tls: &mut Option<TlsConfig>,
    ) {
        if let Some(basic) = basic_auth {
            self.path(&mut basic.username_file);
            self.path(&mut basic.password_file);
        }
        if let Some(authorization) = authorization {
            self.path(&mut authorization.credentials_file);
        }
        for file in headers.values_mut().flat_map(|header| &mut header.files) {
            *file = self.0.join(&*file);
        }
        if let Some(tls) = tls {
            [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]
                .into_iter()
                .for_each(|path| self.path(path));
        }
    }
}

impl Validate for Job {
    fn validate(&self, report: &mut Report) {
        if self.job_name.is_empty() {
            report.error("job_name", "must not be empty");
        }
        if self.scrape_interval.is_some_and(Duration::is_zero) {
            report.error("scrape_interval", "must not be zero");
        }
        for (name, value) in self.unsupported() {
            if !value.is_null() {
                let sentence = "is a discovery that Fresnel does not have: write the targets into a file for \
                                `file_sd_configs`, or serve them for `http_sd_configs`";
                report.error(name, sentence);
            }
        }
        for (name, value, instead) in [
            ("oauth2", &self.oauth2, NO_OAUTH2),
            (
                "proxy_from_environment",
                &self.proxy_from_environment,
                "is not read: name the proxy in `proxy_url`",
            ),
            ("no_proxy", &self.no_proxy, "is not known: give those targets a job of their own"),
            (
                "proxy_connect_header",
                &self.proxy_connect_header,
                "is not sent: a password goes into `proxy_url`",
            ),
        ] {
            if !matches!(value, Value::Null | Value::Bool(false)) {
                report.error(name, instead);
            }
        }
        if let Some(protocols) = &self.scrape_protocols {
            check_protocols("scrape_protocols", protocols, report);
        }
        check_proxy(&self.proxy_url, &self.tls_config, report);
        for (list, rules) in [
            ("relabel_configs", &self.relabel_configs),
            ("metric_relabel_configs", &self.metric_relabel_configs),
        ] {
            for (index, rule) in rules.iter().enumerate() {
                report.within(&format!("{list}[{index}]"), rule);
            }
        }
        for (index, group) in self.static_configs.iter().enumerate() {
            if group.targets.iter().any(|target| target.contains('/')) {
                let sentence =
                    "must be host and port without scheme and path: these are `scheme` and `metrics_path`";
                report.error(&format!("static_configs[{index}].targets"), sentence);
            }
        }
        check_access(&self.basic_auth, &self.authorization, &self.http_headers, &self.tls_config, report);
        for (index, discovery) in self.http_sd_configs.iter().enumerate() {
            report.within(&format!("http_sd_configs[{index}]"), discovery);
        }
        for (index, discovery) in self.file_sd_configs.iter().enumerate() {
            report.within(&format!("file_sd_configs[{index}]"), discovery);
        }
    }
}

impl Validate for HttpSd {
    fn validate(&self, report: &mut Report) {
        let url = reqwest::Url::parse(&self.url);
        if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            report.error("url", "must be a URL with http or https");
        }
        if self.refresh_interval.is_zero() {
            report.error("refresh_interval", "must not be zero");
        }
        if !self.oauth2.is_null() {
            report.error("oauth2", NO_OAUTH2);
        }
        check_proxy(&self.proxy_url, &self.tls_config, report);
        check_access(&self.basic_auth, &self.authorization, &self.http_headers, &self.tls_config, report);
    }
}

impl Validate for FileSd {
    fn validate(&self, report: &mut Report) {
        if self.refresh_interval.is_zero() {
            report.error("refresh_interval", "must not be zero");
        }
        let is_known = |file: &String| {
            let last = Path::new(file).file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ending = [".json", ".yml", ".yaml"].iter().any(|end| last.ends_with(end));
            ending && last.matches('*').count() <= 1 && !file[..file.len() - last.len()].contains('*')
        };
        if self.files.is_empty() || !self.files.iter().all(is_known) {
            report.error("files", "must end in .json, .yml or .yaml, and may have one `*` in the last part");
        }
    }
}

const NO_OAUTH2: &str = "is not supported: let something else fetch the token and write it into the file of \
                         `authorization.credentials_file`, which is read at every request";

fn check_protocols(path: &str, protocols: &[Protocol], report: &mut Report) {
    if protocols.is_empty() {
        report.error(path, "must name a format");
    }
    if (1..protocols.len()).any(|index| protocols[..index].contains(&protocols[index])) {
        report.error(path, "must not name a format twice");
    }
}

fn check_proxy(proxy: &Option<Secret<String>>, tls: &Option<TlsConfig>, report: &mut Report) {
    let Some(proxy) = proxy else { return };
    let url = reqwest::Url::parse(proxy.expose());
    if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        report.error("proxy_url", "must be a URL with http or https");
    }
    if tls.as_ref().is_some_and(|tls| tls.server_name.is_some()) {
        report.error("proxy_url", "does not go together with `tls_config.server_name`");
    }
}

fn check_access(
    basic_auth: &Option<BasicAuth>,
    authorization: &Option<Authorization>,
    headers: &BTreeMap<String, Header>,
    tls: &Option<TlsConfig>,
    report: &mut Report,
) {
    if basic_auth.is_some() && authorization.is_some() {
        report.error("authorization", "does not go together with `basic_auth`");
    }
    if authorization.as_ref().is_some_and(|it| it.scheme.eq_ignore_ascii_case("basic")) {
        report.error("authorization.type", "must not be Basic: that is `basic_auth`");
    }
    for (name, header) in headers {
        let path = format!("http_headers.{name}");
        if HeaderName::try_from(name).is_err() {
            report.error(&path, "is not a header's name");
        }
        if header.values.iter().any(|value| HeaderValue::try_from(value).is_err()) {
            report.error(&path, "has a value that no header can have");
        }
    }
    if let Some(tls) = tls {
        let shows = tls.cert.is_some() || tls.cert_file.is_some();
        let has_key = tls.key.is_some() || tls.key_file.is_some();
        if shows != has_key {
            report.error("tls_config", "must have both of certificate and key, or none");
        }
    }
}
