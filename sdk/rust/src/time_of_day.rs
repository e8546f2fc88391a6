//! The time of day as an argument, so that what depends on it can be tested.

use std::time::SystemTime;

/// Tells the time of day.
///
/// ```
/// use fresnel_sdk::time_of_day::{SystemTimeOfDay, TimeOfDay};
///
/// assert!(SystemTimeOfDay.now() > std::time::UNIX_EPOCH);
/// ```
pub trait TimeOfDay: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTimeOfDay;

impl TimeOfDay for SystemTimeOfDay {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
