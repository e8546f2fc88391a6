//! The logging of a whole process, which is set up once: a process of its own.

use fresnel_sdk::telemetry::{InitError, InitOptions, init};

#[test]
fn logging_is_set_up_once_for_all() {
    let first = init(InitOptions::default()).expect("nothing is set up yet");
    assert_eq!(first.filter(), "info", "the level that nobody chose");
    let second = init(InitOptions { filter: "trace".into(), ..InitOptions::default() });
    assert!(matches!(second, Err(InitError::AlreadySet)), "{second:?}");
    // The first one goes on, for every module.
    assert!(tracing::enabled!(tracing::Level::INFO) && !tracing::enabled!(tracing::Level::DEBUG));
    assert!(first.set_filter("info,store=debug").is_ok());
    assert!(tracing::enabled!(target: "store", tracing::Level::DEBUG));
    assert!(!tracing::enabled!(target: "query", tracing::Level::DEBUG));
}
