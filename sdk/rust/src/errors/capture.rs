use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;

use serde_json::Value;

use super::layer::ErrorLayer;
use super::report::{Report, User};
use super::scope::Scope;
use super::track;
use crate::logging::{ErrorInfo, Fields, Id, LogContext, Logger, Severity, with_current};

/// The logger by which levels and outputs choose reports, and that of panics.
const ERRORS: &str = "errors";
const PANIC: &str = "panic";

thread_local! {
    /// What goes wrong in a hook would come back to it.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Records an error, with facts of its context. Gives back the id of the record, to be shown instead
/// of the error; nothing if it was not recorded, by its level or by
/// [`before_send`](ErrorLayer::before_send).
///
/// An `anyhow::Error` or a `Box<dyn Error>` is given as `&*error`; its type is then not known.
///
/// ```
/// let error = "x".parse::<u16>().expect_err("no number");
/// fresnel_sdk::errors::capture_error(&error, [("field", "price")]);
/// let boxed: Box<dyn std::error::Error> = error.into();
/// fresnel_sdk::errors::capture_error(&*boxed, fresnel_sdk::logging::NO_VALUES);
/// ```
pub fn capture_error<E: Error + ?Sized, K: Into<Cow<'static, str>>, V: Into<Value>>(
    error: &E,
    context: impl IntoIterator<Item = (K, V)>,
) -> Option<String> {
    track::mark(error);
    report(error, "manual", context)
}

/// Records a message, as [`capture_error`] does an error.
pub fn capture_message<K: Into<Cow<'static, str>>, V: Into<Value>>(
    severity: Severity,
    message: &str,
    context: impl IntoIterator<Item = (K, V)>,
) -> Option<String> {
    send(ERRORS, severity, fields(context), |_| Report::message(severity, message, "manual"))
}

pub(super) fn report<E: Error + ?Sized, K: Into<Cow<'static, str>>, V: Into<Value>>(
    error: &E,
    mechanism: &'static str,
    context: impl IntoIterator<Item = (K, V)>,
) -> Option<String> {
    send(ERRORS, Severity::Error, fields(context), |layer| {
        let mut report = Report::of(error, mechanism);
        if let Some(error) = &mut report.error {
            error.stack = stack(layer.stacktraces);
        }
        report
    })
}

/// Records a panic.
pub(crate) fn capture_panic(message: &str, stack: String, context: Fields) {
    send(PANIC, Severity::Fatal, context, |_| {
        let error = ErrorInfo {
            name: Some(PANIC.to_owned()),
            message: message.to_owned(),
            stack: Some(stack),
            ..ErrorInfo::default()
        };
        let text = format!("panicked: {message}");
        Report { error: Some(error), ..Report::message(Severity::Fatal, &text, PANIC) }
    });
}

fn fields<K: Into<Cow<'static, str>>, V: Into<Value>>(context: impl IntoIterator<Item = (K, V)>) -> Fields {
    context.into_iter().map(|(key, value)| (key.into().into_owned(), value.into())).collect()
}

fn stack(always: bool) -> Option<String> {
    let stack = if always { Backtrace::force_capture() } else { Backtrace::capture() };
    (stack.status() == BacktraceStatus::Captured).then(|| stack.to_string())
}

/// Records a report, with what surrounds it, if it is wanted.
fn send(
    logger: &str,
    severity: Severity,
    context: Fields,
    report: impl FnOnce(&ErrorLayer) -> Report,
) -> Option<String> {
    let logger = Logger::new(logger);
    // First, so that nothing is made for a record that nobody wants.
    if ASKING.get() || !logger.is_enabled(severity) {
        return None;
    }
    let layer = ErrorLayer::current();
    let around = with_current(|current| current.cloned()).unwrap_or_default();
    let report = surrounded(report(&layer), context, &layer, &around);
    ASKING.set(true);
    let report = layer.ask(report);
    ASKING.set(false);
    layer.count(report.is_some());
    let mut report = report?;
    let user = report.user.as_ref().and_then(|user| user.id.clone());
    let whole = around.replaced(user.as_deref(), report.take_fields(), report.error.take());
    logger.emit_in(report.severity, &report.message, whole);
    Some(report.id)
}

/// A report with all that is known of it.
fn surrounded(mut report: Report, context: Fields, layer: &ErrorLayer, around: &LogContext) -> Report {
    report.attributes.clone_from(layer.tags());
    report.attributes.extend(around.fields().clone());
    report.attributes.extend(context);
    let (user, breadcrumbs) = Scope::read();
    let of_context = || around.get(Id::User).map(User::new);
    report.user = user.or_else(of_context).map(|user| match layer.personal_data {
        true => user,
        false => User { email: None, name: None, ..user },
    });
    report.breadcrumbs = breadcrumbs;
    report
}
