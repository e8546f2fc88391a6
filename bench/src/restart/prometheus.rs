//! Debian's Prometheus as a receiver of remote write: fed, killed, started again.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use testkit::http::{Request, send};

use super::ingest::{Sender, Sent, until_killed};
use super::{Start, copy, size};
use crate::server::cpu_seconds;

/// No start takes longer.
const READY_WITHIN: Duration = Duration::from_mins(10);
/// Between two questions whether it is ready, as for our server.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A program, and the folder where it keeps its data.
pub(super) struct Prometheus {
    program: PathBuf,
    folder: PathBuf,
}

impl Prometheus {
    /// In this folder, which is made.
    pub(super) fn new(program: PathBuf, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        // It scrapes nothing.
        std::fs::write(folder.join("prometheus.yml"), "global: {scrape_interval: 1h}\n")
            .context("configure")?;
        Ok(Self { program, folder: folder.to_owned() })
    }

    /// Its name and version.
    pub(super) fn name(&self) -> Result<String> {
        let output = Command::new(&self.program).arg("--version").output().context("ask for the version")?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let version = text.split_whitespace().skip_while(|word| *word != "version").nth(1).unwrap_or("?");
        Ok(format!("prometheus {version}, remote write"))
    }

    /// Feeds a new server, and kills it once so many samples are acknowledged.
    pub(super) fn ingest(
        &self,
        samples: u64,
        senders: impl FnOnce(SocketAddr) -> Vec<Box<dyn Sender>>,
    ) -> Result<Sent> {
        let mut running = self.start()?;
        let sent = until_killed(senders(running.http), samples, || running.kill9())?;
        std::fs::rename(self.data(), self.killed()).context("keep what the killed server left")?;
        Ok(sent)
    }

    /// Bytes that the killed process left.
    pub(super) fn left(&self) -> Result<u64> {
        size(&self.killed())
    }

    /// Starts a server on a copy of what was left, and kills it.
    pub(super) fn restart(&self) -> Result<Start> {
        copy(&self.killed(), &self.data())?;
        let mut running = self.start()?;
        running.kill9()?;
        Ok(running.start)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn killed(&self) -> PathBuf {
        self.folder.join("killed")
    }

    fn start(&self) -> Result<Running> {
        let log_path = self.folder.join("prometheus.log");
        let log = File::create(&log_path).context("make the log file")?;
        let http = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let http = http.context("find a free port")?;
        let mut command = Command::new(&self.program);
        command
            .arg(format!("--config.file={}", self.folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.data().display()))
            .arg(format!("--web.listen-address={http}"))
            .args(["--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=90d"])
            // Debian's are elsewhere when the package is only unpacked.
            .args(["--web.console.templates=.", "--web.console.libraries=."])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
        let mut running = Running { child, http, start: Start { seconds: 0.0, cpu_seconds: 0.0 } };
        let request = Request::get("/-/ready");
        while !send(http, &request).is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = running.child.try_wait().context("look at Prometheus")? {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                bail!("Prometheus ended with {status}:\n{log}");
            }
            ensure!(started.elapsed() < READY_WITHIN, "Prometheus is not ready in time");
            std::thread::sleep(LOOK_EVERY);
        }
        let seconds = started.elapsed().as_secs_f64();
        running.start = Start { seconds, cpu_seconds: cpu_seconds(running.child.id())? };
        Ok(running)
    }
}

/// A process of it; dropping it kills it.
struct Running {
    child: Child,
    http: SocketAddr,
    start: Start,
}

impl Running {
    fn kill9(&mut self) -> Result<()> {
        self.child.kill().context("kill Prometheus")?;
        self.child.wait().context("wait for Prometheus").map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
