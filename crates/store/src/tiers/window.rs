//! What the samples of a series come to, window by window.
//!
//! Enters: samples of one series. Leaves: a row a window, ascending. Must hold: windows are open at
//! their start and closed at their end, as ranges of PromQL are, so that a range of whole windows has
//! all of each; rows of the same window from different samples add up.

/// OTLP's flag for a point without a value: where Prometheus sends its marker of staleness.
pub(super) const NO_RECORDED_VALUE: i32 = 1;
pub(super) const NANOS_PER_MS: i64 = 1_000_000;

/// A sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) time: i64,
    pub(super) value: f64,
    pub(super) flags: i32,
}

impl Sample {
    fn is_stale(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }
}

/// What a window comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) time: i64,
    pub(super) first_time: i64,
    pub(super) count: i64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) reset_sum: f64,
    pub(super) stale_time: Option<i64>,
}

/// Makes windows of the samples, which are in the order in which they were written, and leaves none.
/// Of several within a millisecond the last one counts, as in a query.
pub(super) fn fold(samples: &mut Vec<Sample>, resolution_ms: u64, mut each: impl FnMut(Window)) {
    let resolution = i64::try_from(resolution_ms).unwrap_or(i64::MAX).max(1);
    let millis = |sample: &Sample| sample.time.div_euclid(NANOS_PER_MS);
    samples.sort_by_key(millis);
    let mut kept = 0;
    for place in 0..samples.len() {
        let is_last = samples.get(place + 1).is_none_or(|next| millis(next) != millis(&samples[place]));
        if is_last {
            samples[kept] = samples[place];
            kept += 1;
        }
    }
    samples.truncate(kept);
    let end = |sample: &Sample| (millis(sample) - 1).div_euclid(resolution);
    samples.chunk_by(|a, b| end(a) == end(b)).for_each(|samples| each(Window::of(samples)));
    samples.clear();
}

impl Window {
    /// Of at least one sample.
    fn of(samples: &[Sample]) -> Self {
        let mut window = Self {
            time: samples[0].time,
            first_time: samples[0].time,
            count: 0,
            sum: 0.0,
            min: f64::NAN,
            max: f64::NAN,
            first: f64::NAN,
            last: f64::NAN,
            reset_sum: 0.0,
            stale_time: None,
        };
        let mut lost = 0.0;
        for sample in samples {
            if sample.is_stale() {
                window.stale_time = Some(sample.time);
            } else {
                window.add(sample, &mut lost);
            }
        }
        if window.count == 0 {
            window.time = window.stale_time.unwrap_or(window.time);
        } else if window.sum.is_finite() {
            window.sum += lost;
        }
        window
    }

    /// `lost` is what the sum was rounded by (Neumaier).
    fn add(&mut self, sample: &Sample, lost: &mut f64) {
        let value = sample.value;
        if self.count == 0 {
            (self.first_time, self.first) = (sample.time, value);
        } else if value < self.last {
            self.reset_sum += self.last;
        }
        add_exactly(&mut self.sum, lost, value);
        // As `min_over_time` and `max_over_time`: not a number only where nothing else is there.
        if value < self.min || self.min.is_nan() {
            self.min = value;
        }
        if value > self.max || self.max.is_nan() {
            self.max = value;
        }
        (self.time, self.last) = (sample.time, value);
        self.count += 1;
        self.stale_time = None;
    }
}

/// Adds without rounding step by step: `lost` is what the sum was rounded by (Neumaier).
pub(super) fn add_exactly(total: &mut f64, lost: &mut f64, value: f64) {
    let sum = *total + value;
    *lost += if total.abs() >= value.abs() { (*total - sum) + value } else { (value - sum) + *total };
    *total = sum;
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = NANOS_PER_MS;

    fn sample(seconds: i64, value: f64) -> Sample {
        Sample { time: seconds * 1000 * MS, value, flags: 0 }
    }

    fn folded(samples: &[Sample]) -> Vec<Window> {
        let (mut samples, mut windows) = (samples.to_vec(), Vec::new());
        fold(&mut samples, 60_000, |window| windows.push(window));
        windows
    }

    #[test]
    fn a_window_has_what_lies_behind_its_start_and_not_behind_its_end() {
        let windows = folded(&[sample(60, 1.0), sample(61, 2.0), sample(120, 4.0), sample(121, 8.0)]);
        let seen = windows.iter().map(|window| (window.count, window.sum, window.first, window.last));
        assert_eq!(seen.collect::<Vec<_>>(), [(1, 1.0, 1.0, 1.0), (2, 6.0, 2.0, 4.0), (1, 8.0, 8.0, 8.0)]);
        assert_eq!((windows[1].first_time, windows[1].time), (61_000 * MS, 120_000 * MS));
        assert_eq!((windows[1].min, windows[1].max), (2.0, 4.0));
    }

    #[test]
    fn resets_markers_and_doubles_count_as_in_a_query() {
        let stale = Sample { flags: NO_RECORDED_VALUE, ..sample(9, 0.0) };
        let again = Sample { time: 2_000 * MS + 5, ..sample(2, 7.0) };
        let windows = folded(&[sample(3, 1.0), sample(1, 5.0), sample(2, 6.0), again, sample(4, 0.5), stale]);
        let [window] = windows[..] else { panic!("{windows:?}") };
        assert_eq!((window.count, window.first, window.last), (4, 5.0, 0.5));
        assert_eq!(window.reset_sum, 7.0 + 1.0, "what it had before each reset");
        assert_eq!((window.time, window.stale_time), (4_000 * MS, Some(9_000 * MS)));
        let windows = folded(&[stale]);
        assert_eq!(
            (windows[0].count, windows[0].time, windows[0].stale_time),
            (0, stale.time, Some(stale.time))
        );
        let windows = folded(&[stale, sample(10, 1.0)]);
        assert_eq!((windows[0].count, windows[0].stale_time), (1, None));
        let windows = folded(&[sample(1, f64::NAN), sample(2, 3.0)]);
        assert!(windows[0].sum.is_nan() && windows[0].min == 3.0 && windows[0].max == 3.0);
    }

    #[test]
    fn a_sum_is_not_rounded_step_by_step() {
        let values = [1e16, 1.0, 1.0, -1e16];
        let samples: Vec<_> = (1..).zip(values).map(|(second, value)| sample(second, value)).collect();
        assert_eq!(folded(&samples)[0].sum, 2.0);
    }
}
