//! Runs the commands of a file: each evaluation as it is written, and in variants that have to give
//! the same.
//!
//! Who evaluates is a [`Subject`]: the engine in this process, or a server that is asked over HTTP.

use super::compare::{self, Point, Value, Vector};
use super::script::{Command, Eval, Expected, Load, Remarks, Times, When};

/// Somebody who stores series and evaluates.
pub(crate) trait Subject {
    type Point: Point;

    /// Forgets all that was loaded.
    fn clear(&mut self);

    /// Adds to what is there.
    fn load(&mut self, load: &Load) -> Result<(), String>;

    /// An answer, or the text of the error.
    fn instant(&self, query: &str, at_ms: i64) -> Result<Answer<Self::Point>, String>;

    /// An answer, or the text of the error.
    fn range(&self, query: &str, times: Times) -> Result<Answer<Self::Point>, String>;

    /// Other ways to ask that have to give the same.
    fn variants(&self, eval: &Eval) -> Result<(), String>;
}

/// A value with remarks; those that have a place end with ` (line:column)`, both from 1.
#[derive(Debug)]
pub(crate) struct Answer<P> {
    pub(crate) value: Value<P>,
    pub(crate) warnings: Vec<String>,
    pub(crate) infos: Vec<String>,
}

/// How one evaluation went.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) line: usize,
    pub(crate) query: String,
    /// As it is written.
    pub(crate) plain: Result<(), String>,
    /// As [`Subject::variants`] asks.
    pub(crate) variants: Result<(), String>,
}

/// Begins with nothing loaded.
pub(crate) fn run(commands: &[Command], subject: &mut impl Subject) -> Result<Vec<Verdict>, String> {
    let mut verdicts = Vec::new();
    subject.clear();
    for command in commands {
        match command {
            Command::Clear => subject.clear(),
            Command::Load(load) => subject.load(load)?,
            Command::Eval(eval) => {
                let outcome = match eval.when {
                    When::Instant { at_ms } => subject.instant(&eval.query, at_ms),
                    When::Range(times) => subject.range(&eval.query, times),
                };
                verdicts.push(Verdict {
                    line: eval.line,
                    query: eval.query.clone(),
                    plain: check(eval, outcome),
                    variants: subject.variants(eval),
                });
            }
        }
    }
    Ok(verdicts)
}

/// Whether an outcome is the expected one: an error, or remarks and value.
pub(crate) fn check<P: Point>(eval: &Eval, outcome: Result<Answer<P>, String>) -> Result<(), String> {
    match (outcome, &eval.fail) {
        (Ok(_), Some(_)) => Err("expected an error, got none".to_owned()),
        (Err(error), None) => Err(format!("error: {error}")),
        (Err(error), Some(text)) if text.fits(&error) => Ok(()),
        (Err(error), Some(text)) => Err(format!("expected an error like {text:?}, got {error}")),
        (Ok(answer), None) => {
            check_remarks(&eval.warnings, &answer.warnings, "warnings")?;
            check_remarks(&eval.infos, &answer.infos, "infos")?;
            compare::check(eval, &answer.value)
        }
    }
}

fn check_remarks(expected: &Remarks, texts: &[String], kind: &str) -> Result<(), String> {
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

/// The range around a time in whose middle an instant query has to give the same; none where there
/// is no such.
pub(crate) fn range_around(eval: &Eval, at_ms: i64) -> Option<Times> {
    let same_as_range = matches!(eval.expected, Expected::Series(_) | Expected::Scalar(_));
    // These are other numbers in a range query.
    let of_the_range = ["start()", "end()", "step()", "range()"];
    let same_as_range = same_as_range && !of_the_range.iter().any(|call| eval.query.contains(call));
    let times = Times { start_ms: at_ms - 60_000, end_ms: at_ms + 60_000, step_ms: 60_000 };
    (same_as_range && eval.fail.is_none()).then_some(times)
}

/// Compares the step of a range query at a time with what an instant query there has to give.
pub(crate) fn check_step<P: Point>(
    eval: &Eval,
    at_ms: i64,
    outcome: Result<Answer<P>, String>,
) -> Result<(), String> {
    let Value::Matrix(matrix) = outcome?.value else { return Err("no matrix".to_owned()) };
    if eval.ordered {
        return Ok(());
    }
    compare::check_sorted(&matrix)?;
    let mut vector = Vector::new();
    for (labels, points) in matrix {
        let point = points.into_iter().find(|(time, _)| *time == at_ms);
        vector.extend(point.map(|(_, point)| (labels, point)));
    }
    match (&eval.expected, vector.as_slice()) {
        (Expected::Series(series), _) => compare::check_vector(series, &vector, false),
        (Expected::Scalar(expected), [(_, point)]) => compare::check_scalar(*expected, point),
        _ => Err(format!("expected a scalar, got {} series", vector.len())),
    }
}

/// An error with the name of the variant.
pub(crate) fn named(name: &str, result: Result<(), String>) -> Result<(), String> {
    result.map_err(|error| format!("{name}: {error}"))
}
