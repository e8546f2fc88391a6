//! Recording by nothing but a name: convenient where it happens seldom. It looks the instrument up
//! each time; what happens often binds a series once. A name that nobody described has no unit.

use super::{Labels, Registry, SECONDS, Timer};

impl Registry {
    /// Adds to a counter.
    pub fn record_counter(&self, name: &'static str, n: u64, labels: Labels<'_>) {
        self.counter(name, "", "").bind(labels).add(n);
    }

    /// Sets a gauge.
    pub fn record_gauge(&self, name: &'static str, value: f64, labels: Labels<'_>) {
        self.gauge(name, "", "").bind(labels).set(value);
    }

    /// Counts a value in a histogram; one that is new has the bounds of [`SECONDS`].
    pub fn record_histogram(&self, name: &'static str, value: f64, labels: Labels<'_>) {
        self.histogram(name, "", "", SECONDS).bind(labels).record(value);
    }

    /// Starts a timer that counts in a histogram of seconds.
    pub fn start_timer(&self, name: &'static str) -> Timer {
        self.histogram(name, "s", "", SECONDS).start_timer()
    }
}
