//! What is built and installed is what the lock files say: no command of ours may choose anew.
//!
//! Read are the commands of `Makefile`, `.ci`, `.cargo` and of this package. `cargo fuzz`, which
//! knows no `--locked` and decides nothing, is left out, and so is what resolves nothing.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::tree;

/// Commands of cargo that resolve dependencies.
const RESOLVING: [&str; 11] =
    ["bench", "build", "check", "clippy", "deny", "doc", "install", "metadata", "nextest", "run", "test"];
/// The packages of npm, with a lock file each.
const NPM: [&str; 2] = ["web", "tests/clients/node"];
const REQUIREMENTS: &str = "tests/clients/python/requirements.txt";

/// Checks every rule on the tree below `root`.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in tree::files(root)? {
        let path = tree::relative(root, &file);
        let is_script = path == "Makefile" || path.starts_with(".ci/") || path.starts_with(".cargo/");
        if is_script {
            faults.extend(script_faults(&path, &tree::read(&file)?));
        } else if path.starts_with("xtask/src/") && path.ends_with(".rs") && !path.ends_with("locks.rs") {
            faults.extend(program_faults(&path, &tree::read(&file)?));
        }
    }
    let toolchain = tree::read(&root.join("rust-toolchain.toml"))?;
    faults.extend(toolchain_faults(&toolchain, &tree::read(&root.join("Cargo.toml"))?));
    let mut manifests = Vec::new();
    for folder in NPM {
        for file in ["package.json", "package-lock.json"] {
            let path = format!("{folder}/{file}");
            manifests.push((serde_json::from_str(&tree::read(&root.join(&path))?)?, path));
        }
    }
    faults.extend(node_faults(&manifests));
    faults.extend(requirement_faults(&tree::read(&root.join(REQUIREMENTS))?));
    Ok(faults)
}

/// Commands of a shell, of make, or of an alias of cargo's.
fn script_faults(path: &str, text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with(['#', '@']));
    let commands = lines.flat_map(|line| line.split("&&").flat_map(|part| part.split(['|', ';'])));
    commands.filter_map(command_fault).map(|fault| format!("{path}: {fault}")).collect()
}

/// What is wrong with one command.
fn command_fault(command: &str) -> Option<String> {
    let words: Vec<&str> =
        command.split_whitespace().map(|word| word.trim_matches(['"', '\'', '('])).collect();
    let behind = |program: &str| {
        let at = words.iter().position(|word| *word == program || word.ends_with(&format!("/{program}")))?;
        Some(&words[at + 1..])
    };
    let told = command.trim();
    if words.first() == Some(&"echo") {
        return None;
    }
    if let Some(arguments) = behind("cargo").or_else(|| behind("xtask")) {
        let resolving = arguments.iter().find(|word| !word.starts_with(['+', '-', '=']));
        let is_resolving = resolving.is_some_and(|word| RESOLVING.contains(word));
        let only_asks = arguments.contains(&"--version");
        return (is_resolving && !only_asks && !arguments.contains(&"--locked"))
            .then(|| format!("`{told}` is without --locked"));
    }
    if let Some(arguments) = behind("npm") {
        let allowed = matches!(arguments.first(), Some(&("ci" | "run"))) || words.contains(&"-v");
        return (!allowed).then(|| format!("`{told}` is neither npm ci nor npm run"));
    }
    if behind("npx").is_some() {
        return Some(format!("`{told}` may fetch what no lock names"));
    }
    let arguments = behind("pip").or_else(|| behind("pip3"))?;
    let unlocked = arguments.contains(&"install") && !arguments.contains(&"--require-hashes");
    unlocked.then(|| format!("`{told}` is without --require-hashes"))
}

/// Programs that start others: the words of one statement after another are a command line.
fn program_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (program, rest) in started(text) {
        let words: Vec<&str> = rest.split('"').skip(1).step_by(2).collect();
        let locked = match program {
            "cargo" => words.contains(&"--locked"),
            "npm" => rest.contains("NPM_CI") || words.first() == Some(&"run"),
            "pip" => words.contains(&"--require-hashes"),
            _ => true,
        };
        if !locked {
            faults.push(format!("{path}: {program} {} leaves the lock", words.first().unwrap_or(&"")));
        }
    }
    if text.contains("NPM_CI:") && !text.contains("[\"ci\", ") {
        faults.push(format!("{path}: NPM_CI is not npm ci"));
    }
    faults
}

/// The variables that are started as programs, each with the text up to the next one or to the end
/// of the function.
fn started(text: &str) -> Vec<(&str, &str)> {
    let begin = "Command::new(";
    let rest = text.split(begin).skip(1);
    rest.filter_map(|rest| {
        let (program, rest) = rest.split_once(')')?;
        let end = rest.find("\n}").unwrap_or(rest.len());
        Some((program.trim_start_matches('&'), &rest[..end]))
    })
    .collect()
}

/// One compiler, to the last number, that is the one that the packages ask for.
fn toolchain_faults(toolchain: &str, manifest: &str) -> Vec<String> {
    let value = |text: &str, key: &str| {
        let line =
            text.lines().find_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='));
        line.unwrap_or_default().trim().trim_matches('"').to_owned()
    };
    let (channel, asked) = (value(toolchain, "channel"), value(manifest, "rust-version"));
    let mut faults = Vec::new();
    if !is_exact(&channel) {
        faults.push(format!("rust-toolchain.toml: the channel `{channel}` is not exact"));
    }
    if asked.is_empty() || !format!("{channel}.").starts_with(&format!("{asked}.")) {
        faults.push(format!("Cargo.toml: rust-version `{asked}` is not that of the channel `{channel}`"));
    }
    faults
}

/// `1.2.3`
fn is_exact(version: &str) -> bool {
    let numbers: Vec<&str> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.len() == 3 && numbers.iter().all(is_number)
}

/// One Node for all packages and their locks, to the last number, and exact versions of the rest.
fn node_faults(manifests: &[(Value, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut engines = Vec::new();
    for (manifest, path) in manifests {
        // A lock tells of its package under the empty path.
        let package = manifest.pointer("/packages/").unwrap_or(manifest);
        let engine = package["engines"]["node"].as_str().unwrap_or("none");
        if !is_exact(engine) {
            faults.push(format!("{path}: the Node `{engine}` is not exact"));
        }
        engines.push(engine);
        for kind in ["dependencies", "devDependencies"] {
            let chosen = package[kind].as_object().into_iter().flatten();
            let loose = chosen.filter(|(_, version)| !version.as_str().is_some_and(is_exact));
            faults.extend(loose.map(|(name, version)| format!("{path}: {name} {version} is not exact")));
        }
    }
    engines.dedup();
    if engines.len() > 1 {
        faults.push(format!("Node is chosen more than once: {}", engines.join(", ")));
    }
    faults
}

/// Every package with its exact version and the hashes of its files.
fn requirement_faults(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let locked = |line: &str| line.contains("==") && line.contains(" --hash=sha256:");
    let loose = lines.filter(|line| !locked(line));
    loose.map(|line| format!("{REQUIREMENTS}: `{line}` has no hash of an exact version")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_leaves_the_locks() {
        assert_eq!(check(&tree::root()).expect("the tree can be read"), Vec::<String>::new());
    }

    #[test]
    fn commands_that_choose_anew_are_found() {
        let good = "\
            run:\n\tcargo run --locked --bin x\n\tcargo fmt --all\n\tcargo xtask gen\n\tcargo nextest --version\n\
            \tcargo +nightly fuzz run x\n\tcd web && npm ci --no-audit && npm run --silent build\n\
            # cargo build, npm install\n\tif ! command -v npm > /dev/null; then\n\tcargo test \\\n\t  --locked\n\
            \tbin/pip install --require-hashes -r x\n\txtask = \"run --quiet --locked --package xtask --\"\n";
        assert_eq!(script_faults("Makefile", good), Vec::<String>::new());
        for bad in [
            "cargo build --release",
            "cd x && cargo test && cargo fmt",
            "FOO=1 cargo +1.95.0 clippy -- -D warnings",
            "cargo nextest run",
            "xtask = \"run --quiet --package xtask --\"",
            "deny=1; cargo deny check",
            "cd web && npm install",
            "npm i",
            "npx playwright",
            "venv/bin/pip install duckdb",
        ] {
            assert_eq!(script_faults(".ci/run", bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn programs_that_choose_anew_are_found() {
        let start = |program: &str, arguments: &str| {
            format!(
                "fn f() {{\n    let mut it = Command::new({program});\n    it.args([{arguments}]);\n}}\nconst X: &str = \"--locked\";"
            )
        };
        for (program, arguments, faults) in [
            ("cargo", "\"build\", \"--locked\"", 0),
            ("cargo", "\"build\"", 1),
            ("npm", "\"run\", \"build\"", 0),
            ("npm", "\"install\"", 1),
            ("pip", "\"install\", \"--require-hashes\"", 0),
            ("pip", "\"install\"", 1),
            ("binary", "\"reference\"", 0),
        ] {
            let found = program_faults("xtask/src/x.rs", &start(program, arguments));
            assert_eq!(found.len(), faults, "{program} {arguments}: {found:?}");
        }
    }

    #[test]
    fn versions_that_are_not_exact_are_found() {
        let channel = |channel: &str| format!("[toolchain]\nchannel = \"{channel}\"\n");
        let manifest = "rust-version = \"1.95\"\n";
        assert!(toolchain_faults(&channel("1.95.0"), manifest).is_empty());
        for (other, faults) in [("stable", 2), ("1.95", 1), ("1.96.0", 1), ("1.9.5", 1)] {
            assert_eq!(toolchain_faults(&channel(other), manifest).len(), faults, "{other}");
        }
        let package = |node: &str, version: &str| {
            let package =
                serde_json::json!({ "engines": { "node": node }, "dependencies": { "x": version } });
            (package, "package.json".to_owned())
        };
        assert!(node_faults(&[package("20.1.0", "1.0.0"), package("20.1.0", "2.0.0")]).is_empty());
        assert_eq!(node_faults(&[package(">=20", "1.0.0")]).len(), 1);
        assert_eq!(node_faults(&[package("20.1.0", "^1.0.0")]).len(), 1);
        assert_eq!(node_faults(&[package("20.1.0", "1.0.0"), package("20.2.0", "1.0.0")]).len(), 1);
        assert!(
            requirement_faults("# x\na==1 ; python > '3' \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n")
                .is_empty()
        );
        assert_eq!(requirement_faults("a==1\nb>=1 --hash=sha256:0\n").len(), 2);
    }
}
