//! DuckDB, driven as a Python process line by line (`bench/ask_duckdb.py`).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::make::segments;
use super::question::{Answer, Question};

/// The program, in the binary: it is fed to Python as it is.
const PROGRAM: &str = include_str!("../../ask_duckdb.py");

/// A Python that has DuckDB.
#[derive(Clone, Debug)]
pub(crate) struct DuckDb {
    python: PathBuf,
    /// Files of the tables, as lists that DuckDB reads.
    files: Vec<(&'static str, String)>,
}

/// A process of it, with an open connection.
#[derive(Debug)]
pub(crate) struct Session {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Its version and settings.
    pub(crate) greeting: Value,
}

impl DuckDb {
    /// Over the segments in this data folder.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) fn new(python: PathBuf, data: &Path) -> Result<Self> {
        let list = |table| -> Result<_> {
            let files = segments(data, table)?;
            let quoted: Vec<_> = files.iter().map(|file| format!("'{}'", file.display())).collect();
            Ok((table, format!("[{}]", quoted.join(", "))))
        };
        Ok(Self { python, files: vec![list("spans")?, list("logs")?] })
    }

    /// Starts a process and waits for its connection.
    ///
    /// # Errors
    /// When Python or DuckDB is missing.
    pub(crate) fn start(&self) -> Result<Session> {
        let mut command = Command::new(&self.python);
        command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {}", self.python.display()))?;
        let questions = child.stdin.take().context("standard input is piped")?;
        let answers = BufReader::new(child.stdout.take().context("standard output is piped")?);
        let mut session = Session { child, questions, answers, greeting: Value::Null };
        session.greeting = session.read()?;
        Ok(session)
    }

    fn files(&self, table: &str) -> &str {
        self.files.iter().find(|(known, _)| *known == table).map_or("[]", |(_, files)| files)
    }
}

impl Session {
    /// Asks.
    ///
    /// # Errors
    /// When the statement fails.
    pub(crate) fn ask(&mut self, duckdb: &DuckDb, question: &Question) -> Result<Answer> {
        let sql = question.sql(duckdb.files(question.table()));
        let line = json!({"sql": sql, "identity": question.identity()});
        writeln!(self.questions, "{line}").context("ask DuckDB")?;
        self.questions.flush().context("ask DuckDB")?;
        let answer = self.read()?;
        let ids = answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Ok(Answer { ms: answer["ms"].as_f64().context("no time")?, ids: ids.collect() })
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).context("read from DuckDB")?;
        ensure!(read > 0, "DuckDB ended without an answer; its error is above");
        serde_json::from_str(&line).context("read from DuckDB")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It has nothing to keep, and may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A Python with DuckDB: the one that was named, that of `cargo xtask setup`, the system's, or one
/// made here.
pub(crate) fn python(named: &Path, folder: &Path) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let made = folder.join("venv");
    let candidates = [
        Some(named.to_owned()),
        target.map(|target| target.join("clients/venv/bin/python")),
        Some(made.join("bin/python")),
    ];
    if let Some(python) = candidates.into_iter().flatten().find(|python| has_duckdb(python)) {
        return Ok(python);
    }
    println!("  installing DuckDB into {}", made.display());
    run(Command::new("python3").args(["-m", "venv"]).arg(&made))?;
    run(Command::new(made.join("bin/pip")).args(["install", "--quiet", "--only-binary=:all:", "duckdb"]))?;
    Ok(made.join("bin/python"))
}

fn has_duckdb(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import duckdb"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
