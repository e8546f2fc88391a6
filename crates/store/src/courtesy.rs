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

/// Lets others have the processor, if this thread has not asked for long. For the loops of seals and merges,
/// some times in a millisecond; not while others wait for a lock that this thread holds.
pub(crate) fn give_way() {
    thread_local! {
        static ASKED: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if ASKED.get().is_none_or(|asked| now.duration_since(asked) >= EVERY) {
        std::thread::yield_now();
        ASKED.set(Some(Instant::now()));
    }
}
