//! Our server: fed, killed, started again, asked whether everything is there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use testkit::http::{Request, send};

use super::ingest::{Sender, Sent, until_killed};
use super::{Start, copy, size};
use crate::options::Options;
use crate::server::Server;

/// A server's folder, and the copy of what the killed process left.
pub(super) struct Ours<'a> {
    options: &'a Options,
    folder: PathBuf,
}

impl<'a> Ours<'a> {
    /// In this folder, which is made.
    pub(super) fn new(options: &'a Options, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self { options, folder: folder.to_owned() })
    }

    fn start(&self) -> Result<Server> {
        Server::start(self.options, "", Some(&self.folder))
    }

    fn killed(&self) -> PathBuf {
        self.folder.join("killed")
    }

    /// Feeds a new server, and kills it once so many records are acknowledged.
    pub(super) fn ingest(
        &self,
        records: u64,
        senders: impl FnOnce(SocketAddr) -> Result<Vec<Box<dyn Sender>>>,
    ) -> Result<Sent> {
        let server = self.start()?;
        let data = server.data_dir();
        let senders = senders(server.otlp_http())?;
        let sent = until_killed(senders, records, || server.kill9())?;
        std::fs::rename(&data, self.killed()).context("keep what the killed server left")?;
        Ok(sent)
    }

    /// Bytes that the killed process left.
    pub(super) fn left(&self) -> Result<u64> {
        size(&self.killed())
    }

    /// Starts a server on a copy of what was left, looks at it, and kills it.
    pub(super) fn restart(&self, look: impl FnOnce(&Server) -> Result<()>) -> Result<Start> {
        copy(&self.killed(), &self.folder.join("data"))?;
        let server = self.start()?;
        let start = Start { seconds: server.ready().as_secs_f64(), cpu_seconds: server.cpu_seconds()? };
        look(&server)?;
        server.kill9()?;
        Ok(start)
    }
}

/// Everything that was acknowledged is there, nothing twice, and the ledger knows it.
pub(super) fn check(server: &Server, table: &str, sent: &Sent) -> Result<()> {
    let stored = server.number(&format!("SELECT count(*) FROM {table}"))?;
    ensure!(
        (sent.acknowledged..=sent.sent).contains(&stored),
        "{} {table} were acknowledged and {} sent, but {stored} are there",
        sent.acknowledged,
        sent.sent
    );
    let answer = send(server.http(), &Request::get("/api/v1/ledger")).context("ask for the ledger")?;
    let ledger = answer.expect(200).json();
    let entries = ledger["entries"].as_array().into_iter().flatten();
    let entry = entries.clone().find(|entry| entry["signal"] == table).context("no entry in the ledger")?;
    ensure!(
        ledger["balanced"] == true && entry["stored"] == stored,
        "{stored} {table} are there, but: {ledger}"
    );
    Ok(())
}
