//! The calendar, in UTC.

use crate::engine::plan::DatePart;

/// A time on the (proleptic Gregorian) calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    /// Since 1970.
    days: i64,
}

impl Date {
    pub(crate) fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let rest = seconds.rem_euclid(86_400);
        // Eras of 400 years that begin in March, so that the day that is added ends a year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            days,
        }
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn days_in_month(self) -> i64 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.is_leap() => 29,
            2 => 28,
            _ => 31,
        }
    }

    fn day_of_year(self) -> i64 {
        const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let before = BEFORE.get((self.month - 1) as usize).copied().unwrap_or(0);
        before + self.day + i64::from(self.month > 2 && self.is_leap())
    }
}

/// A part of the time that a value stands for, in seconds since 1970. Beyond what fits into 64 bits
/// it is cut; a NaN is 1970.
pub(in crate::engine) fn part(part: DatePart, seconds: f64) -> f64 {
    let date = Date::from_seconds(seconds as i64);
    let number = match part {
        DatePart::DaysInMonth => date.days_in_month(),
        DatePart::DayOfMonth => date.day,
        // 1970 began on a Thursday.
        DatePart::DayOfWeek => (date.days + 4).rem_euclid(7),
        DatePart::DayOfYear => date.day_of_year(),
        DatePart::Hour => date.hour,
        DatePart::Minute => date.minute,
        DatePart::Month => date.month,
        DatePart::Year => date.year,
    };
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_holds_at_its_corners() {
        let date = |seconds| {
            let Date { year, month, day, .. } = Date::from_seconds(seconds);
            (year, month, day)
        };
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(-1), (1969, 12, 31));
        assert_eq!(date(951_782_400), (2000, 2, 29));
        assert_eq!(date(1_735_689_599), (2024, 12, 31));
        assert_eq!(part(DatePart::DayOfYear, 1_735_689_599.0), 366.0);
        assert_eq!(part(DatePart::DayOfWeek, -86_400.0), 3.0);
        for extreme in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert!(part(DatePart::Year, extreme).is_finite());
        }
    }
}
