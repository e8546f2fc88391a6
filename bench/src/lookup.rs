//! Trace by id and the newest logs of a service, among tens of millions, beside DuckDB on the same
//! files.
//!
//! Both are asked over what a process that is started once would do: our server over HTTP to the
//! last byte of its JSON, DuckDB in Python to the last fetched row. Warm: every question was asked
//! before. Cold: the first question of a new process, with an empty page cache; starting, and
//! importing the module, are not counted. Every answer is compared row by row.

mod duckdb;
pub(crate) mod logs;
mod make;
mod question;
mod services;
mod spans;
pub(crate) mod template;
pub(crate) mod timeline;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure};
use crate::server::Server;
use duckdb::{DuckDb, Session};
use make::{Made, settle};
use question::{Answer, Ours, Question};
use spans::SPANS_PER_TRACE;

/// Spans, and log records, at full scale.
const RECORDS: usize = 50_000_000;
/// Traces that are looked up.
const TRACES: u64 = 20;
/// Questions of a kind that are asked cold: each needs two new processes.
const COLD: usize = 5;
const HOUR: u64 = 3_600_000_000_000;
/// What DuckDB may take at most, as a part of which we must be.
const FLOOR: f64 = 0.1;
/// What was made stays, and what compaction replaced goes at once: DuckDB reads what is there.
const CONFIG: &str = "\
[store.retention]
logs = \"0s\"
spans = \"0s\"
[store.compact]
grace = \"1s\"
";

/// Makes the data unless it is there, asks both, and compares.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let folder = options.dir().join("lookup");
    let (mut server, made) = prepared(options, &folder)?;
    let mut report = Report::new("lookup: one trace, and the newest 100 logs of a service");
    let python = duckdb::python(&options.python, options.dir());
    let duckdb = match python.and_then(|python| DuckDb::new(python, &server.data_dir())) {
        Ok(duckdb) => Some(duckdb),
        Err(error) => {
            report.note(format!("DuckDB is missing, so that nothing is compared: {error:#}"));
            None
        }
    };
    describe(&mut report, &server, &made)?;
    let mut kinds = kinds(&made);
    warm(&server, duckdb.as_ref(), &mut kinds, &mut report)?;
    server = cold(options, server, &folder, duckdb.as_ref(), &mut kinds, &mut report)?;
    server.stop()?;
    tell(&mut report, &kinds, made.spans >= RECORDS as u64);
    Ok(report)
}

/// A server over the data, settled.
fn prepared(options: &Options, folder: &Path) -> Result<(Server, Made)> {
    let now = testkit::records::now_unix_nano();
    let planned = Made::planned(options.scaled(RECORDS, 100_000) as u64, now);
    if let Some(made) = Made::known(folder, &planned) {
        println!("lookup: what was made before in {} is used", folder.display());
        let server = Server::start(options, CONFIG, Some(folder))?;
        settle(&server, &made)?;
        return Ok((server, made));
    }
    println!(
        "lookup: making {} spans and {} log records in {}",
        planned.spans,
        planned.logs,
        folder.display()
    );
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    let server = Server::start(options, CONFIG, Some(folder))?;
    planned.send(&server)?;
    settle(&server, &planned)?;
    planned.remember(folder)?;
    Ok((server, planned))
}

fn describe(report: &mut Report, server: &Server, made: &Made) -> Result<()> {
    for (table, rows) in [("spans", made.spans), ("logs", made.logs)] {
        let files = make::segments(&server.data_dir(), table)?;
        let bytes = files.iter().map(|file| Ok(file.metadata()?.len())).sum::<Result<u64>>()?;
        report.note(format!(
            "{table}: {:.1} M rows of 48 hours in {} files, {:.1} bytes a row",
            rows as f64 / 1e6,
            files.len(),
            bytes as f64 / rows as f64
        ));
    }
    Ok(())
}

/// Questions of a kind, and how long their answers took.
struct Kind {
    name: &'static str,
    /// Whether the goals are about it, or it is reported beside.
    goal: bool,
    questions: Vec<Question>,
    warm: Times,
    cold: Times,
}

/// In milliseconds, both in the same order.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    duckdb: Vec<f64>,
}

fn kinds(made: &Made) -> [Kind; 3] {
    let last = made.spans / SPANS_PER_TRACE - 1;
    let traces = (0..TRACES).map(|index| Question::Trace(last * index / (TRACES - 1)));
    let (from, to) = (made.logs_at.from, made.logs_at.to());
    // The loudest, one in the middle, the quietest.
    let services = [0, services::SERVICES / 2, services::SERVICES - 1].map(services::name);
    let logs = |from, whole| {
        services.iter().map(move |service| Question::Logs { service, from, to, whole }).collect::<Vec<_>>()
    };
    let kind = |name, goal, questions| Kind {
        name,
        goal,
        questions,
        warm: Times::default(),
        cold: Times::default(),
    };
    [
        kind("trace by id", true, traces.collect()),
        kind("newest 100 logs of a service", true, logs(from, true)),
        kind("the same, of the last hour", false, logs(to - HOUR, false)),
    ]
}

/// Asks everything once and compares the answers, then measures.
fn warm(server: &Server, duckdb: Option<&DuckDb>, kinds: &mut [Kind], report: &mut Report) -> Result<()> {
    const ROUNDS: usize = 3;
    let mut ours = Ours::new(server.http());
    let mut session = duckdb.map(DuckDb::start).transpose()?;
    if let Some(session) = &session {
        report.note(format!("DuckDB {}", session.greeting));
    }
    for kind in kinds {
        for round in 0..=ROUNDS {
            for question in &kind.questions {
                let answer = ours.ask(question)?;
                let other =
                    duckdb.zip(session.as_mut()).map(|(duckdb, session)| session.ask(duckdb, question));
                let other = other.transpose()?;
                verify(question, &answer, other.as_ref())?;
                if round > 0 {
                    kind.warm.add(&answer, other.as_ref());
                }
            }
        }
    }
    Ok(())
}

/// Asks new processes one question each, with an empty page cache.
fn cold(
    options: &Options,
    mut server: Server,
    folder: &Path,
    duckdb: Option<&DuckDb>,
    kinds: &mut [Kind],
    report: &mut Report,
) -> Result<Server> {
    if let Err(error) = drop_page_cache() {
        report.note(format!("nothing was asked cold: the page cache cannot be dropped ({error:#})"));
        return Ok(server);
    }
    for kind in kinds {
        for question in kind.questions.iter().step_by(kind.questions.len().div_ceil(COLD)) {
            let other = match duckdb {
                Some(duckdb) => {
                    let mut session: Session = duckdb.start()?;
                    drop_page_cache()?;
                    Some(session.ask(duckdb, question)?)
                }
                None => None,
            };
            server.stop()?;
            server = Server::start(options, CONFIG, Some(folder))?;
            drop_page_cache()?;
            let answer = Ours::new(server.http()).ask(question)?;
            verify(question, &answer, other.as_ref())?;
            kind.cold.add(&answer, other.as_ref());
        }
    }
    Ok(server)
}

impl Times {
    fn add(&mut self, ours: &Answer, duckdb: Option<&Answer>) {
        self.ours.push(ours.ms);
        self.duckdb.extend(duckdb.map(|answer| answer.ms));
    }
}

/// Both found the same rows, and those that are known to be there.
fn verify(question: &Question, ours: &Answer, duckdb: Option<&Answer>) -> Result<()> {
    if let Some(expected) = question.expected() {
        ensure!(ours.ids == expected, "{question:?}: found {:?}, expected {expected:?}", ours.ids);
    }
    if let Some(duckdb) = duckdb {
        ensure!(ours.ids == duckdb.ids, "{question:?}: we found {:?}, DuckDB {:?}", ours.ids, duckdb.ids);
    }
    Ok(())
}

/// Writes everything to disk and empties the page cache.
fn drop_page_cache() -> Result<()> {
    let status = Command::new("sync").status().context("run sync")?;
    ensure!(status.success(), "sync: {status}");
    let path = PathBuf::from("/proc/sys/vm/drop_caches");
    std::fs::write(&path, "3").with_context(|| format!("write to {}", path.display()))
}

/// `judged`: there is as much to look up as the goals say; with less, DuckDB has less to read.
fn tell(report: &mut Report, kinds: &[Kind], judged: bool) {
    report.table(&["question", "page cache", "asked", "ours, ms", "DuckDB, ms", "ratio"]);
    for kind in kinds {
        for (state, times) in [("warm", &kind.warm), ("cold", &kind.cold)] {
            let (ours, duckdb) = (Quantiles::of(times.ours.clone()), Quantiles::of(times.duckdb.clone()));
            let ratio = ours.median() / duckdb.median();
            if ours.len() == 0 {
                continue;
            }
            let cells = [kind.name.to_owned(), state.to_owned(), ours.len().to_string(), ours.range()];
            let compared = if duckdb.len() == 0 {
                ["-".to_owned(), "-".to_owned()]
            } else {
                [duckdb.range(), figure_of_ratio(ratio)]
            };
            report.row(cells.into_iter().chain(compared));
            if duckdb.len() > 0 {
                report.goal(Goal {
                    name: format!("{}, {state}, of DuckDB's time", kind.name),
                    value: ratio,
                    unit: "x",
                    floor: (kind.goal && judged).then_some(FLOOR),
                    target: None,
                    better: Better::Lower,
                });
            }
        }
    }
    report.note(
        "warm: asked before; cold: first question of a new process, page cache dropped after its start",
    );
    report
        .note("DuckDB: executing and fetching in one Python process; import and connection are not counted");
}

fn figure_of_ratio(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { figure(ratio) }
}

#[cfg(test)]
mod tests;
