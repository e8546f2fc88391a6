//! A value in several places, so that threads that add to it do not wait for each other.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More would cost memory in every series and help machines that few have.
const STRIPES_MAX: usize = 8;

/// As many cells as there are processors, up to a bound, each on a cache line of its own.
pub(super) struct Stripes<C>(Box<[Line<C>]>);

#[repr(align(64))]
struct Line<C>(C);

thread_local! {
    /// The number of this thread; 0 until it has one.
    static THREAD: Cell<usize> = const { Cell::new(0) };
}

impl<C> Stripes<C> {
    pub(super) fn new(cell: impl Fn() -> C) -> Self {
        Self((0..count()).map(|_| Line(cell())).collect())
    }

    /// The cell of this thread; others may have the same.
    #[inline]
    pub(super) fn own(&self) -> &C {
        // The number of cells is a power of two.
        &self.0[thread() & (self.0.len() - 1)].0
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &C> {
        self.0.iter().map(|line| &line.0)
    }
}

fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        processors.next_power_of_two().min(STRIPES_MAX)
    })
}

#[inline]
fn thread() -> usize {
    // A thread that is ending is any thread.
    THREAD.try_with(|thread| if thread.get() == 0 { number(thread) } else { thread.get() }).unwrap_or(0)
}

#[cold]
fn number(thread: &Cell<usize>) -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread.set(NEXT.fetch_add(1, Ordering::Relaxed).max(1));
    thread.get()
}
