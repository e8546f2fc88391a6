#![allow(clippy::unwrap_used)]

mod addresses;
mod headers;
#[cfg(feature = "html")]
mod html;
#[cfg(feature = "tower")]
mod layers;
mod names;
#[cfg(feature = "jwt")]
mod rotation;
#[cfg(feature = "jwt")]
mod signer;
#[cfg(feature = "jwt")]
mod tokens;
