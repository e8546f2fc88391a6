use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::PATIENCE;
use crate::config::ByteSize;
use crate::events::{
    Audit, AuditConfig, AuditError, AuditFile, AuditFormat, AuditStorage, Event, Events, EventsOptions,
    FileStore, MemoryStore, NewEvent, Redaction, Store,
};
use crate::time_of_day::TimeOfDay;

const DAY: Duration = Duration::from_secs(86_400);

/// A clock that is set by hand; the 1st of January 2025 at noon.
#[derive(Clone)]
struct Clock(Arc<Mutex<SystemTime>>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_735_732_800))))
    }

    fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl TimeOfDay for Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock()
    }
}

/// Events, their trail in a folder of its own, and the time.
struct Bench {
    folder: tempfile::TempDir,
    clock: Clock,
    config: AuditConfig,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile { path: folder.path().join("audit.log"), ..AuditFile::default() };
        let config = AuditConfig { storage: AuditStorage::File(file), ..AuditConfig::default() };
        Self { folder, clock: Clock::new(), config }
    }

    fn events(&self, store: impl Store) -> Events {
        let redactions = vec![Redaction::field("data.card").unwrap()];
        let time = Box::new(self.clock.clone());
        Events::new(store, EventsOptions { redactions, time, ..EventsOptions::default() })
    }

    fn audit(&self, events: &Events) -> Audit {
        Audit::start_by(events, &self.config, self.clock.clone()).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    fn names(&self) -> Vec<String> {
        let all = fs::read_dir(self.folder.path()).unwrap();
        let names = all.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("audit.log")).collect();
        names.sort();
        names
    }
}

fn emit(events: &Events, event: NewEvent) -> u64 {
    events.emit_batch(vec![event]).unwrap().wait(PATIENCE).unwrap()
}

fn lines(path: &Path) -> Vec<Event> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(path: &Path) -> Vec<String> {
    lines(path).into_iter().map(|event| event.kind).collect()
}

#[test]
fn it_is_what_the_requirement_says_unless_told_otherwise() {
    let config: AuditConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(config, AuditConfig::default());
    let shown = serde_json::to_value(&config).unwrap();
    let storage = json!({"file": {"path": "audit.log", "bytes_max": "1 GiB"}});
    let expected =
        json!({"enabled": true, "events": ["*"], "retention": "30d", "format": "json", "storage": storage});
    assert_eq!(shown, expected);
    let other = r#"{"format": "csv", "events": ["USER.*"], "storage": {"s3": {}}}"#;
    let error = serde_json::from_str::<AuditConfig>(other).unwrap_err().to_string();
    assert!(error.contains("unknown variant `s3`, expected `file`"), "{error}");
}

#[test]
fn every_event_is_a_line_in_order_and_without_secrets() {
    let bench = Bench::new();
    let events = bench.events(MemoryStore::default());
    emit(&events, NewEvent::new("BEFORE.START"));
    let audit = bench.audit(&events);
    let data = json!({"card": "4111", "text": "two\nlines"});
    emit(&events, NewEvent::new("ORDER.PAID").tag("order", "17").data(data));
    let last = emit(&events, NewEvent::new("USER.ADDED"));
    assert!(audit.wait(last, PATIENCE));
    let stored = events.read(&crate::events::Query::everything(), &Default::default()).unwrap();
    assert_eq!(lines(&bench.path()), stored, "as they are stored");
    assert_eq!(stored[1].data["card"], "[REDACTED]");
    assert_eq!(audit.health().position, 3);
}

#[test]
fn only_what_is_asked_for_is_in_it() {
    let mut bench = Bench::new();
    bench.config.events = vec!["USER.*".into(), "ORDER.PAID".into()];
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    let kinds_sent = ["USER.ADDED", "ORDER.MADE", "ORDER.PAID", "X", "USER.GONE"];
    let last = kinds_sent.map(|kind| emit(&events, NewEvent::new(kind)))[4];
    assert!(audit.wait(last, PATIENCE));
    assert_eq!(kinds(&bench.path()), ["USER.ADDED", "ORDER.PAID", "USER.GONE"]);
    bench.config.events = vec!["A..B".into()];
    let error = Audit::start(&events, &bench.config).unwrap_err();
    assert!(error.to_string().contains("`A..B` is no pattern"), "{error}");
    bench.config = AuditConfig { enabled: false, ..AuditConfig::default() };
    let off = Audit::start(&events, &bench.config).unwrap();
    assert_eq!(off.health(), Default::default());
    assert!(!Path::new("audit.log").exists());
}

#[test]
fn a_table_has_a_line_for_each_event_whatever_is_in_it() {
    let mut bench = Bench::new();
    bench.config.format = AuditFormat::Csv;
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    let mut event = NewEvent::new("ORDER.PAID").tag("a", "x,y").data(json!({"text": "a\n\"b\""}));
    event.metadata.user_id = Some("=1+\"2\",3\n4".into());
    emit(&events, event);
    let last = emit(&events, NewEvent::new("X"));
    assert!(audit.wait(last, PATIENCE));
    let text = fs::read_to_string(bench.path()).unwrap();
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert_eq!(rows[0], "position,id,time,type,source,user,tags,metadata,data");
    let id = events.read(&crate::events::Query::everything(), &Default::default()).unwrap()[0].id;
    let start = format!(
        "1,{id},2025-01-01T12:00:00.000000Z,ORDER.PAID,system,\"'=1+\"\"2\"\",3 4\",\"{{\"\"a\"\":\"\"x,y\"\"}}\","
    );
    assert!(rows[1].starts_with(&start), "{}\n{start}", rows[1]);
    assert!(rows[1].ends_with(r#","{""text"":""a\n\""b\""""}""#), "{}", rows[1]);
    assert!(rows[2].ends_with(",X,system,,\"{}\",\"{\"\"eventSource\"\":\"\"system\"\"}\","), "{}", rows[2]);
    // It goes on in a table as well.
    drop(audit);
    let audit = bench.audit(&events);
    let last = emit(&events, NewEvent::new("Y"));
    assert!(audit.wait(last, PATIENCE));
    let text = fs::read_to_string(bench.path()).unwrap();
    assert_eq!((text.lines().count(), text.matches("position").count()), (4, 1), "{text}");
}

#[test]
fn nothing_is_missing_or_twice_after_a_restart_also_where_a_crash_tore_a_line() {
    let bench = Bench::new();
    let store = bench.folder.path().join("events");
    let open = || bench.events(FileStore::open(&store, Default::default()).unwrap());
    let events = open();
    let audit = bench.audit(&events);
    let last = (0..3).map(|n| emit(&events, NewEvent::new(format!("A.N{n}")))).last();
    assert!(audit.wait(last.unwrap(), PATIENCE));
    drop(audit);
    emit(&events, NewEvent::new("A.WHILE_IT_WAS_OFF"));
    drop(events);
    for torn in [15, 0] {
        let whole = fs::read(bench.path()).unwrap();
        fs::write(bench.path(), &whole[..whole.len() - torn]).unwrap();
        let events = open();
        let audit = bench.audit(&events);
        let last = emit(&events, NewEvent::new("A.AFTER"));
        assert!(audit.wait(last, PATIENCE));
        let positions: Vec<_> = lines(&bench.path()).iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=last).collect::<Vec<_>>());
    }
    assert_eq!(kinds(&bench.path())[3], "A.WHILE_IT_WAS_OFF");
    assert_eq!(bench.names(), ["audit.log"]);
}

#[test]
fn events_of_another_store_and_lines_of_others_are_kept_apart() {
    let bench = Bench::new();
    for kind in ["FIRST.RUN", "SECOND.RUN"] {
        let events = bench.events(MemoryStore::default());
        let audit = bench.audit(&events);
        assert!(audit.wait(emit(&events, NewEvent::new(kind)), PATIENCE));
    }
    assert_eq!(
        kinds(&bench.path()),
        ["FIRST.RUN", "SECOND.RUN"],
        "the same position, and not the same event"
    );
    fs::write(bench.path(), "the letters of somebody\n").unwrap();
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    assert!(audit.wait(emit(&events, NewEvent::new("X")), PATIENCE));
    assert_eq!(kinds(&bench.path()), ["X"]);
    let aside = bench.names().into_iter().find(|name| name != "audit.log").unwrap();
    assert_eq!(fs::read_to_string(bench.folder.path().join(aside)).unwrap(), "the letters of somebody\n");
}

#[test]
fn days_are_put_aside_and_go_after_the_retention() {
    let bench = Bench::new();
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    let mut last = 0;
    for _ in 0..3 {
        last = emit(&events, NewEvent::new("X"));
        assert!(audit.wait(last, PATIENCE));
        bench.clock.advance(DAY);
    }
    assert_eq!(bench.names(), ["audit.log", "audit.log.20250101.0000", "audit.log.20250102.0000"]);
    // It is the 4th of January. The first day is over on the 2nd, and its 30 days are on the 1st of February.
    bench.clock.advance(27 * DAY);
    audit.sweep();
    assert_eq!(audit.health().expired, 0, "the 31st: the first event is not older than 30 days");
    bench.clock.advance(DAY);
    audit.sweep();
    assert_eq!(bench.names(), ["audit.log", "audit.log.20250102.0000"]);
    bench.clock.advance(40 * DAY);
    audit.sweep();
    assert_eq!(audit.health().expired, 3, "the file that is written too");
    assert_eq!(fs::read_to_string(bench.path()).unwrap(), "");
    drop(audit);
    // What is stored for longer does not come back.
    let audit = bench.audit(&events);
    let new = emit(&events, NewEvent::new("Y"));
    assert!(audit.wait(new, PATIENCE));
    assert_eq!((kinds(&bench.path()), new), (vec!["Y".to_owned()], last + 1));
}

#[test]
fn it_never_takes_more_than_its_bound_and_tells_what_that_costs() {
    let mut bench = Bench::new();
    let AuditStorage::File(file) = &mut bench.config.storage;
    file.bytes_max = ByteSize::mib(8);
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    let large = Value::from("x".repeat(200 << 10));
    let mut last = 0;
    for _ in 0..60 {
        last = emit(&events, NewEvent::new("LARGE").data(large.clone()));
        assert!(audit.wait(last, PATIENCE));
        let sizes =
            bench.names().into_iter().map(|it| bench.folder.path().join(it).metadata().unwrap().len());
        assert!(sizes.sum::<u64>() <= 8 << 20);
    }
    assert!(audit.health().evicted > 0);
    assert_eq!(lines(&bench.path()).last().unwrap().position, last);
    let AuditStorage::File(file) = &mut bench.config.storage;
    file.bytes_max = ByteSize::mib(1);
    let error = Audit::start(&events, &bench.config).unwrap_err();
    assert!(matches!(error, AuditError::Bound(_)), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_trail_and_not_the_events() {
    let mut bench = Bench::new();
    let AuditStorage::File(file) = &mut bench.config.storage;
    file.path = "/dev/full".into();
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    let last = emit(&events, NewEvent::new("X"));
    let deadline = std::time::Instant::now() + PATIENCE;
    while audit.health().failure.is_none() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let failure = audit.health().failure.unwrap();
    assert!(failure.starts_with("cannot write to /dev/full: No space left"), "{failure}");
    assert!(!audit.wait(last, Duration::ZERO));
    assert_eq!(emit(&events, NewEvent::new("Y")), last + 1);
    drop(audit);
}

#[test]
fn two_do_not_write_one_file() {
    let bench = Bench::new();
    let events = bench.events(MemoryStore::default());
    let audit = bench.audit(&events);
    let error = Audit::start(&events, &bench.config).unwrap_err();
    assert!(matches!(&error, AuditError::InUse(path) if *path == bench.path()), "{error}");
    drop(audit);
    drop(bench.audit(&events));
}
