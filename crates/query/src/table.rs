//! The tables as SQL sees them: the file schemas with timestamps instead of nanosecond integers,
//! lower-case hex instead of id bytes, and words instead of numbers for kinds and codes.
//!
//! A scan works on the file's columns: references to exposed columns are replaced by expressions
//! over the file's ([`adapt`]), comparisons with constants are turned into comparisons of the raw
//! columns, so that statistics, page indexes and bloom filters apply.

pub(crate) mod adapt;
pub(crate) mod catalog;
pub(crate) mod columns;
pub(crate) mod convert;
mod memory;
mod metrics;
mod provider;
mod unique;
mod value;
