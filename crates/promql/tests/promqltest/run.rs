//! Runs the commands of a file: each evaluation as it is written, and in variants that have to give
//! the same.

use promql::ast::{Expr, Span};
use promql::{Annotation, Options, Outcome, Steps, Value, Vector, query_instant, query_range};
use promql::{ParseOptions, Sample, parse};

use super::script::{Command, Eval, Expected, Remarks, When};
use super::store::Store;
use super::{compare, pinned};

/// How one evaluation went.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) line: usize,
    pub(crate) query: String,
    /// As it is written.
    pub(crate) plain: Result<(), String>,
    /// Pinned to its time, as a range query, with several threads.
    pub(crate) variants: Result<(), String>,
}

pub(crate) fn run(commands: &[Command]) -> Result<Vec<Verdict>, String> {
    let mut store = Store::default();
    let mut verdicts = Vec::new();
    for command in commands {
        match command {
            Command::Clear => store = Store::default(),
            Command::Load(load) => store.load(load)?,
            Command::Eval(eval) => {
                verdicts.push(Verdict {
                    line: eval.line,
                    query: eval.query.clone(),
                    plain: plain(eval, &store),
                    variants: variants(eval, &store),
                });
            }
        }
    }
    Ok(verdicts)
}

fn options(parallelism: usize) -> Options {
    Options {
        delayed_name_removal: true,
        start_timestamps: true,
        experimental: true,
        parallelism,
        ..Options::default()
    }
}

fn parsed(eval: &Eval) -> Result<Expr, String> {
    parse(&eval.query, &ParseOptions::new(true)).map_err(|error| error.to_string())
}

fn instant(expr: &Expr, at_ms: i64, store: &Store, parallelism: usize) -> Result<Outcome, String> {
    query_instant(expr, at_ms, &options(parallelism), store, &|| Ok(())).map_err(|error| error.to_string())
}

fn range(expr: &Expr, steps: Steps, store: &Store, parallelism: usize) -> Result<Outcome, String> {
    query_range(expr, steps, &options(parallelism), store, &|| Ok(())).map_err(|error| error.to_string())
}

fn evaluated(eval: &Eval, store: &Store, parallelism: usize) -> Result<Outcome, String> {
    let expr = parsed(eval)?;
    match eval.when {
        When::Instant { at_ms } => instant(&expr, at_ms, store, parallelism),
        When::Range(times) => {
            let steps = Steps { start_ms: times.start_ms, end_ms: times.end_ms, step_ms: times.step_ms };
            range(&expr, steps, store, parallelism)
        }
    }
}

fn plain(eval: &Eval, store: &Store) -> Result<(), String> {
    check_outcome(eval, evaluated(eval, store, 1))
}

fn check_outcome(eval: &Eval, outcome: Result<Outcome, String>) -> Result<(), String> {
    match (outcome, &eval.fail) {
        (Ok(_), Some(_)) => Err("expected an error, got none".to_owned()),
        (Err(error), None) => Err(format!("error: {error}")),
        (Err(error), Some(text)) if text.fits(&error) => Ok(()),
        (Err(error), Some(text)) => Err(format!("expected an error like {text:?}, got {error}")),
        (Ok(outcome), None) => {
            check_remarks(eval, &eval.warnings, &outcome.annotations.warnings, "warnings")?;
            check_remarks(eval, &eval.infos, &outcome.annotations.infos, "infos")?;
            compare::check(eval, &outcome.value)
        }
    }
}

fn check_remarks(eval: &Eval, expected: &Remarks, got: &[Annotation], kind: &str) -> Result<(), String> {
    let texts: Vec<String> = got.iter().map(|annotation| with_place(annotation, &eval.query)).collect();
    if expected.none && !texts.is_empty() {
        return Err(format!("expected no {kind}, got {texts:?}"));
    }
    if (expected.some || !expected.texts.is_empty()) && texts.is_empty() {
        return Err(format!("expected {kind} like {:?}, got none", expected.texts));
    }
    if let Some(missing) = expected.texts.iter().find(|wanted| !texts.iter().any(|text| wanted.fits(text))) {
        return Err(format!("expected {kind} like {missing:?}, got {texts:?}"));
    }
    let unexpected = texts.iter().find(|text| !expected.texts.iter().any(|wanted| wanted.fits(text)));
    match unexpected {
        Some(text) if !expected.texts.is_empty() => Err(format!("unexpected {kind}: {text}")),
        _ => Ok(()),
    }
}

/// A remark with ` (line:column)` behind it, both from 1.
fn with_place(annotation: &Annotation, query: &str) -> String {
    let Some(Span { start, .. }) = annotation.span else { return annotation.text.clone() };
    let before = &query.as_bytes()[..start.min(query.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    format!("{} ({line}:{column})", annotation.text)
}

fn variants(eval: &Eval, store: &Store) -> Result<(), String> {
    let named = |name: String, result: Result<(), String>| result.map_err(|error| format!("{name}: {error}"));
    named("with 4 threads".to_owned(), check_outcome(eval, evaluated(eval, store, 4)))?;
    let When::Instant { at_ms } = eval.when else { return Ok(()) };
    if eval.fail.is_none() {
        named("as a range".to_owned(), around(eval, &parsed(eval)?, at_ms, store))?;
    }
    let Some(pinned) = parsed(eval).ok().and_then(|expr| pinned::pin(&expr, at_ms)) else { return Ok(()) };
    for at in pinned::times(at_ms) {
        let outcome = instant(&pinned, at, store, 1);
        named(format!("pinned, at {at}"), check_outcome(eval, outcome))?;
        if eval.fail.is_none() {
            named(format!("pinned, as a range around {at}"), around(eval, &pinned, at, store))?;
        }
    }
    Ok(())
}

/// The middle step of a range query has to be the same.
fn around(eval: &Eval, expr: &Expr, at_ms: i64, store: &Store) -> Result<(), String> {
    let same_as_range = matches!(eval.expected, Expected::Series(_) | Expected::Scalar(_));
    // These are other numbers in a range query.
    let of_the_range = ["start()", "end()", "step()", "range()"];
    if !same_as_range || of_the_range.iter().any(|call| eval.query.contains(call)) {
        return Ok(());
    }
    let steps = Steps { start_ms: at_ms - 60_000, end_ms: at_ms + 60_000, step_ms: 60_000 };
    let outcome = range(expr, steps, store, 1)?;
    let Value::Matrix(matrix) = outcome.value else { return Err("no matrix".to_owned()) };
    if eval.ordered {
        return Ok(());
    }
    compare::check_sorted(&matrix)?;
    let mut vector = Vector::new();
    for series in matrix {
        let labels = series.labels;
        let point = series.points.into_iter().find(|(time, _)| *time == at_ms);
        vector.extend(point.map(|(time_ms, point)| Sample { labels, time_ms, point }));
    }
    match (&eval.expected, vector.as_slice()) {
        (Expected::Series(series), _) => compare::check_vector(series, &vector, false),
        (_, [Sample { point: promql::Point::Float(value), time_ms, .. }]) => {
            compare::check(eval, &Value::Scalar { time_ms: *time_ms, value: *value })
        }
        _ => Err(format!("expected a scalar, got {} series", vector.len())),
    }
}
