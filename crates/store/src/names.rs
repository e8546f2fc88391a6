//! What new segments are called: their names sort by when they were made, whatever the clock says.
//!
//! Enters: the clock, and the youngest name that a start finds. Leaves: ids that are UUIDs of version 7.
//! Must hold: an id is younger than every id that was given out before, of this process and of those before
//! it. What a start decides of segments that no commit names stands on it ([`crate::rebuild`]). A bucket may
//! not say what lies there, and what was sent to it may be there later: so the manifest says up to which
//! moment names may have been given out.

use parking_lot::Mutex;
use uuid::{NoContext, Timestamp, Uuid};

use crate::error::WorkError;

/// For how long names may be given out until the manifest has to say so again.
const NOTED_MS: i64 = 10_000;

/// The moments that were given out, in milliseconds since 1970-01-01 UTC.
#[derive(Debug)]
pub(crate) struct Names(Mutex<Given>);

#[derive(Debug)]
struct Given {
    last_ms: i64,
    /// Until here the manifest knows of them.
    noted_ms: i64,
}

/// A moment of which all that is named is younger than what was named before: what one seal writes is of
/// one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(i64);

impl Names {
    /// Of a store whose youngest segment was made then.
    pub(crate) fn after(youngest_ms: i64) -> Self {
        Self(Mutex::new(Given { last_ms: youngest_ms, noted_ms: youngest_ms }))
    }

    /// Now, or the millisecond behind the last moment where the clock does not say a later one. Where it has
    /// to, it has `note` make durable until when names may be given out from now on.
    ///
    /// # Errors
    /// Those of `note`; then nothing was given out.
    pub(crate) fn moment(
        &self,
        now_ms: i64,
        note: impl FnOnce(i64) -> Result<(), WorkError>,
    ) -> Result<Moment, WorkError> {
        let mut given = self.0.lock();
        let next = now_ms.max(given.last_ms.saturating_add(1));
        if next > given.noted_ms {
            let until = next.saturating_add(NOTED_MS);
            note(until)?;
            given.noted_ms = until;
        }
        given.last_ms = next;
        Ok(Moment(next))
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

    fn moment(names: &Names, now_ms: i64) -> Moment {
        names.moment(now_ms, |_| Ok(())).unwrap()
    }

    #[test]
    fn a_later_name_is_younger_also_when_the_clock_stands_or_goes_back() {
        let names = Names::after(1_000);
        let ids = [5_000, 5_000, 200, 7_000, 0].map(|now| moment(&names, now).id());
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids.map(|id| made_ms(&id).unwrap()), [5_000, 5_001, 5_002, 7_000, 7_001]);
        let names = Names::after(7_001);
        assert_eq!(made_ms(&moment(&names, 300).id()), Some(7_002));
    }

    #[test]
    fn names_of_one_moment_differ() {
        let moment = moment(&Names::after(0), 9);
        assert_ne!(moment.id(), moment.id());
    }

    #[test]
    fn no_name_is_beyond_what_was_noted() {
        let names = Names::after(1_000);
        let mut noted = Vec::new();
        for now in [900, 5_000, 11_001, 11_002, 30_000, 2] {
            let moment = names.moment(now, |until| {
                noted.push(until);
                Ok(())
            });
            assert!(moment.unwrap().0 <= *noted.last().unwrap(), "{now}: {noted:?}");
        }
        assert_eq!(noted, [11_001, 21_002, 40_000]);
        // Where it cannot be noted nothing is given out, and it is tried again.
        let full = || WorkError::Write { path: String::new(), source: "full".into() };
        assert!(names.moment(50_000, |_| Err(full())).is_err());
        assert_eq!(made_ms(&moment(&names, 0).id()), Some(30_002));
    }
}
