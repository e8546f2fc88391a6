//! Taking in: batches, order, back-pressure, failures of the store, the end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use super::{PATIENCE, positions};
use crate::events::{
    AppendError, Condition, Criterion, DomainEvent, EmitError, Event, Events, EventsOptions, InvalidEvent,
    MemoryStore, NewEvent, Page, Query, ReadError, Store,
};
use crate::time_of_day::TimeOfDay;

/// A store whose appends are told, held back and failed by the test.
#[derive(Clone, Default)]
struct Scripted(Arc<Script>);

#[derive(Default)]
struct Script {
    store: MemoryStore,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: bool,
    failures: Vec<AppendError>,
    batches: Vec<usize>,
    /// Appends that came here.
    begun: usize,
}

impl Scripted {
    fn hold(&self, held: bool) {
        self.0.state.lock().held = held;
        self.0.changed.notify_all();
    }

    fn fail(&self, error: AppendError) {
        self.0.state.lock().failures.push(error);
    }

    fn wait_for_an_append(&self, begun: usize) {
        let mut state = self.0.state.lock();
        while state.begun < begun {
            assert!(!self.0.changed.wait_for(&mut state, PATIENCE).timed_out());
        }
    }
}

impl Store for Scripted {
    fn append(&self, events: Vec<Event>, condition: Option<&Condition>) -> Result<Vec<u64>, AppendError> {
        let mut state = self.0.state.lock();
        state.begun += 1;
        self.0.changed.notify_all();
        while state.held {
            self.0.changed.wait(&mut state);
        }
        if let Some(error) = state.failures.pop() {
            return Err(error);
        }
        state.batches.push(events.len());
        drop(state);
        self.0.store.append(events, condition)
    }

    fn read(&self, query: &Query, page: &Page) -> Result<Vec<Event>, ReadError> {
        self.0.store.read(query, page)
    }

    fn get(&self, id: Uuid) -> Result<Option<Event>, ReadError> {
        self.0.store.get(id)
    }

    fn head(&self) -> u64 {
        self.0.store.head()
    }
}

/// Never written because of the time alone.
fn patient() -> EventsOptions {
    EventsOptions { flush_interval: Duration::from_secs(3600), ..EventsOptions::default() }
}

fn kinds(events: &Events) -> Vec<String> {
    let all = events.read(&Query::everything(), &Page::default()).unwrap();
    assert_eq!(positions(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    all.into_iter().map(|event| event.kind).collect()
}

#[test]
fn events_are_written_together_and_in_order() {
    let store = Scripted::default();
    let events = Events::new(store.clone(), EventsOptions { batch_size: 3, ..patient() });
    let receipts: Vec<_> = (0..3).map(|n| events.emit(NewEvent::new(format!("E{n}"))).unwrap()).collect();
    let stored: Vec<_> = receipts.iter().map(|receipt| receipt.wait(PATIENCE).unwrap()).collect();
    assert_eq!(stored, [1, 2, 3], "each its own position");
    assert_eq!(store.0.state.lock().batches, [3], "in one write, when there were enough");
    let waiting = events.emit(NewEvent::new("E3")).unwrap();
    assert!(matches!(waiting.wait(Duration::ZERO), Err(EmitError::Unknown)));
    // A batch is written at once, and what came before it too.
    let batch = vec![NewEvent::new("E4"), NewEvent::new("E5")];
    assert_eq!(events.emit_batch(batch).unwrap().wait(PATIENCE).unwrap(), 6);
    assert_eq!(waiting.wait(PATIENCE).unwrap(), 4);
    assert_eq!(kinds(&events), ["E0", "E1", "E2", "E3", "E4", "E5"]);
}

#[test]
fn an_event_waits_no_longer_than_the_interval() {
    let options = EventsOptions { flush_interval: Duration::from_millis(1), ..EventsOptions::default() };
    let events = Events::new(MemoryStore::default(), options);
    assert_eq!(events.emit(NewEvent::new("E")).unwrap().wait(PATIENCE).unwrap(), 1);
}

#[test]
fn a_receipt_can_be_awaited() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let events = Events::new(MemoryStore::default(), EventsOptions::default());
    let position = runtime.block_on(async { events.emit(NewEvent::new("E")).unwrap().await });
    assert_eq!(position.unwrap(), 1);
}

#[test]
fn more_than_may_wait_is_refused_and_nothing_is_lost() {
    let store = Scripted::default();
    store.hold(true);
    let options = EventsOptions { queue_max: 3, batch_size: 1, ..EventsOptions::default() };
    let events = Events::new(store.clone(), options);
    let receipts: Vec<_> = (0..3).map(|n| events.emit(NewEvent::new(format!("E{n}"))).unwrap()).collect();
    assert!(matches!(events.emit(NewEvent::new("X")), Err(EmitError::QueueFull { waiting: 3 })));
    assert!(matches!(events.emit_batch(vec![NewEvent::new("X")]), Err(EmitError::QueueFull { .. })));
    assert_eq!(events.health().waiting, 3);
    store.hold(false);
    let stored: Vec<_> = receipts.iter().map(|receipt| receipt.wait(PATIENCE).unwrap()).collect();
    assert_eq!(stored, [1, 2, 3]);
    assert_eq!(events.emit(NewEvent::new("E3")).unwrap().wait(PATIENCE).unwrap(), 4);
    assert_eq!(kinds(&events), ["E0", "E1", "E2", "E3"]);
}

#[test]
fn a_failed_write_is_tried_again_before_what_came_later() {
    let store = Scripted::default();
    store.fail(AppendError::Io(io::ErrorKind::StorageFull.into()));
    store.fail(AppendError::Io(io::ErrorKind::Interrupted.into()));
    let events = Events::new(store.clone(), EventsOptions { batch_size: 1, ..EventsOptions::default() });
    let receipts: Vec<_> = (0..5).map(|n| events.emit(NewEvent::new(format!("E{n}"))).unwrap()).collect();
    let stored: Vec<_> = receipts.iter().map(|receipt| receipt.wait(PATIENCE).unwrap()).collect();
    assert_eq!(stored, [1, 2, 3, 4, 5]);
    assert_eq!(kinds(&events), ["E0", "E1", "E2", "E3", "E4"]);
    assert_eq!(store.0.state.lock().begun, 7, "five appends and two that failed");
}

#[test]
fn who_emits_is_told_what_could_not_be_stored() {
    let store = Scripted::default();
    store.fail(AppendError::Failed("the disk is gone".into()));
    let events = Events::new(store.clone(), EventsOptions::default());
    let error = events.emit_batch(vec![NewEvent::new("E")]).unwrap().wait(PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "the store failed before: the disk is gone");
    assert_eq!((events.health().lost, events.health().waiting), (1, 0));
    // Bounded: a failure that may pass is not waited out for ever.
    let options = EventsOptions { retry_for: Duration::ZERO, ..EventsOptions::default() };
    let store = Scripted::default();
    store.fail(AppendError::Io(io::ErrorKind::StorageFull.into()));
    let impatient = Events::new(store, options);
    assert!(impatient.emit(NewEvent::new("E")).unwrap().wait(PATIENCE).is_err());
}

#[test]
fn a_condition_is_asked_alone_and_only_its_own_append_fails() {
    let store = Scripted::default();
    store.hold(true);
    let events = Events::new(store.clone(), EventsOptions::default());
    let first = events.emit_batch(vec![NewEvent::new("A")]).unwrap();
    store.wait_for_an_append(1);
    // These wait together while the first is written.
    let condition = Condition { none_of: Query::any_of([Criterion::of_type("A").unwrap()]), after: 0 };
    let plain = events.emit(NewEvent::new("B")).unwrap();
    let conditional = events.emit_if(vec![NewEvent::new("C")], condition).unwrap();
    let last = events.emit_batch(vec![NewEvent::new("D")]).unwrap();
    store.hold(false);
    assert_eq!(first.wait(PATIENCE).unwrap(), 1);
    assert_eq!(plain.wait(PATIENCE).unwrap(), 2);
    let error = conditional.wait(PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "an event at position 1 does not go with the condition of the append");
    assert_eq!(last.wait(PATIENCE).unwrap(), 3);
    assert_eq!(events.health().lost, 0, "a conflict is an answer, not a loss");
    assert_eq!(store.0.state.lock().batches, [1, 1, 1, 1]);
}

#[test]
fn the_end_stores_what_waits_and_takes_no_more() {
    let store = Scripted::default();
    let events = Events::new(store.clone(), patient());
    let receipt = events.emit(NewEvent::new("E")).unwrap();
    events.close(PATIENCE).unwrap();
    assert_eq!(receipt.wait(Duration::ZERO).unwrap(), 1);
    assert!(matches!(events.emit(NewEvent::new("E")), Err(EmitError::Closed)));
    events.close(PATIENCE).unwrap();
    // Dropping does the same.
    let events = Events::new(store.clone(), patient());
    drop(events.emit(NewEvent::new("E")).unwrap());
    drop(events);
    assert_eq!(store.head(), 2);
}

#[test]
fn the_end_does_not_wait_for_a_store_that_hangs() {
    let store = Scripted::default();
    store.hold(true);
    let events = Events::new(store.clone(), EventsOptions { batch_size: 1, ..EventsOptions::default() });
    let written = events.emit(NewEvent::new("E0")).unwrap();
    store.wait_for_an_append(1);
    let waiting = events.emit(NewEvent::new("E1")).unwrap();
    assert_eq!(events.close(Duration::from_millis(10)).unwrap_err().waiting, 2);
    assert!(matches!(waiting.wait(PATIENCE), Err(EmitError::Closed)));
    assert_eq!(events.health().lost, 1);
    store.hold(false);
    assert_eq!(written.wait(PATIENCE).unwrap(), 1, "what was begun is told when it is done");
}

#[test]
fn what_is_wrong_with_an_event_is_said() {
    let events = Events::new(MemoryStore::default(), EventsOptions::default());
    let many = (0..65).fold(NewEvent::new("A"), |event, n| event.tag(n.to_string(), ""));
    let mut long = NewEvent::new("A");
    long.metadata.session_id = Some("x".repeat(1025));
    let cases = [
        (NewEvent::new(""), InvalidEvent::NoType),
        (NewEvent::new("A B"), InvalidEvent::Type),
        (many, InvalidEvent::Tags(65)),
        (NewEvent::new("A").tag("", "x"), InvalidEvent::Tag(String::new())),
        (long, InvalidEvent::Metadata),
        (NewEvent::new("A").data("x".repeat(300_000)), InvalidEvent::Data(300_002)),
    ];
    let mut messages = std::collections::HashSet::new();
    for (event, expected) in cases {
        // One wrong event and the whole batch is refused.
        let batch = vec![NewEvent::new("A"), event];
        match events.emit_batch(batch) {
            Err(EmitError::Invalid(error)) => {
                assert!(messages.insert(error.to_string()));
                assert_eq!(error, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(events.emit(NewEvent::new("A.*")), Err(EmitError::Invalid(InvalidEvent::Type))));
    assert_eq!(events.head(), 0);
}

#[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
struct Paid {
    order: u32,
}

impl DomainEvent for Paid {
    const TYPE: &'static str = "ORDER.PAID";

    fn tags(&self) -> Vec<(String, String)> {
        vec![("order".into(), self.order.to_string())]
    }
}

#[test]
fn types_of_the_application_come_back_as_they_went_in() {
    let events = Events::new(MemoryStore::default(), EventsOptions::default());
    events.emit_batch(vec![NewEvent::of(&Paid { order: 7 }).unwrap()]).unwrap().wait(PATIENCE).unwrap();
    let query = Query::any_of([Criterion::of_type(Paid::TYPE).unwrap().tag("order", "7")]);
    let stored = events.read(&query, &Page::default()).unwrap().remove(0);
    assert_eq!(stored.decode::<Paid>().unwrap().unwrap(), Paid { order: 7 });
    assert_eq!(events.get(stored.id).unwrap().unwrap(), stored);
    assert_eq!(stored.id.get_version_num(), 7);
    assert!(stored.time_unix_nano > 1_700_000_000_000_000_000);
    let other = Event { kind: "ORDER.SENT".into(), ..stored };
    assert!(other.decode::<Paid>().is_none());
}

#[test]
fn a_flush_and_a_close_tell_what_the_store_did_not_take() {
    let store = Scripted::default();
    let events = Events::new(store.clone(), patient());
    store.fail(AppendError::Failed("the disk is gone".into()));
    drop(events.emit(NewEvent::new("E")).unwrap());
    let error = events.flush(PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "1 events could not be stored");
    events.flush(PATIENCE).unwrap();
    // Also what was lost before anybody asked, and whatever the store said.
    store.fail(AppendError::Full("no room".into()));
    assert!(events.emit_batch(vec![NewEvent::new("E"), NewEvent::new("F")]).unwrap().wait(PATIENCE).is_err());
    drop(events.emit(NewEvent::new("G")).unwrap());
    assert_eq!(events.close(PATIENCE).unwrap_err().to_string(), "2 events could not be stored");
    events.close(PATIENCE).unwrap();
    assert_eq!(kinds(&events), ["G"]);
}

/// So many seconds after 1970.
struct At(u64);

impl TimeOfDay for At {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

#[test]
fn what_is_older_than_the_retention_is_deleted() {
    let second = |n: u64| super::event("A", &[], n * 1_000_000_000);
    let filled = || {
        let store = MemoryStore::default();
        store.append((0..4).map(second).collect(), None).unwrap();
        store
    };
    for (retention, kept) in [(None, vec![1, 2, 3, 4, 5]), (Some(98), vec![3, 4, 5]), (Some(1), vec![5])] {
        let retention = retention.map(Duration::from_secs);
        let options = EventsOptions { retention, time: Box::new(At(100)), ..EventsOptions::default() };
        let events = Events::new(filled(), options);
        // It is looked for what is too old before anything is written.
        let last = events.emit_batch(vec![NewEvent::new("B")]).unwrap().wait(PATIENCE).unwrap();
        let left = positions(&events.read(&Query::everything(), &Page::default()).unwrap());
        assert_eq!((last, left), (5, kept), "{retention:?}");
    }
    let events = Events::new(filled(), EventsOptions::default());
    assert_eq!(events.delete_before(At(2).now()).unwrap(), 2);
    // A store that keeps everything says so, and goes on.
    let options = EventsOptions { retention: Some(Duration::ZERO), ..EventsOptions::default() };
    let events = Events::new(Scripted::default(), options);
    assert_eq!(events.emit_batch(vec![NewEvent::new("A")]).unwrap().wait(PATIENCE).unwrap(), 1);
    let refused = events.delete_before(SystemTime::now()).unwrap_err();
    assert_eq!(refused.to_string(), "this store does not delete events");
}
