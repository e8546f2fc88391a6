use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::builder::{Builder, Home, captured};
use crate::http::{self, Request, Response, percent_encoded};
use crate::ledger::Ledger;
use crate::log::{Capture, is_alarming};
use crate::otlp::{self, Encoding, Export, Format};
use crate::rows::Rows;
use crate::wait::wait_for;

/// A graceful stop drains and seals within this.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// What is acknowledged is in the ledger at once; the figures of one answer may still be taken
/// while the server's own telemetry moves.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);
/// Lines of the log that a failing test shows.
const LOG_LINES_SHOWN: usize = 40;

/// A running server, and its directory beyond its processes.
///
/// Dropping it stops it gracefully, and fails the test when its log holds warnings that were not
/// announced with [`Builder::allow_warning`]. When the test has failed, the directory stays.
#[derive(Debug)]
pub struct Fresnel {
    builder: Builder,
    home: Home,
    process: Option<Process>,
    /// The log of processes that ended.
    past_log: Vec<String>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    stdout: Capture,
    stderr: Capture,
    doors: Doors,
}

/// Where a server listens, from `run/addresses.json`.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// Page, own API, health.
    pub http: SocketAddr,
    /// OTLP/gRPC.
    pub otlp_grpc: SocketAddr,
    /// OTLP/HTTP.
    pub otlp_http: SocketAddr,
}

impl Fresnel {
    /// Prepares a start of this binary.
    pub fn builder(bin: impl AsRef<Path>) -> Builder {
        Builder::new(bin.as_ref())
    }

    #[track_caller]
    pub(crate) fn start(builder: Builder, home: Home) -> Self {
        let mut server = Self { builder, home, process: None, past_log: Vec::new() };
        server.restart();
        server
    }

    /// Starts a new process on the same directory; the one before must have ended.
    ///
    /// # Panics
    /// When the server runs, or does not get ready in time.
    #[track_caller]
    pub fn restart(&mut self) {
        self.spawn();
        let deadline = self.builder.ready_deadline;
        let doors = wait_for("run/addresses.json of the new process", deadline, || {
            self.assert_alive();
            self.read_doors()
        });
        self.process_mut().doors = doors;
        wait_for("/readyz", deadline, || {
            self.assert_alive();
            http::send(doors.http, &Request::get("/readyz")).ok().filter(|answer| answer.status == 200)
        });
    }

    /// Starts a new process and kills it after this time, most likely before it is ready.
    ///
    /// # Panics
    /// When the server runs.
    #[track_caller]
    pub fn restart_and_kill9(&mut self, after: Duration) {
        self.spawn();
        std::thread::sleep(after);
        self.kill9();
    }

    /// Starts a new process and tells it to stop as soon as it listens, most likely before it is
    /// ready.
    ///
    /// # Panics
    /// When the server runs, or does not stop within its bound.
    #[track_caller]
    pub fn restart_and_terminate(&mut self) -> ExitStatus {
        self.spawn();
        wait_for("the doors", self.builder.ready_deadline, || {
            self.assert_alive();
            self.read_doors()
        });
        self.terminate()
    }

    #[track_caller]
    fn spawn(&mut self) {
        assert!(self.process.is_none(), "the server runs");
        let mut command = self.builder.serve(&self.home);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{command:?}: {error}"),
        };
        let (stdout, stderr) = captured(&mut child);
        // Filled in as soon as it is known; nothing is asked before.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let doors = Doors { http: nowhere, otlp_grpc: nowhere, otlp_http: nowhere };
        self.process = Some(Process { child, stdout, stderr, doors });
    }

    /// The doors, once the process that runs now has written them.
    fn read_doors(&self) -> Option<Doors> {
        let text = std::fs::read_to_string(self.data_dir().join("run/addresses.json")).ok()?;
        let json: Value =
            serde_json::from_str(&text).expect("addresses.json is renamed into place, so it is whole");
        if json["pid"].as_u64() != Some(u64::from(self.pid())) {
            return None;
        }
        let door = |name: &str| match json[name].as_str().and_then(|address| address.parse().ok()) {
            Some(address) => address,
            None => panic!("no address {name:?} in {json}"),
        };
        Some(Doors { http: door("http"), otlp_grpc: door("otlp_grpc"), otlp_http: door("otlp_http") })
    }

    #[track_caller]
    fn assert_alive(&mut self) {
        if let Some(status) = self.exited() {
            self.gather();
            panic!("the server ended with {status}:\n{}", self.log_tail());
        }
    }

    /// How the process ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process_mut().child.try_wait().expect("the state of a child can be read")
    }

    /// `kill -9`, and waits for the end.
    pub fn kill9(&mut self) {
        let process = self.process_mut();
        process.child.kill().expect("a child can be killed");
        process.child.wait().expect("a child can be waited for");
        self.gather();
    }

    /// `SIGTERM`, and waits for the end.
    ///
    /// # Panics
    /// When the server does not stop within its bound.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.process_mut().child);
        kill_process(pid, Signal::TERM).expect("a child can be signalled");
        self.wait_exit(STOP_DEADLINE)
    }

    /// Waits for the end of the process, whatever its cause.
    ///
    /// # Panics
    /// When it runs on.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let status = wait_for("end of the server", deadline, || self.exited());
        self.gather();
        status
    }

    /// Takes what an ended process said.
    fn gather(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stdout.join();
            process.stderr.join();
            self.past_log.extend(process.stderr.lines());
        }
    }

    #[track_caller]
    fn process_mut(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    #[track_caller]
    fn process(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }

    /// Where it listens.
    #[track_caller]
    pub fn doors(&self) -> Doors {
        self.process().doors
    }

    /// The base of its page and API.
    #[track_caller]
    pub fn url(&self) -> String {
        format!("http://{}", self.doors().http)
    }

    /// Its process id.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.process().child.id()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.home.data()
    }

    /// What it printed on standard output, line by line.
    #[track_caller]
    pub fn stdout(&self) -> Vec<String> {
        self.process().stdout.lines()
    }

    /// Its log, line by line, over all processes.
    pub fn log(&self) -> Vec<String> {
        let mut log = self.past_log.clone();
        log.extend(self.process.iter().flat_map(|process| process.stderr.lines()));
        log
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        log[log.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Announces warnings that hold this text, from now on.
    pub fn allow_warning(&mut self, text: &str) {
        self.builder.allowed.push(text.to_owned());
    }

    /// Changes what the next process is started with.
    pub fn rebuild(&mut self, change: impl FnOnce(Builder) -> Builder) {
        self.builder = change(self.builder.clone());
    }

    /// Fails when the log holds warnings that were not announced.
    ///
    /// # Panics
    /// When it does.
    #[track_caller]
    pub fn no_unexpected_warnings(&self) {
        let announced = |line: &str| self.builder.allowed.iter().any(|text| line.contains(text));
        let log = self.log();
        let alarming: Vec<_> = log.iter().filter(|line| is_alarming(line) && !announced(line)).collect();
        assert!(alarming.is_empty(), "unexpected warnings: {alarming:#?}");
    }

    /// The most memory that the process ever had resident, in bytes.
    #[track_caller]
    pub fn peak_resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux tells the peak") * 1024
    }
}

/// Questions and answers.
impl Fresnel {
    /// Sends a request to the page and API.
    #[track_caller]
    pub fn ask(&self, request: &Request) -> Response {
        answer(self.doors().http, request)
    }

    /// `GET`s a path of the API.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.ask(&Request::get(target))
    }

    /// `GET`s a path of the API that must answer with JSON.
    #[track_caller]
    pub fn get_json(&self, target: &str) -> Value {
        self.get(target).expect(200).json()
    }

    /// `POST`s JSON to a path of the API.
    #[track_caller]
    pub fn post_json(&self, target: &str, body: &Value) -> Response {
        self.ask(&Request::post(target, body.to_string()).header("content-type", "application/json"))
    }

    /// Sends a request to the OTLP/HTTP door.
    #[track_caller]
    pub fn ask_otlp(&self, request: &Request) -> Response {
        answer(self.doors().otlp_http, request)
    }

    /// Sends an OTLP message, uncompressed protobuf, which must be accepted whole.
    #[track_caller]
    pub fn send<E: Export>(&self, export: &E) {
        self.send_as(export, Format::Protobuf, Encoding::None);
    }

    /// Sends an OTLP message in this form, which must be accepted whole.
    #[track_caller]
    pub fn send_as<E: Export>(&self, export: &E, format: Format, encoding: Encoding) {
        let response = self.ask_otlp(&otlp::request(export, format, encoding)).expect(200);
        if format == Format::Protobuf {
            let partial = E::partial_success(&response.body).expect("the answer is an OTLP response");
            assert_eq!(partial, (0, String::new()), "accepted whole");
        }
    }

    /// Runs a SQL statement as a tenant; gives the answer as it came.
    #[track_caller]
    pub fn ask_sql(&self, tenant: &str, format: &str, statement: &str) -> Response {
        let request = Request::post(&format!("/api/v1/sql?format={format}"), statement)
            .header("content-type", "text/plain")
            .header("x-scope-orgid", tenant);
        self.ask(&request)
    }

    /// Runs a SQL statement as the default tenant; the answer must be complete.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> Rows {
        self.sql_of("default", statement)
    }

    /// Runs a SQL statement as a tenant; the answer must be complete.
    #[track_caller]
    pub fn sql_of(&self, tenant: &str, statement: &str) -> Rows {
        let rows = Rows::from_json(&self.ask_sql(tenant, "json", statement).expect(200).json());
        assert!(rows.complete, "an incomplete answer to {statement}: {:?}", rows.warnings);
        rows
    }

    /// Runs a SQL statement as a tenant, and gives the answer whether it is complete or not.
    #[track_caller]
    pub fn sql_as_far_as_possible(&self, tenant: &str, statement: &str) -> Rows {
        Rows::from_json(&self.ask_sql(tenant, "json", statement).expect(200).json())
    }

    /// Runs a SQL statement whose text goes into the URL.
    #[track_caller]
    pub fn sql_by_get(&self, statement: &str) -> Response {
        self.get(&format!("/api/v1/sql?query={}", percent_encoded(statement)))
    }

    /// The ledger as it is now.
    #[track_caller]
    pub fn ledger(&self) -> Ledger {
        Ledger::from_json(&self.get_json("/api/v1/ledger"))
    }

    /// The ledger once it balances.
    ///
    /// # Panics
    /// When it does not come to balance.
    #[track_caller]
    pub fn balanced_ledger(&self) -> Ledger {
        let mut last = Vec::new();
        let started = std::time::Instant::now();
        while started.elapsed() < LEDGER_DEADLINE {
            let ledger = self.ledger();
            last = ledger.faults();
            if last.is_empty() {
                return ledger;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the ledger does not balance: {last:#?}");
    }
}

#[track_caller]
fn answer(address: SocketAddr, request: &Request) -> Response {
    match http::send(address, request) {
        Ok(response) => response,
        Err(error) => panic!("no answer: {error}"),
    }
}

impl Drop for Fresnel {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(process) = &mut self.process {
                process.child.kill().ok();
                process.child.wait().ok();
            }
            self.gather();
            eprintln!("--- log of the server\n{}\n---", self.log_tail());
            eprintln!("its directory is left as it is: {}", self.home.keep().display());
            return;
        }
        if self.process.is_some() && self.exited().is_none() {
            let status = self.terminate();
            assert!(status.success(), "a graceful stop ended with {status}:\n{}", self.log_tail());
        }
        self.no_unexpected_warnings();
    }
}
