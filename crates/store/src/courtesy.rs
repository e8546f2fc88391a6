//! What computes in the background lets those go first who answer somebody.
//!
//! The system takes a processor from a thread that computes at its next tick (up to 4 ms), whatever the
//! thread's niceness and slice: whoever is woken meanwhile, such as the log's thread after its disk has
//! answered, waits as long. A thread that asks who else wants its processor is interrupted where it asks
//! (docs/adr/003). Decoders do not ask: requests that take turns are all answered later.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a thread computes without asking, which takes less than a microsecond.
const EVERY: Duration = Duration::from_micros(250);
/// Who had to wait computes at least so large a part of that time before it asks again: where everybody
/// computes, seals must not fall behind.
const PART_OF_WAIT: u32 = 2;

/// Lets others have the processor, if it is time to ask. For the loops of seals and merges, some times in
/// a millisecond; not while others wait for a lock that this thread holds.
pub(crate) fn give_way() {
    thread_local! {
        static NEXT: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let asked = Instant::now();
    if NEXT.get().is_none_or(|next| next <= asked) {
        std::thread::yield_now();
        let back = Instant::now();
        let waited = back.duration_since(asked);
        NEXT.set(Some(back + EVERY.max(waited / PART_OF_WAIT)));
    }
}
