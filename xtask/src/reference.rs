//! The generated references: the binary writes about itself, so that they cannot disagree with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::reference_files::REFERENCES;
use crate::tree;

/// The types of the page, made from the OpenAPI description.
const TYPES: &str = "web/src/api/generated.ts";
const OPENAPI: &str = "docs/reference/openapi.json";

/// Writes every reference.
pub(crate) fn write() -> Result<()> {
    let (root, binary) = (tree::root(), build()?);
    for (name, path) in REFERENCES {
        std::fs::write(root.join(path), print(&binary, name)?).with_context(|| format!("write {path}"))?;
        eprintln!("wrote {path}");
    }
    if has_node_modules(&root) {
        types(&root, &root.join(TYPES))?;
        eprintln!("wrote {TYPES}");
    } else {
        eprintln!("left {TYPES} as it is: run `npm ci` in web first");
    }
    Ok(())
}

/// Compares every reference with what would be written.
pub(crate) fn check() -> Result<Vec<String>> {
    let (root, binary) = (tree::root(), build()?);
    let mut faults = Vec::new();
    for (name, path) in REFERENCES {
        let is = std::fs::read(root.join(path)).unwrap_or_default();
        if is != print(&binary, name)? {
            faults.push(format!("{path} is out of date: run `cargo xtask gen`"));
        }
    }
    if has_node_modules(&root) {
        let fresh = binary.with_file_name("generated.ts");
        types(&root, &fresh)?;
        if tree::read(&fresh)? != tree::read(&root.join(TYPES)).unwrap_or_default() {
            faults.push(format!("{TYPES} is out of date: run `cargo xtask gen`"));
        }
    }
    Ok(faults)
}

fn has_node_modules(root: &Path) -> bool {
    root.join("web/node_modules/.bin/openapi-typescript").exists()
}

fn types(root: &Path, output: &Path) -> Result<()> {
    let status = Command::new("node_modules/.bin/openapi-typescript")
        .arg(root.join(OPENAPI))
        .arg("--output")
        .arg(output)
        .current_dir(root.join("web"))
        .status()
        .context("run openapi-typescript")?;
    anyhow::ensure!(status.success(), "openapi-typescript: {status}");
    Ok(())
}

fn print(binary: &Path, name: &str) -> Result<Vec<u8>> {
    let output = Command::new(binary).args(["reference", name]).output().context("run fresnel reference")?;
    let talk = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "fresnel reference {name}: {talk}");
    anyhow::ensure!(!output.stdout.is_empty(), "fresnel reference {name} printed nothing");
    Ok(output.stdout)
}

/// Builds the binary with the same features as the tests, so that nothing is built twice, and says
/// where it lies.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo says to this program is not for the one that it starts: build scripts look at it,
    // and everything above them would be built anew.
    let of_this_program = std::env::vars_os().map(|(name, _)| name);
    for name in of_this_program.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    }) {
        command.env_remove(name);
    }
    let output = command
        .args(["build", "--locked", "--workspace", "--tests"])
        .args(["--message-format=json-render-diagnostics"])
        .current_dir(tree::root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("run cargo build")?;
    anyhow::ensure!(output.status.success(), "cargo build: {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "fresnel" && message["profile"]["test"] == false)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo build named no binary")
}
