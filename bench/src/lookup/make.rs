//! The data that is looked up in: made once through the server's own door, kept, and used again
//! when there is as much of it as is wanted.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use testkit::otlp::{Encoding, Export, Format, raw};

use super::logs::{self, LogRequests};
use super::spans::{self, SPANS_PER_TRACE, SpanRequests};
use super::timeline::Timeline;
use crate::load::closed_loop;
use crate::server::Server;

/// Changes when other data is made for the same numbers.
const VERSION: u64 = 1;
const CONNECTIONS: usize = 2;
const PROGRESS: Duration = Duration::from_secs(15);
/// How long nothing may change until the files count as settled.
const QUIET: Duration = Duration::from_secs(20);
const SETTLED_WITHIN: Duration = Duration::from_secs(3_600);

/// What is there to look up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// Spans, in whole traces that are numbered from 0.
    pub(crate) spans: u64,
    /// Log records.
    pub(crate) logs: u64,
    /// When the log records happened.
    pub(crate) logs_at: Timeline,
    /// When the traces began.
    pub(crate) traces_at: Timeline,
}

impl Made {
    /// Whole requests of about so many records each.
    pub(crate) fn planned(records: u64, now_unix_nano: u64) -> Self {
        let spans = records.div_ceil(spans::SPANS) * spans::SPANS;
        let logs = records.div_ceil(logs::RECORDS) * logs::RECORDS;
        let logs_at = Timeline::ending_before(now_unix_nano, logs);
        let traces_at = Timeline::beginning(logs_at.from, spans / SPANS_PER_TRACE);
        Self { spans, logs, logs_at, traces_at }
    }

    /// What was made before in this folder, when it is as much as `planned`.
    pub(crate) fn known(folder: &Path, planned: &Self) -> Option<Self> {
        let text = std::fs::read_to_string(note(folder)).ok()?;
        let known: Value = serde_json::from_str(&text).ok()?;
        let same =
            known["version"] == VERSION && known["spans"] == planned.spans && known["logs"] == planned.logs;
        let from = known["from_unix_nano"].as_u64()?;
        let traces = planned.spans / SPANS_PER_TRACE;
        same.then(|| Self {
            logs_at: Timeline::beginning(from, planned.logs),
            traces_at: Timeline::beginning(from, traces),
            ..*planned
        })
    }

    /// Notes that it is all there.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(crate) fn remember(&self, folder: &Path) -> Result<()> {
        let text = json!({
            "version": VERSION,
            "spans": self.spans,
            "logs": self.logs,
            "from_unix_nano": self.logs_at.from,
        });
        std::fs::write(note(folder), text.to_string()).context("note what was made")
    }

    /// Sends it all.
    ///
    /// # Errors
    /// When the server does not take it.
    pub(crate) fn send(&self, server: &Server) -> Result<()> {
        let (logs_at, traces_at) = (self.logs_at, self.traces_at);
        let spans = (self.spans / spans::SPANS, spans::SPANS);
        feed::<ExportTraceServiceRequest, _>(server, "spans", spans, || {
            let mut requests = SpanRequests::new(traces_at)?;
            Ok(move |request| requests.body(request).to_vec())
        })?;
        let logs = (self.logs / logs::RECORDS, logs::RECORDS);
        feed::<ExportLogsServiceRequest, _>(server, "logs", logs, || {
            let mut requests = LogRequests::new(logs_at)?;
            Ok(move |request| requests.body(request).to_vec())
        })
    }
}

fn note(folder: &Path) -> PathBuf {
    folder.join("made.json")
}

/// Sends requests 0 to `count` over some connections, and tells how it goes. Each connection has
/// bodies of its own to overwrite.
fn feed<E: Export, Body: FnMut(u64) -> Vec<u8> + Send>(
    server: &Server,
    what: &str,
    (count, records): (u64, u64),
    bodies: impl Fn() -> Result<Body>,
) -> Result<()> {
    let free = (0..CONNECTIONS).map(|_| bodies()).collect::<Result<Vec<_>>>()?;
    let free = Mutex::new(free);
    let (started, told) = (Instant::now(), Mutex::new(Instant::now()));
    let tell = |sent: u64| {
        let mut told = told.lock().expect("nobody panics with it");
        if told.elapsed() > PROGRESS {
            *told = Instant::now();
            let (sent, seconds) = ((sent * records) as f64, started.elapsed().as_secs_f64());
            println!("  {:.1} M {what}, {:.0} k/s", sent / 1e6, sent / seconds / 1e3);
        }
    };
    let request = |index: usize| {
        let index = index as u64;
        if index >= count {
            return None;
        }
        tell(index);
        let mut body = free.lock().expect("nobody panics with it").pop().expect("one for each connection");
        let compressed = Encoding::Zstd.encode(&body(index));
        free.lock().expect("nobody panics with it").push(body);
        Some(Cow::Owned(raw::<E>(compressed, Format::Protobuf, Encoding::Zstd)))
    };
    closed_loop(server.otlp_http(), request, CONNECTIONS).map(drop)
}

/// What the files were like at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    in_memory: u64,
    known: u64,
    there: u64,
}

/// Waits until everything is sealed, what is worth it is compacted, and what compaction replaced is
/// deleted.
///
/// # Errors
/// When that does not happen, or the store has another number of rows than were sent.
pub(crate) fn settle(server: &Server, made: &Made) -> Result<()> {
    let begun = Instant::now();
    let mut since = Instant::now();
    let mut before = files(server)?;
    while since.elapsed() < QUIET || before.in_memory > 0 || before.known != before.there {
        ensure!(begun.elapsed() < SETTLED_WITHIN, "the files do not settle: {before:?}");
        std::thread::sleep(Duration::from_secs(1));
        let now = files(server)?;
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    let status = server.status()?;
    for (table, expected) in [("spans", made.spans), ("logs", made.logs)] {
        let tables = status["store"]["tables"].as_array().into_iter().flatten();
        let rows = tables.filter(|known| known["table"] == table).find_map(|table| table["rows"].as_u64());
        ensure!(rows == Some(expected), "{expected} {table} were sent, {rows:?} are stored");
    }
    Ok(())
}

fn files(server: &Server) -> Result<Files> {
    let (status, data) = (server.status()?, server.data_dir());
    let store = &status["store"];
    let number = |name: &str| store[name].as_u64().with_context(|| format!("no {name} in the status"));
    let there = segments(&data, "spans")?.len() + segments(&data, "logs")?.len();
    Ok(Files { in_memory: number("memtable_rows")?, known: number("segments")?, there: there as u64 })
}

/// The files of a table: `<data>/segments/<table>/tenant=…/day=…/….parquet`.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn segments(data: &Path, table: &str) -> Result<Vec<PathBuf>> {
    let mut folders = vec![data.join("segments").join(table)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        if !folder.exists() || folder.ends_with("_delta_log") {
            continue;
        }
        for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
