use std::io::IsTerminal;
use std::sync::Arc;

use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::{Layer as _, fmt, reload};

use super::health::{Gauge, Health};
use super::layer::Layer;
use super::lines::Watched;
use crate::logging::ByName;

/// How log lines look on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object on each line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// What is recorded: a level, or directives such as `info,hyper=warn`.
    pub filter: String,
    /// How lines look on stderr.
    pub format: Format,
    /// Coloured lines; by default on a terminal unless `NO_COLOR` is set.
    pub color: Option<bool>,
    /// Where records go besides.
    pub layer: Option<Layer>,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self { filter: "info".into(), format: Format::Text, color: None, layer: None }
    }
}

/// Why nothing is logged.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is none.
    #[error("`{filter}` is not a log filter")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is one already.
    #[error("logging is already set up")]
    AlreadySet,
}

/// The logging of this process.
#[derive(Clone, Debug)]
pub struct Telemetry {
    filter: reload::Handle<ByName, Registry>,
    lines: Arc<Gauge>,
    layer: Option<Layer>,
}

/// Sets up logging for the process.
///
/// # Errors
/// The filter is wrong, or it was done before.
pub fn init(options: InitOptions) -> Result<Telemetry, InitError> {
    let (telemetry, dispatch) = build(options, std::io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| InitError::AlreadySet)?;
    Ok(telemetry)
}

/// What [`init`] installs, writing to anywhere.
pub(super) fn build<W>(options: InitOptions, writer: W) -> Result<(Telemetry, Dispatch), InitError>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse(&options.filter)?);
    let color = options.color.unwrap_or_else(|| {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !refused && std::io::stderr().is_terminal()
    });
    let gauge = Arc::new(Gauge::new("lines"));
    // A line that cannot be written is told by the health; complaining where it could not be written
    // would panic.
    let lines = fmt::layer().with_writer(Watched { inner: writer, gauge: gauge.clone() });
    let lines = lines.log_internal_errors(false);
    let lines = match options.format {
        Format::Text => lines.with_ansi(color).boxed(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
    };
    let telemetry = Telemetry { filter: handle, lines: gauge, layer: options.layer.clone() };
    let subscriber = Registry::default().with(filter).with(lines).with(options.layer);
    Ok((telemetry, Dispatch::new(subscriber)))
}

/// Whether a text is a filter: a level, or directives such as `info,hyper=warn`.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), InitError> {
    parse(filter).map(|_| ())
}

fn parse(filter: &str) -> Result<ByName, InitError> {
    ByName::parse(filter).map_err(|source| InitError::Filter { filter: filter.to_owned(), source })
}

impl Telemetry {
    /// Changes what is recorded, from now on.
    ///
    /// # Errors
    /// The filter is wrong; the old one stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), InitError> {
        let filter = parse(filter)?;
        // It fails only when the subscriber is gone, and with it everybody who could log.
        let _ = self.filter.reload(filter);
        Ok(())
    }

    /// How every output is: the lines, and what the layer exports.
    pub fn health(&self) -> Health {
        let mut outputs = vec![self.lines.read()];
        outputs.extend(self.layer.iter().flat_map(Layer::outputs));
        Health { outputs }
    }

    /// What is recorded now.
    pub fn filter(&self) -> String {
        self.filter.with_current(ToString::to_string).unwrap_or_default()
    }
}
