//! A fleet of machines that are scraped every 15 seconds: the same values for every peer, however
//! they are sent.

use super::series::Series;
use crate::lookup::template::mix;

/// Time between two scrapes.
pub(crate) const STEP_MS: u64 = 15_000;

/// A machine and the state of its series.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Its number, which is in its name.
    pub(crate) number: u64,
    /// In the units of the series.
    now: Vec<i64>,
    chance: u64,
}

impl Machine {
    /// A machine before its first scrape.
    pub(crate) fn new(number: u64, series: &[Series]) -> Self {
        let start = |(index, series): (u64, &Series)| {
            let chance = mix(number << 32 | index);
            // A counter began at some time, a gauge is near its level.
            let level = series.moves.level;
            let begin = if series.moves.counter { chance % level.max(1) } else { level };
            i64::try_from(begin).unwrap_or(0)
        };
        Self { number, now: (0..).zip(series).map(start).collect(), chance: mix(number) | 1 }
    }

    /// The values of its next scrape, in the order of the series.
    pub(crate) fn scrape(&mut self, series: &[Series], values: &mut Vec<f64>) {
        values.clear();
        for (now, series) in self.now.iter_mut().zip(series) {
            let moves = &series.moves;
            if moves.pace > 0 {
                self.chance ^= self.chance << 13;
                self.chance ^= self.chance >> 7;
                self.chance ^= self.chance << 17;
                *now = moved(*now, moves, self.chance >> 16);
            }
            values.push(*now as f64 * f64::from(moves.unit) / f64::from(moves.per_one));
        }
    }
}

/// A counter grows by its pace at most; a gauge wanders, and is drawn back to its level.
fn moved(now: i64, moves: &super::series::Moves, chance: u64) -> i64 {
    let pace = i64::from(moves.pace);
    if moves.counter {
        // Machines are busy now and then.
        let idle = chance.is_multiple_of(3);
        let by = i64::try_from((chance >> 8) % (moves.pace as u64 + 1)).unwrap_or(0);
        return now + if idle { by / 8 } else { by };
    }
    let level = i64::try_from(moves.level).unwrap_or(0);
    let by = i64::try_from(chance % (2 * moves.pace as u64 + 1)).unwrap_or(0) - pace;
    (now + by + (level - now) / 16).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restart::series;

    #[test]
    fn counters_grow_and_machines_differ() {
        let series = series::all();
        let (mut one, mut other) = (Machine::new(0, &series), Machine::new(1, &series));
        let (mut before, mut after, mut others) = (Vec::new(), Vec::new(), Vec::new());
        one.scrape(&series, &mut before);
        one.scrape(&series, &mut after);
        other.scrape(&series, &mut others);
        assert_ne!(before, others);
        let moving = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(moving > series.len() / 3, "{moving} series move");
        for ((series, before), after) in series.iter().zip(&before).zip(&after) {
            assert!(!series.moves.counter || after >= before, "{} shrank", series.name);
        }
    }
}
