use std::cell::Cell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// While this lives, nothing that happens on this thread is recorded for export. What is written
/// to stderr still is. Spans begun meanwhile are silent, and so is everything in them, on
/// whatever thread it runs.
#[must_use = "recording goes on when it is dropped"]
#[derive(Debug)]
pub struct Suppress {
    /// It belongs to its thread.
    marker: PhantomData<*const ()>,
}

/// Stops recording on this thread until the guard is dropped.
pub fn suppress() -> Suppress {
    DEPTH.set(DEPTH.get() + 1);
    Suppress { marker: PhantomData }
}

/// Whether nothing is recorded on this thread now.
pub fn is_suppressed() -> bool {
    // A thread that is ending has nothing left to say.
    DEPTH.try_with(Cell::get).map_or(true, |depth| depth > 0)
}

impl Drop for Suppress {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get().saturating_sub(1)));
    }
}

/// A future within which nothing is recorded, on whatever threads it runs.
#[derive(Debug)]
pub struct Suppressed<F>(Pin<Box<F>>);

/// Stops recording in `future`. Tasks that it spawns must be instrumented with a span of its, or
/// wrapped themselves.
pub fn suppressed<F: Future>(future: F) -> Suppressed<F> {
    Suppressed(Box::pin(future))
}

impl<F: Future> Future for Suppressed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _guard = suppress();
        self.0.as_mut().poll(context)
    }
}
