//! Whether a service works, and what it depends on: checks, and the answers of `/livez`, `/readyz`
//! and `/health`.
//!
//! What enters: [`Check`]s, registered with a [`Checker`]: closures, or the built-in ones in
//! [`checks`]. What leaves: a [`Report`], metrics named `health.*`, an event when a check changes.
//!
//! What must hold: checks run at once, each within its timeout and never twice at the same time; a
//! probe that comes often costs nothing, because results are kept for a while, bad ones too; a
//! dependency that is down never makes the process itself look dead; what a check found is shown
//! only to those who may see it.
//!
//! ```
//! use fresnel_sdk::health::{CheckOptions, Checker, Finding, Scope, Status};
//! use fresnel_sdk::telemetry::metrics::Registry;
//!
//! # fresnel_sdk::clock::simulate(async {
//! let checker = Checker::new("1.4.2", &Registry::new());
//! checker.register("queue", CheckOptions::default(), || async {
//!     Finding::healthy().detail("waiting", 3)
//! })?;
//! let cache = CheckOptions { critical: false, ..CheckOptions::default() };
//! checker.register("cache", cache, || async { Err::<(), _>("connection refused") })?;
//!
//! let report = checker.check(Scope::All).await;
//! assert_eq!(report.status, Status::Degraded, "the cache is not critical");
//! assert_eq!(report.summary.unhealthy, 1);
//! # Ok::<(), fresnel_sdk::health::RegisterError>(()) }).expect("names are free");
//! ```

#[cfg(feature = "axum")]
pub mod axum;
mod check;
mod checker;
pub mod checks;
mod entry;
mod finding;
mod report;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../../docs/sdk/health.md")]
mod guide {}

pub use self::check::{Check, CheckOptions};
pub use self::checker::{Checker, Phase, RegisterError, Scope};
pub use self::finding::{Finding, Status};
pub use self::report::{CheckResult, Report, Summary};
