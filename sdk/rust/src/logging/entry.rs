use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::context::Ids;
use crate::telemetry::SpanContext;
use crate::telemetry::otlp::Severity;

/// Named values, as JSON has them.
pub type Fields = Map<String, Value>;

/// One log record, as outputs and formats see it: redacted, and the same for all of them.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was made.
    pub time: SystemTime,
    /// How bad it is.
    pub severity: Severity,
    /// What it says.
    pub message: String,
    /// The name of the logger, such as `shop:cart`, or the module that made it.
    pub logger: Cow<'static, str>,
    /// Its own values and those of the context around it.
    pub fields: Fields,
    /// Whom and what it belongs to.
    pub ids: Ids,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The trace and span that it was made in.
    pub trace: Option<SpanContext>,
    /// The spans around it with their values, outermost first.
    pub spans: Vec<(&'static str, Arc<Fields>)>,
    /// What went wrong.
    pub error: Option<ErrorInfo>,
    /// What it took.
    pub performance: Option<Performance>,
    /// The thread that made it.
    pub thread: Option<String>,
    /// Made while recording is suppressed: it stays on this machine.
    pub(crate) local: bool,
}

impl Entry {
    /// Roughly how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let error = self.error.as_ref().map_or(0, |error| {
            error.message.len() + error.stack.as_ref().map_or(0, String::len) + weight_of(&error.custom)
        });
        let spans: usize = self.spans.iter().map(|(_, fields)| weight_of(fields)).sum();
        256 + self.message.len() + weight_of(&self.fields) + spans + error
    }
}

fn weight_of(fields: &Fields) -> usize {
    fn value(it: &Value) -> usize {
        match it {
            Value::String(text) => 32 + text.len(),
            Value::Array(items) => items.iter().map(value).sum::<usize>() + 32,
            Value::Object(fields) => weight_of(fields) + 32,
            Value::Null | Value::Bool(_) | Value::Number(_) => 32,
        }
    }
    fields.iter().map(|(key, it)| key.len() + 32 + value(it)).sum()
}

/// An error as it is logged.
///
/// ```
/// use fresnel_sdk::logging::ErrorInfo;
///
/// let error = "x".parse::<u16>().expect_err("no number");
/// let info = ErrorInfo::of(&error).code("E42").custom("input", "x");
/// assert_eq!(info.name.as_deref(), Some("ParseIntError"));
/// assert_eq!(info.message, "invalid digit found in string");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorInfo {
    /// The name of its type, without the path.
    pub name: Option<String>,
    /// What it says, with its causes.
    pub message: String,
    /// Where it came from.
    pub stack: Option<String>,
    /// A code that programs act on.
    pub code: Option<String>,
    /// What else it tells.
    pub custom: Fields,
}

impl ErrorInfo {
    /// An error of a type that is known.
    pub fn of<E: Error + 'static>(error: &E) -> Self {
        let path = std::any::type_name::<E>().split('<').next().unwrap_or_default();
        let name = path.rsplit("::").next().unwrap_or_default();
        Self { name: Some(name.to_owned()), ..Self::of_dyn(error) }
    }

    /// An error of a type that is not known.
    pub fn of_dyn(error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        // Bounded, as an error may be its own cause.
        for _ in 0..16 {
            let Some(it) = cause else { break };
            message.push_str(": ");
            message.push_str(&it.to_string());
            cause = it.source();
        }
        Self { message, ..Self::default() }
    }

    /// With a code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With the backtrace of here.
    #[must_use]
    pub fn with_backtrace(mut self) -> Self {
        self.stack = Some(std::backtrace::Backtrace::force_capture().to_string());
        self
    }

    /// With one more value.
    #[must_use]
    pub fn custom(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.custom.insert(key.into(), value.into());
        self
    }
}

/// What something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Performance {
    /// How long.
    pub duration: Duration,
    /// Memory of the process, where the system tells.
    pub memory: Option<Memory>,
}

/// Memory of the process. Rust has one heap and no collector: what is resident is what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What is resident, in bytes.
    pub rss_bytes: u64,
    /// By how much that changed, in bytes.
    pub rss_delta_bytes: i64,
}
