//! Rules in a file: watched, kept, switched. Waits are on what happens, with time to spare.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::flags::{Context, FileSource, Flags, SourceError, StartOptions};

fn rules(state: &str) -> String {
    format!(
        r#"{{"note": "kept", "flags": {{"dark": {{"state": "{state}", "variants": {{"on": true}}, "defaultVariant": "on"}}}}}}"#
    )
}

fn start(path: &Path) -> Flags {
    let options = StartOptions { poll: Some(Duration::from_millis(5)), ..Default::default() };
    Flags::start(FileSource::new(path), options).unwrap()
}

fn wait(until: impl Fn() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never happened");
        std::thread::yield_now();
    }
}

#[test]
fn a_change_of_the_file_is_taken_over_and_a_mistake_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.json");
    fs::write(&path, rules("DISABLED")).unwrap();
    let flags = start(&path);
    let on = || flags.is_enabled("dark", &Context::new());
    assert!(!on());
    fs::write(&path, rules("ENABLED")).unwrap();
    wait(on);
    fs::write(&path, "{ no rules").unwrap();
    wait(|| flags.failure().is_some());
    assert!(on());
    fs::remove_file(&path).unwrap();
    wait(|| flags.failure().is_some_and(|failure| failure.message.starts_with("cannot read")));
    assert!(on());
    fs::write(&path, rules("DISABLED")).unwrap();
    wait(|| !on());
}

#[test]
fn a_switch_is_kept_and_seen_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.json");
    fs::write(&path, rules("DISABLED")).unwrap();
    let (ours, theirs) = (start(&path), start(&path));
    ours.set_enabled("dark", true).unwrap();
    assert!(ours.is_enabled("dark", &Context::new()), "at once here");
    wait(|| theirs.is_enabled("dark", &Context::new()));
    assert!(fs::read_to_string(&path).unwrap().contains(r#""note": "kept""#));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    assert!(matches!(ours.set_enabled("nobody", true), Err(SourceError::NoSuchFlag(_))));
    let fixed = Flags::from_text(&rules("ENABLED")).unwrap();
    assert!(matches!(fixed.set_enabled("dark", true), Err(SourceError::ReadOnly(_))));
}
