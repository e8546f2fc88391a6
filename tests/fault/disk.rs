//! A disk that a test makes slow, full or broken while the server runs; and a file system that
//! really is small.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::http::Request;
use testkit::records::{Random, Sender, value};
use testkit::{Builder, Encoding, Format, Fresnel, otlp, root, skip, wait_for};

use crate::door::{Door, Signal};
use crate::fresnel;
use crate::senders::{Fate, Plan, verify, verify_ledger};
use crate::settings::{QUIET, TINY_FILES};

/// The server's disk, in the hands of the test.
#[derive(Debug)]
pub(crate) struct Faults {
    folder: TempDir,
}

/// What the disk does; the order is that of `struct control` in `faultdisk.c`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Control {
    /// How much longer a sync takes.
    pub(crate) sync_delay: Duration,
    /// Every sync fails.
    pub(crate) sync_fails: bool,
    /// Every write finds the disk full.
    pub(crate) no_space: bool,
}

impl Faults {
    /// Builds the library; none where there is no C compiler, which is said.
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let source = root().join("tests/fault/faultdisk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(folder.path().join("faultdisk.so"))
            .arg(source)
            .arg("-ldl")
            .status();
        match built {
            Ok(status) => assert!(status.success(), "cc: {status}"),
            Err(error) => {
                skip(&format!("the disk cannot be made faulty without a C compiler: {error}"));
                return None;
            }
        }
        let faults = Self { folder };
        faults.set(Control::default());
        Some(faults)
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// Puts the disk under control of this.
    pub(crate) fn below(&self, builder: Builder) -> Builder {
        let library = self.folder.path().join("faultdisk.so");
        builder
            .env("LD_PRELOAD", library.to_str().unwrap())
            .env("FAULTDISK", self.control().to_str().unwrap())
    }

    /// From now on the disk is like this.
    pub(crate) fn set(&self, control: Control) {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.control()).unwrap();
        let delay = u32::try_from(control.sync_delay.as_micros()).unwrap();
        let numbers = [delay, u32::from(control.sync_fails), u32::from(control.no_space)];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        file.write_all_at(&bytes, 0).unwrap();
    }
}

fn count(server: &Fresnel, service: &str) -> i64 {
    server.sql(&format!("SELECT count(*) FROM logs WHERE service_name = '{service}'")).integer()
}

fn logs_of(service: &str, seed: u64) -> Plan {
    let door = Door::Http(Signal::Logs);
    Plan { tenant: "default", service: service.to_owned(), door, records_max: 50, seed }
}

#[test]
fn the_answer_waits_for_the_disk() {
    let Some(faults) = Faults::new() else { return };
    let server = faults.below(fresnel()).config(QUIET).start();
    let sync_delay = Duration::from_millis(1_200);
    faults.set(Control { sync_delay, ..Control::default() });
    let started = Instant::now();
    server.send(&Sender::new("waits", 1).logs(1));
    assert!(started.elapsed() >= sync_delay, "acknowledged after {:?}, before the sync", started.elapsed());
    faults.set(Control::default());
    assert_eq!(count(&server, "waits"), 1);
    verify_ledger(&server, &["default"]);
}

#[test]
fn a_sync_that_fails_ends_the_process_and_nothing_acknowledged_is_lost() {
    let Some(faults) = Faults::new() else { return };
    let mut server = faults.below(fresnel()).config(QUIET).allow_warning("").start();
    let doors = server.doors();
    let senders: Vec<_> = (0..4).map(|seed| logs_of(&format!("failed-{seed}"), seed).start(doors)).collect();
    wait_for("some records", Duration::from_secs(20), || (count(&server, "failed-0") > 0).then_some(()));
    faults.set(Control { sync_fails: true, ..Control::default() });
    let status = server.wait_exit(Duration::from_secs(30));
    assert!(!status.success(), "the disk failed: {status}");
    let sent: Vec<_> = senders.into_iter().map(|sender| sender.finish()).collect();
    faults.set(Control::default());
    server.restart();
    assert!(sent.iter().all(|sent| sent.acknowledged() > 0 || sent.requests(Fate::Unknown) > 0));
    verify(&server, &sent);
    verify_ledger(&server, &["default"]);
}

#[test]
fn a_disk_without_space_refuses_until_there_is_some() {
    let Some(faults) = Faults::new() else { return };
    let mut server =
        faults.below(fresnel()).config(&format!("{QUIET}{TINY_FILES}")).allow_warning("").start();
    let sent = fill_and_free(
        &server,
        || faults.set(Control { no_space: true, ..Control::default() }),
        || faults.set(Control::default()),
    );
    server.kill9();
    server.restart();
    verify(&server, &[sent]);
    verify_ledger(&server, &["default"]);
}

/// Sends while there is no space, and again when there is; what was sent before.
fn fill_and_free(server: &Fresnel, fill: impl FnOnce(), free: impl FnOnce()) -> crate::senders::Sent {
    let mut sender = Sender::new("full", 99);
    let accepted = |sender: &mut Sender| {
        let request = otlp::request(&sender.logs(10), Format::Protobuf, Encoding::None);
        server.ask_otlp(&request).status == 200
    };
    let running = logs_of("before", 1).start(server.doors());
    wait_for("some records", Duration::from_secs(20), || (count(server, "before") > 0).then_some(()));
    let sent = running.finish();
    fill();
    wait_for("a refusal", Duration::from_secs(60), || (!accepted(&mut sender)).then_some(()));
    assert!(count(server, "before") > 0, "questions are answered all the same");
    let lines = |text: &str| server.log().iter().filter(|line| line.contains(text)).count();
    let store = |status: &str| {
        let health = server.ask(&Request::get("/healthz")).json();
        let components = health["components"].as_array().unwrap();
        let store = components.iter().find(|component| component["name"] == "store").unwrap();
        (store["status"] == status).then(|| store["detail"].as_str().unwrap().to_owned())
    };
    let detail = wait_for("the operator to be told", Duration::from_secs(20), || store("fail"));
    let told = fresnel().run(&["status", "--url", &server.url()]).expect(1);
    assert!(told.stdout.contains("store         fail: append failed"), "{}", told.stdout);
    assert!(detail.contains("append failed") && detail.contains("No space left on device"), "{detail}");
    assert_eq!(lines("cannot write the log"), 1, "once, however many are refused");
    free();
    wait_for("acceptance", Duration::from_secs(60), || accepted(&mut sender).then_some(()));
    // A merge that failed meanwhile waits longer, and is still told.
    let is_told = |detail: String| detail.contains("append failed");
    wait_for("the operator to be told", Duration::from_secs(60), || {
        (!store("fail").is_some_and(is_told)).then_some(())
    });
    assert_eq!(lines("the log can be written again"), 1);
    sent
}

/// A file system of its own in memory, unmounted when dropped.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn new(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Ok(Self { folder }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is still ending may hold a file.
        Command::new("umount").arg("-l").arg(self.folder.path()).status().ok();
    }
}

/// Log records whose bodies hardly compress, about a mebibyte a request.
fn bulky(sender: &mut Sender, random: &mut Random) -> Request {
    let mut request = sender.logs(64);
    for record in &mut request.resource_logs[0].scope_logs[0].log_records {
        let body: String = (0..1_024).map(|_| format!("{:016x}", random.bits())).collect();
        record.body = Some(value(&body));
    }
    otlp::request(&request, Format::Protobuf, Encoding::None)
}

#[test]
fn a_file_system_that_is_full_loses_nothing_and_goes_on_when_there_is_space() {
    let disk = match SmallDisk::new("96m") {
        Ok(disk) => disk,
        Err(reason) => return skip(&format!("a small file system cannot be mounted: {reason}")),
    };
    let filler = disk.folder.path().join("filler");
    std::fs::write(&filler, vec![0; 40 << 20]).unwrap();
    let mut server = fresnel()
        .within(disk.folder.path())
        .config(&format!("{QUIET}{TINY_FILES}"))
        .allow_warning("")
        .start();
    let (mut sender, mut random) = (Sender::new("full", 1), Random::new(1));
    let mut acknowledged = 0;
    let mut accepted = || server.ask_otlp(&bulky(&mut sender, &mut random)).status == 200;
    for _ in 0..500 {
        if !accepted() {
            break;
        }
        acknowledged += 64;
    }
    assert!((64..500 * 64).contains(&acknowledged), "the disk became full: {acknowledged}");
    std::fs::remove_file(&filler).unwrap();
    wait_for("acceptance", Duration::from_secs(60), || accepted().then_some(()));
    acknowledged += 64;
    let found = count(&server, "full");
    assert_eq!(found, acknowledged);
    server.kill9();
    server.restart();
    assert_eq!(count(&server, "full"), acknowledged);
    let ids = "SELECT count(DISTINCT attributes['test.id']) FROM logs WHERE service_name = 'full'";
    assert_eq!(server.sql(ids).integer(), acknowledged);
    verify_ledger(&server, &["default"]);
}
