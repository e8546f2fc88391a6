//! `rate`, `increase`, `delta`, `irate` and `idelta` of floats.
//!
//! The resets of a series are found once; each window then takes only those that lie in it, in
//! their order, so that sums round as if each window had been walked. What is left are divisions,
//! of which several are done at a time.

mod blocks;

use std::ops::Range;

use crate::annotations::Remark;
use crate::engine::column::Column;
use crate::engine::range::{RangeStage, Work};
use crate::engine::series::Points;
use crate::engine::windows::Window;

/// What a rate is taken of.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Kind {
    /// Resets are made up for, and it cannot have been below zero.
    pub(in crate::engine) counter: bool,
    /// A second's worth.
    pub(in crate::engine) per_second: bool,
}

/// How far a window's samples reach.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Reach {
    pub(in crate::engine) first_ms: i64,
    pub(in crate::engine) last_ms: i64,
    pub(in crate::engine) samples: usize,
    /// When the counter behind the first sample began, if that is in the window.
    pub(in crate::engine) began_ms: Option<i64>,
}

impl Reach {
    #[inline]
    pub(in crate::engine) fn of<T>(
        points: &Points<T>,
        places: Range<usize>,
        start_ms: i64,
        counter: bool,
    ) -> Self {
        let first_ms = points.times[places.start];
        let began = points.starts.get(places.start).copied();
        let inside = |began: &i64| counter && *began != 0 && *began > start_ms && *began < first_ms;
        Self {
            first_ms,
            last_ms: points.times[places.end - 1],
            samples: places.len(),
            began_ms: began.filter(inside),
        }
    }

    /// What the increase between the samples has to be multiplied with to stand for the window. None
    /// where there is nothing to tell from. `zero` is where a counter's slope meets zero: the value
    /// at the first sample and the increase.
    #[inline]
    pub(in crate::engine) fn factor(
        &self,
        kind: Kind,
        (start_ms, end_ms): (i64, i64),
        range_seconds: f64,
        zero: (f64, f64),
    ) -> Option<f64> {
        let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
        let mut to_start = seconds(start_ms, self.first_ms);
        let mut to_end = seconds(self.last_ms, end_ms);
        let mut sampled = seconds(self.first_ms, self.last_ms);
        let average = if self.samples > 1 { sampled / (self.samples - 1) as f64 } else { 0.0 };
        // A sample is missing where the gap is more than a tenth longer than usual.
        let threshold = average * 1.1;
        if let Some(began_ms) = self.began_ms {
            to_start = 0.0;
            sampled = seconds(began_ms, self.last_ms);
        } else if self.samples == 1 {
            return None;
        } else {
            if to_start >= threshold {
                to_start = average / 2.0;
            }
            let (first, increase) = zero;
            if kind.counter && increase > 0.0 && first >= 0.0 {
                let to_zero = sampled * (first / increase);
                if to_zero < to_start {
                    to_start = to_zero;
                }
            }
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let mut factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        if kind.per_second {
            factor /= range_seconds;
        }
        Some(factor)
    }
}

/// Whether the start times say that the counter began anew between two samples.
pub(in crate::engine) fn is_start_reset(before: (i64, i64), now: (i64, i64)) -> bool {
    let ((before_start, before_time), (start, time)) = (before, now);
    // Unknown, wrong, or what OpenTelemetry writes when it does not know.
    if start == 0 || start >= time || start < before_time {
        return false;
    }
    if start > before_time {
        return true;
    }
    // It points at the sample before: a delta, unless nobody knew that one's start either.
    before_start <= before_time && before_start != 0 && before_start != before_time
}

/// The start time lies before the sample before without being that one's.
fn overlaps(before: (i64, i64), start: i64) -> bool {
    start != 0 && start < before.1 && start != before.0
}

/// A pair of start and time; 0 is an unknown start.
pub(in crate::engine) fn start_and_time<T>(points: &Points<T>, place: usize) -> (i64, i64) {
    (points.starts.get(place).copied().unwrap_or(0), points.times[place])
}

/// Whether a counter's start overlaps somewhere in a window.
pub(in crate::engine) fn has_overlap<T>(points: &Points<T>, low: usize, high: usize) -> bool {
    !points.starts.is_empty()
        && (low + 1..high).any(|place| overlaps(start_and_time(points, place - 1), points.starts[place]))
}

/// Places before which a counter was reset.
fn find_resets(points: &Points<f64>, resets: &mut Vec<usize>) {
    resets.clear();
    let values = &points.values;
    if points.starts.is_empty() {
        // Mostly there are none: many pairs are looked at together, without a branch for each.
        const TOGETHER: usize = 64;
        let later = values.get(1..).unwrap_or_default();
        for (number, (before, now)) in values.chunks(TOGETHER).zip(later.chunks(TOGETHER)).enumerate() {
            let pairs = before.iter().zip(now);
            if pairs.clone().fold(false, |any, (before, now)| any | (now < before)) {
                let falls = pairs.enumerate().filter(|(_, (before, now))| now < before);
                resets.extend(falls.map(|(place, _)| number * TOGETHER + place + 1));
            }
        }
        return;
    }
    let is_reset = |place: &usize| {
        values[*place] < values[place - 1]
            || is_start_reset(start_and_time(points, place - 1), start_and_time(points, *place))
    };
    resets.extend((1..values.len()).filter(is_reset));
}

/// What a window's samples went up by, window by window.
struct Increases<'a> {
    values: &'a [f64],
    resets: &'a [usize],
    from: usize,
}

impl Increases<'_> {
    #[inline]
    fn of(&mut self, window: &Window) -> f64 {
        let mut increase = self.values[window.high - 1] - self.values[window.low];
        if self.resets.is_empty() {
            return increase;
        }
        while self.from < self.resets.len() && self.resets[self.from] <= window.low {
            self.from += 1;
        }
        for &reset in self.resets[self.from..].iter().take_while(|reset| **reset < window.high) {
            increase += self.values[reset - 1];
        }
        increase
    }
}

/// `rate`, `increase`, `delta`.
pub(in crate::engine) fn rate(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    kind: Kind,
    name: &str,
    work: &mut Work,
) -> Column {
    let mut resets = std::mem::take(&mut work.places);
    resets.clear();
    if kind.counter {
        find_resets(points, &mut resets);
    }
    let increases = Increases { values: &points.values, resets: &resets, from: 0 };
    let column = if points.starts.is_empty() && blocks::fits(&stage.windows) {
        blocks::rate(&stage.windows, points, kind, increases, &mut work.read)
    } else {
        one_by_one(stage, points, kind, increases, (name, work))
    };
    work.places = resets;
    column
}

fn one_by_one(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    kind: Kind,
    mut increases: Increases<'_>,
    (name, work): (&str, &mut Work),
) -> Column {
    let range_seconds = stage.windows.range_seconds();
    let known_starts = kind.counter && !points.starts.is_empty();
    let (mut read, mut overlap) = (0, false);
    let column = stage.windows.column(&points.times, |window| {
        read += window.len();
        let first = points.values[window.low];
        let mut increase = increases.of(window);
        let reach = Reach::of(points, window.places(), window.start_ms, kind.counter);
        if known_starts && !overlap && has_overlap(points, window.low, window.high) {
            overlap = true;
        }
        let bounds = (window.start_ms, window.end_ms);
        let factor = reach.factor(kind, bounds, range_seconds, (first, increase))?;
        if reach.began_ms.is_some() {
            increase += first;
        }
        Some(increase * factor)
    });
    if overlap {
        work.remarks.add(&Remark::StartTimeOverlap(name), stage.call.first_span);
    }
    work.read += read as u64;
    column
}

/// `irate` (per second) and `idelta`: from the last two samples.
pub(in crate::engine) fn instant_rate(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    per_second: bool,
    work: &mut Work,
) -> Column {
    let mut read = 0;
    let column = stage.windows.column(&points.times, |window| {
        read += window.len();
        if window.len() < 2 {
            return None;
        }
        let (before, last) = (window.high - 2, window.high - 1);
        let interval = points.times[last] - points.times[before];
        if interval == 0 {
            return None;
        }
        let reset = points.values[last] < points.values[before]
            || is_start_reset(start_and_time(points, before), start_and_time(points, last));
        let difference = if per_second && reset {
            points.values[last]
        } else {
            points.values[last] - points.values[before]
        };
        Some(if per_second { difference / (interval as f64 / 1000.0) } else { difference })
    });
    work.read += read as u64;
    column
}
