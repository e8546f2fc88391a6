#![allow(clippy::unwrap_used)]

#[cfg(all(feature = "axum", feature = "tower"))]
mod app;
#[cfg(feature = "health")]
mod defaults;
mod environment;
mod guard;
#[cfg(all(feature = "axum", feature = "health", feature = "reqwest", feature = "resilience"))]
mod service;

pub(crate) use self::guard::start as started;
