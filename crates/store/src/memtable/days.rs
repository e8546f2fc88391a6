use std::collections::HashSet;

/// Which series have a row in the table `series`, and for which days.
#[derive(Debug, Default)]
pub(crate) struct SeriesDays {
    /// The first of the days that have a bit, once one is known.
    first: Option<i32>,
    /// Per series one bit a day.
    bits: Vec<u64>,
    /// Days outside of that window: of clocks that are wrong, or long ago.
    others: HashSet<(u32, i32)>,
}

/// Days of the window that lie before the first day that was seen.
const DAYS_BEFORE: i32 = 24;

/// Most days outside of the window that are remembered. A series that is forgotten gets a second
/// row for its day, which readers have to expect anyway.
const OTHERS_MAX: usize = 1 << 20;

impl SeriesDays {
    /// Notes that the series has a row for the day; whether that is new.
    pub(crate) fn insert(&mut self, series: u32, day: i32) -> bool {
        let first = *self.first.get_or_insert(day.saturating_sub(DAYS_BEFORE));
        let offset = i64::from(day) - i64::from(first);
        let Some(bit) = u32::try_from(offset).ok().and_then(|offset| 1u64.checked_shl(offset)) else {
            if self.others.len() >= OTHERS_MAX {
                self.others.clear();
            }
            return self.others.insert((series, day));
        };
        let place = series as usize;
        if place >= self.bits.len() {
            self.bits.resize(place + 1, 0);
        }
        let new = self.bits[place] & bit == 0;
        self.bits[place] |= bit;
        new
    }

    /// How many series have a row for that day or a later one.
    pub(crate) fn count_since(&self, day: i32) -> usize {
        let Some(first) = self.first else { return 0 };
        let offset = (i64::from(day) - i64::from(first)).max(0);
        let Some(mask) = u32::try_from(offset).ok().and_then(|offset| u64::MAX.checked_shl(offset)) else {
            return 0;
        };
        self.bits.iter().filter(|bits| **bits & mask != 0).count()
    }
}
