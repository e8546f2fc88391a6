use std::collections::BTreeMap;

use super::event::Event;
use super::pattern::{Pattern, PatternError};

/// Events of one of some types that have all of some tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criterion {
    /// One of these; any type if there are none.
    pub types: Vec<Pattern>,
    /// All of these.
    pub tags: BTreeMap<String, String>,
}

impl Criterion {
    /// Events of one type, or of a pattern of types.
    ///
    /// # Errors
    /// It is none.
    pub fn of_type(pattern: &str) -> Result<Self, PatternError> {
        Ok(Self { types: vec![pattern.parse()?], tags: BTreeMap::new() })
    }

    /// Of this type or pattern as well.
    ///
    /// # Errors
    /// It is none.
    pub fn or_type(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.types.push(pattern.parse()?);
        Ok(self)
    }

    /// About this too.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    pub(super) fn matches(&self, event: &Event) -> bool {
        let of_type = self.types.is_empty() || self.types.iter().any(|it| it.matches(&event.kind));
        of_type && self.tags.iter().all(|(name, value)| event.tags.get(name) == Some(value))
    }
}

/// Which events are meant: those that fit one of the criteria.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(super) criteria: Vec<Criterion>,
}

impl Query {
    /// All events.
    pub fn everything() -> Self {
        Self { criteria: vec![Criterion::default()] }
    }

    /// Those that fit one of these; none if there are none.
    pub fn any_of(criteria: impl IntoIterator<Item = Criterion>) -> Self {
        Self { criteria: criteria.into_iter().collect() }
    }

    /// Whether an event is meant.
    pub fn matches(&self, event: &Event) -> bool {
        self.criteria.iter().any(|criterion| criterion.matches(event))
    }
}

/// Which of the events that a query means are read, in the order of their positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only those after this position; 0 is from the first.
    pub after: u64,
    /// Only those taken in at this time or later, in nanoseconds since 1970.
    pub since: Option<u64>,
    /// Only those taken in before this time, in nanoseconds since 1970.
    pub until: Option<u64>,
    /// So many of them are skipped.
    pub offset: usize,
    /// No more than so many; 1,000.
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: 0, since: None, until: None, offset: 0, limit: 1000 }
    }
}

impl Page {
    pub(super) fn is_in_time(&self, time_unix_nano: u64) -> bool {
        let since = self.since.is_none_or(|since| time_unix_nano >= since);
        since && self.until.is_none_or(|until| time_unix_nano < until)
    }
}

/// Under which an append goes through: no event that the query means was stored after the position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// None of these may have come.
    pub none_of: Query,
    /// Since this position: the head when the decision was read, or the position of the last event
    /// that it saw; 0 means ever.
    pub after: u64,
}
