//! Telling: in order, isolated, nothing missed.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::Mutex;

use super::PATIENCE;
use crate::events::{
    Event, Events, EventsOptions, FileStore, MemoryStore, NewEvent, Pattern, Start, SubscribeError,
    Subscription,
};

fn emit(events: &Events, kinds: &[&str]) {
    let batch = kinds.iter().map(|kind| NewEvent::new(*kind)).collect();
    events.emit_batch(batch).unwrap().wait(PATIENCE).unwrap();
}

/// Kinds as they are told.
fn listen(events: &Events, pattern: &str, start: Start) -> (Subscription, Receiver<String>) {
    let (sender, receiver) = sync_channel(1000);
    let callback = move |event: &Event| sender.send(event.kind.clone()).unwrap();
    (events.subscribe(pattern.parse().unwrap(), start, callback).unwrap(), receiver)
}

fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn subscribers_hear_what_they_asked_for_in_order() {
    let events = Events::new(MemoryStore::default(), EventsOptions::default());
    emit(&events, &["OLD.A"]);
    let (_all, all) = listen(&events, "*", Start::Now);
    let (_orders, orders) = listen(&events, "ORDER.*", Start::Now);
    let (replay, from_first) = listen(&events, "*", Start::After(0));
    emit(&events, &["ORDER.A", "USER.A"]);
    emit(&events, &["ORDER.B"]);
    assert_eq!([next(&all), next(&all), next(&all)], ["ORDER.A", "USER.A", "ORDER.B"]);
    assert_eq!([next(&orders), next(&orders)], ["ORDER.A", "ORDER.B"]);
    assert_eq!(
        (0..4).map(|_| next(&from_first)).collect::<Vec<_>>(),
        ["OLD.A", "ORDER.A", "USER.A", "ORDER.B"]
    );
    assert_eq!(events.health().subscribers, 3);
    drop(replay);
    emit(&events, &["ORDER.C"]);
    assert_eq!(next(&all), "ORDER.C");
    assert!(from_first.recv_timeout(PATIENCE).is_err(), "it hears no more, and its thread is gone");
}

#[test]
fn one_that_panics_or_blocks_disturbs_nobody_and_misses_nothing() {
    let events = Events::new(MemoryStore::default(), EventsOptions::default());
    let (sender, panicking) = sync_channel(1000);
    let panics = move |event: &Event| {
        sender.send(event.kind.clone()).unwrap();
        assert!(event.kind != "E0", "on purpose");
    };
    let _panics = events.subscribe(Pattern::everything(), Start::Now, panics).unwrap();
    // Blocks until somebody takes what it says, one at a time.
    let (sender, slow) = sync_channel(0);
    let blocks = move |event: &Event| drop(sender.send(event.kind.clone()));
    let _blocks = events.subscribe(Pattern::everything(), Start::Now, blocks).unwrap();
    let (_fine, fine) = listen(&events, "*", Start::Now);
    let kinds: Vec<_> = (0..600).map(|n| format!("E{n}")).collect();
    for kind in &kinds {
        emit(&events, &[kind]);
    }
    let heard = |told: &Receiver<String>| (0..600).map(|_| next(told)).collect::<Vec<_>>();
    assert_eq!(heard(&fine), kinds);
    assert_eq!(heard(&panicking), kinds);
    assert_eq!(heard(&slow), kinds, "however late");
}

#[test]
fn no_more_may_subscribe_than_said_and_none_after_the_end() {
    let options = EventsOptions { subscribers_max: 1, ..EventsOptions::default() };
    let events = Events::new(MemoryStore::default(), options);
    let (first, told) = listen(&events, "*", Start::Now);
    let second = events.subscribe(Pattern::everything(), Start::Now, |_| {});
    assert!(matches!(second, Err(SubscribeError::TooMany(1))));
    drop(first);
    // Its thread is gone, which drops what it says, and its place is free.
    assert!(told.try_recv().is_err());
    assert_eq!(events.health().subscribers, 0);
    let (_again, told) = listen(&events, "*", Start::Now);
    events.close(PATIENCE).unwrap();
    assert!(told.recv_timeout(PATIENCE).is_err());
    let late = events.subscribe(Pattern::everything(), Start::Now, |_| {});
    assert!(matches!(late, Err(SubscribeError::Closed)));
}

#[test]
fn where_a_subscriber_is_can_be_kept_and_gone_on_from() {
    let events = Events::new(MemoryStore::default(), EventsOptions::default());
    let (first, told) = listen(&events, "*", Start::Now);
    emit(&events, &["A", "B"]);
    next(&told);
    next(&told);
    // The position is known a moment after the call.
    while first.position() < 2 {
        std::thread::yield_now();
    }
    let position = first.position();
    drop(first);
    emit(&events, &["C"]);
    let (_second, told) = listen(&events, "*", Start::After(position));
    assert_eq!(next(&told), "C");
}

/// What a call holds, and the file of the store, are free when whoever ends it goes on.
#[test]
fn the_end_of_a_subscription_waits_for_the_call_that_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    for by_close in [false, true] {
        let events = Events::new(FileStore::open(&path, Default::default()).unwrap(), Default::default());
        let (begin, has_begun) = sync_channel(0);
        let (go, goes_on) = sync_channel(0);
        let held = Arc::new(());
        let known = Arc::downgrade(&held);
        let callback = move |_: &Event| {
            let _held = &held;
            begin.send(()).unwrap();
            goes_on.iter().for_each(drop);
        };
        let mut subscription = Some(events.subscribe(Pattern::everything(), Start::Now, callback).unwrap());
        emit(&events, &["A"]);
        has_begun.recv().unwrap();
        // It takes a while, which has only begun when it is to end.
        let going = thread::spawn(move || (0..20_000).for_each(|_| go.send(()).unwrap()));
        if by_close {
            events.close(PATIENCE).unwrap();
        } else {
            drop(subscription.take());
        }
        assert_eq!(known.strong_count(), 0, "by close: {by_close}");
        drop(events);
        FileStore::open(&path, Default::default()).unwrap();
        going.join().unwrap();
    }
}

/// Who ends something from a call of it would wait for itself.
#[test]
fn a_call_may_end_its_own_subscription_and_the_events() {
    for whole in [false, true] {
        let events = Arc::new(Events::new(MemoryStore::default(), EventsOptions::default()));
        let own = Arc::new(Mutex::new(None::<Subscription>));
        let (tell, told) = sync_channel(10);
        let (subscription, bus): (_, Weak<Events>) = (own.clone(), Arc::downgrade(&events));
        let callback = move |event: &Event| {
            drop(subscription.lock().take());
            let closed = whole.then(|| bus.upgrade().unwrap().close(PATIENCE));
            tell.send((event.kind.clone(), closed)).unwrap();
        };
        let mut place = own.lock();
        *place = Some(events.subscribe(Pattern::everything(), Start::Now, callback).unwrap());
        emit(&events, &["A", "B"]);
        drop(place);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), ("A".to_owned(), whole.then_some(Ok(()))));
        assert!(told.recv_timeout(PATIENCE).is_err(), "that was the last, and its thread is gone");
    }
}
