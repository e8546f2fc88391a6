//! `fresnel test`: unit tests of rules.

use std::path::Path;

use detect::rules::RuleFile;
use detect::trial::{self, Failure as Difference, FailureKind, Report, TrialFile, TrialOptions};
use serde_json::{Value, json};

use super::difference;
use crate::cli::{TestArgs, TestOutput, TestRulesArgs, TestWhat};
use crate::failure::{Failure, Result};
use crate::print;
use crate::rules::files;

/// Runs the tests that the command names.
pub fn run(args: &TestArgs) -> Result<()> {
    match &args.what {
        TestWhat::Rules(args) => rules(args),
    }
}

/// How the tests of a file went; what is wrong with it where there were none.
struct Outcome<'a> {
    path: &'a Path,
    report: std::result::Result<Report, Vec<String>>,
}

fn rules(args: &TestRulesArgs) -> Result<()> {
    let outcome = |path| Outcome { path, report: run_file(path, args.experimental) };
    let outcomes: Vec<Outcome<'_>> = args.files.iter().map(|path| outcome(path.as_path())).collect();
    match args.format {
        TestOutput::Text => outcomes.iter().try_for_each(show)?,
        TestOutput::Json => print::line(&format!("{:#}", document(&outcomes)))?,
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("{failed} of {} test files failed", outcomes.len())))
}

impl Outcome<'_> {
    fn passed(&self) -> bool {
        self.report.as_ref().is_ok_and(|report| report.failures.is_empty())
    }
}

/// Reads a test file and the rule files that it names, and runs it.
fn run_file(path: &Path, experimental: bool) -> std::result::Result<Report, Vec<String>> {
    let place = path.display();
    let text = files::text(path).map_err(|problem| vec![problem])?;
    let in_file = |problems: Vec<detect::Problem>| {
        problems.into_iter().map(|problem| format!("{place}:{problem}")).collect::<Vec<_>>()
    };
    let file = TrialFile::parse(&text).map_err(in_file)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut rules, mut problems): (Vec<(String, RuleFile)>, Vec<String>) = Default::default();
    for (pattern, line, column) in &file.rule_files {
        let found = match files::matching(folder, pattern) {
            Ok(found) => found,
            Err(error) => {
                problems.push(format!("{place}:{line}:{column}: {error}"));
                continue;
            }
        };
        if found.is_empty() {
            warn(&format!("{place}:{line}:{column}: no file matches {pattern}"));
        }
        for path in found {
            match files::read(&path, experimental) {
                Ok(file) => rules.push((path.display().to_string(), file)),
                Err(found) => problems.extend(found),
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(trial::run(&file, &rules, TrialOptions { experimental }))
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
fn warn(text: &str) {
    eprintln!("warning: {text}");
}

/// For people: one line for a file, and below it what differs.
fn show(outcome: &Outcome<'_>) -> Result<()> {
    let path = outcome.path.display();
    let report = match &outcome.report {
        Ok(report) => report,
        Err(problems) => {
            print::line(&format!("{path}: cannot be run"))?;
            return problems.iter().try_for_each(|problem| print::line(&format!("  {problem}")));
        }
    };
    let Report { cases, failed, failures } = report;
    if failures.is_empty() {
        return print::line(&format!("{path}: ok, {cases} checks"));
    }
    print::line(&format!("{path}: {failed} of {cases} checks failed"))?;
    for failure in failures {
        print::line("")?;
        print::line(&format!("{path}{}", title(failure)))?;
        details(&failure.kind).iter().try_for_each(|line| print::line(&format!("  {line}")))?;
    }
    Ok(())
}

fn title(failure: &Difference) -> String {
    let place = match failure.line {
        0 => String::new(),
        line => format!(":{line}:{}", failure.column),
    };
    let test = failure.test.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let time = duration(failure.time_ms);
    let what = match &failure.kind {
        FailureKind::Rule { group, rule, .. } => format!("rule {rule} of group {group}"),
        FailureKind::Alerts { name, .. } => format!("alert {name}"),
        FailureKind::Samples { expr, .. } | FailureKind::Query { expr, .. } => expr.trim().to_owned(),
        FailureKind::TooLong { .. } => "the last evaluation".to_owned(),
    };
    format!("{place}: {what} at {time}{test}")
}

/// `-` is expected and missing, `+` is there and not expected.
fn details(kind: &FailureKind) -> Vec<String> {
    match kind {
        FailureKind::Rule { error, .. } | FailureKind::Query { error, .. } => vec![error.clone()],
        FailureKind::Alerts { expected, got, .. } => {
            headed(difference::lines(&expected.concat(), &got.concat()))
        }
        FailureKind::Samples { expected, got, .. } => headed(difference::lines(expected, got)),
        FailureKind::TooLong { evaluations } => {
            let most = trial::EVALUATIONS_MAX;
            vec![format!(
                "takes {evaluations} evaluations, more than {most}: choose a longer evaluation_interval"
            )]
        }
    }
}

fn headed(lines: Vec<String>) -> Vec<String> {
    std::iter::once("- expected, + got".to_owned()).chain(lines).collect()
}

fn document(outcomes: &[Outcome<'_>]) -> Value {
    let files: Vec<Value> = outcomes.iter().map(file_document).collect();
    let count = |key: &str| files.iter().filter_map(|file| file[key].as_u64()).sum::<u64>();
    let passed = outcomes.iter().all(Outcome::passed);
    json!({"passed": passed, "checks": count("checks"), "failed": count("failed"), "files": files})
}

fn file_document(outcome: &Outcome<'_>) -> Value {
    let file = outcome.path.display().to_string();
    match &outcome.report {
        Ok(report) => json!({
            "file": file,
            "passed": outcome.passed(),
            "checks": report.cases,
            "failed": report.failed,
            "problems": [],
            "failures": report.failures.iter().map(failure_document).collect::<Vec<_>>(),
        }),
        Err(problems) => json!({
            "file": file, "passed": false, "checks": 0, "failed": 0, "problems": problems, "failures": [],
        }),
    }
}

fn failure_document(failure: &Difference) -> Value {
    let mut document = match &failure.kind {
        FailureKind::Rule { group, rule, error } => {
            json!({"kind": "rule", "group": group, "rule": rule, "error": error})
        }
        FailureKind::Alerts { name, expected, got } => {
            json!({"kind": "alerts", "alert": name, "expected": expected, "got": got})
        }
        FailureKind::Samples { expr, expected, got } => {
            json!({"kind": "samples", "expr": expr, "expected": expected, "got": got})
        }
        FailureKind::Query { expr, error } => json!({"kind": "query", "expr": expr, "error": error}),
        FailureKind::TooLong { evaluations } => json!({"kind": "too_long", "evaluations": evaluations}),
    };
    document["test"] = json!(failure.test);
    document["eval_time"] = json!(duration(failure.time_ms));
    if failure.line > 0 {
        document["line"] = json!(failure.line);
        document["column"] = json!(failure.column);
    }
    document
}

/// As Prometheus writes it: `1h30m`.
fn duration(milliseconds: i64) -> String {
    const UNITS: [(&str, i64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = milliseconds;
    let mut text = String::new();
    for (unit, size) in UNITS {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
