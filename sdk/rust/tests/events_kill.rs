//! A process that stores events is killed. What it was told to be stored is there afterwards, in
//! order and once. A kill leaves the system's caches alone: that they are synced is not shown here.

#![cfg(all(feature = "events", unix))]
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use fresnel_sdk::events::{Events, EventsOptions, FileStore, NewEvent, Page, Query};

/// Where the child writes; without it the child's test has nothing to do.
const FOLDER: &str = "FRESNEL_EVENTS_KILL";

/// The child: stores events from several threads for ever, and says which were acknowledged.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = FileStore::open(std::path::Path::new(&folder).join("events"), Default::default()).unwrap();
    let options = EventsOptions { flush_interval: Duration::from_millis(1), ..EventsOptions::default() };
    let events = Events::new(store, options);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let events = &events;
            scope.spawn(move || {
                for n in 0.. {
                    let event = NewEvent::new("E").tag("thread", thread.to_string()).data(n);
                    let position = events.emit(event).unwrap().wait(Duration::from_secs(60)).unwrap();
                    // One write, so that no line is torn.
                    std::io::stdout().write_all(format!("ack {position} {thread} {n}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 40 * round {
            let line = lines.next().expect("the child goes on until it is killed").unwrap();
            // The runner of tests writes too, perhaps on the same line.
            seen += usize::from(remember(&mut acknowledged, &line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before the kill arrived counts too.
        for line in lines.map_while(Result::ok) {
            remember(&mut acknowledged, &line);
        }
        check(folder.path(), &acknowledged);
    }
}

fn remember(acknowledged: &mut HashSet<(u64, String, u64)>, line: &str) -> bool {
    let Some((_, rest)) = line.split_once("ack ") else { return false };
    let parts: Vec<_> = rest.split(' ').collect();
    let [position, thread, n] = parts[..] else { return false };
    let (Ok(position), Ok(n)) = (position.parse(), n.parse()) else { return false };
    acknowledged.insert((position, thread.to_owned(), n))
}

fn check(folder: &std::path::Path, acknowledged: &HashSet<(u64, String, u64)>) {
    let store = FileStore::open(folder.join("events"), Default::default()).unwrap();
    let events = Events::new(store, EventsOptions::default());
    let page = Page { limit: usize::MAX, ..Page::default() };
    let stored = events.read(&Query::everything(), &page).unwrap();
    let positions: Vec<_> = stored.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=stored.len() as u64).collect::<Vec<_>>(), "no gap and no doubles");
    let ids: HashSet<_> = stored.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), stored.len());
    for (position, thread, n) in acknowledged {
        let event = &stored[*position as usize - 1];
        assert_eq!((&event.tags["thread"], event.data.as_u64()), (thread, Some(*n)), "position {position}");
    }
}
