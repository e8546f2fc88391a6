//! The server's process, from outside: started on free ports, read through `/proc` and HTTP.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{self, Request};

use crate::options::Options;

/// A start replays what was in memory; more than this is a failure.
const READY_DEADLINE: Duration = Duration::from_mins(10);
const STOP_DEADLINE: Duration = Duration::from_mins(2);
/// Short against every time that is measured by looking.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Whether a server says something about itself and its host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Talk {
    Quiet,
    Default,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    dir: PathBuf,
    http: SocketAddr,
    otlp_http: SocketAddr,
    ready: Duration,
    _temporary: Option<TempDir>,
}

impl Server {
    /// Starts a server that says nothing about itself or its host, with these lines of TOML, in
    /// this folder or in a temporary one; waits until it is ready.
    pub(crate) fn start(options: &Options, config: &str, dir: Option<&Path>) -> Result<Self> {
        Self::launch(options, config, dir, Talk::Quiet)
    }

    /// Starts a server with nothing set but its ports and folder; waits until its page answers.
    pub(crate) fn start_default(options: &Options) -> Result<Self> {
        Self::launch(options, "", None, Talk::Default)
    }

    fn launch(options: &Options, config: &str, dir: Option<&Path>, talk: Talk) -> Result<Self> {
        let temporary = if dir.is_none() { Some(options.temporary("server")?) } else { None };
        let dir = dir.or(temporary.as_ref().map(TempDir::path)).context("a folder")?.to_owned();
        std::fs::create_dir_all(&dir).context("make the folder of the server")?;
        let config_path = dir.join("bench.toml");
        std::fs::write(&config_path, config).context("write the configuration")?;
        let log = File::create(dir.join("server.log")).context("make the log file")?;
        let mut command = Command::new(&options.server);
        // Whoever runs this may have settings of their own.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FRESNEL_"))
        {
            command.env_remove(name);
        }
        if talk == Talk::Quiet {
            command.env("FRESNEL_TELEMETRY_ENABLED", "false").env("FRESNEL_RECEIVE_HOST_ENABLED", "false");
        }
        command.arg("serve").arg("--config").arg(&config_path).arg("--data-dir").arg(dir.join("data"));
        for door in ["--http", "--otlp-grpc", "--otlp-http"] {
            command.args([door, "127.0.0.1:0"]);
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("start {}", options.server.display()))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self {
            child,
            dir,
            http: nowhere,
            otlp_http: nowhere,
            ready: Duration::ZERO,
            _temporary: temporary,
        };
        server.until("find its addresses", Self::find_doors)?;
        let first = if talk == Talk::Quiet { "/readyz" } else { "/" };
        server.until("get ready", |server| {
            let answer = http::send(server.http, &Request::get(first));
            answer.is_ok_and(|answer| answer.status == 200)
        })?;
        server.ready = started.elapsed();
        Ok(server)
    }

    /// Reads `run/addresses.json`; whether it is there and of this process.
    fn find_doors(&mut self) -> bool {
        let Ok(text) = std::fs::read_to_string(self.data_dir().join("run/addresses.json")) else {
            return false;
        };
        let Ok(json) = serde_json::from_str::<Value>(&text) else { return false };
        let door = |name: &str| json[name].as_str().and_then(|address| address.parse().ok());
        match (json["pid"].as_u64() == Some(u64::from(self.pid())), door("http"), door("otlp_http")) {
            (true, Some(http), Some(otlp_http)) => {
                (self.http, self.otlp_http) = (http, otlp_http);
                true
            }
            _ => false,
        }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let started = Instant::now();
        while !done(self) {
            if let Some(status) = self.child.try_wait().context("look at the server")? {
                bail!("the server ended with {status} before it could {what}:\n{}", self.log_tail());
            }
            ensure!(started.elapsed() < READY_DEADLINE, "the server did not {what} in time");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// From exec to the first `/readyz` that says yes, or to the page.
    pub(crate) fn ready(&self) -> Duration {
        self.ready
    }

    /// Page and API.
    pub(crate) fn http(&self) -> SocketAddr {
        self.http
    }

    /// OTLP/HTTP.
    pub(crate) fn otlp_http(&self) -> SocketAddr {
        self.otlp_http
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// CPU time of the process so far, in user and kernel.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }

    /// Pages that the kernel had to hand out to the process so far, without reading them.
    pub(crate) fn page_faults(&self) -> Result<u64> {
        stat(self.pid(), 7)
    }

    /// Memory of the process that is resident now.
    pub(crate) fn rss_bytes(&self) -> Result<u64> {
        status_bytes(self.pid(), "VmRSS:")
    }

    /// The most memory that was ever resident.
    pub(crate) fn peak_rss_bytes(&self) -> Result<u64> {
        status_bytes(self.pid(), "VmHWM:")
    }

    /// `/api/v1/status`.
    pub(crate) fn status(&self) -> Result<Value> {
        self.json(&Request::get("/api/v1/status"))
    }

    /// A figure without labels of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> Result<u64> {
        let answer = http::send(self.http, &Request::get("/metrics")).context("ask the server")?.text();
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name} in /metrics"))
    }

    /// The one number that a SQL statement gives.
    pub(crate) fn number(&self, statement: &str) -> Result<u64> {
        let request = Request::post("/api/v1/sql?format=json&timeout=10m", statement)
            .header("content-type", "text/plain");
        let answer = self.json(&request)?;
        ensure!(answer["complete"].as_bool() == Some(true), "an incomplete answer to {statement}: {answer}");
        let cell = &answer["rows"][0][0];
        let number = cell.as_u64().or_else(|| cell.as_str().and_then(|text| text.parse().ok()));
        number.with_context(|| format!("no number in the answer to {statement}: {answer}"))
    }

    fn json(&self, request: &Request) -> Result<Value> {
        let answer = http::send(self.http, request).context("ask the server")?;
        ensure!(answer.status == 200, "the server answers {}: {}", answer.status, answer.text());
        serde_json::from_slice(&answer.body).context("read the answer")
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// `kill -9`, and waits for the end. The folder stays as it is, unless it was a temporary one.
    pub(crate) fn kill9(mut self) -> Result<()> {
        self.child.kill().context("kill the server")?;
        self.child.wait().context("wait for the server").map(drop)
    }

    /// `SIGTERM`, and waits for a graceful end.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("signal the server")?;
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("look at the server")? {
                ensure!(status.success(), "the server ended with {status}:\n{}", self.log_tail());
                return Ok(());
            }
            ensure!(started.elapsed() < STOP_DEADLINE, "the server did not stop in time");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already after `stop` and `kill9`.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// CPU time of a process so far, in user and kernel, all threads.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let ticks = stat(pid, 11)? + stat(pid, 12)?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// A number of `/proc/PID/stat`, counted from the field after the name.
fn stat(pid: u32, index: usize) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the process")?;
    // The name, in parentheses, may hold anything; the fields after it do not.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let field = fields.split_whitespace().nth(index).and_then(|field| field.parse().ok());
    field.with_context(|| format!("no field {index} in {stat}"))
}

/// A line of `/proc/PID/status` that is in kB, such as `VmHWM:`, in bytes.
pub(crate) fn status_bytes(pid: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the process")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no {name} in the process"))? * 1024)
}
