//! Segments in a bucket: a real S3 server, with signatures, over a folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testkit::records::Sender;
use testkit::{Fresnel, skip, wait_for};

use crate::fresnel;
use crate::program::tool;

const BUCKET: &str = "telemetry";
const ACCESS_KEY: &str = "fresnel-test-access";
const SECRET_KEY: &str = "fresnel-test-secret";

/// An S3 server whose objects are files of a folder.
struct S3 {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl S3 {
    /// A running server with an empty bucket; none where the program is missing, which is said.
    fn start() -> Option<Self> {
        let program = tool("s3s-fs");
        if !program.exists() {
            skip(&format!("{} is missing: run `cargo xtask setup`", program.display()));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        // Free a moment ago; the server has to keep it over a restart.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut s3 = Self { program, folder, port, process: None };
        s3.resume();
        Some(s3)
    }

    fn resume(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--host", "127.0.0.1"]);
        command.args(["--port", &self.port.to_string()]).arg(self.folder.path());
        self.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_for("the S3 server", Duration::from_secs(20), || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn config(&self) -> String {
        format!(
            "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n[store.seal]\nage = \"1s\"\n\
             [store.s3]\nbucket = \"{BUCKET}\"\nprefix = \"fresnel\"\nendpoint = \"http://127.0.0.1:{}\"\nallow_http = true\n\
             access_key = \"{ACCESS_KEY}\"\nsecret_key = \"{SECRET_KEY}\"\n",
            self.port
        )
    }

    /// Objects below the prefix whose names end with `.parquet`.
    fn segments(&self) -> usize {
        fn count(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
            entries
                .map(|entry| {
                    let path = entry.path();
                    if path.is_dir() {
                        count(&path)
                    } else {
                        usize::from(path.extension().is_some_and(|end| end == "parquet"))
                    }
                })
                .sum()
        }
        count(&self.folder.path().join(BUCKET).join("fresnel"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
    }
}

fn count(server: &Fresnel) -> i64 {
    server.sql("SELECT count(*) FROM logs WHERE service_name = 's3'").integer()
}

fn wait_sealed(server: &Fresnel) {
    wait_for("everything in files", Duration::from_secs(60), || {
        (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
    });
}

#[test]
fn segments_lie_in_the_bucket_and_are_read_from_it() {
    let Some(s3) = S3::start() else { return };
    let mut server = fresnel().config(&s3.config()).start();
    let mut sender = Sender::new("s3", 1);
    server.send(&sender.logs(500));
    wait_sealed(&server);
    assert!(s3.segments() > 0, "the segment is in the bucket");
    server.send(&sender.logs(100));
    assert_eq!(count(&server), 600);
    server.kill9();
    server.restart();
    assert_eq!(count(&server), 600);
    server.balanced_ledger();
}

#[test]
fn a_bucket_that_is_away_for_a_while_costs_nothing_that_was_acknowledged() {
    let Some(mut s3) = S3::start() else { return };
    // The log says that the bucket is away.
    let server = fresnel().config(&s3.config()).allow_warning("").start();
    let mut sender = Sender::new("s3", 1);
    s3.stop();
    for _ in 0..5 {
        server.send(&sender.logs(100));
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(count(&server), 500, "what is not sealed is answered from memory");
    s3.resume();
    wait_sealed(&server);
    assert_eq!(count(&server), 500);
    server.balanced_ledger();
}

#[test]
fn a_bucket_belongs_to_one_server_and_outlives_its_disk() {
    let Some(s3) = S3::start() else { return };
    let mut server = fresnel().config(&s3.config()).start();
    server.send(&Sender::new("s3", 1).logs(100));
    wait_sealed(&server);
    let refused = fresnel().config(&s3.config()).refused();
    assert!(refused.stderr.contains("store.s3.adopt"), "{}", refused.stderr);
    server.terminate();
    // Its disk is lost.
    let config = format!("{}adopt = true\n", s3.config());
    let heir = fresnel().config(&config).allow_warning("").start();
    let rows = heir.sql_as_far_as_possible("default", "SELECT count(*) FROM logs WHERE service_name = 's3'");
    assert_eq!(rows.integer(), 100);
    heir.balanced_ledger();
}
