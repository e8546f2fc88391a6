//! The calls that a closed breaker remembers: the last so many, or those of the last so long.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Parts into which a window of time is divided: one falls out at a time.
const PARTS: u32 = 10;

/// Which calls count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many; 0 counts as 1.
    Calls(u32),
    /// Those of the last so long, to a tenth of it; less than 10 ns counts as 10 ns.
    Time(Duration),
}

/// How one call went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// What the calls come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

impl Totals {
    fn add(&mut self, sample: Sample) {
        self.calls += 1;
        self.failed += u64::from(sample.failed);
        self.slow += u64::from(sample.slow);
    }

    fn subtract(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

#[derive(Debug)]
pub(super) struct Recent {
    totals: Totals,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Calls { samples: VecDeque<Sample>, max: usize },
    Time { parts: VecDeque<(u64, Totals)>, origin: Instant, part: Duration },
}

impl Recent {
    pub(super) fn new(window: Window, now: Instant) -> Self {
        let kept = match window {
            Window::Calls(max) => Kept::Calls { samples: VecDeque::new(), max: max.max(1) as usize },
            Window::Time(span) => {
                let part = (span / PARTS).max(Duration::from_nanos(1));
                Kept::Time { parts: VecDeque::new(), origin: now, part }
            }
        };
        Self { totals: Totals::default(), kept }
    }

    /// One more call; what is too old is forgotten.
    pub(super) fn add(&mut self, sample: Sample, now: Instant) -> Totals {
        self.totals.add(sample);
        match &mut self.kept {
            Kept::Calls { samples, max } => {
                samples.push_back(sample);
                while samples.len() > *max {
                    let mut old = Totals::default();
                    samples.pop_front().into_iter().for_each(|sample| old.add(sample));
                    self.totals.subtract(old);
                }
            }
            Kept::Time { parts, origin, part } => {
                let elapsed = now.saturating_duration_since(*origin).as_nanos();
                let index = u64::try_from(elapsed / part.as_nanos()).unwrap_or(u64::MAX);
                match parts.back_mut() {
                    // Threads may come late with their time: it counts in the last part.
                    Some((last, totals)) if *last >= index => totals.add(sample),
                    _ => {
                        let mut totals = Totals::default();
                        totals.add(sample);
                        parts.push_back((index, totals));
                    }
                }
                while parts.front().is_some_and(|(first, _)| first + u64::from(PARTS) <= index) {
                    parts.pop_front().into_iter().for_each(|(_, old)| self.totals.subtract(old));
                }
            }
        }
        self.totals
    }
}
