//! A program whose panics abort: nothing unwinds, no guard is dropped.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::receiver::{Receiver, Reply, receiver};

/// Builds the program as a crate of its own, since the profile is that of a whole build: the SDK has to
/// be compiled for it. What was built stays for the next time.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic-abort");
    let sdk = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"));
    std::fs::create_dir_all(root.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"aborts\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\nfresnel-sdk = {{ path = {sdk:?} }}\ntracing = \"0.1\"\n\
         [profile.dev]\npanic = \"abort\"\ndebug = false\n[workspace]\n"
    );
    std::fs::write(root.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(root.join("src/main.rs"), include_str!("program.rs")).unwrap();
    // The versions of the workspace; what of them is not needed cargo takes out.
    std::fs::copy(sdk.join("../../Cargo.lock"), root.join("Cargo.lock")).unwrap();
    let target = root.join("target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let built = Command::new(cargo)
        .args(["build", "--offline", "--target-dir"])
        .arg(&target)
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/aborts")
}

fn run(program: &Path, how: &str, receiver: &Receiver) -> String {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.arg(how).env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.signal(), Some(6), "it aborts: {stdout}{stderr}");
    assert!(stderr.contains("on purpose"), "the panic is said as always: {stderr}");
    stdout.into_owned()
}

#[test]
fn a_panic_that_aborts_sends_what_was_recorded_and_itself() {
    let program = build();
    for how in ["main", "thread"] {
        let receiver = receiver(&[]);
        let stdout = run(&program, how, &receiver);
        let mut texts = receiver.texts();
        texts.sort();
        assert_eq!(texts, ["panicked: on purpose", "worked"], "{how}");
        // What is under way never ends, and is not told.
        assert_eq!(receiver.spans(), ["work"], "{how}");
        assert!(!receiver.bodies("/v1/metrics").is_empty(), "{how}");
        assert!(stdout.contains("\"worked\"") && stdout.contains("panicked: on purpose"), "{how}: {stdout}");
    }
    // And it ends, whatever a receiver does: else this does not.
    for receiver in [receiver(&[Reply::Hang; 100]), receiver(&[Reply::Close; 1000])] {
        let stdout = run(&program, "main", &receiver);
        assert!(stdout.contains("\"worked\"") && receiver.texts().is_empty(), "{stdout}");
    }
}
