use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::log::Capture;
use crate::server::Fresnel;
use crate::wait::wait_for;

/// What a command that answers and ends may take.
const RUN_DEADLINE: Duration = Duration::from_secs(60);

/// How to start the binary: what a user would put on the command line, into the file and into the
/// environment.
#[derive(Clone, Debug)]
pub struct Builder {
    bin: PathBuf,
    config: Option<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Option<PathBuf>,
    places_in_file: bool,
    pub(crate) allowed: Vec<String>,
    pub(crate) ready_deadline: Duration,
}

/// A process that ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it gave: data.
    pub stdout: String,
    /// What it said: talk.
    pub stderr: String,
}

impl Finished {
    /// The exit code; none when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Itself when the exit code is this one.
    ///
    /// # Panics
    /// When it ended in another way.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A command that goes on; dropping it kills it.
#[derive(Debug)]
pub struct Background {
    child: Child,
    output: (Capture, Capture),
}

impl Background {
    /// What it printed so far, standard output first.
    pub fn lines(&self) -> Vec<String> {
        [self.output.0.lines(), self.output.1.lines()].concat()
    }

    /// `SIGTERM`, and waits for the end.
    ///
    /// # Panics
    /// When it goes on.
    #[track_caller]
    pub fn terminate(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a child can be signalled");
        wait_for("end of the command", RUN_DEADLINE, || {
            self.child.try_wait().expect("the state of a child can be read")
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Where one server lives: a directory that outlives its processes.
#[derive(Debug)]
pub(crate) struct Home {
    /// Removes the directory in the end; none where the test gave the directory.
    temporary: Option<TempDir>,
    path: PathBuf,
}

impl Home {
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    fn config(&self) -> PathBuf {
        self.path.join("fresnel.toml")
    }

    /// Leaves the directory there for whoever looks into a failure; gives where.
    pub(crate) fn keep(&mut self) -> &Path {
        if let Some(temporary) = &mut self.temporary {
            temporary.disable_cleanup(true);
        }
        &self.path
    }
}

impl Builder {
    pub(crate) fn new(bin: &Path) -> Self {
        Self {
            bin: bin.to_owned(),
            config: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            places_in_file: false,
            allowed: Vec::new(),
            ready_deadline: Duration::from_secs(60),
        }
    }

    /// With this configuration file, in TOML.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config = Some(toml.to_owned());
        self
    }

    /// With one more argument on the command line of `serve`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With this environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this memory budget, such as `512 MiB`.
    #[must_use]
    pub fn memory_limit(self, limit: &str) -> Self {
        self.arg("--memory-limit").arg(limit)
    }

    /// Living in this directory, which stays afterwards, instead of in a temporary one.
    #[must_use]
    pub fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Without a folder and doors on the command line, which would hide the file's: the file names
    /// them, with the folder `data` of [`Builder::within`].
    #[must_use]
    pub fn places_in_file(mut self) -> Self {
        self.places_in_file = true;
        self
    }

    /// Announces warnings and errors that hold this text: they do not fail the test.
    #[must_use]
    pub fn allow_warning(mut self, text: &str) -> Self {
        self.allowed.push(text.to_owned());
        self
    }

    /// With this long to become ready.
    #[must_use]
    pub fn ready_within(mut self, deadline: Duration) -> Self {
        self.ready_deadline = deadline;
        self
    }

    /// Starts the server on free ports and waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time; its log is in the message.
    #[track_caller]
    pub fn start(self) -> Fresnel {
        let home = self.home();
        Fresnel::start(self, home)
    }

    /// Starts a server that is expected to refuse to: waits for its end.
    ///
    /// # Panics
    /// When it runs on.
    #[track_caller]
    pub fn refused(self) -> Finished {
        let home = self.home();
        let command = self.serve(&home);
        finish(command)
    }

    /// Runs another subcommand to its end.
    ///
    /// # Panics
    /// When it runs on.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command();
        command.args(arguments);
        finish(command)
    }

    /// Starts another subcommand that goes on until it is stopped.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn background(&self, arguments: &[&str]) -> Background {
        let mut command = self.command();
        command.args(arguments);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{command:?}: {error}"),
        };
        let output = captured(&mut child);
        Background { child, output }
    }

    fn home(&self) -> Home {
        let home = match &self.directory {
            Some(path) => Home { temporary: None, path: path.clone() },
            None => {
                let temporary =
                    TempDir::with_prefix("fresnel-test-").expect("a temporary directory can be made");
                Home { path: temporary.path().to_owned(), temporary: Some(temporary) }
            }
        };
        if let Some(toml) = &self.config {
            std::fs::write(home.config(), toml).expect("the configuration can be written");
        }
        home
    }

    /// The command line of `serve`: free ports, unless the test gave others after them.
    pub(crate) fn serve(&self, home: &Home) -> Command {
        let mut command = self.command();
        command.arg("serve");
        if !self.places_in_file {
            command.arg("--data-dir").arg(home.data());
            for door in ["--http", "--otlp-grpc", "--otlp-http"] {
                if !self.arguments.iter().any(|argument| argument == door) {
                    command.args([door, "127.0.0.1:0"]);
                }
            }
        }
        if self.config.is_some() {
            command.arg("--config").arg(home.config());
        }
        command.args(&self.arguments);
        command
    }

    /// The binary without the settings of whoever runs the tests.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.bin);
        let foreign = std::env::vars_os().map(|(name, _)| name);
        for name in foreign.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("FRESNEL_") || name.starts_with("OTEL_")
        }) {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

#[track_caller]
fn finish(mut command: Command) -> Finished {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{command:?}: {error}"),
    };
    let mut output = captured(&mut child);
    let guard = Running(&mut child);
    let status = wait_for(&format!("end of {command:?}"), RUN_DEADLINE, || {
        guard.0.try_wait().expect("the state of a child can be read")
    });
    output.0.join();
    output.1.join();
    Finished { status, stdout: output.0.lines().join("\n"), stderr: output.1.lines().join("\n") }
}

/// Kills the process when the wait for it panics.
struct Running<'a>(&'a mut Child);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // It has ended already whenever the wait succeeded.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Both streams of a child, standard output first.
pub(crate) fn captured(child: &mut Child) -> (Capture, Capture) {
    let stdout = child.stdout.take().expect("standard output is piped");
    let stderr = child.stderr.take().expect("standard error is piped");
    (Capture::of(stdout), Capture::of(stderr))
}
