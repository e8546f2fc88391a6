//! The rules of style that a program can see. Size is a ratchet: what is too long today and has a
//! reason is listed in `xtask/ratchet.txt` with its size, and may only shrink.

mod size;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::tree;

/// Names that say nothing about what is inside: a shared thing has a name.
const NAMELESS: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "shared"];
/// Runtime dependencies of the page; every one is downloaded by every visitor.
const PAGE_DEPENDENCIES_MAX: usize = 10;

/// Checks every rule on the tree below `root`.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let files = tree::files(root)?;
    let mut faults = Vec::new();
    let mut rust = Vec::new();
    for file in &files {
        let path = tree::relative(root, file);
        faults.extend(name_fault(&path));
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => {
                let content = tree::read(file)?;
                faults.extend(text::rust_faults(&path, &content));
                rust.push((path, content));
            }
            Some("md") => faults.extend(link_faults(root, file)?),
            Some("toml") if path.ends_with("Cargo.toml") => {
                faults.extend(manifest_faults(&path, &tree::read(file)?))
            }
            Some("json") => faults.extend(json_faults(&path, &tree::read(file)?)),
            _ => {}
        }
    }
    let allowed = std::fs::read_to_string(root.join(size::RATCHET)).unwrap_or_default();
    faults.extend(size::faults(&rust, &allowed));
    Ok(faults)
}

fn name_fault(path: &str) -> Option<String> {
    let is_code = [".rs", ".ts", ".tsx", ".mjs", ".py"].iter().any(|end| path.ends_with(end));
    let nameless = |part: &str| {
        let stem = part.split('.').next().unwrap_or_default();
        NAMELESS.contains(&stem)
    };
    (is_code && path.split('/').any(nameless)).then(|| format!("{path}: a shared thing has a name"))
}

/// Versions and features are chosen in the root, so that features do not churn.
fn manifest_faults(path: &str, manifest: &str) -> Vec<String> {
    let is_member = path != "Cargo.toml" && !manifest.contains("[workspace]");
    let mut in_dependencies = false;
    let mut faults = Vec::new();
    for line in manifest.lines().map(str::trim).filter(|_| is_member) {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
            let chosen_here = !line.contains("workspace = true");
            if chosen_here {
                faults.push(format!("{path}: `{line}` chooses a version: that belongs into the root"));
            }
        }
    }
    faults
}

fn json_faults(path: &str, content: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if path.ends_with("package-lock.json") && content.contains("\"resolved\"") {
        faults.push(format!("{path}: names a registry: npm install --omit-lockfile-registry-resolved"));
    }
    if path == "web/package.json" {
        let package: serde_json::Value = serde_json::from_str(content).unwrap_or_default();
        let count = package["dependencies"].as_object().map_or(0, serde_json::Map::len);
        if count > PAGE_DEPENDENCIES_MAX {
            faults.push(format!("{path}: {count} runtime dependencies, at most {PAGE_DEPENDENCIES_MAX}"));
        }
    }
    faults
}

/// Links between our documents lead somewhere.
fn link_faults(root: &Path, file: &Path) -> Result<Vec<String>> {
    let content = tree::read(file)?;
    let folder = file.parent().unwrap_or(root);
    let missing = |target: &&str| {
        let path = target.split('#').next().unwrap_or_default();
        let outside = target.contains("://") || target.starts_with("mailto:") || path.is_empty();
        !outside && !folder.join(PathBuf::from(path)).exists()
    };
    let fault = |target: &str| format!("{}: the link to {target} leads nowhere", tree::relative(root, file));
    Ok(links(&content).into_iter().filter(missing).map(fault).collect())
}

/// Targets of `[text](target)`, outside code.
fn links(markdown: &str) -> Vec<&str> {
    let prose = markdown.split("```").step_by(2).flat_map(|prose| prose.split('`').step_by(2));
    let targets = prose.flat_map(|prose| prose.split("](").skip(1));
    targets.filter_map(|rest| rest.split([')', ' ']).next()).collect()
}

#[cfg(test)]
mod tests;
