use std::collections::BTreeMap;
use std::path::PathBuf;

use fresnel_sdk::config::{ByteSize, Duration, Report, Secret, Validate};
use model::{Signal, Table, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tiers::{self, TierConfig};

/// Where records are kept, how they get there and how long they stay.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of everything that is kept; created when missing. Relative to the working directory.
    pub dir: PathBuf,
    /// The log that records are written to before they are acknowledged.
    pub wal: WalSection,
    /// When records in memory become files.
    pub seal: SealConfig,
    /// How small files become larger ones.
    pub compact: CompactConfig,
    /// Most active series of a tenant: those sent within about an hour. Points of more are rejected,
    /// as `too_many_series`, and those of the others stored; at least 1,000.
    pub series_max: u64,
    /// Most active series of a tenant with the same metric name; points of more are rejected, as
    /// `too_many_series_of_metric`. At least 100.
    pub series_max_per_metric: u64,
    /// How long records stay.
    pub retention: RetentionConfig,
    /// Samples of which metrics stay how long, and what they are downsampled to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierConfig>,
    /// An S3-compatible store for the files. Without it they lie in `dir`; the log and the
    /// catalog always do: what was acknowledged and is in no file yet is lost with the disk of
    /// `dir`, at most what came within `seal.age` while the bucket answers. See
    /// docs/how-to/keep-files-in-s3.md.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Config>,
}

/// The write-ahead log.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WalSection {
    /// Size at which a new file is begun; 1 MiB to 1 GiB.
    pub file_size: ByteSize,
    /// Bytes of requests that may wait for the disk; more are refused.
    pub queue: ByteSize,
    /// Length of the log at which what holds it back is sealed early.
    pub size_max: ByteSize,
}

/// When records in memory become files.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SealConfig {
    /// Bytes in memory, per tenant and signal, at which they are written to a file; at most a
    /// sixteenth of `memory.limit` is used.
    pub size: ByteSize,
    /// Age of the oldest record in memory at which they are written to a file.
    pub age: Duration,
    /// How many files are written at the same time; 0 for half the cores.
    pub concurrency: u32,
}

/// How small files become larger ones.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompactConfig {
    /// Size up to which files are merged.
    pub size: ByteSize,
    /// Fewest files worth merging; 2 to 64.
    pub files_min: u32,
    /// How long nothing was added to a day that is over until its files are merged into as few as
    /// `size` permits, also when they are fewer than `files_min`.
    pub quiet: Duration,
    /// How long a replaced or expired file stays on disk for queries that still read it.
    pub grace: Duration,
}

/// How long records stay; `0` keeps them for ever. Whole files are removed, once the newest
/// record in them is older.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Log records.
    pub logs: Duration,
    /// Spans.
    pub spans: Duration,
    /// Metric points and their series.
    pub metrics: Duration,
    /// Other times for single tables: `logs`, `spans`, `samples`, `histograms`, `exemplars`. What
    /// describes points (`series`) stays as long as the points do.
    pub table: BTreeMap<String, Duration>,
    /// Other times for single tenants.
    pub tenant: BTreeMap<String, TenantRetention>,
}

/// How long records of one tenant stay; what is missing is as for everybody.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantRetention {
    /// Log records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Duration>,
    /// Spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans: Option<Duration>,
    /// Metric points and their series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Duration>,
    /// Other times for single tables of the tenant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub table: BTreeMap<String, Duration>,
}

/// An S3-compatible store.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Name of the bucket; it must exist.
    pub bucket: String,
    /// Folder in the bucket.
    #[serde(default)]
    pub prefix: String,
    /// Address of the service, for example `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    /// Region to sign for.
    #[serde(default = "default_region")]
    pub region: String,
    /// Access key.
    pub access_key: Secret<String>,
    /// Secret key.
    pub secret_key: Secret<String>,
    /// Whether an `http://` endpoint is accepted.
    #[serde(default)]
    pub allow_http: bool,
    /// Whether a store whose `store.dir` is empty takes over the files that another store left in
    /// the bucket, after that one's disk was lost. Without it such a bucket is refused.
    #[serde(default)]
    pub adopt: bool,
}

fn default_region() -> String {
    "us-east-1".into()
}

impl RetentionConfig {
    /// How long records of `tenant` in `table` stay; `None` for ever. What is said of the tenant goes
    /// before what is said of everybody, and what is said of the table before that of the signal.
    pub fn of(&self, tenant: &Tenant, table: Table) -> Option<std::time::Duration> {
        if table == Table::Series {
            let points = [Table::Samples, Table::Histograms, Table::Exemplars];
            let times = points.into_iter().map(|table| self.of(tenant, table));
            return times.collect::<Option<Vec<_>>>()?.into_iter().max();
        }
        let own = self.tenant.get(tenant.as_str());
        let (of_tenant, general) = match table.signal() {
            Signal::Logs => (own.and_then(|own| own.logs), self.logs),
            Signal::Spans => (own.and_then(|own| own.spans), self.spans),
            Signal::Metrics => (own.and_then(|own| own.metrics), self.metrics),
        };
        let of_table = |tables: &BTreeMap<String, Duration>| tables.get(table.as_str()).copied();
        let duration = own
            .and_then(|own| of_table(&own.table))
            .or(of_tenant)
            .or_else(|| of_table(&self.table))
            .unwrap_or(general);
        (!duration.is_zero()).then(|| duration.get())
    }

    /// The longest time for which records of `tenant` and `signal` stay, where either is known;
    /// `None` for ever.
    pub(crate) fn longest(
        &self,
        tenant: Option<&Tenant>,
        signal: Option<Signal>,
    ) -> Option<std::time::Duration> {
        let own = self.tenant.keys().filter_map(|name| Tenant::parse(name).ok());
        let everybody = || own.chain([Tenant::default()]).collect();
        let tenants = tenant.map_or_else(everybody, |tenant| vec![tenant.clone()]);
        let tables =
            Table::ALL.into_iter().filter(|table| signal.is_none_or(|signal| table.signal() == signal));
        let tables: Vec<_> = tables.collect();
        let times = tenants.iter().flat_map(|tenant| tables.iter().map(|table| self.of(tenant, *table)));
        times.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn check(&self, report: &mut Report) {
        for name in self.tenant.keys().filter(|name| Tenant::parse(name).is_err()) {
            report.error("retention.tenant", format!("`{name}`: {}", model::InvalidTenant));
        }
        let own =
            self.tenant.iter().map(|(name, own)| (format!("retention.tenant.{name}.table"), &own.table));
        for (key, tables) in own.chain([("retention.table".to_owned(), &self.table)]) {
            for name in tables.keys() {
                match Table::parse(name) {
                    Some(Table::Series) => report.error(&key, "`series` stay as long as their points"),
                    Some(table @ (Table::Downsampled | Table::DownsampledHistograms)) => {
                        report.error(&key, format!("`{table}` stays as long as `store.tiers` says"));
                    }
                    Some(_) => {}
                    None => report.error(&key, format!("there is no table `{name}`")),
                }
            }
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("fresnel-data"),
            wal: WalSection::default(),
            seal: SealConfig::default(),
            compact: CompactConfig::default(),
            series_max: 1_000_000,
            series_max_per_metric: 200_000,
            retention: RetentionConfig::default(),
            tiers: Vec::new(),
            s3: None,
        }
    }
}

impl Default for WalSection {
    fn default() -> Self {
        Self { file_size: ByteSize::mib(64), queue: ByteSize::mib(64), size_max: ByteSize::mib(512) }
    }
}

impl Default for SealConfig {
    fn default() -> Self {
        Self { size: ByteSize::mib(32), age: Duration::from_secs(60), concurrency: 0 }
    }
}

impl Default for CompactConfig {
    fn default() -> Self {
        Self {
            size: ByteSize::mib(256),
            files_min: 4,
            quiet: Duration::from_hours(1),
            grace: Duration::from_hours(1),
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            logs: Duration::from_days(30),
            spans: Duration::from_days(30),
            metrics: Duration::from_days(365),
            table: BTreeMap::new(),
            tenant: BTreeMap::new(),
        }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        if self.dir.as_os_str().is_empty() {
            report.error("dir", "must not be empty");
        }
        let file_size = self.wal.file_size.bytes();
        if !(1 << 20..=1 << 30).contains(&file_size) {
            report.error("wal.file_size", "must be 1 MiB to 1 GiB");
        }
        if self.wal.queue.bytes() < 1 << 20 {
            report.error("wal.queue", "must be at least 1 MiB");
        }
        if self.wal.size_max.bytes() < file_size {
            report.error("wal.size_max", "must be at least `wal.file_size`");
        }
        if self.seal.size.bytes() < 1 << 10 {
            report.error("seal.size", "must be at least 1 KiB");
        }
        if self.seal.age.is_zero() {
            report.error("seal.age", "must not be zero");
        }
        if self.series_max < 1_000 {
            report.error("series_max", "must be at least 1000");
        }
        if self.series_max_per_metric < 100 {
            report.error("series_max_per_metric", "must be at least 100");
        }
        if !(2..=64).contains(&self.compact.files_min) {
            report.error("compact.files_min", "must be 2 to 64");
        }
        self.retention.check(report);
        let raw = self.retention.of(&Tenant::default(), Table::Samples);
        tiers::check(&self.tiers, raw, report);
        if let Some(s3) = &self.s3 {
            s3.check(report);
        }
    }
}

impl S3Config {
    fn check(&self, report: &mut Report) {
        if self.bucket.is_empty() {
            report.error("s3.bucket", "must not be empty");
        }
        if self.endpoint.starts_with("http://") && !self.allow_http {
            report.error("s3.endpoint", "must begin with https:// unless `s3.allow_http` is true");
        }
    }
}
