use std::time::{SystemTime, UNIX_EPOCH};

/// A moment of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::logging) struct Moment {
    pub(in crate::logging) year: u64,
    pub(in crate::logging) month: u64,
    pub(in crate::logging) day: u64,
    /// Of the day.
    second: u64,
    nanos: u32,
}

impl Moment {
    /// What the clock says; one before 1970 is no clock.
    pub(in crate::logging) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        // Years begin in March here, so that the day of a leap year is the last one.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        Self { year, month, day, second, nanos: since.subsec_nanos() }
    }

    /// The days that two moments of one day share.
    pub(in crate::logging) fn date(self) -> (u64, u64, u64) {
        (self.year, self.month, self.day)
    }

    /// `2026-11-27T02:17:53.123456Z`.
    pub(in crate::logging) fn rfc3339(self) -> String {
        let Self { year, month, day, .. } = self;
        let (hour, minute, second) = self.time();
        let micros = self.nanos / 1000;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }

    /// `20261127T021753`, for names of files.
    pub(in crate::logging) fn compact(self) -> String {
        let Self { year, month, day, .. } = self;
        let (hour, minute, second) = self.time();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}")
    }

    fn time(self) -> (u64, u64, u64) {
        (self.second / 3600, self.second / 60 % 60, self.second % 60)
    }
}

/// A moment as ISO 8601 and RFC 3339 have it, in UTC, to the microsecond.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    Moment::of(time).rfc3339()
}

/// The day of a moment in UTC, `20261127`, for names of files.
#[cfg(feature = "events")]
pub(crate) fn compact_date(time: SystemTime) -> String {
    let (year, month, day) = Moment::of(time).date();
    format!("{year:04}{month:02}{day:02}")
}
