#![allow(clippy::print_stdout, clippy::unwrap_used)]
//! See [`run`].

mod requests;
mod run;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    run::main("mimalloc");
}
