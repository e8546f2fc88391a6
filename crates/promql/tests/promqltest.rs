//! Runs Prometheus' own evaluation tests, and ours, which are written in the same language.
//!
//! Prometheus' files are data that this repository does not have: `FRESNEL_TESTDATA` names a directory
//! with a `promqltest` below. Ours lie in `golden/` and always run.
#![allow(clippy::print_stderr)]

mod promqltest {
    pub(crate) mod compare;
    pub(crate) mod engine;
    mod hints;
    mod nhcb;
    pub(crate) mod pinned;
    pub(crate) mod report;
    pub(crate) mod run;
    pub(crate) mod script;
    pub(crate) mod store;
}

use std::io::Write;
use std::path::{Path, PathBuf};

use promqltest::engine::Engine;
use promqltest::report::{self, Report};

/// Evaluations that are known to differ, with the reason: file, line, why.
const KNOWN: &[(&str, usize, &str)] = &[];

/// Where the files of a script language test lie, or why they do not.
fn reference_directory() -> Result<PathBuf, String> {
    let root = std::env::var_os("FRESNEL_TESTDATA").ok_or("FRESNEL_TESTDATA is not set")?;
    let directory = Path::new(&root).join("promqltest");
    if directory.is_dir() { Ok(directory) } else { Err(format!("there is no {}", directory.display())) }
}

/// The directory, unless the test has to be skipped; says so then, or fails where nothing may be.
fn reference_or_skip() -> Option<PathBuf> {
    reference_directory()
        .map_err(|reason| {
            let forbidden = std::env::var("FRESNEL_NO_SKIP").is_ok_and(|value| value == "1");
            assert!(!forbidden, "nothing may be skipped here, but: {reason}");
            tell(&format!("skipped: {reason}"));
        })
        .ok()
}

/// Tells whoever runs the tests, also where a runner hides what a test that passes says: in the file
/// that `make test` shows in the end.
fn tell(line: &str) {
    eprintln!("{line}");
    let Some(report) = std::env::var_os("FRESNEL_TEST_REPORT") else { return };
    let thread = std::thread::current();
    let line = format!("{}: {line}\n", thread.name().unwrap_or("a test"));
    let file = std::fs::OpenOptions::new().create(true).append(true).open(report);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the report can be written");
}

fn of_file(file: &Path) -> Report {
    report::of_file(file, &mut Engine::default())
}

fn run_reference(file: &str) {
    let Some(directory) = reference_or_skip() else { return };
    of_file(&directory.join(file)).assert_clean(KNOWN);
}

macro_rules! reference {
    ($($name:ident $file:literal,)*) => {
        $(#[test] fn $name() { run_reference($file); })*

        const REFERENCE: &[&str] = &[$($file),*];
    };
}

reference! {
    aggregators "aggregators.test",
    at_modifier "at_modifier.test",
    duration_expression "duration_expression.test",
    extended_vectors "extended_vectors.test",
    fill_modifier "fill-modifier.test",
    functions "functions.test",
    histograms "histograms.test",
    info "info.test",
    limit "limit.test",
    literals "literals.test",
    name_label_dropping "name_label_dropping.test",
    native_histograms "native_histograms.test",
    operators "operators.test",
    range_queries "range_queries.test",
    selectors "selectors.test",
    start_timestamps "start_timestamps.test",
    trig_functions "trig_functions.test",
    type_and_unit "type_and_unit.test",
}

#[test]
fn the_reference_as_a_whole() {
    let Some(directory) = reference_or_skip() else { return };
    let files = report::files(&directory);
    let unknown: Vec<_> = files.iter().filter(|file| !REFERENCE.contains(&report::name(file))).collect();
    assert!(unknown.is_empty(), "files without a test of their own: {unknown:?}");
    let all: Report = files.iter().map(|file| of_file(file)).collect();
    tell(&format!("the reference: {all}"));
    all.assert_clean(KNOWN);
}

#[test]
fn golden() {
    let directory = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
        .join("tests/golden");
    let all: Report = report::files(&directory).iter().map(|file| of_file(file)).collect();
    tell(&format!("our own: {all}"));
    all.assert_clean(&[]);
}
