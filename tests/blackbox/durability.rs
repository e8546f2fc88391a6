//! What was acknowledged is there after every end; what is broken on disk stands in nobody's way.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::records::Sender;
use testkit::{Fresnel, wait_for};

use crate::fresnel;
use crate::settings::{QUIET, SEAL_AT_ONCE};

/// Files below a folder whose names end like this.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn count(server: &Fresnel) -> i64 {
    server.sql("SELECT count(*) FROM logs WHERE service_name = 'kept'").integer()
}

fn sealed(server: &Fresnel) -> Vec<PathBuf> {
    let folder = server.data_dir().join("segments/logs");
    wait_for("a segment", Duration::from_secs(20), || {
        Some(files(&folder, ".parquet")).filter(|list| !list.is_empty())
    })
}

/// Flips one byte in the middle of a file.
fn flip(path: &Path) {
    let middle = std::fs::metadata(path).unwrap().len() / 2;
    let byte = std::fs::read(path).unwrap()[usize::try_from(middle).unwrap()];
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte ^ 0xff]).unwrap();
}

#[test]
fn a_stop_during_the_replay_is_heard_and_loses_nothing() {
    let mut server = fresnel().config(QUIET).start();
    let mut sender = Sender::new("kept", 1);
    for _ in 0..200 {
        server.send(&sender.logs(500));
    }
    server.kill9();
    assert!(server.restart_and_terminate().success());
    let heard = server.log().iter().any(|line| line.contains("stop during the replay"));
    assert!(heard, "the replay was over before the stop:\n{:#?}", server.log());
    server.restart();
    assert_eq!(count(&server), 100_000);
    server.balanced_ledger();
}

#[test]
fn a_kill_loses_nothing_whether_sealed_or_not() {
    let mut server = fresnel().config(&format!("{QUIET}{SEAL_AT_ONCE}")).start();
    let mut sender = Sender::new("kept", 1);
    server.send(&sender.logs(100));
    sealed(&server);
    server.send(&sender.logs(50));
    server.kill9();
    server.restart();
    assert_eq!(count(&server), 150);
    let ids = "SELECT count(DISTINCT attributes['test.id']) FROM logs WHERE service_name = 'kept'";
    assert_eq!(server.sql(ids).integer(), 150);
    server.balanced_ledger();
}

#[test]
fn a_lost_catalog_is_made_again_from_the_segments() {
    let mut server = fresnel().config(&format!("{QUIET}{SEAL_AT_ONCE}")).start();
    let mut sender = Sender::new("kept", 1);
    server.send(&sender.logs(100));
    sealed(&server);
    server.send(&sender.logs(50));
    let lose = |server: &mut Fresnel, folders: &[&str]| {
        server.kill9();
        let segments = files(&server.data_dir().join("segments"), ".parquet").len();
        folders.iter().for_each(|folder| std::fs::remove_dir_all(server.data_dir().join(folder)).unwrap());
        server.restart();
        assert!(files(&server.data_dir().join("segments"), ".parquet").len() >= segments);
    };
    // The log still has all of it.
    lose(&mut server, &["manifest"]);
    assert_eq!(count(&server), 150);
    wait_for("everything sealed", Duration::from_secs(20), || {
        (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
    });
    // The segments are all there is.
    server.allow_warning("manifest");
    server.allow_warning("log is missing");
    lose(&mut server, &["manifest", "wal"]);
    let rows =
        server.sql_as_far_as_possible("default", "SELECT count(*) FROM logs WHERE service_name = 'kept'");
    assert_eq!((rows.integer(), rows.complete), (150, false), "what was in the log only is lost: {rows:?}");
    let status = server.get_json("/api/v1/status")["store"]["set_aside"].to_string();
    assert!(status.contains("read again"), "the status says so: {status}");
    server.balanced_ledger();
}

#[test]
fn the_day_of_a_segment_is_the_day_of_its_records() {
    let for_ever = "[store.retention]\nlogs = \"0s\"\n";
    let server = fresnel().config(&format!("{QUIET}{SEAL_AT_ONCE}{for_ever}")).start();
    // 2001-09-09 and the day after.
    server.send(&Sender::at("kept", 1, 1_000_000_000_000_000_000).logs(10));
    server.send(&Sender::at("kept", 2, 1_000_086_400_000_000_000).logs(10));
    let day = |day: &str| {
        let folder = server.data_dir().join(format!("segments/logs/tenant=default/day={day}"));
        wait_for(day, Duration::from_secs(20), || {
            Some(files(&folder, ".parquet")).filter(|list| !list.is_empty())
        })
    };
    day("2001-09-09");
    day("2001-09-10");
    assert_eq!(count(&server), 20);
}

#[test]
fn a_broken_segment_is_set_aside_named_and_stops_nothing() {
    let mut server = fresnel().config(&format!("{QUIET}{SEAL_AT_ONCE}")).start();
    server.send(&Sender::new("kept", 1).logs(100));
    let segment = sealed(&server).remove(0);
    server.terminate();
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() / 2]).unwrap();
    let name = segment.file_name().unwrap().to_string_lossy().into_owned();
    server.allow_warning(&name);
    server.restart();

    let set_aside = || {
        // A question finds it where the start did not look inside.
        server.ask_sql("default", "json", "SELECT count(body) FROM logs WHERE service_name = 'kept'");
        let status = server.get_json("/api/v1/status");
        status["store"]["set_aside"]
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["path"].to_string().contains(&name))
            .then_some(())
    };
    wait_for("the segment among those set aside", Duration::from_secs(20), set_aside);
    assert!(server.log().iter().any(|line| line.contains(&name)), "the log names it");
    let rows =
        server.sql_as_far_as_possible("default", "SELECT count(*) FROM logs WHERE service_name = 'kept'");
    assert!(!rows.complete, "an answer without it says so: {rows:?}");
    server.send(&Sender::new("after", 1).logs(1));
}

/// Sets a segment of two aside by damaging it while the server runs, and asks.
fn a_question_is_answered_without(damage: impl FnOnce(&Path)) {
    let mut server =
        fresnel().config(&format!("{QUIET}{SEAL_AT_ONCE}[store.compact]\nfiles_min = 64\n")).start();
    server.send(&Sender::new("kept", 1).logs(100));
    let segment = sealed(&server).remove(0);
    server.send(&Sender::new("kept", 2).logs(10));
    wait_for("two segments", Duration::from_secs(20), || (sealed(&server).len() == 2).then_some(()));
    server.allow_warning(&segment.file_name().unwrap().to_string_lossy());
    damage(&segment);
    // Sorted, so that nothing is answered before everything has been read.
    let all = "SELECT * FROM logs WHERE service_name = 'kept' ORDER BY time";
    for _ in 0..2 {
        let rows = server.sql_as_far_as_possible("default", all);
        assert!(!rows.complete && rows.rows.len() == 10, "{rows:?}");
    }
    assert!(!segment.exists());
    server.balanced_ledger();
}

#[test]
fn a_question_that_finds_a_damaged_page_is_answered_without_it_and_says_so() {
    a_question_is_answered_without(|segment| {
        // Inside of the first page, below everything that the footer says.
        let mut file = OpenOptions::new().write(true).open(segment).unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        file.write_all(&[0xff; 200]).unwrap();
    });
}

#[test]
fn a_question_that_finds_a_damaged_footer_is_answered_without_the_segment_and_says_so() {
    a_question_is_answered_without(|segment| {
        let mut file = OpenOptions::new().write(true).open(segment).unwrap();
        file.seek(SeekFrom::End(-200)).unwrap();
        file.write_all(&[0xff; 180]).unwrap();
    });
}

/// The footer says which rows a page has: one bit of that, and rows would be passed over.
#[test]
fn a_question_that_finds_one_altered_bit_of_a_footer_is_answered_without_the_segment_and_says_so() {
    a_question_is_answered_without(|segment| {
        let mut bytes = std::fs::read(segment).unwrap();
        let at = bytes.len() - 300;
        bytes[at] ^= 1;
        std::fs::write(segment, bytes).unwrap();
    });
}

#[test]
fn a_torn_end_of_the_log_is_cut_and_what_was_acknowledged_is_there() {
    let mut server = fresnel().config(QUIET).start();
    server.send(&Sender::new("kept", 1).logs(100));
    server.kill9();
    let log = files(&server.data_dir().join("wal"), "").pop().unwrap();
    let mut file = OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(&[0x5a; 1_000]).unwrap();
    drop(file);
    server.allow_warning("wal");
    server.restart();
    assert_eq!(count(&server), 100);
    server.send(&Sender::new("kept", 2).logs(1));
    server.kill9();
    server.restart();
    assert_eq!(count(&server), 101, "the log goes on behind the cut");
    let entry = server.balanced_ledger().entry("default", "logs").unwrap().clone();
    assert_eq!((entry.received, entry.stored), (101, 101));
}

#[test]
fn a_flipped_byte_in_the_log_is_found_and_said() {
    let mut server = fresnel().config(QUIET).start();
    let mut sender = Sender::new("kept", 1);
    for _ in 0..20 {
        server.send(&sender.logs(50));
    }
    server.kill9();
    let log = files(&server.data_dir().join("wal"), "").pop().unwrap();
    flip(&log);
    server.allow_warning("wal");
    server.restart();
    let said = server
        .log()
        .iter()
        .any(|line| line.contains("wal") && (line.contains("WARN") || line.contains("ERROR")));
    assert!(said, "{:?}", server.log());
    let kept = "SELECT count(*) FROM logs WHERE service_name = 'kept'";
    let rows = server.sql_as_far_as_possible("default", kept);
    assert!(
        !rows.complete && rows.integer() < 1_000,
        "what is broken is not invented, and is missed: {rows:?}"
    );
    let ledger = server.balanced_ledger();
    assert_eq!(ledger.entry("default", "logs").unwrap().received, 1_000, "what is broken is counted");
    let status = server.get_json("/api/v1/status");
    assert!(!status["store"]["set_aside"].as_array().unwrap().is_empty(), "{status}");
    server.send(&Sender::new("after", 1).logs(1));
}

#[test]
fn small_segments_are_merged_and_nothing_is_lost() {
    let config =
        format!("{QUIET}[store.seal]\nage = \"200ms\"\n[store.compact]\nfiles_min = 2\ngrace = \"0s\"\n");
    let server = fresnel().config(&config).start();
    let mut sender = Sender::new("kept", 1);
    let segments = || server.get_json("/api/v1/status")["store"]["segments"].as_u64().unwrap();
    for round in 1..=8 {
        server.send(&sender.logs(100));
        let sealed = || {
            (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
        };
        wait_for("everything sealed", Duration::from_secs(20), sealed);
        assert_eq!(count(&server), round * 100);
    }
    wait_for("fewer segments than seals", Duration::from_secs(60), || (segments() < 8).then_some(()));
    assert_eq!(count(&server), 800);
    server.balanced_ledger();
}

#[test]
fn what_is_older_than_its_retention_expires_and_stays_in_the_ledger() {
    let config = format!("{QUIET}{SEAL_AT_ONCE}[store.retention]\nlogs = \"1d\"\n");
    let server = fresnel().config(&config).start();
    server.send(&Sender::at("kept", 1, 1_000_000_000_000_000_000).logs(100));
    server.send(&Sender::new("kept", 2).logs(10));
    wait_for("the old ones to expire", Duration::from_secs(60), || (count(&server) == 10).then_some(()));
    let ledger = server.balanced_ledger();
    let entry = ledger.entry("default", "logs").unwrap();
    assert_eq!((entry.received, entry.stored, entry.expired), (110, 10, 100));
}
