//! The allocator, told how this process uses memory.
//!
//! Columns come and go by the megabyte: a request's when it is in a memtable, a memtable's when it
//! is sealed. Given back at once, the system would have to zero the same memory again for the next
//! ones, which was nearly half of the processor time of taking logs in (docs/adr/003). So it is
//! kept for a while, unless the process comes near its limit. What a merge or a seal of metrics worked
//! with is of no use to anybody until the next one: it is given back when it is done (docs/adr/006).
#![expect(unsafe_code, reason = "the allocator's own interface")]

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::operations::resident_bytes;

/// Freed memory stays with the process for so long, and is used again meanwhile: at full load a memtable
/// is filled with the memory of the one before. Where that takes longer, little comes in, and it may
/// cost what it costs (docs/adr/006).
const PURGE_DELAY_MILLIS: std::ffi::c_long = 1_000;
/// `mi_option_purge_delay` in mimalloc.h, of versions 2 and 3; the binding does not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// How often the resident size is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Before the first thread.
pub fn configure() {
    // A huge page is zeroed as a whole for whoever touches one byte of it. Where the system refuses,
    // it costs time and nothing else.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // What somebody chose by hand stays.
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: sets a number in a table of the allocator; the option exists, and no other thread
        // runs.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MILLIS) };
    }
}

/// Gives freed memory back whenever the process is larger than three quarters of its limit, and when
/// `done`, a count of pieces of work that take much memory for a short time, has grown.
pub async fn watch(limit: u64, done: impl Fn() -> u64, stop: CancellationToken) {
    let mut before = done();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = done();
        let grown = std::mem::replace(&mut before, now) != now;
        if grown || resident_bytes().is_some_and(|resident| resident > limit / 4 * 3) {
            give_back();
        }
    }
}

/// Gives freed memory back, from a task.
pub fn give_back() {
    // SAFETY: may be called by any thread at any time.
    tokio::task::block_in_place(|| unsafe { libmimalloc_sys::mi_collect(true) });
}
