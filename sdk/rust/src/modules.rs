//! Parts of a service that are started in the order of their dependencies, told apart when they fail,
//! and replaced while it runs.
//!
//! What enters: a [`Module`] with its [`Manifest`]. What leaves: a [`Report`] of what started and
//! what did not, and services by type, which a module provides to those that depend on it.
//!
//! What must hold: the whole graph is checked before anything is started, a cycle is named with
//! all its modules; a module sees what the host gives and what its declared dependencies provide,
//! nothing else; a module that fails, panics or hangs is stopped, and disturbs only those that need
//! it; a stop is bounded; a replacement runs before the old one is stopped, or the old one stays.
//!
//! Everything here runs in a tokio runtime with time. Each call of a module is a task of its own, so
//! that a panic in it is contained. A module that blocks its thread without awaiting cannot be
//! ended; the others go on only in a runtime with several threads.
//!
//! ```
//! use std::sync::Arc;
//! use fresnel_sdk::modules::{BoxFuture, Context, Failure, Manifest, Module, Modules, Options, Services};
//!
//! struct Prices(u64);
//! struct Catalog;
//! struct Shop;
//!
//! impl Module for Catalog {
//!     fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
//!         Box::pin(async { Ok(context.provide(Arc::new(Prices(7)))) })
//!     }
//! }
//!
//! impl Module for Shop {
//!     fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
//!         Box::pin(async {
//!             assert_eq!(context.service::<Prices>()?.0, 7);
//!             Ok(())
//!         })
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let modules = Modules::new(Services::default(), Options::default());
//! modules.register(Manifest::new("shop", "1.0.0").needs("catalog", "^2"), Shop).await?;
//! modules.register(Manifest::new("catalog", "2.1.0"), Catalog).await?;
//! let report = modules.start_all().await?;
//! assert!(report.is_complete());
//! modules.stop_all().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod context;
mod event;
mod graph;
mod host;
mod made;
mod manifest;
mod record;
mod services;
mod task;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/modules.md")]
mod guide {}

pub use self::config::{ModuleConfig, ModulesConfig};
pub use self::context::Context;
pub use self::event::Event;
pub use self::graph::PlanError;
pub use self::host::{Modules, Options, Outcome, ReplaceError, Report, StartError, StopError};
pub use self::manifest::{Dependency, Manifest, RegisterError};
pub use self::record::Record;
pub use self::services::{MissingService, Services};

use std::future::Future;
use std::pin::Pin;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a module could not do something: its own error.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Healthy,
    /// It works, but not as it should.
    Degraded(String),
    /// It does not work.
    Unhealthy(String),
}

impl Health {
    /// The worse one; of equal ones this.
    fn worse(self, other: Self) -> Self {
        let rank = |health: &Self| match health {
            Self::Healthy => 0,
            Self::Degraded(_) => 1,
            Self::Unhealthy(_) => 2,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }

    /// As the check of this name found it.
    fn found_by(self, check: &str) -> Self {
        match self {
            Self::Healthy => Self::Healthy,
            Self::Degraded(problem) => Self::Degraded(format!("`{check}`: {problem}")),
            Self::Unhealthy(problem) => Self::Unhealthy(format!("`{check}`: {problem}")),
        }
    }
}

/// A part of a service.
pub trait Module: Send + Sync + 'static {
    /// Begins to work. What it needs and what it gives goes through the context. A task that it
    /// spawns is its own to end in [`Module::stop`].
    ///
    /// # Errors
    /// It cannot; [`Module::stop`] is called then, so that nothing is left.
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>>;

    /// Ends its work and gives back what it holds. May be called after a start that failed or was
    /// broken off.
    ///
    /// # Errors
    /// Something is left. It counts as stopped all the same.
    fn stop(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// How it is.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(std::future::ready(Health::Healthy))
    }

    /// How one of the checks of its manifest finds it, by name. Its answers count as those of
    /// [`Module::health`] do.
    fn check<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Health> {
        Box::pin(std::future::ready(Health::Unhealthy("the module does not know this check".into())))
    }

    /// What a replacement goes on with: it finds it in [`Context::state`].
    fn state(&self) -> BoxFuture<'_, Option<serde_json::Value>> {
        Box::pin(std::future::ready(None))
    }
}
