use std::collections::BTreeMap;

use std::net::{Ipv4Addr, SocketAddr};

use fresnel_sdk::config::{ByteSize, Duration, Report, Secret, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scrape;

/// Shortest secret of a key.
const KEY_LEN_MIN: usize = 16;

/// What comes in, and from whom.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// OpenTelemetry's protocol.
    pub otlp: OtlpConfig,
    /// Measurements of the machine that Fresnel runs on.
    pub host: HostConfig,
    /// Bounds on what one request may be.
    pub limit: LimitConfig,
    /// Targets that are scraped as Prometheus scrapes them.
    pub scrape: scrape::Config,
    /// Keys of senders by name. With none, whoever reaches the address may send.
    pub key: BTreeMap<String, KeyConfig>,
}

/// The doors for OTLP.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpConfig {
    /// OTLP/gRPC.
    pub grpc: ListenConfig,
    /// OTLP/HTTP.
    pub http: ListenConfig,
}

/// An address to listen on.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenConfig {
    /// Address and port; port 0 takes a free one. An address that is not loopback needs a key.
    pub listen: SocketAddr,
}

/// Measurements of the host.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// Whether to measure the host's CPU, memory, disks and network (`system.*`).
    pub enabled: bool,
    /// How often; 1s to 5m.
    pub interval: Duration,
}

/// Bounds on what one request may be.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Largest request body as sent; 1 KiB to 256 MiB.
    pub body: ByteSize,
    /// Longest pause within a request body; 1s to 5m. Who pauses for longer is answered with 408.
    pub body_idle: Duration,
    /// Largest request body after decompression; 1 KiB to 256 MiB.
    pub body_decoded: ByteSize,
    /// Most attributes of a record, of a resource or of a scope; a record with more is rejected.
    pub attributes: u32,
    /// Longest attribute value or body of a record; a record with a longer one is rejected.
    pub value: ByteSize,
    /// How old a point of a metric may be, `0` for any age; an older one is rejected, as `too_old`.
    pub point_age: Duration,
    /// How far in the future the time of a point of a metric may be, `0` for any time; one that is further
    /// away is rejected, as `too_far_ahead`.
    pub point_ahead: Duration,
    /// Most tenants; a request of one more is refused.
    pub tenants: u32,
    /// Most requests that are decoded at the same time; 0 for twice the number of cores.
    pub concurrency: u32,
}

/// A sender's key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// What the sender shows as `Authorization: Bearer <secret>`; at least 16 characters.
    pub secret: Secret<String>,
    /// The tenant its records belong to.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// Whether who shows it is told of all tenants: their names and figures in the ledger, in
    /// `/metrics`, in status and health. Without it only of its own. Records are always its own.
    #[serde(default)]
    pub admin: bool,
}

fn default_tenant() -> String {
    model::Tenant::DEFAULT.into()
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self { grpc: ListenConfig::loopback(4317), http: ListenConfig::loopback(4318) }
    }
}

impl ListenConfig {
    /// On 127.0.0.1.
    pub fn loopback(port: u16) -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }
    }
}

impl Default for HostConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(5) }
    }
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            body: ByteSize::mib(64),
            body_idle: Duration::from_secs(30),
            body_decoded: ByteSize::mib(64),
            attributes: 1_024,
            value: ByteSize::mib(1),
            // What says that it is older or newer has a wrong clock, or another unit of time.
            point_age: Duration::from_days(3650),
            point_ahead: Duration::from_days(1),
            tenants: 1_000,
            concurrency: 0,
        }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        let durations = [("host.interval", self.host.interval), ("limit.body_idle", self.limit.body_idle)];
        for (name, duration) in durations {
            let bounds = std::time::Duration::from_secs(1)..=std::time::Duration::from_secs(300);
            if !bounds.contains(&duration.get()) {
                report.error(name, "must be 1s to 5m");
            }
        }
        for (name, size) in [("limit.body", self.limit.body), ("limit.body_decoded", self.limit.body_decoded)]
        {
            if !(1 << 10..=256 << 20).contains(&size.bytes()) {
                report.error(name, "must be 1 KiB to 256 MiB");
            }
        }
        report.within("scrape", &self.scrape);
        if self.limit.tenants == 0 {
            report.error("limit.tenants", "must be at least 1");
        }
        for (name, key) in &self.key {
            if key.secret.expose().len() < KEY_LEN_MIN {
                report.error(
                    &format!("key.{name}.secret"),
                    format!("must have at least {KEY_LEN_MIN} characters"),
                );
            }
            if let Err(error) = model::Tenant::parse(&key.tenant) {
                report.error(&format!("key.{name}.tenant"), format!("is not a tenant: {error}"));
            }
        }
    }
}
