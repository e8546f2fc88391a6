//! What every application says of itself, as a part of its configuration.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{Report, Validate};
use crate::telemetry::AttributesError;
use crate::telemetry::otlp::Resource;

/// The application. Everything but `cors` must be set: a program that embeds this has no value for
/// them, so loading fails with "is missing" where nobody gave one.
///
/// ```
/// use fresnel_sdk::config::{AppConfig, Loader, Report, Validate};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Config {
///     app: AppConfig,
/// }
///
/// impl Validate for Config {
///     fn validate(&self, report: &mut Report) {
///         report.within("app", &self.app);
///     }
/// }
///
/// let error = Loader::<Config>::new().arg("--port", "app.port", "8080").load().unwrap_err();
/// assert_eq!(error.problems.len(), 4);
/// assert_eq!(error.problems[0].message, "`app.base_url` is missing");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// What it is called: `service.name`.
    #[schemars(required, length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Its version: `service.version`.
    #[schemars(required, length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Where it is deployed to: `deployment.environment.name`.
    #[schemars(required)]
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment>,
    /// Where its users reach it, such as `https://shop.example/app`.
    #[schemars(required)]
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
    /// The port that it listens on, from 1.
    #[schemars(required, range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// Pages of other origins.
    #[serde(default)]
    pub cors: CorsConfig,
}

/// Pages of other origins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Those that may ask, such as `https://shop.example`; `*` for all.
    pub origin: Vec<String>,
    /// Whether they may send cookies along.
    pub credentials: bool,
}

/// Where a program is deployed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// At a developer's.
    #[default]
    Development,
    /// Where it is tried before users have it.
    Staging,
    /// Where its users are.
    Production,
}

/// `development`, `staging` or `production`.
impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        })
    }
}

impl AppConfig {
    /// Paths in it whose change takes effect only after a restart.
    pub const RESTART: &'static [&'static str] = &["port"];

    /// What it is called; empty only when this was never loaded.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Its version; empty only when this was never loaded.
    pub fn version(&self) -> &str {
        self.version.as_deref().unwrap_or_default()
    }

    /// Where it is deployed to.
    pub fn environment(&self) -> Environment {
        self.environment.unwrap_or_default()
    }

    /// What its telemetry says of it, over that what [the environment](Resource::with_env) says.
    pub fn resource(&self) -> (Resource, Option<AttributesError>) {
        let environment = self.environment().to_string();
        Resource::service(self.name(), self.version())
            .with("deployment.environment.name", environment)
            .with_env()
    }

    /// Where its users reach it, without a slash at the end; empty only when this was never loaded.
    pub fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or_default().trim_end_matches('/')
    }

    /// The port that it listens on; 0 only when this was never loaded.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or_default()
    }
}

impl Validate for AppConfig {
    fn validate(&self, report: &mut Report) {
        if let Some(url) = self.base_url.as_deref().filter(|url| Url::parse(url).is_none()) {
            report.error(
                "base_url",
                format!("must be an address such as `https://shop.example/app`, got \"{}\"", shown(url)),
            );
        }
        report.within("cors", &self.cors);
    }
}

impl Validate for CorsConfig {
    fn validate(&self, report: &mut Report) {
        let is_origin = |origin: &str| Url::parse(origin).is_some_and(|url| url.path.is_empty());
        for (index, origin) in self.origin.iter().enumerate() {
            if origin != "*" && !is_origin(origin) {
                let predicate = format!(
                    "must be an origin such as `https://shop.example`, or `*`, got \"{}\"",
                    shown(origin)
                );
                report.error(&format!("origin[{index}]"), predicate);
            }
        }
        if self.credentials && self.origin.iter().any(|origin| origin == "*") {
            // Browsers refuse it, and whoever gets around that gives every page the user's rights.
            report.conflict(&["credentials", "origin"], "must be false while `origin` has `*`");
        }
    }
}

/// A text without what may be a password in an address.
fn shown(url: &str) -> &str {
    url.rsplit('@').next().unwrap_or(url)
}

/// An address of the web: scheme, host and port, then a path. No user, query or fragment.
struct Url<'a> {
    path: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            // What is in brackets is an address of version 6, which has colons of its own.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port_ok = port.is_none_or(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        let path_ok = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte));
        (is_host(host) && port_ok && path_ok).then_some(Self { path })
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let legal = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        legal && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}
