//! The configuration file: everything wrong at once, at its place; reload without restart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::{Finished, wait_for};

use crate::fresnel;
use crate::settings::KEYS;

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
fn what_is_promoted_is_said_in_one_way() {
    let wrong = [
        (
            "promote_all_resource_attributes = true\npromote_resource_attributes = [\"a\"]",
            "must be empty where",
        ),
        ("ignore_resource_attributes = [\"a\"]", "must be empty where"),
        ("promote_resource_attributes = [\"a\", \" a\"]", "must not have `a` more than once"),
        ("promote_resource_attributes = [\" \"]", "must not have an empty name"),
    ];
    for (lines, said) in wrong {
        let stderr = check("bad.toml", &format!("[query.prometheus]\n{lines}\n")).expect(2).stderr;
        assert!(stderr.contains(said) && stderr.contains("bad.toml:"), "{lines}: {stderr}");
    }
    let good = "promote_all_resource_attributes = true\nignore_resource_attributes = [\"process.pid\"]";
    check("good.toml", &format!("[query.prometheus]\n{good}\n")).expect(0);
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

/// Everything that stands in the file, and nothing on the command line.
fn places(folder: &Path, data: &str, listen: &str) -> String {
    let dir = folder.join(data);
    format!(
        "[store]\ndir = {dir:?}\n[api]\nlisten = \"{listen}\"\n\
         [receive.otlp.grpc]\nlisten = \"{listen}\"\n[receive.otlp.http]\nlisten = \"{listen}\"\n"
    )
}

#[test]
fn what_only_a_restart_can_change_is_named_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let before = places(folder.path(), "data", "127.0.0.1:0");
    let server = fresnel().within(folder.path()).config(&before).places_in_file().start();
    let status = server.get_json("/api/v1/status");
    assert_eq!(status["config"]["pending_restart"], serde_json::json!([]));

    let after = places(folder.path(), "elsewhere", "127.0.0.2:0");
    std::fs::write(folder.path().join("fresnel.toml"), after + KEYS).unwrap();
    let pending = wait_for("the changes that need a restart", Duration::from_secs(20), || {
        let pending = server.get_json("/api/v1/status")["config"]["pending_restart"].clone();
        pending.as_array().is_some_and(|paths| !paths.is_empty()).then_some(pending)
    });
    assert_eq!(
        pending,
        serde_json::json!([
            "api.listen",
            "receive.key.bank",
            "receive.key.shop",
            "receive.otlp.grpc.listen",
            "receive.otlp.http.listen",
            "store.dir",
        ])
    );
    // Nobody has to show a key, and everything is where it was.
    let still = server.get_json("/api/v1/status");
    assert_eq!((&still["addresses"], &still["data_dir"]), (&status["addresses"], &status["data_dir"]));
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
fn the_start_says_the_mode_and_what_was_read() {
    let server = fresnel()
        .config("[telemetry]\nformat = \"json\"\n")
        .env("FRESNEL_QUERY_TIMEOUT", "20s")
        .arg("--memory-limit")
        .arg("512 MiB")
        .start();
    let said = wait_for("the sources", Duration::from_secs(20), || {
        let log = server.log();
        log.iter().find(|line| line.contains("configuration read")).cloned()
    });
    let line: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&line["mode"], &line["sources"]), (&"standalone".into(), &4.into()), "{line}");
    let from: Vec<_> = line["from"].as_str().unwrap().split(", ").collect();
    let file = server.data_dir().with_file_name("fresnel.toml");
    let file = format!("file {}", file.display());
    assert_eq!(from, ["defaults", file.as_str(), "environment (1)", "command line (5)"]);
}

#[test]
fn variables_in_files_beside_it_go_over_the_file_and_are_followed() {
    let (folder, file) = file("fresnel.toml", "[query]\ntimeout = \"11s\"\nconcurrency = 3\n");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(".env", "FRESNEL_QUERY_TIMEOUT=12s\nFRESNEL_RECEIVE_KEY_SHOP_SECRET=a-secret-of-at-least-16\n");
    write(".env.local", "FRESNEL_QUERY_TIMEOUT_MAX=9m\nFRESNEL_MEMORY_LIMIT=300MiB\n");
    let said = fresnel()
        .env("FRESNEL_MEMORY_LIMIT", "400 MiB")
        .run(&["check", "--config", file.to_str().unwrap()])
        .expect(0);
    let config: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let query = &config["query"];
    assert_eq!((&query["timeout"], &query["timeout_max"]), (&"12s".into(), &"9m".into()), "{query}");
    assert_eq!((&query["concurrency"], &config["memory"]["limit"]), (&3.into(), &"400 MiB".into()));
    assert!(!format!("{}{}", said.stdout, said.stderr).contains("a-secret"), "{}", said.stdout);

    let server = fresnel().config("").start();
    let beside = server.data_dir().with_file_name(".env.local");
    std::fs::write(beside, "FRESNEL_TELEMETRY_LEVEL=debug\nFRESNEL_MEMORY_LIMIT=300MiB\n").unwrap();
    wait_for("the limit that needs a restart", Duration::from_secs(20), || {
        let pending = server.get_json("/api/v1/status")["config"]["pending_restart"].clone();
        (pending == serde_json::json!(["memory.limit"])).then_some(())
    });
    for path in ["path=telemetry.level", "path=memory.limit"] {
        wait_for("both changes in the log", Duration::from_secs(20), || {
            let log = server.log();
            log.iter().any(|line| line.contains("configuration changed") && line.contains(path)).then_some(())
        });
    }
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
