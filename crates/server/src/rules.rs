//! Prometheus' rules in the server: their files, their evaluation, and what can be asked of them.
//!
//! Enters: `rules` of the configuration, answers of the query engine, the time. Leaves: samples, by the
//! same door as everybody's, and how each rule is. Must hold: a group's evaluations do not overlap; what
//! is wrong with a file is said and the rules before stay; what a rule gives is on the disk before the
//! next rule asks for it.

pub mod board;
pub mod config;
mod encode;
pub mod files;
mod run;
mod series;

pub use board::Board;
pub use config::RulesConfig;
pub use run::{Metrics, Rules};
