use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;

use super::{Baggage, TraceState};
use crate::telemetry::{SpanContext, current_context};

/// What goes along with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The span that makes it.
    pub span: Option<SpanContext>,
    /// What vendors keep for the trace.
    pub state: TraceState,
    /// Facts for everybody who works on it.
    pub baggage: Baggage,
}

/// A context holds on a thread while this lives.
#[must_use = "the context is left when it is dropped"]
#[derive(Debug)]
pub struct Attached {
    before: Option<Context>,
    /// It belongs to its thread.
    marker: PhantomData<*const ()>,
}

thread_local! {
    static AMBIENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

impl Context {
    /// What would go along with a request that this thread makes now: the innermost span, and state
    /// and baggage of the context that holds. State is only of its own trace.
    pub fn current() -> Self {
        let ambient = AMBIENT.try_with(|ambient| ambient.try_borrow().ok()?.clone()).ok().flatten();
        let ambient = ambient.unwrap_or_default();
        let span = current_context();
        let same_trace = |one: SpanContext, other: SpanContext| one.trace_id == other.trace_id;
        match (span, ambient.span) {
            (None, _) => ambient,
            (Some(span), Some(other)) if same_trace(span, other) => Self { span: Some(span), ..ambient },
            (Some(span), _) => Self { span: Some(span), state: TraceState::default(), ..ambient },
        }
    }

    /// The baggage that holds on this thread.
    pub fn baggage() -> Baggage {
        let baggage = AMBIENT.try_with(|ambient| Some(ambient.try_borrow().ok()?.as_ref()?.baggage.clone()));
        baggage.ok().flatten().unwrap_or_default()
    }

    /// The current context with more baggage, to be attached.
    #[must_use]
    pub fn with_baggage(name: &str, value: &str) -> Self {
        let current = Self::current();
        Self { baggage: current.baggage.with(name, value), ..current }
    }

    /// Lets it hold on this thread until the guard is dropped. Guards are dropped in reverse order.
    pub fn attach(self) -> Attached {
        let before = AMBIENT.try_with(|ambient| ambient.try_borrow_mut().ok()?.replace(self));
        Attached { before: before.ok().flatten(), marker: PhantomData }
    }

    /// Runs something with it.
    pub fn in_scope<T>(self, run: impl FnOnce() -> T) -> T {
        let _attached = self.attach();
        run()
    }

    /// Runs a future with it, on whatever threads.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _attached = self.clone().attach();
            future.as_mut().poll(context)
        })
        .await
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = AMBIENT.try_with(|ambient| {
            if let Ok(mut ambient) = ambient.try_borrow_mut() {
                *ambient = before;
            }
        });
    }
}
