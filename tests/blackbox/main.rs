//! Drives the built binary as its users do: over OTLP, HTTP and the command line.
//!
//! Must hold: only `testkit` of ours is named; every test starts its own server on free ports in a
//! directory of its own; a warning that a test did not announce fails it.

#![allow(clippy::unwrap_used)]

mod cli;
mod compact;
mod configuration;
mod demo;
mod doors;
mod durability;
mod grpc;
#[path = "../grpc_call.rs"]
mod grpc_call;
mod health;
mod ledger;
mod logs;
mod metrics;
mod otlp;
mod otlp_json;
mod own_telemetry;
mod prometheus;
mod reference;
mod remote_write;
mod rules;
mod scrape;
mod settings;
mod sql;
mod tenants;
mod tiers;
mod traces;

use testkit::{Builder, Fresnel};

fn fresnel() -> Builder {
    Fresnel::builder(env!("CARGO_BIN_EXE_fresnel"))
}
