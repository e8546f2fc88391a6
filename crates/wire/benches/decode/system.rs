#![allow(clippy::print_stdout, clippy::unwrap_used)]
//! See [`run`].

mod requests;
mod run;

fn main() {
    run::main("system allocator");
}
