#![allow(clippy::unwrap_used)]

#[cfg(feature = "health")]
mod defaults;
mod environment;
mod guard;
