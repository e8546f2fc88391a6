//! Bytes on the disk: ours, the raw requests', and DuckDB's for the same columns.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::measure::Run;
use crate::data::{Bodies, Signal};
use crate::options::Options;
use crate::report::{Report, figure};

const SCRIPT: &str = include_str!("../../size.py");

/// What is known of each signal.
#[derive(Default)]
pub(super) struct Sizes(Vec<Size>);

struct Size {
    signal: Signal,
    records: u64,
    raw: u64,
    sent: u64,
    ours: u64,
    /// Keeps the files until DuckDB has read them.
    _dir: TempDir,
    files: Vec<PathBuf>,
}

impl Sizes {
    /// Remembers what a run wrote, and where it is.
    pub(super) fn add(
        &mut self,
        signal: Signal,
        bodies: &Bodies,
        run: &Run,
        dir: TempDir,
        files: Vec<PathBuf>,
    ) {
        let (records, raw, sent, ours) =
            (run.all, bodies.bytes(), run.sent.bytes * run.all / run.records, run.segment_bytes);
        self.0.push(Size { signal, records, raw, sent, ours, _dir: dir, files });
    }

    /// Adds the table of sizes.
    pub(super) fn report(&self, options: &Options, report: &mut Report) {
        report.table(&[
            "bytes a record",
            "raw OTLP",
            "sent as zstd",
            "segments",
            "of raw",
            "DuckDB zstd",
            "segments / DuckDB",
        ]);
        for size in &self.0 {
            let per_record = |bytes: u64| bytes as f64 / size.records as f64;
            let duckdb = duckdb(options, size);
            let of_ours = |bytes: u64| figure(size.ours as f64 / bytes as f64);
            report.row([
                size.signal.name().to_owned(),
                figure(per_record(size.raw)),
                figure(per_record(size.sent)),
                figure(per_record(size.ours)),
                format!("{:.1} %", 100.0 * size.ours as f64 / size.raw as f64),
                duckdb.as_ref().map_or_else(|_| "skipped".to_owned(), |&bytes| figure(per_record(bytes))),
                duckdb.as_ref().map_or_else(|_| String::new(), |&bytes| of_ours(bytes)),
            ]);
            if let Err(error) = duckdb {
                report.note(format!("DuckDB's size of {} is skipped: {error:#}", size.signal.name()));
            }
        }
    }
}

/// What DuckDB needs for the same rows and columns, in bytes.
fn duckdb(options: &Options, size: &Size) -> Result<u64> {
    let mut bytes = 0;
    for table in size.signal.tables() {
        let own = |file: &&PathBuf| file.iter().any(|part| part == *table);
        let files: Vec<_> = size.files.iter().filter(own).collect();
        if !files.is_empty() {
            bytes += copied(options, &json!({ "files": files }))?;
        }
    }
    Ok(bytes)
}

fn copied(options: &Options, question: &Value) -> Result<u64> {
    let folder = options.temporary("size")?;
    let mut command = Command::new(&options.python);
    command.args(["-c", SCRIPT, &question.to_string()]).arg(folder.path());
    let output = command.output().with_context(|| format!("start {}", options.python.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.lines().last().unwrap_or("it failed"));
    let answer: Value = serde_json::from_slice(&output.stdout).context("read its answer")?;
    answer["bytes"].as_u64().context("its answer has no size")
}
