//! What the promises are worth when things go wrong: the process is killed, the disk is full, slow
//! or broken, the memory is used up, time goes by.
//!
//! Must hold after each: everything of an acknowledged request is there exactly once, everything of
//! a request without an answer at most once, and the ledger balances. Chance comes from a seed that
//! is printed; `FRESNEL_FAULT_SEED` repeats it.

#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stderr, reason = "a test talks on stderr")]

mod disk;
mod door;
#[path = "../grpc_call.rs"]
mod grpc_call;
mod kill;
mod memory;
mod senders;
mod settings;
mod slow;

use testkit::{Builder, Fresnel};

/// The binary of this build, or the copy that a long run is given, so that a build does not replace
/// it on the way.
fn fresnel() -> Builder {
    let built = env!("CARGO_BIN_EXE_fresnel");
    Fresnel::builder(std::env::var("FRESNEL_SOAK_BINARY").unwrap_or_else(|_| built.to_owned()))
}

/// A number that whoever runs the tests may set.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

/// The seed of everything that looks like chance here, told so that it can be repeated.
fn seed() -> u64 {
    let seed = setting("FRESNEL_FAULT_SEED", testkit::records::now_unix_nano());
    eprintln!("FRESNEL_FAULT_SEED={seed}");
    seed
}
