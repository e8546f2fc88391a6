//! What the tests outside the crates stand on: it starts the built binary on free ports in a
//! temporary directory, sends to it, waits for it, asks it, and looks at what it said.
//!
//! Enters: the path of the binary, and what a test wants to send. Leaves: answers, exit codes, log
//! lines. Must hold: it names no crate of ours, and writes OTLP with the upstream crate and remote write by its `.proto` files, so that
//! two equal mistakes cannot cancel out; every wait has a deadline; a warning or an error that a
//! test did not announce fails that test.
//!
//! ```no_run
//! use testkit::{Fresnel, records::Sender};
//!
//! let server = Fresnel::builder("target/debug/fresnel").start();
//! let mut sender = Sender::new("cart", 1);
//! server.send(&sender.logs(10));
//! assert_eq!(server.sql("SELECT count(*) FROM logs WHERE service_name = 'cart'").integer(), 10);
//! ```

#![expect(clippy::print_stderr, reason = "a test talks on stderr")]

mod builder;
pub mod http;
mod ledger;
mod log;
pub mod otlp;
mod page;
pub mod records;
pub mod remote_write;
mod rows;
mod server;
mod wait;

pub use builder::{Background, Builder, Finished};
pub use ledger::{Entry, Ledger};
pub use otlp::{Encoding, Format};
pub use page::page_tests;
pub use rows::Rows;
pub use server::{Doors, Fresnel};
pub use wait::{root, skip, tell, wait_for};

#[cfg(test)]
mod tests;
