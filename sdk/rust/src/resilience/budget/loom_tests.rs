//! The same source again, over loom's atomics: every interleaving of a few threads.

use loom::sync::Arc;
use loom::thread;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

#[path = "tokens.rs"]
#[allow(clippy::duplicate_mod)] // That is the point of it.
mod tokens;

use self::tokens::Tokens;

#[test]
fn what_is_paid_out_was_paid_in() {
    loom::model(|| {
        let tokens = Arc::new(Tokens::new(1.0, 1));
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let tokens = tokens.clone();
                thread::spawn(move || u32::from(tokens.withdraw()))
            })
            .collect();
        tokens.deposit();
        let taken: u32 = takers.into_iter().map(|taker| taker.join().expect("no panic")).sum();
        let left = tokens.available();
        // One was there and one came, which is lost if it finds the pool full.
        assert!(taken >= 1, "the one that was there is found");
        assert!(taken + left <= 2 && left <= 1, "taken {taken}, left {left}");
        // Nobody took anything: the deposit found it full. Both took: nothing is left.
        assert!(taken + left == 2 || taken + left == 1);
        if taken == 2 {
            assert_eq!(left, 0);
        }
    });
}
