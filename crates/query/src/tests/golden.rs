//! The statements of `tests/golden/*.slt`, over every split of the records: the answer does not
//! depend on where they are. `GOLDEN=update` writes what is answered now.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::place::{Placed, splits};
use super::{ask, engine};
use crate::Engine;

/// A statement and what is expected of it.
struct Case {
    comments: String,
    statement: String,
    expected: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_statements_have_the_same_answer_wherever_records_are() {
    let update = std::env::var("GOLDEN").is_ok_and(|value| value == "update");
    let folder = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
        .join("../../tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    assert!(files.len() >= 5, "golden files in {}", folder.display());
    let mut failures = String::new();
    for (split, place) in splits() {
        let engine = engine(Placed::shop(place));
        for path in &files {
            let mut cases = read(&fs::read_to_string(path).unwrap());
            for case in &mut cases {
                let answer = answer(&engine, &case.statement).await;
                if answer == case.expected {
                    continue;
                }
                if update && split == splits()[0].0 {
                    case.expected = answer;
                    continue;
                }
                let (path, statement, expected) = (path.display(), &case.statement, &case.expected);
                writeln!(failures, "{path} ({split}):\n{statement}\n-- expected\n{expected}-- got\n{answer}")
                    .unwrap();
            }
            if update && split == splits()[0].0 {
                fs::write(path, write(&cases)).unwrap();
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

async fn answer(engine: &Engine, statement: &str) -> String {
    match ask(engine, statement).await {
        Ok((rows, summary)) => {
            assert!(summary.complete, "{statement}");
            rows.iter().map(|row| row.join(" | ") + "\n").collect()
        }
        Err(error) => {
            let hint = error.hint().map_or(String::new(), |hint| format!("hint: {hint}\n"));
            format!("{:?}: {error}\n{hint}", error.kind())
        }
    }
}

/// Cases are separated by blank lines: comments, the statement, `----`, what is expected.
fn read(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let (question, expected) = block.split_once("\n----").unwrap_or((block, ""));
        let is_comment = |line: &&str| line.starts_with('#');
        let comments = question.lines().take_while(is_comment).map(|line| format!("{line}\n")).collect();
        let statement: Vec<_> = question.lines().skip_while(is_comment).collect();
        let expected = expected.trim_start_matches('\n');
        let expected = if expected.is_empty() { String::new() } else { format!("{expected}\n") };
        cases.push(Case { comments, statement: statement.join("\n"), expected });
    }
    cases
}

fn write(cases: &[Case]) -> String {
    let texts: Vec<_> = cases
        .iter()
        .map(|Case { comments, statement, expected }| format!("{comments}{statement}\n----\n{expected}"))
        .collect();
    texts.join("\n")
}
