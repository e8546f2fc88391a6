//! Pauses between attempts.

use std::time::Duration;

/// The first pause, before chance takes its part.
const FIRST: Duration = Duration::from_millis(200);
/// What a receiver asks for is done up to this: a wrong header is no reason to be silent for a day.
const ASKED_MAX: Duration = Duration::from_secs(600);

/// Pauses that grow: each is twice the one before, and half of it is left to chance, so that those who
/// lost their receiver together do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(max: Duration) -> Self {
        Self { next: FIRST.min(max), max }
    }

    /// The next pause, with a chance of 0 to 1.
    pub(super) fn pause(&mut self, chance: f64) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause.mul_f64(f64::midpoint(1.0, chance))
    }

    /// After a success it begins anew.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.max);
    }
}

/// How long to wait for somebody who asked for so long.
pub(super) fn asked(wait: Duration) -> Duration {
    wait.min(ASKED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_half_of_each_is_chance() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let pauses = |backoff: &mut Backoff, chance| -> [u128; 5] {
            std::array::from_fn(|_| backoff.pause(chance).as_millis())
        };
        assert_eq!(pauses(&mut backoff, 1.0), [200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(pauses(&mut backoff, 0.0), [100, 200, 400, 500, 500]);
        assert_eq!(Backoff::new(Duration::from_millis(50)).pause(1.0), Duration::from_millis(50));
    }
}
