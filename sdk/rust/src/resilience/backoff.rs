use std::time::Duration;

/// How the pauses between attempts grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// They stay the same.
    Fixed,
    /// The n-th is n times the first.
    Linear,
    /// Each is so many times the one before; 2 is usual. Less than 1 counts as 1.
    Exponential(f64),
}

/// The pauses between attempts: a pure schedule.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::resilience::Backoff;
///
/// let backoff = Backoff { jitter: false, ..Backoff::default() };
/// let pauses: Vec<_> = (1..=6).map(|retry| backoff.delay(retry, 0.0).as_secs()).collect();
/// assert_eq!(pauses, [1, 2, 4, 8, 16, 30]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// How they grow. Exponential by 2, unless said otherwise.
    pub growth: Growth,
    /// The first pause; 1 s.
    pub first: Duration,
    /// No pause is longer; 30 s.
    pub max: Duration,
    /// Full jitter: any time between nothing and the pause, equally likely. Those who failed
    /// together then do not come back together. On, unless said otherwise. See "Exponential Backoff
    /// And Jitter", AWS Architecture Blog, 2015.
    pub jitter: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            growth: Growth::Exponential(2.0),
            first: Duration::from_secs(1),
            max: Duration::from_secs(30),
            jitter: true,
        }
    }
}

impl Backoff {
    /// Always the same pause, without jitter.
    pub const fn fixed(pause: Duration) -> Self {
        Self { growth: Growth::Fixed, first: pause, max: pause, jitter: false }
    }

    /// The longest that the pause before the `retry`-th retry may be; the first is 1.
    pub fn bound(&self, retry: u32) -> Duration {
        let factor = match self.growth {
            Growth::Fixed => 1.0,
            Growth::Linear => f64::from(retry.max(1)),
            Growth::Exponential(base) => {
                base.max(1.0).powi(i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX))
            }
        };
        let seconds = self.first.as_secs_f64() * factor;
        // What is not a number, or too large for one, is the longest there is.
        Duration::try_from_secs_f64(seconds).map_or(self.max, |pause| pause.min(self.max))
    }

    /// The pause before the `retry`-th retry, for a random number from 0 to 1.
    pub fn delay(&self, retry: u32, random: f64) -> Duration {
        let bound = self.bound(retry);
        if self.jitter { bound.mul_f64(random.clamp(0.0, 1.0)) } else { bound }
    }
}
