//! Typed configuration from layers: defaults < files < `.env` < `.env.local` < environment < command
//! line < runtime.
//!
//! What enters: a type `T` with `Deserialize + Serialize + JsonSchema + Default`, and sources.
//! What leaves: a [`Loaded<T>`], a validated immutable snapshot that knows where each value came
//! from, or a [`LoadError`] with every problem at once, each with its place. [`Watch`] keeps a
//! snapshot current while the files change.
//!
//! What must hold: only the final, merged value is validated; tables merge, everything else is
//! replaced; a secret is never printed, whatever happens.
//!
//! ```
//! use fresnel_sdk::config::{ByteSize, Duration, Loader, Report, Validate};
//!
//! /// The whole configuration.
//! #[derive(Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     /// How long a request may take.
//!     #[schemars(extend("x-max" = "60s"))]
//!     timeout: Duration,
//!     /// The largest body.
//!     body_max: ByteSize,
//! }
//!
//! impl Default for Config {
//!     fn default() -> Self {
//!         Self { timeout: Duration::from_secs(10), body_max: ByteSize::mib(4) }
//!     }
//! }
//!
//! impl Validate for Config {
//!     fn validate(&self, report: &mut Report) {
//!         if self.body_max.bytes() == 0 {
//!             report.error("body_max", "must not be zero");
//!         }
//!     }
//! }
//!
//! let error = Loader::<Config>::new().arg("--timeout", "timeout", "5m").load().unwrap_err();
//! assert_eq!(error.to_string(), "--timeout: `timeout` must be at most 60s, got 5m");
//! ```

mod app;
mod check;
mod diff;
mod dotenv;
mod env;
mod error;
mod file;
#[cfg(all(feature = "axum", feature = "security", feature = "tower"))]
pub(crate) mod fit;
mod load;
mod loaded;
mod node;
mod origin;
mod path;
pub mod reference;
mod secrets;
mod settle;
mod shape;
mod text;
mod toml;
mod unit;
mod validate;
mod watch;
mod yaml;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/configuration.md")]
mod guide {}

pub use self::app::{AppConfig, CorsConfig, Environment};
pub use self::diff::Change;
pub use self::error::{LoadError, Problem, Warning};
pub use self::file::read_value;
pub use self::load::Loader;
pub use self::loaded::Loaded;
pub use self::origin::Origin;
pub use self::secrets::SecretStore;
pub use self::unit::{ByteSize, Duration, ParseUnitError, Secret};
pub use self::validate::{Report, Validate};
pub use self::watch::{Event, LastReload, ReloadError, Subscription, Watch, WatchOptions};
#[cfg(feature = "flags")]
pub(crate) use self::watch::{FileChange, Files};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a configuration type must be able to do. Implemented for everything that can.
pub trait Config:
    DeserializeOwned + Serialize + JsonSchema + Default + Validate + Send + Sync + 'static
{
}

impl<T> Config for T where
    T: DeserializeOwned + Serialize + JsonSchema + Default + Validate + Send + Sync + 'static
{
}
