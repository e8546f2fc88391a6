//! What every store does, for both.

use proptest::prelude::*;

use super::{event, positions};
use crate::events::{
    AppendError, Condition, Criterion, FileOptions, FileStore, MemoryStore, Page, Pattern, Query, Store,
};

/// Runs a check against each kind of store.
fn check(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::default());
    let folder = tempfile::tempdir().unwrap();
    check(&FileStore::open(folder.path().join("events"), FileOptions::default()).unwrap());
}

fn of_type(pattern: &str) -> Query {
    Query::any_of([Criterion::of_type(pattern).unwrap()])
}

#[test]
fn events_are_read_by_type_tags_time_and_page() {
    check(|store| {
        let events = vec![
            event("ORDER.PLACED", &[("order", "1"), ("user", "ann")], 10),
            event("ORDER.PAID", &[("order", "1")], 20),
            event("ORDER.PLACED", &[("order", "2"), ("user", "ann")], 30),
            event("USER.NAMED", &[("user", "ann")], 40),
        ];
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        assert_eq!(store.append(events, None).unwrap(), [1, 2, 3, 4]);
        let read = |query: &Query, page: Page| positions(&store.read(query, &page).unwrap());
        assert_eq!(read(&Query::everything(), Page::default()), [1, 2, 3, 4]);
        assert_eq!(read(&of_type("ORDER.PLACED"), Page::default()), [1, 3]);
        assert_eq!(read(&of_type("ORDER.*"), Page::default()), [1, 2, 3]);
        let placed_by_ann = Criterion::of_type("ORDER.*").unwrap().tag("user", "ann");
        assert_eq!(read(&Query::any_of([placed_by_ann.clone()]), Page::default()), [1, 3]);
        let either = Query::any_of([placed_by_ann, Criterion::default().tag("order", "1")]);
        assert_eq!(read(&either, Page::default()), [1, 2, 3], "each once, in order");
        assert_eq!(read(&Query::any_of([]), Page::default()), [0; 0]);
        let both = Criterion::default().tag("order", "2").tag("user", "ann");
        assert_eq!(read(&Query::any_of([both]), Page::default()), [3]);
        let all = Query::everything();
        assert_eq!(read(&all, Page { after: 2, ..Page::default() }), [3, 4]);
        assert_eq!(read(&all, Page { since: Some(20), until: Some(40), ..Page::default() }), [2, 3]);
        assert_eq!(read(&all, Page { offset: 1, limit: 2, ..Page::default() }), [2, 3]);
        assert_eq!(store.get(ids[2]).unwrap().unwrap().position, 3);
        assert_eq!(store.get(uuid::Uuid::now_v7()).unwrap(), None);
    });
}

#[test]
fn an_append_fails_on_what_came_in_between_and_stores_nothing() {
    check(|store| {
        store.append(vec![event("SEAT.TAKEN", &[("seat", "1")], 0)], None).unwrap();
        let taken = |seat: &str| Query::any_of([Criterion::of_type("SEAT.*").unwrap().tag("seat", seat)]);
        let append = |seat: &str, after: u64| {
            let condition = Condition { none_of: taken(seat), after };
            let events = vec![event("SEAT.TAKEN", &[("seat", seat)], 0), event("MAIL.SENT", &[], 0)];
            store.append(events, Some(&condition))
        };
        assert!(matches!(append("1", 0), Err(AppendError::Conflict { position: 1 })));
        assert_eq!(store.head(), 1);
        assert_eq!(append("1", 1).unwrap(), [2, 3], "what was known does not stand in the way");
        assert_eq!(append("2", 0).unwrap(), [4, 5], "nor does another seat");
    });
}

#[test]
fn the_same_id_is_stored_once_and_a_retry_succeeds() {
    check(|store| {
        let first = event("A", &[], 0);
        let condition = Condition { none_of: of_type("A"), after: 0 };
        assert_eq!(store.append(vec![first.clone()], Some(&condition)).unwrap(), [1]);
        // The answer was lost and the sender tries again: its own event is no conflict.
        assert_eq!(store.append(vec![first.clone()], Some(&condition)).unwrap(), [1]);
        assert_eq!(store.append(vec![first.clone(), event("B", &[], 0), first], None).unwrap(), [1, 2, 1]);
        assert_eq!(store.head(), 2);
    });
}

/// Many decide at once, each on what it read; never do two decide on the same.
#[test]
fn of_many_at_once_one_wins_each_round() {
    check(|store| {
        let query = of_type("COUNTER.RAISED");
        let wins: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut wins = 0;
                        for _ in 0..25 {
                            let known = store.read(&query, &Page::default()).unwrap();
                            let after = known.last().map_or(0, |event| event.position);
                            let mut next = event("COUNTER.RAISED", &[], 0);
                            next.data = (known.len() + 1).into();
                            let condition = Condition { none_of: query.clone(), after };
                            wins += usize::from(store.append(vec![next], Some(&condition)).is_ok());
                        }
                        wins
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let events = store.read(&query, &Page::default()).unwrap();
        assert_eq!(events.len(), wins);
        let counted: Vec<_> = events.iter().map(|event| event.data.as_u64().unwrap()).collect();
        assert_eq!(counted, (1..=wins as u64).collect::<Vec<_>>(), "nobody counted on an old number");
    });
}

#[test]
fn a_full_store_says_so() {
    let small = MemoryStore::new(2);
    small.append(vec![event("A", &[], 0)], None).unwrap();
    let two = || vec![event("A", &[], 0), event("A", &[], 0)];
    assert!(matches!(small.append(two(), None), Err(AppendError::Full(_))));
    assert_eq!(small.head(), 1);
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, options| FileStore::open(folder.path().join(name), options).unwrap();
    let few = open("few", FileOptions { events_max: 1, ..FileOptions::default() });
    assert!(matches!(few.append(two(), None), Err(AppendError::Full(_))));
    let short = open("short", FileOptions { bytes_max: 100, ..FileOptions::default() });
    let empty = std::fs::metadata(folder.path().join("short")).unwrap().len();
    assert!(matches!(short.append(two(), None), Err(AppendError::Full(_))));
    assert_eq!(std::fs::metadata(folder.path().join("short")).unwrap().len(), empty);
}

#[test]
fn patterns_go_by_parts() {
    let cases = [
        ("*", "A.B.C", true),
        ("A.*", "A.B", true),
        ("A.*", "A", false),
        ("A.*", "A.B.C", false),
        ("A.*", "AX.B", false),
        ("A.**", "A.B.C", true),
        ("A.**", "A", false),
        ("**", "A.B", true),
        ("*.B", "A.B", true),
        ("*.*", "A", false),
        ("A.B", "A.B", true),
        ("A.B", "AxB", false),
        ("a", "A", false),
    ];
    for (pattern, kind, expected) in cases {
        assert_eq!(pattern.parse::<Pattern>().unwrap().matches(kind), expected, "{pattern} {kind}");
    }
    for wrong in ["", ".", "A.", ".A", "A..B", "A*", "**.A", "A B", "ä", &"A".repeat(201)] {
        assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
    }
}

/// A small world of types and tags, so that criteria overlap.
fn any_event() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
    (0..4_usize, prop::collection::vec((0..2_usize, 0..3_usize), 0..3))
}

fn any_criterion() -> impl Strategy<Value = (Vec<usize>, Vec<(usize, usize)>)> {
    (prop::collection::vec(0..5_usize, 0..3), prop::collection::vec((0..2_usize, 0..3_usize), 0..3))
}

proptest! {
    /// The index finds what looking at every event finds.
    #[test]
    fn the_index_agrees_with_a_scan(
        events in prop::collection::vec(any_event(), 0..40),
        criteria in prop::collection::vec(any_criterion(), 0..3),
        after in 0..45_u64,
    ) {
        const TYPES: [&str; 5] = ["A", "A.B", "A.C", "D", "A.*"];
        const NAMES: [&str; 2] = ["x", "y"];
        const VALUES: [&str; 3] = ["1", "2", "3"];
        let store = MemoryStore::default();
        for (kind, tags) in &events {
            let tags: Vec<_> = tags.iter().map(|(name, value)| (NAMES[*name], VALUES[*value])).collect();
            store.append(vec![event(TYPES[*kind], &tags, 0)], None).unwrap();
        }
        let criteria = criteria.iter().map(|(types, tags)| Criterion {
            types: types.iter().map(|it| TYPES[*it].parse().unwrap()).collect(),
            tags: tags.iter().map(|(name, value)| (NAMES[*name].into(), VALUES[*value].into())).collect(),
        });
        let query = Query::any_of(criteria);
        let all = store.read(&Query::everything(), &Page::default()).unwrap();
        let expected: Vec<_> =
            all.iter().filter(|it| it.position > after && query.matches(it)).map(|it| it.position).collect();
        let page = Page { after, ..Page::default() };
        prop_assert_eq!(positions(&store.read(&query, &page).unwrap()), expected.clone());
        let outcome = store.append(vec![event("NEW", &[], 0)], Some(&Condition { none_of: query, after }));
        match expected.first() {
            None => prop_assert!(outcome.is_ok()),
            Some(first) => {
                let conflict = matches!(outcome, Err(AppendError::Conflict { position }) if position == *first);
                prop_assert!(conflict);
            }
        }
    }
}

/// By the prefix: what is behind one that stays, stays.
#[test]
fn the_first_events_are_deleted_by_their_time_and_the_others_keep_their_positions() {
    check(|store| {
        let append = |kind: &str, tag: &str, time| {
            let stored = event(kind, &[("n", tag)], time);
            let id = stored.id;
            store.append(vec![stored], None).unwrap();
            id
        };
        let gone = append("A", "1", 10);
        append("B", "1", 20);
        let kept = append("A", "1", 30);
        append("B", "2", 15);
        let read = |query: &Query, after: u64| {
            positions(&store.read(query, &Page { after, ..Page::default() }).unwrap())
        };
        assert_eq!(store.delete_before(10).unwrap(), 0, "none is older");
        assert_eq!(store.delete_before(25).unwrap(), 2);
        assert_eq!(store.delete_before(25).unwrap(), 0, "they are gone");
        let tagged = Query::any_of([Criterion::default().tag("n", "1")]);
        for after in 0..3 {
            assert_eq!(read(&Query::everything(), after), [3, 4]);
            assert_eq!((read(&of_type("A"), after), read(&of_type("*"), after)), (vec![3], vec![3, 4]));
            assert_eq!(read(&tagged, after), [3]);
        }
        assert_eq!(store.get(gone).unwrap(), None);
        assert_eq!(store.get(kept).unwrap().unwrap().position, 3);
        let in_time = Page { until: Some(20), ..Page::default() };
        assert_eq!(positions(&store.read(&Query::everything(), &in_time).unwrap()), [4]);
        // No condition sees what is gone, and all of them what is not.
        let condition = |kind: &str| Condition { none_of: of_type(kind), after: 0 };
        let conflict = store.append(vec![event("C", &[], 40)], Some(&condition("A"))).unwrap_err();
        assert!(matches!(conflict, AppendError::Conflict { position: 3 }), "{conflict}");
        assert_eq!(store.append(vec![event("C", &[], 40)], Some(&condition("C"))).unwrap(), [5]);
        assert_eq!(store.delete_before(u64::MAX).unwrap(), 3);
        assert_eq!((read(&Query::everything(), 0), store.head()), (vec![], 5));
        assert_eq!(store.append(vec![event("D", &[], 50)], Some(&condition("A"))).unwrap(), [6]);
        assert_eq!(read(&Query::everything(), 5), [6]);
    });
}

#[test]
fn room_that_was_deleted_can_be_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = FileOptions { events_max: 3, ..FileOptions::default() };
    let file = FileStore::open(folder.path().join("events"), options).unwrap();
    for store in [&MemoryStore::new(3) as &dyn Store, &file] {
        for time in 0..3 {
            store.append(vec![event("A", &[], time)], None).unwrap();
        }
        let full = store.append(vec![event("A", &[], 3)], None).unwrap_err();
        assert!(matches!(full, AppendError::Full(_)), "{full}");
        assert_eq!(store.delete_before(1).unwrap(), 1);
        assert_eq!(store.append(vec![event("A", &[], 3)], None).unwrap(), [4]);
    }
}
