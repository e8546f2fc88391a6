//! Who may depend on whom. Dependencies point down, siblings do not see each other, and only
//! `server` knows all; what a crate must not know from outside is here too.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

/// A crate and those of ours that it may name, in any kind of dependency. A crate that is missing
/// here fails the check: a new one needs a place.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("promql", &[]),
    ("detect", &["model", "promql"]),
    ("receive", &["model", "wire", "fresnel-sdk"]),
    ("store", &["model", "fresnel-sdk"]),
    ("publish", &["model", "store", "fresnel-sdk"]),
    ("query", &["model", "store", "promql", "fresnel-sdk"]),
    // The values, trees and selectors of PromQL are what its API speaks of.
    ("api", &["model", "promql", "fresnel-sdk"]),
    (
        "fresnel-server",
        &[
            "model",
            "wire",
            "receive",
            "store",
            "publish",
            "promql",
            "detect",
            "query",
            "api",
            "fresnel-sdk",
            "testkit",
        ],
    ),
    ("fresnel-sdk", &["testkit"]),
    ("testkit", &[]),
    ("bench", &["testkit", "wire"]),
    ("bench-sdk", &["fresnel-sdk"]),
    ("shop", &["fresnel-sdk", "testkit"]),
    ("xtask", &[]),
];

/// A crate and the crates of others that it must not name in what it ships (tests may).
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("model", &["serde", "tokio", "futures", "object_store", "parquet", "datafusion", "axum", "hyper"]),
    ("wire", &["tokio", "futures", "axum", "hyper", "object_store", "datafusion"]),
    (
        "promql",
        &[
            "serde",
            "tokio",
            "futures",
            "arrow",
            "arrow-array",
            "object_store",
            "parquet",
            "datafusion",
            "axum",
            "hyper",
        ],
    ),
    (
        "detect",
        &["serde", "tokio", "futures", "arrow", "object_store", "parquet", "datafusion", "axum", "hyper"],
    ),
    ("receive", &["datafusion", "parquet", "object_store"]),
    ("store", &["datafusion", "axum", "hyper", "http", "prost", "opentelemetry-proto"]),
    ("query", &["axum", "hyper", "http", "prost", "opentelemetry-proto"]),
    ("api", &["datafusion", "object_store"]),
    ("fresnel-sdk", &["testkit"]),
    ("testkit", &["tokio", "hyper"]),
];

/// Reads the workspace and compares.
pub(crate) fn check() -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--locked", "--offline"])
        .current_dir(crate::tree::root())
        .output()
        .context("run cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    Ok(faults(&metadata))
}

/// What the table does not allow in this workspace.
fn faults(metadata: &Value) -> Vec<String> {
    let packages = list(&metadata["packages"]);
    let ours: Vec<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    packages.iter().flat_map(|package| faults_of(package, &ours)).collect()
}

fn faults_of(package: &Value, ours: &[&str]) -> Vec<String> {
    let name = text(&package["name"]);
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name}: give it a line in the table of xtask/src/layers.rs")];
    };
    let forbidden = FORBIDDEN.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, names)| names);
    let mut faults = Vec::new();
    for dependency in list(&package["dependencies"]) {
        let other = text(&dependency["name"]);
        let shipped = dependency["kind"].as_str() != Some("dev");
        if ours.contains(&other) && !allowed.contains(&other) {
            faults.push(format!("{name} -> {other}: not in the table of xtask/src/layers.rs"));
        }
        if shipped && forbidden.contains(&other) {
            faults.push(format!("{name} -> {other}: {name} must not know it"));
        }
    }
    faults
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_workspace_keeps_its_layers() {
        assert_eq!(check().expect("cargo metadata runs"), Vec::<String>::new());
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let package = |name: &str, dependencies: &[(&str, Option<&str>)]| {
            let dependencies: Vec<_> =
                dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
            json!({"name": name, "dependencies": dependencies})
        };
        let metadata = json!({"packages": [
            package("model", &[("serde", None)]),
            package("store", &[("model", None), ("query", Some("dev"))]),
            package("query", &[("store", None), ("http", Some("dev"))]),
            package("helpers", &[]),
        ]});
        assert_eq!(
            faults(&metadata),
            [
                "model -> serde: model must not know it",
                "store -> query: not in the table of xtask/src/layers.rs",
                "helpers: give it a line in the table of xtask/src/layers.rs",
            ]
        );
    }
}
