#![allow(clippy::unwrap_used)]

mod damage;
mod fixture;
mod lifecycle;
mod plan;
mod readers;
mod schema;
