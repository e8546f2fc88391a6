//! The commands, one file each.

pub mod check;
pub mod demo;
pub mod query;
pub mod reference;
mod remote;
pub mod serve;
pub mod status;
