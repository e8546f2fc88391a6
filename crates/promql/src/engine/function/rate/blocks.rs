//! Rates of up to 64 windows at a time.
//!
//! Must hold: every bit is the same as one by one ([`super::Reach::factor`]). There are no branches
//! between the divisions, so that the compiler puts several windows into one instruction.

use super::{Increases, Kind};
use crate::engine::bits::Bits;
use crate::engine::column::Column;
use crate::engine::series::Points;
use crate::engine::windows::{Window, Windows};

/// Few steps are quicker one by one.
const STEPS_MIN: usize = 4;
/// Up to here milliseconds become seconds without a division.
const RANGE_MAX_MS: i64 = 1 << 27;

/// 1/1000 in two parts. The first has so few digits that its products are exact; together they are
/// so precise that the sum of the products rounds as the division would.
const SECOND_HIGH: f64 = f64::from_bits(0.001_f64.to_bits() & !((1 << 27) - 1));
const SECOND_LOW: f64 = 0.001 - SECOND_HIGH + REST;
/// What 0.001 lacks to a thousandth: 1 - 1000 * 0.001, over 1000.
const REST: f64 = -2.081_668_171_172_168_6e-20;

pub(super) fn fits(windows: &Windows) -> bool {
    windows.steps >= STEPS_MIN && windows.range_ms < RANGE_MAX_MS
}

/// What is known of each window, column by column.
struct Block {
    to_start: [f64; 64],
    to_end: [f64; 64],
    sampled: [f64; 64],
    gaps: [f64; 64],
    first: [f64; 64],
    increase: [f64; 64],
}

pub(super) fn rate(
    windows: &Windows,
    points: &Points<f64>,
    kind: Kind,
    mut increases: Increases<'_>,
    read: &mut u64,
) -> Column {
    let range_seconds = if kind.per_second { windows.range_seconds() } else { 1.0 };
    let mut block = Block::default();
    let mut values = vec![0.0; windows.steps];
    let mut words = Vec::with_capacity(windows.steps.div_ceil(64));
    let mut walk = windows.walk(&points.times);
    for values in values.chunks_mut(64) {
        let (mut filled, mut present, mut looked_at) = (0, 0_u64, 0);
        for place in 0..values.len() {
            let window = walk.advance();
            looked_at += window.len();
            // One sample makes no rate.
            if window.len() > 1 {
                block.fill(filled, &window, points, &mut increases);
                present |= 1 << place;
                filled += 1;
            }
        }
        *read += looked_at as u64;
        words.push(present);
        block.finish(filled, present, kind.counter, range_seconds, values);
    }
    Column { values, present: Bits::from_words(words, windows.steps), histograms: Vec::new() }
}

impl Default for Block {
    fn default() -> Self {
        let none = [0.0; 64];
        Self { to_start: none, to_end: none, sampled: none, gaps: none, first: none, increase: none }
    }
}

impl Block {
    #[inline]
    fn fill(&mut self, place: usize, window: &Window, points: &Points<f64>, increases: &mut Increases<'_>) {
        // Numbers with a sign turn into floats by one instruction.
        let (first_ms, last_ms) = (points.times[window.low], points.times[window.high - 1]);
        self.to_start[place] = (first_ms - window.start_ms) as f64;
        self.to_end[place] = (window.end_ms - last_ms) as f64;
        self.sampled[place] = (last_ms - first_ms) as f64;
        self.gaps[place] = (window.len() as i64 - 1) as f64;
        self.first[place] = points.values[window.low];
        self.increase[place] = increases.of(window);
    }

    /// Puts the rates of the windows to the steps that are present.
    fn finish(&self, filled: usize, present: u64, counter: bool, range_seconds: f64, values: &mut [f64]) {
        if filled == values.len() {
            self.rates(counter, range_seconds, values);
            return;
        }
        let mut rates = [0.0; 64];
        self.rates(counter, range_seconds, &mut rates[..filled]);
        let places = (0..64).filter(|place| present >> place & 1 == 1);
        places.zip(rates).for_each(|(place, rate)| values[place] = rate);
    }

    fn rates(&self, counter: bool, range_seconds: f64, rates: &mut [f64]) {
        let count = rates.len();
        let columns = self.to_start[..count]
            .iter()
            .zip(&self.to_end[..count])
            .zip(&self.sampled[..count])
            .zip(&self.gaps[..count])
            .zip(&self.first[..count])
            .zip(&self.increase[..count]);
        for (rate, (((((to_start, to_end), sampled), gaps), first), increase)) in
            rates.iter_mut().zip(columns)
        {
            let sampled = seconds(*sampled);
            let average = sampled / gaps;
            let (threshold, half) = (average * 1.1, average / 2.0);
            let mut to_start = seconds(*to_start);
            to_start = if to_start >= threshold { half } else { to_start };
            let to_zero = sampled * (first / increase);
            let meets_zero = counter & (*increase > 0.0) & (*first >= 0.0) & (to_zero < to_start);
            to_start = if meets_zero { to_zero } else { to_start };
            let mut to_end = seconds(*to_end);
            to_end = if to_end >= threshold { half } else { to_end };
            let factor = (sampled + to_start + to_end) / sampled;
            let factor = if sampled == 0.0 { 1.0 } else { factor };
            *rate = increase * (factor / range_seconds);
        }
    }
}

#[inline]
fn seconds(milliseconds: f64) -> f64 {
    milliseconds * SECOND_HIGH + milliseconds * SECOND_LOW
}

#[cfg(test)]
mod tests {
    use super::{RANGE_MAX_MS, seconds};

    #[test]
    fn seconds_are_those_of_the_division() {
        let far = (0..2_000_000).map(|place| RANGE_MAX_MS - 1 - 61 * place);
        for milliseconds in (0..4_000_000).chain(far).filter(|milliseconds| *milliseconds >= 0) {
            let milliseconds = milliseconds as f64;
            assert_eq!(seconds(milliseconds).to_bits(), (milliseconds / 1000.0).to_bits(), "{milliseconds}");
        }
    }
}
