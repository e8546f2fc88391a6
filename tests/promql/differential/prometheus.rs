//! Debian's Prometheus, which is written to and scrapes nothing.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testkit::http::{self, Request};
use testkit::remote_write::{WriteRequest, bytes, snappy};
use testkit::{skip, wait_for};

use crate::api::Api;

const DEADLINE: Duration = Duration::from_secs(90);

pub(super) struct Prometheus {
    process: Child,
    address: SocketAddr,
    api: Api,
    _folder: TempDir,
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Prometheus {
    /// None where there is no such program, which is said.
    pub(super) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, "global: {}\n").unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            skip("prometheus is missing: run `cargo xtask setup`");
            return None;
        };
        let prometheus = Self { process, address, api: Api::new(address, "/api/v1"), _folder: folder };
        wait_for("Prometheus", DEADLINE, || {
            http::send(address, &Request::get("/-/ready")).ok().filter(|answer| answer.status == 200)
        });
        Some(prometheus)
    }

    pub(super) fn write(&mut self, message: &WriteRequest) {
        let request = Request::post("/api/v1/write", snappy(&bytes(message)))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy");
        http::send(self.address, &request).unwrap().expect(204);
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
