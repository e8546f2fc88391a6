#![allow(clippy::unwrap_used)]

#[cfg(all(feature = "axum", feature = "tower"))]
mod app;
#[cfg(feature = "health")]
mod defaults;
mod environment;
mod guard;

pub(crate) use self::guard::start as started;
