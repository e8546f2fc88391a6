//! Reloading: what is applied, what is told, what stays. Waits are on channels, with time to spare.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::{Server, file, loader};
use crate::config::{Change, Loader, ReloadError, Watch, WatchOptions};

const PATIENCE: Duration = Duration::from_secs(20);

fn watch(loader: Loader<Server>) -> Watch<Server> {
    watch_every(Duration::from_millis(10), loader)
}

/// Reloads only when asked.
fn watch_by_hand(loader: Loader<Server>) -> Watch<Server> {
    watch_every(Duration::from_secs(3600), loader)
}

fn watch_every(poll: Duration, loader: Loader<Server>) -> Watch<Server> {
    let restart = vec!["store".into(), "receive.otlp.listen".into()];
    Watch::start(loader, WatchOptions { restart, poll }).unwrap()
}

/// Writes a file so that nobody sees it half written.
fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("tmp");
    fs::write(&fresh, text).unwrap();
    fs::rename(&fresh, path).unwrap();
}

/// Everything that is told from now on.
fn changes(watch: &Watch<Server>, path: &str) -> Receiver<Vec<Change>> {
    let (sender, receiver) = sync_channel(100);
    watch.subscribe(path, move |event| sender.send(event.changes.clone()).unwrap()).forever();
    receiver
}

fn paths(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.path.as_str()).collect()
}

#[test]
fn a_change_of_the_file_is_applied_and_told() {
    let (_dir, path) = file("a.toml", "[memory]\nworkers = 3");
    let watch = watch(loader().file(&path));
    let told = changes(&watch, "");
    replace(&path, "[memory]\nworkers = 5\n");
    let event = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(paths(&event), ["memory.workers"]);
    assert_eq!((event[0].old_value.clone(), event[0].new_value.clone()), (Some(3.into()), Some(5.into())));
    assert!(!event[0].requires_restart);
    assert_eq!(watch.current().memory.workers, 5);
}

#[test]
fn a_file_written_in_place_ends_in_its_last_state() {
    let (_dir, path) = file("a.toml", "[memory]\nworkers = 3");
    let watch = watch(loader().file(&path));
    let told = changes(&watch, "");
    fs::write(&path, "[memory]\nworkers = 5\n").unwrap();
    // On a busy machine the empty file between may have been seen.
    while told.recv_timeout(PATIENCE).unwrap()[0].new_value != Some(5.into()) {}
    assert_eq!(watch.current().memory.workers, 5);
}

#[test]
fn a_file_renamed_over_the_old_one_is_seen() {
    let (dir, path) = file("a.yaml", "memory: { workers: 3 }");
    let watch = watch(loader().file(&path));
    let told = changes(&watch, "memory");
    for workers in 4..8 {
        let fresh = dir.path().join("a.yaml.tmp");
        fs::write(&fresh, format!("memory: {{ workers: {workers} }}")).unwrap();
        fs::rename(&fresh, &path).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap()[0].new_value, Some(workers.into()));
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_moves_is_seen() {
    let (dir, first) = file("one.toml", "[memory]\nworkers = 3");
    let second = dir.path().join("two.toml");
    fs::write(&second, "[memory]\nworkers = 4").unwrap();
    let link = dir.path().join("current.toml");
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let watch = watch(loader().file(&link));
    let told = changes(&watch, "");
    let fresh = dir.path().join("link.tmp");
    std::os::unix::fs::symlink(&second, &fresh).unwrap();
    fs::rename(&fresh, &link).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(watch.current().memory.workers, 4);
}

#[test]
fn a_file_that_appears_and_goes_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    let watch = watch(loader().default_file(&path));
    let told = changes(&watch, "");
    replace(&path, "[memory]\nworkers = 9");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap()[0].new_value, Some(9.into()));
    fs::remove_file(&path).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap()[0].new_value, Some(2.into()));
}

#[test]
fn an_invalid_file_keeps_the_old_configuration_and_is_told() {
    let (_dir, path) = file("a.toml", "[memory]\nworkers = 3");
    let watch = watch(loader().file(&path));
    let (sender, failures) = sync_channel(100);
    watch.on_failure(move |error| sender.send(error.to_string()).unwrap()).forever();
    let told = changes(&watch, "");
    replace(&path, "[memory]\nworkers = 0\nshares = 1\n");
    let expected = format!(
        "{0}:2:11: `workers` must be at least 1, got 0\n{0}:3:1: unknown key `shares` in `memory`, did you mean `share`?",
        path.display()
    );
    assert_eq!(failures.recv_timeout(PATIENCE).unwrap(), expected);
    assert_eq!(watch.current().memory.workers, 3);
    assert!(matches!(watch.reload(), Err(ReloadError::Invalid(_))));
    replace(&path, "[memory]\nworkers = 4\n");
    assert_eq!(paths(&told.recv_timeout(PATIENCE).unwrap()), ["memory.workers"]);
}

#[test]
fn how_the_last_reload_went_is_known_also_where_it_changed_nothing() {
    let (_dir, path) = file("a.toml", "[memory]\nworkers = 3");
    let watch = watch_by_hand(loader().file(&path));
    let start = watch.last_reload();
    assert_eq!(start.failure, None);
    replace(&path, "[memory]\nworkers = 0\n");
    let failure = watch.reload().unwrap_err();
    let wrong = watch.last_reload();
    assert_eq!((wrong.failure, wrong.applied), (Some(failure), start.applied));
    // What is in force is written again: nothing changes, and nobody is told.
    replace(&path, "[memory]\nworkers = 3\n");
    assert_eq!(watch.reload().unwrap(), []);
    let right = watch.last_reload();
    assert!(right.failure.is_none() && right.applied >= start.applied, "{right:?}");
}

/// D1: a reload reads the same sources again, the file and those above it.
#[test]
fn a_reload_remembers_all_sources() {
    let (_dir, path) = file("a.toml", "[memory]\nworkers = 3\nshare = 0.25");
    let loader = loader().file(&path).env_from("FRESNEL", [("FRESNEL_LOG_LEVEL", "error")]).arg(
        "--data-dir",
        "store.dir",
        "cli",
    );
    let watch = watch_by_hand(loader);
    for _ in 0..3 {
        assert_eq!(watch.reload().unwrap(), []);
    }
    let before = watch.loaded().export();
    fs::write(&path, "[memory]\nworkers = 4\nshare = 0.25").unwrap();
    let _ = watch.reload().unwrap();
    assert_eq!(watch.loaded().export(), before.replace("\"workers\": 3", "\"workers\": 4"));
}

/// D8, D9: what needs a restart waits, the rest is applied, and both are told.
#[test]
fn the_live_part_is_applied_and_the_rest_waits() {
    let (_dir, path) = file("a.toml", "");
    let watch = watch_by_hand(loader().file(&path));
    write_and_reload(
        &watch,
        &path,
        "[store]\ndir = 'new'\n[memory]\nworkers = 9",
        &["memory.workers", "store.dir"],
    );
    assert_eq!(watch.current().memory.workers, 9);
    assert_eq!(watch.current().store.dir.to_str(), Some("data"), "not applied");
    let pending = watch.pending_restart();
    assert_eq!(paths(&pending), ["store.dir"]);
    assert!(pending[0].requires_restart);
    assert_eq!(pending[0].new_value, Some("new".into()));
    // Told once; still pending when something else changes; gone when taken back.
    write_and_reload(&watch, &path, "[store]\ndir = 'new'\n[memory]\nworkers = 8", &["memory.workers"]);
    assert_eq!(paths(&watch.pending_restart()), ["store.dir"]);
    write_and_reload(&watch, &path, "[memory]\nworkers = 8", &[]);
    assert!(watch.pending_restart().is_empty());
}

fn write_and_reload(watch: &Watch<Server>, path: &Path, text: &str, expected: &[&str]) {
    fs::write(path, text).unwrap();
    assert_eq!(paths(&watch.reload().unwrap()), expected);
}

#[test]
fn what_does_not_go_together_is_not_applied_by_halves() {
    let watch = watch_by_hand(loader());
    let told = watch.set("memory.hard_limit", "64 MiB").unwrap_err();
    assert!(matches!(told, ReloadError::Invalid(_)), "smaller than a segment: {told}");
    // As a whole this is right, but the segment size waits for a restart.
    let (_dir, path) = file("a.toml", "");
    let watch = watch_by_hand(loader().file(&path));
    fs::write(&path, "[memory]\nhard_limit = '64 MiB'\n[store]\nsegment_size = '1 MiB'").unwrap();
    assert!(matches!(watch.reload(), Err(ReloadError::NeedsRestart(_))));
    assert_eq!(watch.current().memory.hard_limit.to_string(), "1 GiB");
}

/// D8: prefixes match whole segments; deleted keys and changed lists are seen.
#[test]
fn the_difference_is_structural() {
    let (_dir, path) = file("a.toml", "[receive.key.a]\nsecret = 's'\n[receive.key.b]\nsecret = 's'");
    let watch = watch(loader().file(&path));
    let all = changes(&watch, "");
    replace(
        &path,
        "[receive]\nhosts = ['x', 'localhost']\n[receive.key.b]\nsecret = 't'\n[receive.otlp]\nlisten='127.0.0.1:1'\ntimeout = '1s'",
    );
    let event = all.recv_timeout(PATIENCE).unwrap();
    let mut sorted: Vec<_> = event.iter().map(|it| (it.path.as_str(), it.requires_restart)).collect();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("receive.hosts", false),
            ("receive.key.a", false),
            ("receive.key.b.secret", false),
            ("receive.otlp.listen", true),
            ("receive.otlp.timeout", false),
        ]
    );
    let of = |path: &str| event.iter().find(|change| change.path == path).unwrap();
    assert_eq!(of("receive.key.a").new_value, None);
    // D6: a changed secret is a change, but is not shown.
    assert_eq!(of("receive.key.b.secret").old_value, Some("***".into()));
    assert_eq!(of("receive.key.b.secret").new_value, Some("***".into()));
    assert_eq!(watch.current().receive.key["b"].secret.expose(), "t");
    assert_eq!(of("receive.key.a").old_value, Some(serde_json::json!({ "secret": "***", "tenant": null })));
}

/// D8: `store` means `store.dir`, not `store_cache`; and a list's prefix is a whole segment, too.
#[test]
fn what_needs_a_restart_is_matched_by_whole_segments() {
    let restart = ["mem", "receive.host", "log.level.deeper"].map(String::from).into();
    let watch = Watch::start(loader(), WatchOptions { restart, ..WatchOptions::default() }).unwrap();
    let flags = |path, value: serde_json::Value| watch.set(path, value).unwrap()[0].requires_restart;
    assert!(!flags("memory.workers", 7.into()));
    assert!(!flags("receive.hosts", vec!["x"].into()));
    assert!(flags("log.level", "debug".into()), "what is around it changes it, too");
}

/// D5: ancestors and descendants are told, strangers are not.
#[test]
fn subscribers_hear_what_touches_their_path() {
    let watch = watch_by_hand(loader());
    let told: Vec<_> = ["", "memory", "memory.workers", "memory.workers.deep", "memory.share", "mem", "log"]
        .map(|path| (path, changes(&watch, path)))
        .into();
    watch.set("memory.workers", 7).unwrap();
    let heard: Vec<_> =
        told.iter().filter(|(_, told)| told.try_recv().is_ok()).map(|(path, _)| *path).collect();
    assert_eq!(heard, ["", "memory", "memory.workers", "memory.workers.deep"]);
}

#[test]
fn a_subscriber_that_panics_does_not_stop_the_others() {
    let watch = watch_by_hand(loader());
    watch.subscribe("", |_| panic!("on purpose")).forever();
    let told = changes(&watch, "");
    watch.set("memory.workers", 7).unwrap();
    watch.set("memory.workers", 8).unwrap();
    assert_eq!(told.try_iter().count(), 2);
}

#[test]
fn a_dropped_subscription_hears_nothing() {
    let watch = watch_by_hand(loader());
    let (sender, told) = sync_channel(100);
    let subscription = watch.subscribe("", move |_| sender.send(()).unwrap());
    drop(subscription);
    watch.set("memory.workers", 7).unwrap();
    assert!(told.try_recv().is_err());
}

#[test]
fn a_subscriber_cannot_reload() {
    let watch = Arc::new(watch(loader()));
    let (sender, told) = sync_channel(100);
    let inner = Arc::downgrade(&watch);
    watch.subscribe("", move |_| sender.send(inner.upgrade().map(|watch| watch.reload())).unwrap()).forever();
    watch.set("memory.workers", 7).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Some(Err(ReloadError::Reentrant)));
    assert_eq!(watch.reload().unwrap(), []);
}

/// D2: what is set is validated too, and what is refused leaves nothing behind.
#[test]
fn a_value_that_is_set_is_validated() {
    let watch = watch_by_hand(loader());
    let error = watch.set("memory.workers", 0).unwrap_err();
    assert_eq!(error.to_string(), "runtime: `memory.workers` must be at least 1, got 0");
    assert!(watch.set("memory.worker", 1).is_err());
    assert!(watch.set("memory.workers", "many").is_err());
    assert_eq!(watch.reload().unwrap(), []);
    assert_eq!(paths(&watch.set("log.level", "debug").unwrap()), ["log.level"]);
    assert_eq!(watch.loaded().origin("log.level").to_string(), "runtime");
    assert_eq!(watch.reload().unwrap(), []);
}

#[test]
fn a_secret_in_a_file_of_its_own_is_watched() {
    let (_dir, secret) = file("token", "first");
    let (_dir2, path) = file("a.toml", "");
    let watch = watch(loader().file(&path));
    let told = changes(&watch, "receive.key");
    replace(&path, &format!("[receive.key.ops]\nsecret = {{ file = '{}' }}", secret.display()));
    told.recv_timeout(PATIENCE).unwrap();
    replace(&secret, "second");
    told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(watch.current().receive.key["ops"].secret.expose(), "second");
}

/// D9: many writes in a row end in the last state, whoever reloads.
#[test]
fn reloads_at_once_end_in_the_last_state() {
    let (_dir, path) = file("a.toml", "");
    let watch = watch(loader().file(&path));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| drop(watch.reload())));
        }
        for workers in 1..=20 {
            let fresh = path.with_extension("tmp");
            fs::write(&fresh, format!("[memory]\nworkers = {workers}")).unwrap();
            fs::rename(&fresh, &path).unwrap();
        }
    });
    watch.reload().unwrap();
    assert_eq!(watch.current().memory.workers, 20);
}

#[test]
fn the_usual_places_are_watched_whether_they_are_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let variables: [(&str, &str); 0] = [];
    let watch = watch(loader().usual_places(folder.path()).env_from("FRESNEL", variables));
    let told = changes(&watch, "memory.workers");
    fs::create_dir(place("config")).unwrap();
    let changes = [
        ("config.json", "{ \"memory\": { \"workers\": 3 } }", 3),
        ("config.yaml", "memory: { workers: 4 }", 4),
        ("config/a.toml", "memory.workers = 5", 5),
        ("config/b.toml", "memory.workers = 6", 6),
        ("config/b.toml", "memory.workers = 7", 7),
        (".env", "FRESNEL_MEMORY_WORKERS=8", 8),
        (".env.local", "FRESNEL_MEMORY_WORKERS=9", 9),
        (".env.local", "FRESNEL_MEMORY_WORKERS=10", 10),
    ];
    for (name, text, workers) in changes {
        replace(&place(name), text);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap()[0].new_value, Some(workers.into()), "{name}");
    }
    for (name, workers) in [(".env.local", 8), (".env", 7), ("config/b.toml", 5)] {
        fs::remove_file(place(name)).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap()[0].new_value, Some(workers.into()), "{name}");
    }
}
