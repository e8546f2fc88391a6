//! Segments in a bucket: a real S3 server, with signatures, over a folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::records::{Sender, now_unix_nano};
use testkit::{Fresnel, skip, wait_for};

use crate::fresnel;
use crate::program::{python, run, tool};

const BUCKET: &str = "telemetry";
const ACCESS_KEY: &str = "fresnel-test-access";
const SECRET_KEY: &str = "fresnel-test-secret";

/// Tables are published in the background within this.
const PUBLISHED: Duration = Duration::from_secs(60);

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

    /// What Delta Lake finds in the bucket with the keys of a reader; none without Python, which is
    /// said.
    fn delta_tables(&self) -> Option<Value> {
        let mut command = python("open_data.py")?;
        command.arg("delta").arg(format!("s3://{BUCKET}/fresnel"));
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("AWS_REGION", "us-east-1");
        Some(serde_json::from_str(&run(command)).unwrap())
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

    /// The folder of a table's objects.
    fn table(&self, table: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join("fresnel/segments").join(table)
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

/// The disk has what no segment has yet; all else is in the bucket.
#[test]
fn a_bucket_belongs_to_one_server_and_outlives_its_disk() {
    let Some(mut s3) = S3::start() else { return };
    // The log says that the bucket is away.
    let mut server = fresnel().config(&s3.config()).allow_warning("").start();
    let days_ago = now_unix_nano() - 3 * 86_400_000_000_000;
    for round in 0..3 {
        let mut sender = Sender::at("s3", round, days_ago);
        server.send(&sender.logs(100));
        server.send(&sender.spans(50));
        server.send(&sender.points(70));
        wait_sealed(&server);
    }
    fresnel().run(&["compact", "--url", &server.url()]).expect(0);
    server.send(&Sender::at("s3", 3, days_ago).logs(10));
    wait_sealed(&server);
    let refused = fresnel().config(&s3.config()).refused();
    assert!(refused.stderr.contains("store.s3.adopt"), "{}", refused.stderr);
    s3.stop();
    server.send(&Sender::new("s3", 4).logs(7));
    server.kill9();
    s3.resume();

    // Its disk is lost.
    let config = format!("{}adopt = true\n", s3.config());
    let mut heir = fresnel().config(&config).allow_warning("").start();
    // What came last may be missing, and is.
    let all = |heir: &Fresnel, table: &str| {
        let statement = format!("SELECT count(*) FROM {table} WHERE service_name = 's3'");
        heir.sql_as_far_as_possible("default", &statement)
    };
    for (table, rows) in [("logs", 310), ("spans", 150), ("metrics", 210)] {
        let found = all(&heir, table);
        assert_eq!((found.integer(), found.complete), (rows, false), "{table}");
    }
    let status = heir.get_json("/api/v1/status")["store"]["set_aside"].to_string();
    assert!(status.contains("the log is missing: what was not sealed is lost"), "{status}");
    // Answers about the time before are whole.
    let before = "SELECT count(*) FROM logs WHERE service_name = 's3' AND time < now() - INTERVAL '2 days'";
    assert_eq!(heir.sql(before).integer(), 310);
    heir.balanced_ledger();

    // It goes on, also when the setting stays; the old one does not.
    heir.send(&Sender::at("s3", 5, days_ago).logs(5));
    wait_sealed(&heir);
    heir.kill9();
    heir.restart();
    assert_eq!(heir.sql(before).integer(), 315);
    heir.balanced_ledger();
}

/// Another implementation finds them over S3, with what came after a bucket that was away and a kill.
#[test]
fn delta_tables_are_published_into_the_bucket_and_read_from_it() {
    let Some(mut s3) = S3::start() else { return };
    if python("open_data.py").is_none() {
        return;
    }
    // The log says that the bucket is away.
    let config = format!("{}[publish]\ninterval = \"1s\"\n", s3.config());
    let mut server = fresnel().config(&config).allow_warning("").start();
    let mut sender = Sender::new("s3", 1);
    let mut send = |server: &Fresnel| {
        server.send(&sender.logs(300));
        server.send(&sender.spans(200));
        server.send(&sender.points(100));
        wait_sealed(server);
    };
    let tables_of = |s3: &S3, counts: &Value| {
        wait_for("every record in the Delta tables", PUBLISHED, || {
            s3.delta_tables().filter(|found| found["counts"] == *counts)
        })
    };
    send(&server);
    for table in ["logs", "spans", "samples"] {
        let first = s3.table(table).join("_delta_log/00000000000000000000.json");
        wait_for(&format!("{}", first.display()), PUBLISHED, || first.exists().then_some(()));
    }
    let found = tables_of(&s3, &json!({"logs": 300, "spans": 200, "samples": 100}));
    assert_eq!(found["tenants"]["logs"], json!(["default"]));

    s3.stop();
    server.send(&Sender::new("away", 1).logs(1));
    s3.resume();
    server.kill9();
    server.restart();
    send(&server);
    tables_of(&s3, &json!({"logs": 601, "spans": 400, "samples": 200}));
    server.balanced_ledger();
}
