//! Our server and its peers, each a process that takes remote write and answers PromQL.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{Request, send};

use super::replay::{Replay, later, post};
use super::scrapes::free_address;
use crate::debian;
use crate::options::Options;
use crate::server::{Server, cpu_seconds, status_bytes};

/// Every one of them has its API here, or is told to.
pub(super) const API: &str = "/prometheus/api/v1";
pub(super) const WRITE: &str = "/prometheus/api/v1/write";

/// Everything is sealed soon after the last request; replaced files go soon.
const CONFIG: &str =
    "[store.seal]\nage = \"10s\"\n[store.compact]\ngrace = \"1s\"\n[publish]\nenabled = false\n";
const READY_WITHIN: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Background work of the peers after the last request, at full scale.
const BACKGROUND: Duration = Duration::from_secs(30);
/// Prometheus looks once a minute whether its head can become a block.
const BLOCK_WITHIN: Duration = Duration::from_secs(150);
const MERGED_WITHIN: Duration = Duration::from_mins(10);
/// So long nothing must have been done.
const REST: Duration = Duration::from_secs(4);
/// The head becomes a block when it is longer than three hours; so much later a sample is sent.
const BLOCK_MS: i64 = 7_200_000 + 3_600_000 + 1_800_000;

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fresnel,
    Victoria,
    Prometheus,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Fresnel, Self::Victoria, Self::Prometheus];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fresnel => "fresnel",
            Self::Victoria => "victoria-metrics",
            Self::Prometheus => "prometheus",
        }
    }

    /// What a program of Debian says of its version; ours is in the first lines of the run.
    pub(super) fn version(self, options: &Options) -> Result<String> {
        if self == Self::Fresnel {
            return Ok(String::new());
        }
        let output = Command::new(debian::found(self.name(), options.dir())?).arg("--version").output();
        let output = output.context("ask for the version")?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        Ok(line.unwrap_or("of unknown version").to_owned())
    }

    /// How it keeps what it has acknowledged.
    pub(super) fn durability(self) -> &'static str {
        match self {
            Self::Fresnel => "fsync before the answer",
            Self::Victoria => "5 s may be lost",
            Self::Prometheus => "log without fsync",
        }
    }
}

/// A child that is killed when it is dropped.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn spawn(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("start {command:?}"))?))
    }

    pub(super) fn until_ready(&self, within: Duration, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            ensure!(started.elapsed() < within, "a peer is not ready within {within:?}");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

enum Handle {
    Ours(Server),
    Theirs(Process),
}

/// One of them, running in a folder of its own.
pub(super) struct Peer {
    pub(super) kind: Kind,
    pub(super) http: SocketAddr,
    handle: Handle,
    folder: TempDir,
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Disk {
    pub(super) data: u64,
    pub(super) index: u64,
    pub(super) samples: u64,
}

impl Disk {
    pub(super) fn per_sample(&self) -> f64 {
        (self.data + self.index) as f64 / self.samples as f64
    }
}

impl Peer {
    /// Starts it with nothing in it.
    pub(super) fn start(kind: Kind, options: &Options) -> Result<Self> {
        let temporary = options.temporary(kind.name())?;
        if kind == Kind::Fresnel {
            let server = Server::start(options, CONFIG, Some(temporary.path()))?;
            return Ok(Self { kind, http: server.http(), handle: Handle::Ours(server), folder: temporary });
        }
        let folder = temporary.path();
        let http = free_address()?;
        let mut command = Command::new(debian::found(kind.name(), options.dir())?);
        if kind == Kind::Victoria {
            command
                .arg(format!("-storageDataPath={}", folder.join("data").display()))
                .arg(format!("-httpListenAddr={http}"))
                .args(["-retentionPeriod=12", "-search.disableCache=true", "-search.latencyOffset=0"]);
        } else {
            // It scrapes nothing.
            std::fs::write(folder.join("prometheus.yml"), "global: {scrape_interval: 1h}\n")
                .context("configure")?;
            command
                .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address={http}"))
                .args(["--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=90d"])
                .args(["--web.route-prefix=/prometheus", "--query.max-samples=500000000"])
                // Debian's are elsewhere when the package is only unpacked.
                .args(["--web.console.templates=.", "--web.console.libraries=."]);
        }
        let log = File::create(folder.join("log")).context("make the log file")?;
        command.env("GOMAXPROCS", "2").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = Process::spawn(&mut command)?;
        let ready = Request::get(&format!("{API}/query?query=1"));
        process.until_ready(READY_WITHIN, || send(http, &ready).is_ok_and(|answer| answer.status == 200))?;
        Ok(Self { kind, http, handle: Handle::Theirs(process), folder: temporary })
    }

    fn pid(&self) -> u32 {
        match &self.handle {
            Handle::Ours(server) => server.pid(),
            Handle::Theirs(process) => process.0.id(),
        }
    }

    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }

    pub(super) fn peak_rss_bytes(&self) -> Result<u64> {
        status_bytes(self.pid(), "VmHWM:")
    }

    /// Waits until what follows from the requests is done: all of it, of our server; of the others
    /// what they do within half a minute.
    pub(super) fn settle(&self, options: &Options) -> Result<()> {
        match &self.handle {
            Handle::Ours(server) => {
                let sealed = || Ok(server.status()?["store"]["memtable_rows"].as_u64() == Some(0));
                self.at_rest(sealed)
            }
            Handle::Theirs(_) => {
                std::thread::sleep(BACKGROUND.mul_f64(options.scale.clamp(0.3, 1.0)));
                Ok(())
            }
        }
    }

    /// Waits until it is done and no processor is used any more.
    fn at_rest(&self, done: impl Fn() -> Result<bool>) -> Result<()> {
        let (started, mut since, mut before) = (Instant::now(), Instant::now(), self.cpu_seconds()?);
        while since.elapsed() < REST {
            ensure!(started.elapsed() < MERGED_WITHIN, "not at rest within {MERGED_WITHIN:?}");
            std::thread::sleep(LOOK_EVERY);
            let cpu = self.cpu_seconds()?;
            if cpu - before > LOOK_EVERY.as_secs_f64() / 5.0 || !done()? {
                since = Instant::now();
            }
            before = cpu;
        }
        Ok(())
    }

    /// Has it make its files as small as it makes them in the end; Prometheus does so by itself.
    pub(super) fn merge(&self) -> Result<()> {
        let requests = match self.kind {
            Kind::Fresnel => vec![Request::post("/api/v1/admin/compact", "")],
            Kind::Victoria => ["/internal/force_flush", "/internal/force_merge"].map(Request::get).into(),
            Kind::Prometheus => return Ok(()),
        };
        for request in requests {
            let answer = send(self.http, &request).context("ask for a merge")?.expect(200);
            if self.kind == Kind::Fresnel {
                let done = answer.text().lines().last().and_then(|line| serde_json::from_str(line).ok());
                let done: Value = done.context("the last line of the answer")?;
                ensure!(done["done"]["complete"] == true, "not all was merged: {done}");
            }
        }
        self.at_rest(|| Ok(true))
    }

    /// What its files take, once they are merged.
    pub(super) fn disk(&self, replay: &Replay) -> Result<Disk> {
        match &self.handle {
            Handle::Ours(server) => {
                let status = server.status()?;
                let tables = status["store"]["tables"].as_array().cloned().unwrap_or_default();
                let of = |name: &str| {
                    let own = tables.iter().filter(|table| table["table"] == name);
                    own.filter_map(|table| table["bytes"].as_u64()).sum()
                };
                Ok(Disk { data: of("samples"), index: of("series"), samples: replay.samples })
            }
            Handle::Theirs(_) if self.kind == Kind::Victoria => {
                let data = self.folder.path().join("data");
                Ok(Disk {
                    data: bytes(&data.join("data"))?,
                    index: bytes(&data.join("indexdb"))?,
                    samples: replay.samples,
                })
            }
            Handle::Theirs(_) => self.blocks(replay),
        }
    }

    /// The blocks of Prometheus, once it has made some.
    fn blocks(&self, replay: &Replay) -> Result<Disk> {
        let time = (replay.start_ms + BLOCK_MS).max(replay.end_ms + 1_800_000);
        post(self.http, &later(time, WRITE)?)?;
        let started = Instant::now();
        loop {
            let mut disk = Disk::default();
            let folders = std::fs::read_dir(self.folder.path().join("data")).context("look for blocks")?;
            for folder in folders.filter_map(|folder| Some(folder.ok()?.path())) {
                let Ok(meta) = std::fs::read_to_string(folder.join("meta.json")) else { continue };
                let meta: Value = serde_json::from_str(&meta).context("read meta.json")?;
                disk.samples += meta["stats"]["numSamples"].as_u64().unwrap_or(0);
                disk.data += bytes(&folder.join("chunks"))?;
                disk.index += bytes(&folder.join("index"))?;
            }
            if disk.samples > 0 {
                return Ok(disk);
            }
            ensure!(started.elapsed() < BLOCK_WITHIN, "Prometheus makes no block");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The answer to a query, and how long it took.
    pub(super) fn ask(&self, target: &str) -> Result<(Value, f64)> {
        let target = match self.kind {
            Kind::Victoria => format!("{target}&nocache=1"),
            _ => target.to_owned(),
        };
        let started = Instant::now();
        let answer = send(self.http, &Request::get(&target)).context("ask")?;
        let seconds = started.elapsed().as_secs_f64();
        if answer.status != 200 {
            bail!("{}: status {}: {}", self.kind.name(), answer.status, answer.text());
        }
        Ok((serde_json::from_slice(&answer.body).context("read the answer")?, seconds))
    }
}

/// Bytes of a file, or of all files below a folder; of the hard links of a snapshot none twice.
fn bytes(path: &Path) -> Result<u64> {
    let metadata = std::fs::symlink_metadata(path).with_context(|| format!("look at {}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        sum += bytes(&entry?.path())?;
    }
    Ok(sum)
}
