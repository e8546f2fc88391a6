#![allow(clippy::unwrap_used)]

mod provider;
mod sampling;
mod spans;
