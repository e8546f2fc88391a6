//! `docs/coverage.md` says which requirements are done and which test shows it. A row that names a
//! test or a place that does not exist is a wish.
//!
//! A row: `| LOG-17 | the requirement in short | where it lives | the tests |`, with places and
//! tests in backticks, a test as `path/of/file.rs::its_name` (or its title, in TypeScript and
//! JavaScript).

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::tree;

const TABLE: &str = "docs/coverage.md";

/// Compares the table with the tree.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let table = tree::read(&root.join(TABLE))?;
    let mut faults = Vec::new();
    let mut known = BTreeSet::new();
    for (number, row) in table.lines().enumerate() {
        let Some((id, cells)) = requirement(row) else { continue };
        let at = format!("{TABLE}:{}: {id}", number + 1);
        if !known.insert(id.to_owned()) {
            faults.push(format!("{at} is there twice"));
        }
        let [_, _, places, tests] = cells.as_slice() else {
            faults.push(format!("{at} has {} cells, not 4", cells.len()));
            continue;
        };
        faults.extend(place_faults(root, &at, places));
        faults.extend(test_faults(root, &at, tests));
    }
    if known.is_empty() {
        faults.push(format!("{TABLE} has no rows"));
    }
    Ok(faults)
}

/// The id and cells of a row of the table; other lines are prose.
fn requirement(line: &str) -> Option<(&str, Vec<&str>)> {
    let cells: Vec<_> = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let id = *cells.first()?;
    let (area, number) = id.split_once('-')?;
    let is_id = !area.is_empty()
        && area.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some((id, cells))
}

fn place_faults(root: &Path, at: &str, places: &str) -> Vec<String> {
    let missing = |place: &&str| {
        place.contains('/') && !root.join(place.split("::").next().unwrap_or_default()).exists()
    };
    quoted(places).into_iter().filter(missing).map(|place| format!("{at}: there is no {place}")).collect()
}

fn test_faults(root: &Path, at: &str, tests: &str) -> Vec<String> {
    let tests = quoted(tests);
    if tests.is_empty() {
        return vec![format!("{at} names no test in backticks")];
    }
    let fault = |test: &str| -> Option<String> {
        let Some((path, name)) = test.split_once("::") else {
            return Some(format!("{at}: `{test}` is not `path::test`"));
        };
        let Ok(text) = std::fs::read_to_string(root.join(path)) else {
            return Some(format!("{at}: there is no {path}"));
        };
        (!holds_test(path, &text, name)).then(|| format!("{at}: {path} has no test {name:?}"))
    };
    tests.into_iter().filter_map(fault).collect()
}

/// Whether a file has a test of this name; a Rust function counts only below a `#[test]`.
fn holds_test(path: &str, text: &str, name: &str) -> bool {
    if !path.ends_with(".rs") {
        return [format!("'{name}'"), format!("\"{name}\""), format!("`{name}`"), format!("def {name}(")]
            .iter()
            .any(|title| text.contains(title.as_str()));
    }
    // A test of a nested module is named by its last segment.
    let function = format!("fn {}(", name.rsplit("::").next().unwrap_or(name));
    let mut tested = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            tested |= line.contains("test");
        } else if line.contains(&function) {
            return tested || inside_proptest(text);
        } else if !line.is_empty() && !line.starts_with("//") {
            tested = false;
        }
    }
    false
}

fn inside_proptest(text: &str) -> bool {
    text.contains("proptest!")
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_test_exists() {
        assert_eq!(check(&tree::root()).expect("the table can be read"), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_exist_is_found() {
        let root = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(root.path().join("docs")).expect("a folder");
        std::fs::write(root.path().join("a.rs"), "#[test]\nfn works() {}\nfn helper() {}\n").expect("a file");
        std::fs::write(root.path().join("b.mjs"), "test('shows the page', () => {})").expect("a file");
        let table = "# Coverage\n| id | what | where | test |\n|---|---|---|---|\n\
            | LOG-1 | x | `a.rs` | `a.rs::works`, `b.mjs::shows the page` |\n\
            | LOG-2 | x | `crates/none` | `a.rs::helper` |\n\
            | LOG-2 | x | text | `a.rs::missing` |\n\
            | LOG-3 | x | text | none |\n";
        std::fs::write(root.path().join(TABLE), table).expect("a file");
        assert_eq!(
            check(root.path()).expect("the table can be read"),
            [
                "docs/coverage.md:5: LOG-2: there is no crates/none",
                "docs/coverage.md:5: LOG-2: a.rs has no test \"helper\"",
                "docs/coverage.md:6: LOG-2 is there twice",
                "docs/coverage.md:6: LOG-2: a.rs has no test \"missing\"",
                "docs/coverage.md:7: LOG-3 names no test in backticks",
            ]
        );
    }
}
