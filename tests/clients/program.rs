//! Programs of others, where `cargo xtask setup` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{root, skip};

/// The target directory: the binary lies in a folder of it.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fresnel")).ancestors().nth(2).unwrap()
}

fn clients() -> PathBuf {
    target().join("clients")
}

/// A program that cargo installed there.
pub(crate) fn tool(name: &str) -> PathBuf {
    target().join("tools/bin").join(name)
}

/// A command of the Python with the clients; none where it is missing, which is said.
pub(crate) fn python(script: &str) -> Option<Command> {
    let python = clients().join("venv/bin/python");
    if !python.exists() {
        skip(&format!("{} is missing: run `cargo xtask setup`", python.display()));
        return None;
    }
    let mut command = Command::new(python);
    command.arg(root().join("tests/clients/python").join(script));
    Some(command)
}

/// A command of Node beside the clients; none where they are missing, which is said.
pub(crate) fn node(script: &str) -> Option<Command> {
    let folder = clients().join("node");
    if !folder.join("node_modules").exists() {
        skip(&format!("{} is missing: run `cargo xtask setup`", folder.join("node_modules").display()));
        return None;
    }
    let mut command = Command::new("node");
    command.arg(root().join("tests/clients/node").join(script)).current_dir(folder);
    Some(command)
}

/// Runs a command to its end, which must be a success; gives what it printed.
#[track_caller]
pub(crate) fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}
