//! The engine of this process over series in memory.

use promql::ast::Expr;
use promql::{Annotation, Options, Outcome, ParseOptions, Steps, parse, query_instant, query_range};

use super::compare::Value;
use super::pinned;
use super::run::{Answer, Subject, check, check_step, named, range_around};
use super::script::{Eval, Load, Times, When};
use super::store::Store;

#[derive(Default)]
pub(crate) struct Engine(Store);

impl Subject for Engine {
    type Point = promql::Point;

    fn clear(&mut self) {
        self.0 = Store::default();
    }

    fn load(&mut self, load: &Load) -> Result<(), String> {
        self.0.load(load)
    }

    fn instant(&self, query: &str, at_ms: i64) -> Result<Answer<promql::Point>, String> {
        self.instant_of(&parsed(query)?, query, at_ms, 1)
    }

    fn range(&self, query: &str, times: Times) -> Result<Answer<promql::Point>, String> {
        self.range_of(&parsed(query)?, query, times, 1)
    }

    /// With several threads, as a range query, and pinned to its time.
    fn variants(&self, eval: &Eval) -> Result<(), String> {
        let Ok(expr) = parsed(&eval.query) else { return Ok(()) };
        let outcome = match eval.when {
            When::Instant { at_ms } => self.instant_of(&expr, &eval.query, at_ms, 4),
            When::Range(times) => self.range_of(&expr, &eval.query, times, 4),
        };
        named("with 4 threads", check(eval, outcome))?;
        let When::Instant { at_ms } = eval.when else { return Ok(()) };
        named("as a range", self.around(eval, &expr, at_ms))?;
        let Some(pinned) = pinned::pin(&expr, at_ms) else { return Ok(()) };
        for at in pinned::times(at_ms) {
            let outcome = self.instant_of(&pinned, &eval.query, at, 1);
            named(&format!("pinned, at {at}"), check(eval, outcome))?;
            named(&format!("pinned, as a range around {at}"), self.around(eval, &pinned, at))?;
        }
        Ok(())
    }
}

impl Engine {
    fn instant_of(
        &self,
        expr: &Expr,
        query: &str,
        at_ms: i64,
        parallelism: usize,
    ) -> Result<Answer<promql::Point>, String> {
        let outcome = query_instant(expr, at_ms, &options(parallelism), &self.0, &|| Ok(()));
        outcome.map(|outcome| answer(outcome, query)).map_err(|error| error.to_string())
    }

    fn range_of(
        &self,
        expr: &Expr,
        query: &str,
        times: Times,
        parallelism: usize,
    ) -> Result<Answer<promql::Point>, String> {
        let Times { start_ms, end_ms, step_ms } = times;
        let steps = Steps { start_ms, end_ms, step_ms };
        let outcome = query_range(expr, steps, &options(parallelism), &self.0, &|| Ok(()));
        outcome.map(|outcome| answer(outcome, query)).map_err(|error| error.to_string())
    }

    /// The middle step of a range query has to be the same.
    fn around(&self, eval: &Eval, expr: &Expr, at_ms: i64) -> Result<(), String> {
        let Some(times) = range_around(eval, at_ms) else { return Ok(()) };
        check_step(eval, at_ms, self.range_of(expr, &eval.query, times, 1))
    }
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

fn parsed(query: &str) -> Result<Expr, String> {
    parse(query, &ParseOptions::new(true)).map_err(|error| error.to_string())
}

fn answer(outcome: Outcome, query: &str) -> Answer<promql::Point> {
    let value = match outcome.value {
        promql::Value::Scalar { value, .. } => Value::Scalar(value),
        promql::Value::String { value, .. } => Value::String(value),
        promql::Value::Vector(vector) => {
            Value::Vector(vector.into_iter().map(|sample| (sample.labels, sample.point)).collect())
        }
        promql::Value::Matrix(matrix) => {
            Value::Matrix(matrix.into_iter().map(|series| (series.labels, series.points)).collect())
        }
    };
    let texts = |list: &[Annotation]| list.iter().map(|remark| with_place(remark, query)).collect();
    let (warnings, infos) = (texts(&outcome.annotations.warnings), texts(&outcome.annotations.infos));
    Answer { value, warnings, infos }
}

/// A remark with ` (line:column)` behind it, both from 1.
fn with_place(annotation: &Annotation, query: &str) -> String {
    match annotation.span {
        Some(span) => format!("{} ({})", annotation.text, span.position(query)),
        None => annotation.text.clone(),
    }
}
