#![allow(clippy::unwrap_used)]

mod access;
mod addresses;
#[cfg(all(feature = "jwt", feature = "reqwest"))]
mod fetching;
mod headers;
#[cfg(feature = "html")]
mod html;
#[cfg(all(feature = "axum", feature = "tower"))]
mod input;
#[cfg(feature = "tower")]
mod layers;
mod names;
#[cfg(feature = "axum")]
mod reports;
#[cfg(feature = "jwt")]
mod rotation;
#[cfg(feature = "encryption")]
mod seal;
#[cfg(feature = "jwt")]
mod signer;
#[cfg(feature = "jwt")]
mod tokens;
