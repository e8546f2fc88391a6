use std::fmt;

/// The time of day, given to the store so that tests can be days long.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Nanoseconds since 1970-01-01 UTC.
    fn now_unix_nano(&self) -> i64;
}

/// A moment as the catalog records it.
pub(crate) fn unix_ms(clock: &dyn Clock) -> i64 {
    clock.now_unix_nano().div_euclid(1_000_000)
}
