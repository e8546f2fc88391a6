//! Prometheus' own evaluation tests, through the doors: `FRESNEL_TESTDATA` names a directory with a
//! `promqltest` below.

use std::path::{Path, PathBuf};

use testkit::{skip, tell};

use crate::fresnel;
use crate::over_http::Server;
use crate::promqltest::report::{self, Report};

/// Evaluations that HTTP cannot give, as `docs/reference/promql.md` says: file, line, why.
const KNOWN: &[(&str, usize, &str)] = &[];

/// What the files take for granted. Their samples are of 1970.
const CONFIG: &str = r#"
[receive.host]
enabled = false
[telemetry]
enabled = false
[publish]
enabled = false
[receive.limit]
point_age = "0s"
[store.retention]
metrics = "36500d"
[query.prometheus]
experimental = true
delayed_name_removal = true
start_timestamps = true
"#;

fn directory() -> Option<PathBuf> {
    let Some(root) = std::env::var_os("FRESNEL_TESTDATA") else {
        skip("FRESNEL_TESTDATA is not set");
        return None;
    };
    let directory = Path::new(&root).join("promqltest");
    if !directory.is_dir() {
        skip(&format!("there is no {}", directory.display()));
        return None;
    }
    Some(directory)
}

/// Once from memory, and once more when all of it is in files.
#[test]
fn all_of_prometheus_evaluations_pass_over_http() {
    let Some(directory) = directory() else { return };
    let files = report::files(&directory);
    let mut server = fresnel().config(CONFIG).start();
    let evaluate = |mut subject: Server| -> Report {
        let of_file = |file: &PathBuf| report::of_file(file, &mut subject);
        files.iter().map(of_file).collect()
    };
    let from_memory = evaluate(Server::new(&server));
    tell(&format!("over HTTP, from memory: {from_memory}"));
    from_memory.assert_clean(KNOWN);

    server.terminate();
    server.restart();
    let from_files = evaluate(Server::again(&server));
    tell(&format!("over HTTP, from files: {from_files}"));
    from_files.assert_clean(KNOWN);
}
