//! What a service takes on with the SDK as nobody says otherwise: so many crates of others, and no
//! more. The number may only shrink.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result};

/// Crates of others in the default tree of the SDK, those that only build it included, on Linux. One
/// more needs a reason, here:
/// - two versions of `syn`: `tracing-attributes` has not moved yet.
const CRATES_MAX: usize = 56;

/// Asks cargo for the tree and counts.
pub(crate) fn check() -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package=fresnel-sdk", "--edges=normal", "--prefix=none", "--no-dedupe"])
        .args(["--format={p}", "--target=x86_64-unknown-linux-gnu", "--locked", "--offline"])
        .current_dir(crate::tree::root())
        .output()
        .context("run cargo tree")?;
    anyhow::ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).context("read cargo tree")?;
    Ok(faults(&tree, CRATES_MAX))
}

/// Every crate of the tree but ours, which comes first, once, with its version.
fn crates(tree: &str) -> BTreeSet<String> {
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().skip(1).filter(|line| !line.is_empty()).map(name).collect()
}

fn faults(tree: &str, max: usize) -> Vec<String> {
    let crates = crates(tree);
    let count = crates.len();
    if count == max {
        return Vec::new();
    }
    let all = crates.into_iter().collect::<Vec<_>>().join(", ");
    let hint = match count > max {
        true => "put what is new behind a feature, or say in xtask/src/weight.rs why it is worth it",
        false => "lower CRATES_MAX in xtask/src/weight.rs, so that it stays so",
    };
    vec![format!("fresnel-sdk takes on {count} crates as nobody says otherwise, not {max}: {hint}; {all}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_no_heavier_than_said() {
        assert_eq!(check().expect("cargo tree runs"), Vec::<String>::new());
    }

    #[test]
    fn one_more_and_one_less_are_told_with_all_of_them() {
        let tree = "fresnel-sdk v0.0.0 (/here)\nb v1.0.0\na v1.0.0\nb v1.0.0\nb v2.0.0 (proc-macro)\n";
        assert_eq!(faults(tree, 3), Vec::<String>::new());
        let more = &faults(tree, 2)[0];
        assert!(more.contains("3 crates") && more.contains("behind a feature"), "{more}");
        assert!(more.ends_with("; a v1.0.0, b v1.0.0, b v2.0.0"), "{more}");
        assert!(faults(tree, 4)[0].contains("lower CRATES_MAX"));
    }
}
