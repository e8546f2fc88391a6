use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::SystemTime;

use super::active::{Active, with_causes};
use super::builder::nanos;
use super::field::FieldValue;
use crate::telemetry::context::SpanContext;
use crate::telemetry::entered::{self, Key};
use crate::telemetry::otlp::Status;
use crate::telemetry::unix_nanos;

/// One operation. It ends when it is dropped, or earlier by [`Span::end`].
pub struct Span {
    /// None when it is not recorded, and while it is entered.
    active: Option<Box<Active>>,
    /// None when there is nothing to refer to.
    context: Option<SpanContext>,
}

/// A thread is in a span while this lives.
#[must_use = "the span is left when it is dropped"]
#[derive(Debug)]
pub struct Entered<'a> {
    span: &'a mut Span,
    key: Key,
    /// It belongs to its thread.
    marker: std::marker::PhantomData<*const ()>,
}

thread_local! {
    static ENTRIES: Cell<u64> = const { Cell::new(0) };
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = self.context.map(|context| context.to_string());
        f.debug_struct("Span").field("context", &context).finish_non_exhaustive()
    }
}

impl Span {
    pub(super) const fn new(active: Option<Box<Active>>, context: Option<SpanContext>) -> Self {
        Self { active, context }
    }

    /// One that is nothing.
    pub const fn none() -> Self {
        Self::new(None, None)
    }

    /// How others refer to it; none where nothing is recorded and nobody called.
    pub const fn context(&self) -> Option<SpanContext> {
        self.context
    }

    /// Whether what is said of it is kept.
    pub const fn is_recorded(&self) -> bool {
        self.active.is_some()
    }

    /// Gives it another name, such as one that is known only in the end.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some(active) = &mut self.active {
            active.name = name.into();
        }
    }

    /// Sets an attribute, over one of the same name.
    pub fn set<'v>(&mut self, name: &str, value: impl Into<FieldValue<'v>>) {
        if let Some(active) = &mut self.active {
            active.set(name, value.into());
        }
    }

    /// Something happened in it, now.
    pub fn event(&mut self, name: &str, attributes: &[(&str, FieldValue<'_>)]) {
        if let Some(active) = &mut self.active {
            active.event(name, unix_nanos(), attributes);
        }
    }

    /// It has to do with that span, too.
    pub fn link(&mut self, to: SpanContext, attributes: &[(&str, FieldValue<'_>)]) {
        if let Some(active) = &mut self.active {
            active.link(to, attributes);
        }
    }

    /// Says how it ended. Once it is [`Status::Ok`] it stays so, and nobody can make it unset again.
    pub fn status(&mut self, status: Status) {
        if let Some(active) = &mut self.active {
            active.status(status);
        }
    }

    /// It failed: by the semantic conventions an event `exception`, `error.type`, and the status with
    /// the error and its causes.
    pub fn fail<E: Error + ?Sized>(&mut self, error: &E) {
        self.record_exception(error);
        if let Some(active) = &mut self.active {
            active.set("error.type", std::any::type_name::<E>().into());
            active.status(Status::Error(Cow::Owned(with_causes(error))));
        }
    }

    /// An error happened in it, which need not mean that it failed.
    pub fn record_exception<E: Error + ?Sized>(&mut self, error: &E) {
        if let Some(active) = &mut self.active {
            active.exception(error);
        }
    }

    /// Enters it on this thread: what is begun and logged until the guard is dropped is in it.
    pub fn enter(&mut self) -> Entered<'_> {
        let key = Key::Own(ENTRIES.try_with(|entries| entries.replace(entries.get() + 1)).unwrap_or(0));
        if let Some(context) = self.context {
            entered::enter(key, Some(context), self.active.take());
        }
        Entered { span: self, key, marker: std::marker::PhantomData }
    }

    /// Runs something in it.
    pub fn in_scope<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        run()
    }

    /// Runs a future in it, on whatever threads. The span outlives it: the caller says how it ended.
    pub async fn instrument<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _entered = self.enter();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Runs a future in it and ends it, as failed when the future gives an error. The error is given
    /// back.
    ///
    /// # Errors
    /// Those of the future.
    pub async fn run<T, E: Error>(mut self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let result = self.instrument(future).await;
        if let Err(error) = &result {
            self.fail(error);
        }
        self.end();
        result
    }

    /// Ends it now.
    pub fn end(mut self) {
        self.finish(unix_nanos);
    }

    /// It ended then.
    pub fn end_at(mut self, time: SystemTime) {
        self.finish(|| nanos(time));
    }

    fn finish(&mut self, end: impl FnOnce() -> u64) {
        if let Some(active) = self.active.take() {
            active.end(end());
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.finish(unix_nanos);
    }
}

impl Entered<'_> {
    /// How others refer to the span.
    pub const fn context(&self) -> Option<SpanContext> {
        self.span.context
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.span.context.is_some() {
            self.span.active = entered::exit(self.key);
        }
    }
}

/// Sets an attribute of the innermost span that this thread is in, where that is one of ours: so a
/// handler says something of the span that a layer began.
pub fn set_current<'v>(name: &str, value: impl Into<FieldValue<'v>>) {
    let value = value.into();
    entered::with_current(|active| active.set(name, value));
}
