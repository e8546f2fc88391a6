use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::time_of_day::TimeOfDay;

/// A clock that stands still until it is moved. Clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::testkit::ManualTime;
/// use fresnel_sdk::time_of_day::TimeOfDay;
///
/// let time = ManualTime::default();
/// let before = time.now();
/// time.advance(Duration::from_secs(60));
/// assert_eq!(time.now(), before + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualTime(Arc<Mutex<SystemTime>>);

impl Default for ManualTime {
    /// Noon of 1 January 2025, UTC.
    fn default() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(1_735_732_800))
    }
}

impl ManualTime {
    /// Standing at this time.
    pub fn at(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }

    /// Moves it anywhere, also back.
    pub fn set(&self, now: SystemTime) {
        *self.0.lock() = now;
    }
}

impl TimeOfDay for ManualTime {
    fn now(&self) -> SystemTime {
        *self.0.lock()
    }
}
