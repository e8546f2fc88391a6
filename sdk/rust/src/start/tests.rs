#![allow(clippy::unwrap_used)]

mod environment;
mod guard;
