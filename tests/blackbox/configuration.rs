//! The configuration file: everything wrong at once, at its place; reload without restart.

use std::path::PathBuf;
use std::time::Duration;

use testkit::{Finished, wait_for};

use crate::fresnel;

/// A file with this content, and the folder that goes with it.
fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn check(name: &str, content: &str) -> Finished {
    let (_folder, path) = file(name, content);
    fresnel().run(&["check", "--config", path.to_str().unwrap()])
}

#[test]
fn a_good_file_is_shown_with_its_secrets_masked() {
    let finished =
        check("good.toml", "[receive.key.shop]\nsecret = \"a-secret-of-at-least-16\"\ntenant = \"shop\"\n")
            .expect(0);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!said.contains("a-secret-of-at-least-16"), "{said}");
}

#[test]
fn everything_wrong_is_said_at_once_with_line_and_column() {
    let content =
        "[memory]\nlimit = \"1 furlong\"\n\n[receive.limit]\nbodyy = \"1 MiB\"\n\n[store.seal]\nage = 5\n";
    let stderr = check("bad.toml", content).expect(2).stderr;
    assert!(stderr.contains("error:"), "{stderr}");
    for at in ["bad.toml:2:9", "bad.toml:5:1", "bad.toml:8:7"] {
        assert!(stderr.contains(at), "{at}: {stderr}");
    }
    assert!(stderr.contains("bodyy"), "the unknown key is named: {stderr}");
}

#[test]
fn yaml_is_read_too() {
    check("good.yaml", "memory:\n  limit: 256 MiB\n").expect(0);
    let stderr = check("bad.yaml", "memory:\n  limitt: 256 MiB\n").expect(2).stderr;
    assert!(stderr.contains("bad.yaml:2:3") && stderr.contains("limitt"), "{stderr}");
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let stderr = fresnel().run(&["check", "--config", "/nowhere/fresnel.toml"]).expect(2).stderr;
    assert!(stderr.contains("/nowhere/fresnel.toml"), "{stderr}");
}

#[test]
fn serve_refuses_a_bad_file_with_the_same_words() {
    let finished = fresnel().config("[memory]\nlimitt = \"1 GiB\"\n").refused().expect(2);
    assert!(
        finished.stderr.contains("fresnel.toml:2:1") && finished.stderr.contains("limitt"),
        "{}",
        finished.stderr
    );
}

#[test]
fn an_unknown_variable_only_warns() {
    let server = fresnel().env("FRESNEL_NONSENSE", "1").allow_warning("FRESNEL_NONSENSE").start();
    let warned = server.log().iter().any(|line| line.contains("FRESNEL_NONSENSE"));
    assert!(warned, "{:?}", server.log());
}

#[test]
fn the_example_and_the_schema_are_valid() {
    let example = fresnel().run(&["reference", "example"]).expect(0).stdout;
    check("example.toml", &example).expect(0);
    let schema = fresnel().run(&["reference", "schema-json"]).expect(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["memory"].is_object());
}

#[test]
fn a_change_is_taken_over_without_a_restart_or_said_to_need_one() {
    let mut server = fresnel().config("[telemetry]\nlevel = \"info\"\n").start();
    let path = server.data_dir().parent().unwrap().join("fresnel.toml");
    std::fs::write(&path, "[telemetry]\nlevel = \"warn\"\n[memory]\nlimit = \"777 MiB\"\n").unwrap();
    server.allow_warning("memory.limit");
    let pending = || {
        let status = server.get_json("/api/v1/status");
        let pending = status["config"]["pending_restart"].as_array().unwrap().clone();
        pending
            .iter()
            .any(|path| path.as_str().is_some_and(|path| path.starts_with("memory")))
            .then_some(pending)
    };
    let pending = wait_for("the change that needs a restart", Duration::from_secs(5), pending);
    assert!(!pending.iter().any(|path| path == "telemetry.level"), "{pending:?}");
    server.terminate();
    server.restart();
    assert_eq!(server.get_json("/api/v1/status")["memory"]["limit_bytes"], 777 << 20);
}

#[test]
fn a_change_that_is_wrong_leaves_the_old_one_and_is_said() {
    let mut server = fresnel().config("[telemetry]\nlevel = \"info\"\n").start();
    let path = server.data_dir().parent().unwrap().join("fresnel.toml");
    server.allow_warning("fresnel.toml");
    std::fs::write(&path, "[telemetry]\nlevell = \"warn\"\n").unwrap();
    wait_for("the mistake in the log", Duration::from_secs(5), || {
        server.log().iter().any(|line| line.contains("levell")).then_some(())
    });
    server.get("/readyz").expect(200);
}

#[test]
fn each_change_is_said_with_what_was_and_what_is_to_be() {
    let server = fresnel().config("[telemetry]\nlevel = \"info\"\n").start();
    let path = server.data_dir().parent().unwrap().join("fresnel.toml");
    let changed = "[telemetry]\nlevel = \"info,store=warn\"\n[store.retention]\nlogs = \"3d\"\n\
                   [receive.key.shop]\nsecret = \"a-secret-of-at-least-16\"\n";
    std::fs::write(&path, changed).unwrap();
    let said = |parts: &[&str]| {
        wait_for("the change in the log", Duration::from_secs(20), || {
            let log = server.log();
            log.into_iter().find(|line| {
                line.contains("configuration changed") && parts.iter().all(|part| line.contains(part))
            })
        })
    };
    let applied = said(&["telemetry.level", r#""info""#, r#""info,store=warn""#]);
    assert!(!applied.contains("restart"), "{applied}");
    said(&["store.retention.logs", "3d", "restart"]);
    said(&["receive.key.shop", "unset", "restart"]);
    let status = server.get_json("/api/v1/status");
    let pending = status["config"]["pending"].as_array().unwrap();
    let change = pending.iter().find(|change| change["path"] == "store.retention.logs").unwrap();
    assert_eq!(change["new"], r#""3d""#, "{pending:?}");
    let text = fresnel().run(&["status", "--url", &server.url()]).expect(0).stdout;
    assert!(text.contains("store.retention.logs: ") && text.contains("-> \"3d\""), "{text}");
    assert!(!server.log().join("\n").contains("a-secret-of") && !status.to_string().contains("a-secret-of"));
}
