//! The commands, one file each.

pub mod check;
pub mod compact;
pub mod demo;
mod difference;
pub mod query;
pub mod reference;
mod remote;
pub mod serve;
pub mod status;
pub mod test;
