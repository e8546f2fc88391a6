//! The questions, as our API and as DuckDB are asked them, and their answers.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::http::{Client, Request};
use testkit::records::hex;

use super::spans;

const NANOS_PER_MS: u64 = 1_000_000;
/// Log records that are asked for.
const LIMIT: usize = 100;

/// Something to be found.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// All spans of the trace with this number.
    Trace(u64),
    /// The newest log records of a service, from and to in nanoseconds since 1970. `whole`: that is
    /// the range of all records, and a statement needs no condition on it.
    Logs { service: &'static str, from: u64, to: u64, whole: bool },
}

/// What was found, and how long it took from the question to the last byte.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Milliseconds.
    pub(crate) ms: f64,
    /// What tells the rows from each other, sorted.
    pub(crate) ids: Vec<String>,
}

impl Question {
    fn target(&self) -> String {
        match self {
            Self::Trace(trace) => format!("/api/v1/traces/{}", hex(&spans::trace_id(*trace).concat())),
            Self::Logs { service, from, to, .. } => format!(
                "/api/v1/logs?service={service}&limit={LIMIT}&from={}&to={}",
                from / NANOS_PER_MS,
                to / NANOS_PER_MS
            ),
        }
    }

    /// The table that DuckDB reads.
    pub(crate) fn table(&self) -> &'static str {
        match self {
            Self::Trace(_) => "spans",
            Self::Logs { .. } => "logs",
        }
    }

    /// The column whose values tell the rows from each other.
    pub(crate) fn identity(&self) -> &'static str {
        match self {
            Self::Trace(_) => "span_id",
            Self::Logs { .. } => "time_unix_nano",
        }
    }

    /// The statement over `files`, a list as DuckDB writes it.
    pub(crate) fn sql(&self, files: &str) -> String {
        let of = format!("SELECT * FROM read_parquet({files}) WHERE");
        match self {
            Self::Trace(trace) => {
                format!("{of} trace_id = unhex('{}')", hex(&spans::trace_id(*trace).concat()))
            }
            Self::Logs { service, from, to, whole } => {
                let within = if *whole {
                    String::new()
                } else {
                    format!(" AND time_unix_nano >= {from} AND time_unix_nano < {to}")
                };
                format!("{of} service_name = '{service}'{within} ORDER BY time_unix_nano DESC LIMIT {LIMIT}")
            }
        }
    }

    /// What must be found, as far as it is known without asking.
    pub(crate) fn expected(&self) -> Option<Vec<String>> {
        match self {
            Self::Trace(trace) => Some(spans::span_ids(*trace)),
            Self::Logs { .. } => None,
        }
    }
}

/// Our server, asked over one connection as a page would.
pub(crate) struct Ours(Client);

impl Ours {
    /// At the API's address.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self(Client::new(address))
    }

    /// Asks.
    ///
    /// # Errors
    /// When there is no answer, or not a complete one.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Answer> {
        let request = Request::get(&question.target());
        let started = Instant::now();
        let answer = self.0.send(&request).context("ask")?;
        let ms = started.elapsed().as_secs_f64() * 1e3;
        ensure!(answer.status == 200, "{question:?}: status {}: {}", answer.status, answer.text());
        let answer: Value = serde_json::from_slice(&answer.body).context("read the answer")?;
        ensure!(answer["complete"] == true, "{question:?}: not complete: {}", answer["warnings"]);
        let (rows, id) = match question {
            Question::Trace(_) => (&answer["spans"], "span_id"),
            Question::Logs { .. } => (&answer["logs"], "time_unix_nano"),
        };
        let rows = rows.as_array().into_iter().flatten();
        let mut ids: Vec<_> = rows.filter_map(|row| row[id].as_str()).map(str::to_owned).collect();
        ids.sort();
        Ok(Answer { ms, ids })
    }
}
