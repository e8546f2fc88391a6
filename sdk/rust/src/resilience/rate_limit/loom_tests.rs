//! The same source again, over loom's atomics: every interleaving of a few threads.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

#[path = "bucket.rs"]
#[allow(clippy::duplicate_mod)] // That is the point of it.
mod bucket;

use self::bucket::{Bucket, Shape};

#[test]
fn no_token_is_given_twice() {
    loom::model(|| {
        let shape = Shape::new(1, Duration::from_secs(1), 2);
        let bucket = Arc::new(Bucket::new());
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let bucket = bucket.clone();
                thread::spawn(move || usize::from(bucket.take(shape, 0, 0).is_ok()))
            })
            .collect();
        let own = usize::from(bucket.take(shape, 0, 0).is_ok());
        let taken: usize = takers.into_iter().map(|taker| taker.join().expect("no panic")).sum();
        assert_eq!(own + taken, 2, "two were there for three");
    });
}

#[test]
fn a_turn_that_is_given_back_is_had_again() {
    loom::model(|| {
        let shape = Shape::new(1, Duration::from_secs(1), 1);
        let bucket = Arc::new(Bucket::new());
        assert_eq!(bucket.take(shape, 0, 0), Ok(0));
        assert_eq!(bucket.take(shape, 0, u64::MAX), Ok(shape.interval), "in a second");
        let other = bucket.clone();
        let giver = thread::spawn(move || other.give_back(shape));
        let turn = bucket.take(shape, 0, u64::MAX).expect("it is patient");
        giver.join().expect("no panic");
        // Either before or after it was given back; in the end two turns are taken.
        assert!(turn == shape.interval || turn == 2 * shape.interval);
        assert_eq!(bucket.take(shape, 0, u64::MAX), Ok(2 * shape.interval));
    });
}
