//! A small shop that is not there: its services and their customers are simulated, what they say
//! is sent over OTLP like everybody's.

pub mod shop;
pub mod traffic;
