//! Every query of Prometheus' own test files parses.

use std::fs;
use std::path::{Path, PathBuf};

use crate::parse::{ParseOptions, parse};

const VARIABLE: &str = "FRESNEL_TESTDATA";

/// A query, and whether its evaluation is to fail: then the parser may be what fails.
struct Case {
    query: String,
    fails: bool,
    place: String,
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was skipped, or how much was read")]
fn every_query_of_the_test_files_parses() {
    let Some(directory) = std::env::var_os(VARIABLE) else {
        eprintln!("skipped: {VARIABLE} does not name the directory with promqltest/*.test");
        return;
    };
    let cases = read(&Path::new(&directory).join("promqltest"));
    assert!(!cases.is_empty(), "no queries in {}", directory.display());
    let options = ParseOptions::new(true);
    let mut refused = Vec::new();
    for case in &cases {
        match parse(&case.query, &options) {
            Ok(expr) => {
                let printed = expr.to_string();
                let again = parse(&printed, &options).map(|expr| expr.to_string());
                assert_eq!(again.as_deref(), Ok(&*printed), "{}: {}", case.place, case.query);
            }
            Err(error) if !case.fails => refused.push(format!("{}: {}\n  {error}", case.place, case.query)),
            Err(_) => {}
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let may_fail = cases.iter().filter(|case| case.fails).count();
    eprintln!("{} queries parse, {may_fail} of them were allowed not to", cases.len());
}

fn read(directory: &Path) -> Vec<Case> {
    let entries = fs::read_dir(directory).expect("the directory of the test files");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "test"));
    files.sort();
    files.iter().flat_map(|file| cases(file)).collect()
}

fn cases(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("a test file");
    let mut cases: Vec<Case> = Vec::new();
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if line.starts_with("expect fail") {
            cases.last_mut().expect("what fails comes first").fails = true;
        }
        if let Some((command, query)) = eval(line) {
            let place = format!("{}:{}", file.display(), at + 1);
            cases.push(Case { query: query.to_owned(), fails: command == "eval_fail", place });
        }
    }
    cases
}

/// The command and the query of `eval instant [at <time>] <query>` and
/// `eval range from <time> to <time> step <time> <query>`.
fn eval(line: &str) -> Option<(&str, &str)> {
    let (command, rest) = next_word(line)?;
    if !command.starts_with("eval") {
        return None;
    }
    let (kind, mut rest) = next_word(rest)?;
    let words = if kind == "range" { 6 } else { 2 * usize::from(rest.starts_with("at ")) };
    for _ in 0..words {
        rest = next_word(rest)?.1;
    }
    Some((command, rest))
}

fn next_word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(char::is_whitespace)?;
    Some((word, rest.trim_start()))
}
