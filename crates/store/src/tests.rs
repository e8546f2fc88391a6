#![allow(clippy::unwrap_used)]

mod atomic;
mod bucket;
mod budget;
mod compact;
mod cost;
mod damage;
mod files;
pub(crate) mod fixture;
mod logs;
mod power;
mod rebuild;
mod remote;
mod samples;
mod series;
mod tiers;
mod trace;
