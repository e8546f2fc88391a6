#![allow(clippy::unwrap_used)]

mod graph;
mod lifecycle;
mod records;
