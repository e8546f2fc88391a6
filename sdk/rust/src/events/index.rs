use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::event::Event;
use super::query::{Condition, Criterion, Page, Query};

/// Finds positions by id, type and tags. What is kept of an event is what it is found by.
#[derive(Default)]
pub(super) struct Index {
    by_id: HashMap<Uuid, u64>,
    by_type: HashMap<Box<str>, Vec<u64>>,
    by_tag: HashMap<(Box<str>, Box<str>), Vec<u64>>,
    /// The position of the last event that was deleted; 0 if none was.
    deleted: u64,
    /// Of those after it.
    times: Vec<u64>,
}

impl Index {
    /// Of a store whose events up to this position were deleted.
    pub(super) fn after(deleted: u64) -> Self {
        Self { deleted, ..Self::default() }
    }

    pub(super) fn head(&self) -> u64 {
        self.deleted + self.times.len() as u64
    }

    /// The position of the last event that was deleted.
    pub(super) fn deleted(&self) -> u64 {
        self.deleted
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The place of an event among those that are left.
    pub(super) fn place(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.deleted + 1)?).ok()
    }

    /// How many of the first events were taken in before this time.
    pub(super) fn count_before(&self, time_unix_nano: u64) -> usize {
        self.times.iter().take_while(|time| **time < time_unix_nano).count()
    }

    /// Forgets so many of the first events.
    pub(super) fn delete(&mut self, count: usize) {
        self.times.drain(..count);
        self.deleted += count as u64;
        let deleted = self.deleted;
        self.by_id.retain(|_, position| *position > deleted);
        let trim = |list: &mut Vec<u64>| {
            list.drain(..list.partition_point(|position| *position <= deleted));
            !list.is_empty()
        };
        self.by_type.retain(|_, list| trim(list));
        self.by_tag.retain(|_, list| trim(list));
    }

    pub(super) fn position(&self, id: Uuid) -> Option<u64> {
        self.by_id.get(&id).copied()
    }

    /// The next event. Its position is the one after the head.
    pub(super) fn push(&mut self, event: &Event) {
        let position = event.position;
        self.by_id.insert(event.id, position);
        list(&mut self.by_type, event.kind.as_str().into()).push(position);
        for (name, value) in &event.tags {
            list(&mut self.by_tag, (name.as_str().into(), value.as_str().into())).push(position);
        }
        self.times.push(event.time_unix_nano);
    }

    /// The positions of events that are all stored.
    pub(super) fn positions_of(&self, ids: &[Uuid]) -> Vec<u64> {
        ids.iter().filter_map(|id| self.position(*id)).collect()
    }

    /// Where a condition does not hold, at the first such position.
    pub(super) fn conflict(&self, condition: &Condition) -> Option<u64> {
        self.positions(&condition.none_of, condition.after).into_iter().next()
    }

    /// The positions of a page.
    pub(super) fn page(&self, query: &Query, page: &Page) -> Vec<u64> {
        let found = self.positions(query, page.after).into_iter();
        let in_time = |position: &u64| {
            let time = self.place(*position).and_then(|place| self.times.get(place));
            time.is_some_and(|time| page.is_in_time(*time))
        };
        found.filter(in_time).skip(page.offset).take(page.limit).collect()
    }

    fn positions(&self, query: &Query, after: u64) -> BTreeSet<u64> {
        query.criteria.iter().flat_map(|criterion| self.fitting(criterion, after)).collect()
    }

    fn fitting(&self, criterion: &Criterion, after: u64) -> Vec<u64> {
        let mut lists: Vec<Vec<&[u64]>> = Vec::new();
        for (name, value) in &criterion.tags {
            let key = (name.as_str().into(), value.as_str().into());
            lists.push(self.by_tag.get(&key).map(Vec::as_slice).into_iter().collect());
        }
        if !criterion.types.is_empty() {
            lists.push(self.of_types(criterion));
        }
        let Some(first) =
            lists.iter().position(|it| Some(count(it)) == lists.iter().map(|it| count(it)).min())
        else {
            return (after.max(self.deleted) + 1..=self.head()).collect();
        };
        let shortest = lists.swap_remove(first);
        let is_in =
            |position: &u64, list: &[&[u64]]| list.iter().any(|it| it.binary_search(position).is_ok());
        let later = shortest.into_iter().flat_map(|list| &list[list.partition_point(|it| *it <= after)..]);
        later.filter(|position| lists.iter().all(|list| is_in(position, list))).copied().collect()
    }

    fn of_types(&self, criterion: &Criterion) -> Vec<&[u64]> {
        let mut lists = Vec::new();
        for pattern in &criterion.types {
            match pattern.exact() {
                Some(kind) => lists.extend(self.by_type.get(kind).map(Vec::as_slice)),
                None => {
                    let meant = self.by_type.iter().filter(|(kind, _)| pattern.matches(kind));
                    lists.extend(meant.map(|(_, list)| list.as_slice()));
                }
            }
        }
        lists
    }
}

fn count(lists: &[&[u64]]) -> usize {
    lists.iter().map(|list| list.len()).sum()
}

fn list<K: std::hash::Hash + Eq>(lists: &mut HashMap<K, Vec<u64>>, key: K) -> &mut Vec<u64> {
    lists.entry(key).or_default()
}

/// What of an append is to be stored, with its positions; or that all of it is stored already.
pub(super) fn admit(
    index: &Index,
    events: Vec<Event>,
    condition: Option<&Condition>,
) -> Result<Vec<Event>, u64> {
    let mut ids = std::collections::HashSet::new();
    let mut fresh: Vec<_> =
        events.into_iter().filter(|it| index.position(it.id).is_none() && ids.insert(it.id)).collect();
    if let Some(position) = condition.filter(|_| !fresh.is_empty()).and_then(|it| index.conflict(it)) {
        return Err(position);
    }
    for (event, position) in fresh.iter_mut().zip(index.head() + 1..) {
        event.position = position;
    }
    Ok(fresh)
}
