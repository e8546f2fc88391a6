use std::io::{IsTerminal, Read};

use http::Method;
use serde_json::Value;

use super::remote;
use crate::cli::{Output, QueryArgs};
use crate::failure::{Failure, Result};
use crate::print;

/// Widest cell of a printed table, in characters; the rest is cut with an ellipsis.
const CELL_MAX: usize = 120;

/// Sends the statement and prints the rows.
pub fn run(args: &QueryArgs) -> Result<()> {
    let statement = statement(args)?;
    let format = if args.format == Output::Csv { "csv" } else { "json" };
    let mut path = format!("/api/v1/sql?format={format}");
    if let Some(timeout) = &args.timeout {
        path.push_str("&timeout=");
        path.extend(form_urlencoded::byte_serialize(timeout.as_bytes()));
    }
    if args.format == Output::Csv {
        let answer = remote::stream(&args.remote, Method::POST, &path, statement, print::bytes)?;
        return finish(answer.complete.unwrap_or(false), &[]);
    }
    let answer = remote::ask(&args.remote, Method::POST, &path, statement)?;
    let json: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::new("the server's answer is not JSON").cause(error))?;
    match args.format {
        Output::Table => table(&json)?,
        Output::Json | Output::Csv => print::bytes(&answer.body)?,
    }
    let warnings: Vec<&str> =
        json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    finish(json["complete"].as_bool().unwrap_or(false), &warnings)
}

fn statement(args: &QueryArgs) -> Result<String> {
    match args.statement.as_deref() {
        Some(statement) if statement != "-" => Ok(statement.into()),
        None if std::io::stdin().is_terminal() => {
            Err(Failure::usage("no statement").hint("fresnel query \"SELECT count(*) FROM logs\""))
        }
        _ => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::new("could not read standard input").cause(error))?;
            Ok(text)
        }
    }
}

fn finish(complete: bool, warnings: &[&str]) -> Result<()> {
    if complete {
        return Ok(());
    }
    let failure = Failure::new("the answer is not complete");
    Err(warnings.iter().fold(failure, |failure, warning| failure.cause(warning)))
}

fn table(json: &Value) -> Result<()> {
    let empty = Vec::new();
    let columns = json["columns"].as_array().unwrap_or(&empty);
    let rows = json["rows"].as_array().unwrap_or(&empty);
    let header: Vec<String> = columns.iter().map(|column| cell(&column["name"], CELL_MAX)).collect();
    if header == ["plan_type", "plan"] {
        rows.iter().try_for_each(plan)?;
    } else {
        aligned(&header, rows)?;
    }
    let count = rows.len();
    let rows = if count == 1 { "row" } else { "rows" };
    summary(&format!("{count} {rows} in {} ms", milliseconds(&json["stats"]["elapsed_ms"])));
    Ok(())
}

fn aligned(header: &[String], rows: &[Value]) -> Result<()> {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.as_array().into_iter().flatten().map(|value| cell(value, CELL_MAX)).collect())
        .collect();
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let widest = cells.iter().filter_map(|row| row.get(index)).map(|text| text.chars().count()).max();
            widest.unwrap_or(0).max(name.chars().count())
        })
        .collect();
    let line = |row: &[String]| {
        let padded = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    print::line(&line(header))?;
    print::line(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("  "))?;
    cells.iter().try_for_each(|row| print::line(&line(row)))
}

/// A row of what EXPLAIN says: a tree, a line for each step.
fn plan(row: &Value) -> Result<()> {
    print::line(&cell(&row[0], CELL_MAX))?;
    let lines = row[1].as_str().unwrap_or_default().lines();
    lines.map(|line| cell(&line.into(), usize::MAX)).try_for_each(|line| print::line(&format!("  {line}")))
}

/// As precise as people read it.
fn milliseconds(value: &Value) -> String {
    let value = value.as_f64().unwrap_or(0.0);
    if value < 10.0 { format!("{value:.1}").trim_end_matches(".0").into() } else { format!("{value:.0}") }
}

fn cell(value: &Value, characters_max: usize) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // Control characters of stored text must not reach the terminal.
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { '␤' } else { c })
        .take(characters_max.saturating_add(1))
        .collect();
    if shown.chars().count() > characters_max {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
fn summary(text: &str) {
    eprintln!("{text}");
}
