//! Rules from outside, and values that are only looked at.

use std::fs;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Listener, Server, file, loader};
use crate::config::{Loader, Report, Secret, Watch, WatchOptions};
use crate::telemetry::metrics::Registry;

/// What a plug-in knows of `memory`.
#[derive(Deserialize)]
struct Memory {
    workers: u32,
    share: f64,
}

/// Two workers or fewer get at most half.
fn with_rule() -> Loader<Server> {
    loader().validator("memory", |memory: &Memory, report: &mut Report| {
        if memory.workers < 3 && memory.share > 0.5 {
            report.error("share", format!("must be at most 0.5 with {} workers", memory.workers));
        }
    })
}

#[test]
fn a_validator_from_outside_sees_the_merged_value_and_its_places() {
    let (_dir, path) = file("a.toml", "[memory]\nshare = 0.9");
    let variables = [("FRESNEL_MEMORY_WORKERS", "1")];
    let error = with_rule().file(&path).env_from("FRESNEL", variables).load().unwrap_err();
    let expected = format!("{}:2:9: `share` must be at most 0.5 with 1 workers", path.display());
    assert_eq!(error.to_string(), expected);
    let variables = [("FRESNEL_MEMORY_WORKERS", "8")];
    assert!(with_rule().file(&path).env_from("FRESNEL", variables).load().is_ok());
    // With everything else that is wrong, at once.
    let error = with_rule().file(&path).arg("--dir", "store.segment_size", "1").load().unwrap_err();
    let messages: Vec<_> = error.problems.iter().map(|it| it.message.as_str()).collect();
    let size = "`store.segment_size` must be at least 4 KiB, got 1 B";
    assert_eq!(messages, ["`share` must be at most 0.5 with 2 workers", size]);
}

#[test]
fn a_validator_is_asked_only_for_what_is_there() {
    let refused = |report: &mut Report| report.error("", "is refused");
    let loader = loader()
        .validator("log.file", move |_: &String, report| refused(report))
        .validator("receive.key.ops", move |_: &Json, report| refused(report));
    assert!(loader.load().is_ok());
    let error = loader.clone().arg("--log", "log.file", "/x").load().unwrap_err();
    assert_eq!(error.to_string(), "--log: `log.file` is refused");
    let error = loader.arg("--key", "receive.key.ops.secret", "hunter2").load().unwrap_err();
    assert_eq!(error.to_string(), "--key: `receive.key.ops` is refused");
}

#[test]
fn a_validator_may_look_at_secrets_and_does_not_tell_them() {
    #[derive(Deserialize)]
    struct Key {
        secret: Secret,
    }
    let long = |key: &Key, report: &mut Report| {
        if key.secret.expose().len() < 8 {
            report.error("secret", "is too short");
        }
    };
    let loader = loader().arg("--key", "receive.key.ops.secret", "hunter2");
    let error = loader.clone().validator("receive.key.ops", long).load().unwrap_err();
    assert_eq!(error.to_string(), "--key: `receive.key.ops.secret` is too short");
    let error = loader.validator("receive.key.ops", |_: &u32, _| {}).load().unwrap_err();
    assert_eq!(error.to_string(), "--key: `receive.key.ops` is of another form than its validator takes");
}

#[test]
fn a_reload_asks_the_validators_too() {
    let (_dir, path) = file("a.toml", "[memory]\nshare = 0.4");
    let options = WatchOptions { restart: vec!["memory.workers".into()], ..WatchOptions::default() };
    let watch = Watch::start(with_rule().file(&path), options).unwrap();
    assert!(watch.set("memory.share", 0.9).unwrap_err().to_string().contains("at most 0.5 with 2"));
    // Right as a whole, but the workers come only with a restart.
    fs::write(&path, "[memory]\nshare = 0.9\nworkers = 8").unwrap();
    let error = watch.reload().unwrap_err();
    assert!(error.to_string().starts_with("these changes can only be applied together"), "{error}");
    assert_eq!(watch.current().memory.share, 0.4);
}

#[test]
fn a_value_is_validated_without_loading() {
    let loader = with_rule().file("/not/there.toml").env_from("FRESNEL", [("FRESNEL_STORE_DIR", "env")]);
    let value = json!({ "memory": { "workers": 4, "share": 0.9 }, "log": { "level": "debug" } });
    let valid = loader.validate(&value, None).unwrap();
    assert_eq!((valid.value.memory.workers, valid.value.store.dir.to_str()), (4, Some("data")));
    assert_eq!(valid.get("log.level"), Some("debug".into()));
    let wrong = json!({ "memory": { "workers": 0, "shares": 1 }, "log": { "level": 3 }, "store": { "segment_size": 1 } });
    let problems = loader.validate(&wrong, None).unwrap_err().problems;
    let told: Vec<_> = problems.iter().map(|it| (it.path.as_str(), it.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("log.level", "`log.level` must be one of `debug`, `info`, `error`, got 3"),
            ("memory.shares", "unknown key `shares` in `memory`, did you mean `share`?"),
            ("memory.workers", "`memory.workers` must be at least 1, got 0"),
            ("store.segment_size", "`store.segment_size` must be at least 4 KiB, got 1 B"),
        ]
    );
}

#[test]
fn a_section_is_validated_alone() {
    let loader = with_rule();
    let valid = loader.validate(&json!({ "timeout": "1s" }), Some("receive.otlp")).unwrap();
    let listener: Listener = valid.get_as("receive.otlp").unwrap();
    assert_eq!(listener.timeout, crate::config::Duration::from_secs(1));
    let messages = |value: Json, section: &str| {
        let error = loader.validate(&value, Some(section)).unwrap_err();
        error.problems.into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    assert_eq!(
        messages(json!({ "share": 0.9 }), "memory"),
        ["`memory.share` must be at most 0.5 with 2 workers"]
    );
    assert_eq!(messages(json!({}), "memori"), ["unknown key `memori`, did you mean `memory`?"]);
    assert_eq!(messages(json!("x"), "memory"), ["`memory` must be a table, got \"x\""]);
    let secret = json!({ "secret": ["hunter2"] });
    assert!(!messages(secret, "receive.key.ops").concat().contains("hunter2"));
}

#[test]
fn validations_are_counted_by_how_they_end() {
    let registry = Registry::new();
    let (_dir, path) = file("a.toml", "[memory]\nshare = 0.4");
    let counted = with_rule().file(&path).counted_in(&registry);
    assert!(counted.load().is_ok());
    assert!(counted.validate(&json!({ "memory": { "share": 0.9 } }), None).is_err());
    let options = WatchOptions { poll: Duration::from_secs(3600), ..WatchOptions::default() };
    let watch = Watch::start(counted, options).unwrap();
    assert!(watch.reload().is_ok());
    fs::write(&path, "[memory]\nshare = 0.9").unwrap();
    assert!(watch.reload().is_err());
    fs::write(&path, "[memory").unwrap();
    assert!(watch.reload().is_err(), "what cannot be read counts, too");
    let page = registry.prometheus();
    for (outcome, count) in [("valid", 3), ("invalid", 3)] {
        let line = format!("config_validations_total{{config_outcome=\"{outcome}\"}} {count}\n");
        assert!(page.contains(&line), "{line} {page}");
    }
    assert!(page.contains("config_validations_success_ratio 0.5\n"), "{page}");
}
