//! The spans that each thread is in: those of `tracing` and our own, innermost last.

use std::cell::RefCell;

use super::context::SpanContext;
use super::trace::Active;

/// Who entered: a span of `tracing` by its id, or one of ours by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Tracing(u64),
    Own(u64),
}

/// A span that this thread is in.
struct Entry {
    key: Key,
    /// None when it is silent: so is everything in it.
    context: Option<SpanContext>,
    /// Our own span while it is entered, so that what happens in it can be told to it.
    active: Option<Box<Active>>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Where this thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In no span.
    Outside,
    /// In a span that is not recorded because of suppression.
    Silent,
    /// In this span.
    In(SpanContext),
}

/// Where this thread is now.
pub(super) fn place() -> Place {
    let place = ENTERED.try_with(|entered| {
        let entered = entered.try_borrow().ok()?;
        Some(entered.last().map_or(Place::Outside, |entry| entry.context.map_or(Place::Silent, Place::In)))
    });
    place.ok().flatten().unwrap_or(Place::Outside)
}

/// The innermost span that this thread is in: what to send along with a request.
pub fn current_context() -> Option<SpanContext> {
    match place() {
        Place::In(context) => Some(context),
        Place::Outside | Place::Silent => None,
    }
}

/// Enters a span.
pub(super) fn enter(key: Key, context: Option<SpanContext>, active: Option<Box<Active>>) {
    let _ = ENTERED.try_with(|entered| {
        // It is borrowed only while a span is told something, by code that enters none.
        if let Ok(mut entered) = entered.try_borrow_mut() {
            entered.push(Entry { key, context, active });
        }
    });
}

/// Leaves a span, which need not be the innermost.
pub(super) fn exit(key: Key) -> Option<Box<Active>> {
    let left = ENTERED.try_with(|entered| {
        let mut entered = entered.try_borrow_mut().ok()?;
        let place = entered.iter().rposition(|other| other.key == key)?;
        entered.remove(place).active
    });
    left.ok().flatten()
}

/// Tells the innermost span something, if it is one of ours and recorded.
pub(super) fn with_current<T>(tell: impl FnOnce(&mut Active) -> T) -> Option<T> {
    let told = ENTERED.try_with(|entered| {
        let mut entered = entered.try_borrow_mut().ok()?;
        entered.last_mut()?.active.as_deref_mut().map(tell)
    });
    told.ok().flatten()
}
