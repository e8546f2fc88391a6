//! What new segments are called: their names sort by when they were made, whatever the clock says.
//!
//! Enters: the clock, and the youngest name that a start finds. Leaves: ids that are UUIDs of version 7.
//! Must hold: an id is younger than every id that was given out before, of this process and of those whose
//! segments are there. What a start decides of segments that no commit names stands on it
//! ([`crate::rebuild`]).

use std::sync::atomic::{AtomicI64, Ordering};

use uuid::{NoContext, Timestamp, Uuid};

/// The last moment that was given out, in milliseconds since 1970-01-01 UTC.
#[derive(Debug)]
pub(crate) struct Names(AtomicI64);

/// A moment of which all that is named is younger than what was named before: what one seal writes is of
/// one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(i64);

impl Names {
    /// Of a store whose youngest segment was made then.
    pub(crate) fn after(youngest_ms: i64) -> Self {
        Self(AtomicI64::new(youngest_ms))
    }

    /// Now, or the millisecond behind the last moment where the clock does not say a later one.
    pub(crate) fn moment(&self, now_ms: i64) -> Moment {
        let next = |last: i64| now_ms.max(last.saturating_add(1));
        Moment(next(self.0.update(Ordering::Relaxed, Ordering::Relaxed, next)))
    }
}

impl Moment {
    /// An id that nothing else has.
    pub(crate) fn id(self) -> String {
        let millis = u64::try_from(self.0).unwrap_or(0);
        let nanos = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
        Uuid::new_v7(Timestamp::from_unix(NoContext, millis / 1000, nanos)).to_string()
    }
}

/// The moment that an id is of, in milliseconds since 1970-01-01 UTC.
pub(crate) fn made_ms(id: &str) -> Option<i64> {
    let (seconds, nanos) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds * 1000 + u64::from(nanos) / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_later_name_is_younger_also_when_the_clock_stands_or_goes_back() {
        let names = Names::after(1_000);
        let ids = [5_000, 5_000, 200, 7_000, 0].map(|now| names.moment(now).id());
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids.map(|id| made_ms(&id).unwrap()), [5_000, 5_001, 5_002, 7_000, 7_001]);
        let names = Names::after(7_001);
        assert_eq!(made_ms(&names.moment(300).id()), Some(7_002));
    }

    #[test]
    fn names_of_one_moment_differ() {
        let moment = Names::after(0).moment(9);
        assert_ne!(moment.id(), moment.id());
    }
}
