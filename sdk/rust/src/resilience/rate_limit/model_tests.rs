//! The bucket against a plain restatement: tokens that are counted.

use std::time::Duration;

use proptest::prelude::*;

use super::bucket::{Bucket, Shape};

/// Tokens in nanoseconds: one is worth `interval`.
struct Plain {
    level: u64,
    at: u64,
}

impl Plain {
    fn take(&mut self, shape: Shape, now: u64) -> Result<(), u64> {
        self.level = (self.level + (now - self.at)).min(shape.depth);
        self.at = now;
        if self.level < shape.interval {
            return Err(shape.interval - self.level);
        }
        self.level -= shape.interval;
        Ok(())
    }
}

proptest! {
    #[test]
    fn it_gives_what_a_bucket_of_tokens_gives(
        pauses in prop::collection::vec(0u64..3_000_000, 1..300),
        calls in 1u32..2_000,
        burst in 1u32..20,
    ) {
        let shape = Shape::new(calls, Duration::from_secs(1), burst);
        let bucket = Bucket::new();
        let mut plain = Plain { level: shape.depth, at: 0 };
        let mut now = 0;
        for pause in pauses {
            now += pause;
            prop_assert_eq!(bucket.take(shape, now, 0).map(|_| ()), plain.take(shape, now));
        }
    }

    /// In no stretch of time does it give more than the burst and what the rate gives.
    #[test]
    fn no_stretch_has_more_than_the_rate_allows(
        pauses in prop::collection::vec(0u64..50, 1..200),
        patience in 0u64..200,
    ) {
        let shape = Shape { interval: 10, depth: 50 };
        let bucket = Bucket::new();
        let (mut now, mut turns) = (0, Vec::new());
        for pause in pauses {
            now += pause;
            if let Ok(wait) = bucket.take(shape, now, patience) {
                prop_assert!(wait <= patience);
                turns.push(now + wait);
            }
        }
        for (i, from) in turns.iter().enumerate() {
            for (j, to) in turns.iter().enumerate().skip(i) {
                let given = (j - i + 1) as u64;
                prop_assert!(given * shape.interval <= shape.depth + (to - from));
            }
        }
    }
}

#[test]
fn shapes_without_sense_are_made_sensible() {
    let never = Shape::new(0, Duration::MAX, 0);
    assert_eq!(never, Shape { interval: u64::MAX, depth: u64::MAX });
    assert_eq!(Shape::new(u32::MAX, Duration::ZERO, 1), Shape { interval: 1, depth: 1 });
}
