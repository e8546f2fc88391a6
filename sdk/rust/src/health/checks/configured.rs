use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Http, Redis, Tcp, UrlError};
use crate::config::{Duration, Secret};
use crate::health::{Check, CheckOptions};

/// A check as it stands in a configuration.
///
/// ```
/// use fresnel_sdk::health::checks::{CheckConfig, Makers};
///
/// let config: CheckConfig = serde_json::from_str(
///     r#"{ "critical": false, "timeout": "2s", "target": { "http": { "url": "http://stock:8080/livez" } } }"#,
/// ).expect("it is right");
/// let (options, _check) = config.build(&Makers::default()).expect("it is an address");
/// assert!(!options.critical);
///
/// let unknown = serde_json::from_str::<CheckConfig>(r#"{ "target": { "ftp": {} } }"#);
/// assert!(unknown.expect_err("there is none of this type").to_string().contains("unknown variant `ftp`"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckConfig {
    /// What is looked at.
    pub target: Target,
    /// How often it runs in the background.
    #[serde(default = "interval")]
    pub interval: Duration,
    /// How long it may take.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// How long a result holds for those who ask.
    #[serde(default = "cache_ttl")]
    pub cache_ttl: Duration,
    /// Whether the service cannot work without.
    #[serde(default = "critical")]
    pub critical: bool,
}

fn interval() -> Duration {
    CheckOptions::default().interval.into()
}

fn timeout() -> Duration {
    CheckOptions::default().timeout.into()
}

fn cache_ttl() -> Duration {
    CheckOptions::default().cache_ttl.into()
}

fn critical() -> bool {
    CheckOptions::default().critical
}

/// What a configured check looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An `http://` address that must answer with 2xx.
    Http(HttpTarget),
    /// Something that accepts connections.
    Tcp(TcpTarget),
    /// A Redis server.
    Redis(RedisTarget),
    /// A database, by the client of the program.
    Database(DatabaseTarget),
    /// A check that the program has, by its name.
    Custom(String),
}

/// An `http://` address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTarget {
    /// The address.
    pub url: String,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpTarget {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A Redis server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisTarget {
    /// A name or an address.
    pub host: String,
    /// The port; 6379.
    #[serde(default = "redis_port")]
    pub port: u16,
    /// The password, if it wants one.
    #[serde(default)]
    pub password: Option<Secret>,
}

fn redis_port() -> u16 {
    6379
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseTarget {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database on the server.
    pub database: String,
    /// Who asks.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Why a configured check cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The program has no client for databases.
    #[error("this program cannot check databases: it has set no `Makers::database`")]
    NoDatabase,
    /// The program has no such check.
    #[error("this program has no check `{name}`; it has: {}", known.join(", "))]
    NoCustom {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The program could not make it.
    #[error("the check cannot be made: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}

/// Makes a check, or says why it cannot.
pub type MakeCustom = Arc<dyn Fn() -> Result<Box<dyn Check>, String> + Send + Sync>;
/// Makes a check of a database, with the client of the program: `SELECT 1` over its pool.
pub type MakeDatabase = Arc<dyn Fn(&DatabaseTarget) -> Result<Box<dyn Check>, String> + Send + Sync>;

/// What only the program can make.
#[derive(Clone, Default)]
pub struct Makers {
    /// For [`Target::Database`].
    pub database: Option<MakeDatabase>,
    /// For [`Target::Custom`], by name.
    pub custom: BTreeMap<String, MakeCustom>,
}

impl fmt::Debug for Makers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let custom: Vec<_> = self.custom.keys().collect();
        f.debug_struct("Makers").field("database", &self.database.is_some()).field("custom", &custom).finish()
    }
}

impl CheckConfig {
    /// Makes the check, for [`register_boxed`](crate::health::Checker::register_boxed).
    ///
    /// # Errors
    /// The address is none, or the program cannot make it.
    pub fn build(&self, makers: &Makers) -> Result<(CheckOptions, Box<dyn Check>), ConfigError> {
        let options = CheckOptions {
            interval: self.interval.get(),
            timeout: self.timeout.get(),
            cache_ttl: self.cache_ttl.get(),
            critical: self.critical,
            live: false,
        };
        let failed = |reason| ConfigError::Failed { reason };
        let check: Box<dyn Check> = match &self.target {
            Target::Http(target) => Box::new(Http::get(&target.url)?),
            Target::Tcp(target) => Box::new(Tcp::new(target.host.as_str(), target.port)),
            Target::Redis(target) => {
                let redis = Redis::new(target.host.as_str(), target.port);
                match &target.password {
                    Some(password) => Box::new(redis.password(password.clone())),
                    None => Box::new(redis),
                }
            }
            Target::Database(target) => {
                let make = makers.database.as_ref().ok_or(ConfigError::NoDatabase)?;
                make(target).map_err(failed)?
            }
            Target::Custom(name) => {
                let known = || makers.custom.keys().cloned().collect();
                let unknown = || ConfigError::NoCustom { name: name.clone(), known: known() };
                makers.custom.get(name).ok_or_else(unknown)?().map_err(failed)?
            }
        };
        Ok((options, check))
    }
}
