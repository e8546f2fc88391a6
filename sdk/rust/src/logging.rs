//! Log records with their values, for several outputs at once.
//!
//! What enters: `tracing` events through the [`LogLayer`], those of [`Logger`]s among them, and what
//! surrounds them: spans, and the ids and values of a [`LogContext`]. What leaves: lines, in the
//! [`LogFormat`] of each [`Output`].
//!
//! What must hold: nobody who logs waits for an output; every queue is bounded, and what does not
//! fit is counted; an output that fails or panics disturbs no other; what is secret is taken out
//! before any output sees the record.
//!
//! ```
//! use fresnel_sdk::logging::{File, Logging, OutputSetup, Redactor, Rotation, Source};
//! use std::time::Duration;
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let folder = tempfile::tempdir()?;
//! let file = File::new(folder.path().join("app.log"), Rotation::default())?;
//! let logging = Logging::start(vec![OutputSetup::new("file", file)], Redactor::default(), Source::default())?;
//! let subscriber = tracing_subscriber::registry().with(logging.layer());
//! tracing::subscriber::with_default(subscriber, || tracing::info!(user = "ann", password = "1234", "in"));
//!
//! assert!(logging.flush(Duration::from_secs(20)) && logging.is_healthy());
//! let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("app.log"))?)?;
//! assert_eq!((&line["message"], &line["metadata"]["password"]), (&"in".into(), &"[REDACTED]".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod config;
mod context;
mod entry;
mod fields;
mod format;
mod handle;
mod layer;
mod levels;
mod logger;
mod output;
mod prebuilt;
mod queue;
mod redact;
mod source;
mod timing;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/logging.md")]
mod guide {}

pub use self::config::{
    BuildError, DatadogOutput, ElasticsearchOutput, FileOutput, HttpOutput, LoggingConfig, OutputConfig,
    OutputKind, PatternConfig, RedactConfig, SyslogOutput, TlsConfig,
};
pub use self::context::{Id, Ids, LogContext, Pushed, Scoped, correlation_id};
pub use self::entry::{Entry, ErrorInfo, Fields, Memory, Performance};
pub use self::format::{Formatter, LogFormat, Text};
pub use self::handle::{Logging, LoggingError, OutputSetup};
pub use self::layer::LogLayer;
pub use self::levels::LevelError;
pub use self::logger::{Logger, NO_VALUES};
pub use self::output::{
    Batching, Body, Compression, Console, Destination, Elasticsearch, File, Formatted, Http, NotInBuild,
    Output, Rotation, Stream, Syslog, Transport, UrlError, WriteError,
};
pub use self::prebuilt::{DatabaseQuery, QueueMessage, request_fields, response_fields};
pub use self::queue::{OutputHealth, QueueOptions};
pub use self::redact::{REDACTED, RedactError, Redactor};
pub use self::source::Source;
#[cfg(feature = "https")]
pub use crate::post::tls::CertificateError;
pub use crate::telemetry::otlp::Severity;

pub(crate) use self::attributes::{write as write_attributes, write_value as write_json};
#[cfg(feature = "tower")]
pub(crate) use self::context::Surrounding;
pub(crate) use self::context::with_current;
pub(crate) use self::fields::FATAL;
#[cfg(feature = "events")]
pub(crate) use self::format::time::{compact_date, rfc3339};
pub(crate) use self::layer::severity_of;
pub(crate) use self::levels::ByName;

/// Makes a record of the end of something, with the arguments of `tracing::error!`. `tracing` has no
/// level above an error: it is an error with a field that our outputs and exports know.
///
/// ```
/// fresnel_sdk::fatal!(disk = "/dev/sda1", "no space is left");
/// fresnel_sdk::fatal!(target: "store", "no space is left");
/// ```
#[macro_export]
macro_rules! fatal {
    (target: $target:expr, $($argument:tt)+) => {
        $crate::__tracing::event!(target: $target, $crate::__tracing::Level::ERROR, log.fatal = true, $($argument)+)
    };
    ($($argument:tt)+) => {
        $crate::__tracing::event!($crate::__tracing::Level::ERROR, log.fatal = true, $($argument)+)
    };
}
