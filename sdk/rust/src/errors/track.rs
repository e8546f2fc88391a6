use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;

use serde_json::Value;

use super::capture::report;
use super::report::{causes, chained};

thread_local! {
    /// The error that was last reported in what is tracked on this thread: on its way up it is not
    /// reported again.
    static REPORTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs something and records the error that it gives, with `code.function.name` and the facts that
/// are handed over; the error is given back as it is. Arguments are recorded only as such facts, and
/// these are asked for only when there is an error.
///
/// An error that comes from within, out of something that is tracked or captured itself, was recorded
/// there and is not again.
///
/// ```
/// use fresnel_sdk::errors::with_error_tracking;
///
/// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
///     with_error_tracking("port", [("length", text.len())], || text.parse())
/// }
/// assert!(port("80").is_ok() && port("x").is_err());
/// ```
///
/// # Errors
/// What `run` gives.
pub fn with_error_tracking<T, E: Error, K: Into<Cow<'static, str>>, V: Into<Value>>(
    name: &str,
    context: impl IntoIterator<Item = (K, V)>,
    run: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let outer = REPORTED.take();
    let result = run();
    let within = REPORTED.replace(outer);
    settle(name, context, &result, within);
    result
}

/// As [`with_error_tracking`], for a future.
///
/// # Errors
/// What the future gives.
pub async fn with_error_tracking_async<T, E: Error, K: Into<Cow<'static, str>>, V: Into<Value>>(
    name: &str,
    context: impl IntoIterator<Item = (K, V)>,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut future = pin!(future);
    let mut within = None;
    let result = poll_fn(|cx| {
        let outer = REPORTED.replace(within);
        let poll = future.as_mut().poll(cx);
        within = REPORTED.replace(outer);
        poll
    })
    .await;
    settle(name, context, &result, within);
    result
}

fn settle<T, E: Error, K: Into<Cow<'static, str>>, V: Into<Value>>(
    name: &str,
    context: impl IntoIterator<Item = (K, V)>,
    result: &Result<T, E>,
    within: Option<u64>,
) {
    let Err(error) = result else { return };
    if !within.is_some_and(|reported| prints(error).contains(&reported)) {
        let function = [(Cow::Borrowed("code.function.name"), Value::from(name))];
        let context = context.into_iter().map(|(key, value)| (key.into(), value.into()));
        report(error, "tracked", function.into_iter().chain(context));
    }
    mark(error);
}

/// Lets what is tracked around this thread know that an error was reported.
pub(super) fn mark<E: Error + ?Sized>(error: &E) {
    // A thread that is ending has nothing around it.
    let _ = REPORTED.try_with(|reported| reported.set(prints(error).first().copied()));
}

/// What tells an error from others, and each of its causes: errors have no identity.
fn prints<E: Error + ?Sized>(error: &E) -> Vec<u64> {
    let mut texts = causes(error);
    texts.insert(0, error.to_string());
    let print = |place: usize| {
        let mut hasher = DefaultHasher::new();
        chained(&texts[place], &texts[place + 1..]).hash(&mut hasher);
        hasher.finish()
    };
    (0..texts.len()).map(print).collect()
}
