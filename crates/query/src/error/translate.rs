//! From the query engine's errors to one clear sentence.

use std::error::Error;

use arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::logical_expr::sqlparser::parser::ParserError;

use super::QueryError;
use crate::SourceError;
use crate::pool::QueryPool;

impl QueryError {
    /// An error of reading and planning a statement.
    pub(crate) fn planning(error: &DataFusionError, pool: Option<&QueryPool>) -> Self {
        translate(error, pool, true)
    }

    /// An error of executing a plan.
    pub(crate) fn executing(error: &DataFusionError, pool: &QueryPool) -> Self {
        translate(error, Some(pool), false)
    }
}

fn translate(error: &DataFusionError, pool: Option<&QueryPool>, planning: bool) -> QueryError {
    if let Some(refusal) = pool.and_then(QueryPool::refusal) {
        return QueryError::Memory { message: refusal };
    }
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| span.start);
    let place =
        place.map_or(String::new(), |place| format!("line {}, column {}: ", place.line, place.column));
    let plan = |message: String, hint| QueryError::Plan { message: format!("{place}{message}"), hint };
    match error.find_root() {
        DataFusionError::SQL(parser, _) => QueryError::Syntax { message: syntax(parser) },
        DataFusionError::SchemaError(schema, _) => {
            let (message, hint) = columns(schema);
            plan(message, hint)
        }
        DataFusionError::Plan(message) => {
            let (message, hint) = names(message);
            plan(message, hint)
        }
        DataFusionError::NotImplemented(message) if message.contains("single SQL statement") => {
            QueryError::Syntax { message: "there is more than one statement".to_owned() }
        }
        DataFusionError::NotImplemented(message) => {
            plan(format!("not supported: {}", one_line(message)), None)
        }
        DataFusionError::Configuration(message) => plan(one_line(message), None),
        DataFusionError::ResourcesExhausted(message) => QueryError::Memory { message: one_line(message) },
        DataFusionError::Execution(message) if planning => plan(one_line(message), None),
        DataFusionError::Execution(message) => QueryError::Value { message: one_line(message) },
        DataFusionError::ArrowError(arrow, _) if matches!(arrow.as_ref(), ArrowError::DivideByZero) => {
            QueryError::Value { message: "division by zero".to_owned() }
        }
        DataFusionError::ArrowError(arrow, _) if is_about_a_value(arrow) => {
            QueryError::Value { message: one_line(&arrow.to_string()) }
        }
        root => source(root)
            .unwrap_or_else(|| QueryError::Internal { message: one_line(&root.strip_backtrace()) }),
    }
}

/// The store's own error, if it is the cause.
fn source(error: &DataFusionError) -> Option<QueryError> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(source) = error.downcast_ref::<SourceError>() {
            return Some(QueryError::Source(source.clone()));
        }
        cause = match error.downcast_ref::<DataFusionError>() {
            // Its `source` would skip what is in the box.
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            _ => error.source(),
        };
    }
    None
}

fn is_about_a_value(error: &ArrowError) -> bool {
    matches!(
        error,
        ArrowError::ArithmeticOverflow(_)
            | ArrowError::CastError(_)
            | ArrowError::ParseError(_)
            | ArrowError::ComputeError(_)
            | ArrowError::InvalidArgumentError(_)
    )
}

/// `Expected: an expression, found: FROM at Line: 1, Column: 8`, with the place in front.
fn syntax(error: &ParserError) -> String {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply",
    };
    let (message, place) = match message.split_once(" at Line: ") {
        Some((message, place)) => (message, place.replace(", Column: ", ", column ")),
        None => (message, String::new()),
    };
    let message = one_line(message).replace("Expected: ", "expected ").replace("found: ", "found ");
    if place.is_empty() { message } else { format!("line {place}: {message}") }
}

fn columns(error: &SchemaError) -> (String, Option<String>) {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let names: Vec<_> = valid_fields.iter().map(Column::name).collect();
            (format!("no column named `{}`", field.flat_name()), suggest(field.name(), &names))
        }
        SchemaError::AmbiguousReference { field } => (
            format!("column `{}` is in more than one table", field.name()),
            Some(format!("write the table's name before it, such as `logs.{}`", field.name())),
        ),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => (
            format!("the answer would have two columns named `{name}`"),
            Some(format!("give one another name, such as `{name} AS other`")),
        ),
    }
}

/// Messages about tables, functions and grouping.
fn names(message: &str) -> (String, Option<String>) {
    let unknown = message.strip_prefix("table '").and_then(|rest| rest.split_once("' not found"));
    if let Some((path, _)) = unknown {
        let name = path.rsplit('.').next().unwrap_or(path);
        let names: Vec<_> = model::Table::ALL.iter().map(|table| table.as_str()).chain(["metrics"]).collect();
        let hint = suggest(name, &names).unwrap_or_else(|| format!("there are {}", names.join(", ")));
        return (format!("no table named `{name}`"), Some(hint));
    }
    if let Some((function, meant)) = message.split_once("\nDid you mean ") {
        let function = one_line(function).replace("Invalid function ", "no function named ");
        let meant = meant.trim_end_matches('?').replace('\'', "`");
        return (function.replace('\'', "`"), Some(format!("did you mean {meant}?")));
    }
    // `Column in SELECT must be …: While expanding wildcard, column "a" must …, currently only …`
    let message = message.rsplit("While expanding wildcard, ").next().unwrap_or(message);
    let message = message.split(", currently only ").next().unwrap_or(message);
    (one_line(message), None)
}

/// The nearest name, if one is near, else what there is, if that is little.
fn suggest(name: &str, names: &[&str]) -> Option<String> {
    let nearest = names.iter().map(|known| (distance(name, known), *known)).min()?;
    let (distance, known) = nearest;
    if distance <= (name.len() / 3).max(1) {
        return Some(format!("did you mean `{known}`?"));
    }
    let contained = names.iter().find(|known| known.contains(name) || name.contains(*known));
    contained.map(|known| format!("did you mean `{known}`?"))
}

/// How many letters have to be changed, added or removed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The first line, without what is only for the engine's developers.
fn one_line(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown error");
    let line = line.trim();
    let prefixes = [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
        "sql parser error: ",
        "Cast error: ",
        "Parser error: ",
        "Compute error: ",
        "Invalid argument error: ",
    ];
    let line = prefixes.iter().fold(line, |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
    line.trim_end_matches('.').to_owned()
}
