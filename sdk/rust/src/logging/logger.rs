use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use serde_json::Value;

use super::context::{Id, LogContext, push, with_current};
use super::entry::{ErrorInfo, Fields, Performance};
use super::levels::LOGGER;
use crate::telemetry::otlp::Severity;

/// A logger with a name and values of its own: for records whose values are not known to the
/// compiler. Its records take the way of `tracing` events: the same levels (by its name), outputs,
/// redaction and ids.
///
/// ```
/// use fresnel_sdk::logging::Logger;
/// use serde_json::json;
///
/// let shop = Logger::new("shop").with("region", "eu");
/// let cart = shop.child("cart").with("items", 3);
/// assert_eq!(cart.name(), "shop:cart");
/// cart.info("paid", [("total", json!({ "amount": 12.5, "currency": "EUR" }))]);
/// ```
#[derive(Clone, Debug)]
pub struct Logger {
    context: LogContext,
    name: Arc<str>,
}

/// Emits at a level that is known only now: each is an event of its own for `tracing`.
macro_rules! at_level {
    ($severity:expr, $macro:ident!($($argument:tt)*)) => {
        match $severity {
            Severity::Trace => tracing::$macro!(target: LOGGER, tracing::Level::TRACE, $($argument)*),
            Severity::Debug => tracing::$macro!(target: LOGGER, tracing::Level::DEBUG, $($argument)*),
            Severity::Info => tracing::$macro!(target: LOGGER, tracing::Level::INFO, $($argument)*),
            Severity::Warn => tracing::$macro!(target: LOGGER, tracing::Level::WARN, $($argument)*),
            Severity::Error | Severity::Fatal => {
                tracing::$macro!(target: LOGGER, tracing::Level::ERROR, $($argument)*)
            }
        }
    };
}

/// The values of a call.
pub(super) type Values<'a> = &'a mut dyn Iterator<Item = (Cow<'static, str>, Value)>;

/// What one record says besides its text.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) error: Option<ErrorInfo>,
    pub(super) performance: Option<Performance>,
}

impl Logger {
    /// A logger of this name.
    pub fn new(name: &str) -> Self {
        let name: Arc<str> = name.into();
        Self { context: LogContext::default(), name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A logger below this one, with its values: `parent:child`.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self { context: self.context.clone(), name: format!("{}:{name}", self.name).into() }
    }

    /// With a value for all its records. Values of a call go over it.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context = self.context.field(key, value);
        self
    }

    /// With an id for all its records.
    #[must_use]
    pub fn with_id(mut self, id: Id, value: impl AsRef<str>) -> Self {
        self.context = self.context.id(id, value);
        self
    }

    /// With a word to find its records by.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.context = self.context.tag(tag);
        self
    }

    /// Whether a record of this severity is made at all.
    pub fn is_enabled(&self, severity: Severity) -> bool {
        let mut context = LogContext::default();
        context.record.logger = Some(self.name.clone());
        context.record.fatal = severity == Severity::Fatal;
        let _pushed = push(Arc::new(context));
        at_level!(severity, enabled!())
    }

    /// Makes a record.
    pub fn log<K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        severity: Severity,
        message: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        let mut values = values.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.emit(severity, message, &mut values, Details::default());
    }

    /// Makes a record for tracking down.
    pub fn trace<K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        message: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.log(Severity::Trace, message, values);
    }

    /// Makes a record for developers.
    pub fn debug<K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        message: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.log(Severity::Debug, message, values);
    }

    /// Makes a record of a change of state.
    pub fn info<K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        message: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.log(Severity::Info, message, values);
    }

    /// Makes a record of something odd, by which nothing was lost.
    pub fn warn<K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        message: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.log(Severity::Warn, message, values);
    }

    /// Makes a record of something that somebody must act on. An error is kept with its type and causes;
    /// `None` as `None::<&std::fmt::Error>` where there is none.
    ///
    /// ```
    /// use fresnel_sdk::logging::{Logger, NO_VALUES};
    ///
    /// let error = "x".parse::<u16>().expect_err("no number");
    /// Logger::new("shop").error("price is unreadable", Some(&error), NO_VALUES);
    /// ```
    pub fn error<E: Error + 'static, K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        message: &str,
        error: Option<&E>,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.log_error(Severity::Error, message, error.map(ErrorInfo::of), values);
    }

    /// Makes a record of the end of something.
    pub fn fatal<E: Error + 'static, K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        message: &str,
        error: Option<&E>,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.log_error(Severity::Fatal, message, error.map(ErrorInfo::of), values);
    }

    /// Makes a record with an error that was made by hand: with a code, a backtrace, values.
    pub fn log_error<K: Into<Cow<'static, str>>, V: Into<Value>>(
        &self,
        severity: Severity,
        message: &str,
        error: Option<ErrorInfo>,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        let mut values = values.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.emit(severity, message, &mut values, Details { error, performance: None });
    }

    pub(super) fn emit(&self, severity: Severity, message: &str, values: Values<'_>, details: Details) {
        // First, so that nothing is made for a record that nobody wants.
        if !self.is_enabled(severity) {
            return;
        }
        let mut context = self.context.clone();
        context.fields.extend(values.map(|(key, value)| (key.into_owned(), value)));
        context.record.error = details.error;
        context.record.performance = details.performance;
        let context = with_current(|outer| match outer {
            Some(outer) => context.clone().over(outer),
            None => context.clone(),
        });
        self.emit_in(severity, message, context);
    }

    /// Makes a record that has this around it and nothing else.
    pub(crate) fn emit_in(&self, severity: Severity, message: &str, mut context: LogContext) {
        context.record.logger = Some(self.name.clone());
        context.record.fatal = severity == Severity::Fatal;
        let _pushed = push(Arc::new(context));
        at_level!(severity, event!("{message}"));
    }
}

/// No values for a record.
pub const NO_VALUES: [(&str, Value); 0] = [];

impl LogContext {
    /// Its values, for `tracing`'s own way of recording.
    pub(crate) fn values(&self) -> &Fields {
        &self.fields
    }

    pub(crate) fn logger(&self) -> Option<&str> {
        self.record.logger.as_deref()
    }

    pub(crate) fn error(&self) -> Option<&ErrorInfo> {
        self.record.error.as_ref()
    }

    pub(crate) fn performance(&self) -> Option<Performance> {
        self.record.performance
    }

    pub(crate) fn tags(&self) -> &[String] {
        &self.tags
    }
}
