//! Records something and panics; built with `panic = "abort"` by the test beside it.

fn main() {
    let _guard = fresnel_sdk::init();
    tracing::info_span!("work", n = 1).in_scope(|| tracing::info!(answer = 42, "worked"));
    let _under_way = tracing::info_span!("under way").entered();
    match std::env::args().nth(1).as_deref() {
        Some("thread") => drop(std::thread::spawn(|| panic!("on purpose")).join()),
        _ => panic!("on purpose"),
    }
}
