//! The page in headless Chromium, over records that are there.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testkit::records::{POINTS, Random, Sender, now_unix_nano, value};
use testkit::{Fresnel, skip, wait_for};

use crate::fresnel;
use crate::program::{root, run};

const SERVICE: &str = "checkout";
const BODY: &str = "payment was refused by the bank";

/// Sends what the tests of the page look for; gives the id of a trace.
fn fill(server: &Fresnel) -> String {
    let start = now_unix_nano() - 300_000_000_000;
    let mut sender = Sender::at(SERVICE, Random::new(1).bits(), start);
    let mut logs = sender.logs(200);
    let records = &mut logs.resource_logs[0].scope_logs[0].log_records;
    records[150].body = Some(value(BODY));
    records[150].severity_number = 17;
    server.send(&logs);
    let mut sender = Sender::at(SERVICE, 2, start);
    let trace = sender.trace_id(0);
    server.send(&sender.spans(80));
    server.send(&Sender::at(SERVICE, 3, start).points(300));
    trace
}

fn chromium() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

#[test]
fn the_page_works_in_chromium() {
    let web = root().join("web");
    let Some(chromium) = chromium() else {
        return skip("there is no Chromium: run `cargo xtask setup` as root");
    };
    if !web.join("node_modules").exists() {
        return skip("web/node_modules is missing: run `cargo xtask setup`");
    }
    let server = fresnel().start();
    if !server.get("/").text().contains("<script") {
        return skip("the page is not in this binary: run `npm run build` in web, then build again");
    }
    let trace = fill(&server);
    wait_for("the host's metrics", Duration::from_secs(15), || {
        let statement = "SELECT count(*) FROM metrics WHERE metric_name = 'system.memory.usage'";
        (server.sql(statement).integer() > 0).then_some(())
    });
    let mut command = Command::new("npm");
    command
        .args(["run", "--silent", "e2e"])
        .current_dir(web)
        .env("FRESNEL_URL", server.url())
        .env("FRESNEL_E2E_SERVICE", SERVICE)
        .env("FRESNEL_E2E_BODY", BODY)
        .env("FRESNEL_E2E_TRACE", trace)
        .env("FRESNEL_E2E_METRIC", POINTS)
        .env("CHROMIUM", chromium);
    run(command);
}
