use std::time::{Duration, Instant};

use super::{BoundHistogram, Histogram, Labels};

/// Measures from its start to its end and counts that in seconds. One that is dropped has ended,
/// too, so none is forgotten: it counts in the series without labels.
#[must_use = "it ends when it is dropped"]
pub struct Timer {
    histogram: Histogram,
    started: Option<Instant>,
}

impl Histogram {
    /// Starts a timer whose labels are known only in the end.
    pub fn start_timer(&self) -> Timer {
        Timer { histogram: self.clone(), started: Some(Instant::now()) }
    }
}

impl Timer {
    /// Ends it, with labels. Returns what was counted.
    pub fn stop(mut self, labels: Labels<'_>) -> Duration {
        self.end(labels)
    }

    /// Ends it without counting.
    pub fn discard(mut self) {
        self.started = None;
    }

    fn end(&mut self, labels: Labels<'_>) -> Duration {
        end(&mut self.started, || self.histogram.bind(labels))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.end(&[]);
    }
}

/// As [`Timer`], of one series.
#[must_use = "it ends when it is dropped"]
pub struct BoundTimer {
    histogram: BoundHistogram,
    started: Option<Instant>,
}

impl BoundHistogram {
    /// Starts a timer that counts in this series when it ends, or is dropped.
    pub fn start_timer(&self) -> BoundTimer {
        BoundTimer { histogram: self.clone(), started: Some(Instant::now()) }
    }
}

impl BoundTimer {
    /// Ends it. Returns what was counted.
    pub fn stop(mut self) -> Duration {
        self.end()
    }

    /// Ends it without counting.
    pub fn discard(mut self) {
        self.started = None;
    }

    fn end(&mut self) -> Duration {
        end(&mut self.started, || self.histogram.clone())
    }
}

impl Drop for BoundTimer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Once only.
fn end(started: &mut Option<Instant>, series: impl FnOnce() -> BoundHistogram) -> Duration {
    let Some(started) = started.take() else { return Duration::ZERO };
    let elapsed = started.elapsed();
    series().record_duration(elapsed);
    elapsed
}
