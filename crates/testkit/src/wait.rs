use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a condition is looked at: short against every deadline, long against what a look costs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks `condition` until it gives something, and returns that.
///
/// # Panics
/// When `deadline` passes first; `what` names in the message what was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < deadline, "{what}: not within {deadline:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The root of the repository, for a test of a package two folders below it. Cargo says where that is when
/// it runs the test: clones share a target directory, so it need not be the one that the test was built in.
///
/// # Panics
/// When the test was not started by cargo.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    PathBuf::from(package).ancestors().nth(2).expect("the package lies two folders below").to_owned()
}

/// Says that a test cannot run here, and why. Where nothing may be skipped (`FRESNEL_NO_SKIP=1`) it
/// fails the test instead.
///
/// # Panics
/// When `FRESNEL_NO_SKIP` is `1`.
#[track_caller]
pub fn skip(reason: &str) {
    let forbidden = std::env::var("FRESNEL_NO_SKIP").is_ok_and(|value| value == "1");
    assert!(!forbidden, "nothing may be skipped here, but: {reason}");
    tell(&format!("skipped: {reason}"));
}

/// Tells whoever runs the tests what a runner hides of a test that passes: on standard error, and as
/// a line of the file that `FRESNEL_TEST_REPORT` names, which `make test` shows in the end.
///
/// # Panics
/// When the file cannot be written.
pub fn tell(line: &str) {
    eprintln!("{line}");
    let Some(report) = std::env::var_os("FRESNEL_TEST_REPORT") else { return };
    let thread = std::thread::current();
    let line = format!("{}: {line}\n", thread.name().unwrap_or("a test"));
    // One write at the end of the file: tests of many processes do not get into each other's lines.
    let file = std::fs::OpenOptions::new().create(true).append(true).open(report);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the report can be written");
}
