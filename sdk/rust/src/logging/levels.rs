//! Which records are made: a level for all and levels for some, by module or by name of a logger.

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, Layer};

use super::context::with_current;
use crate::telemetry::otlp::Severity;

/// The target of what [`Logger`](super::Logger) makes; its name says what it is.
pub(super) const LOGGER: &str = "fresnel_sdk::logger";

/// Severities by name: `info,shop=debug,shop:cart=off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    /// `None` is nothing at all.
    default: Option<Severity>,
    /// The longest name first.
    names: Vec<(String, Option<Severity>)>,
}

/// A text says nothing about levels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a level: it must be one of trace, debug, info, warn, error, fatal, off")]
pub struct LevelError {
    word: String,
}

/// A level, in the words of several libraries.
fn severity(word: &str) -> Option<Option<Severity>> {
    Some(match word.to_ascii_lowercase().as_str() {
        "trace" | "silly" => Some(Severity::Trace),
        "debug" | "verbose" | "http" => Some(Severity::Debug),
        "info" => Some(Severity::Info),
        "warn" | "warning" => Some(Severity::Warn),
        "error" => Some(Severity::Error),
        "fatal" | "critical" => Some(Severity::Fatal),
        "off" | "none" => None,
        _ => return None,
    })
}

impl Levels {
    /// Reads `LEVEL` and `NAME=LEVEL` between commas; `default` is what is said of no name.
    pub(super) fn parse(text: &str, default: Severity) -> Result<Self, LevelError> {
        let mut levels = Self { default: Some(default), names: Vec::new() };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, word) = part.split_once('=').map_or((None, part), |(name, word)| (Some(name), word));
            let level = severity(word.trim()).ok_or_else(|| LevelError { word: word.trim().to_owned() })?;
            match name {
                None => levels.default = level,
                Some(name) => levels.names.push((name.trim().to_owned(), level)),
            }
        }
        levels.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Ok(levels)
    }

    /// Leaves out what only `tracing` understands, such as fields of spans.
    fn lenient(text: &str) -> Self {
        let simple = |part: &&str| match part.split_once('=') {
            Some((name, word)) => !name.contains(['[', '{']) && severity(word.trim()).is_some(),
            None => severity(part.trim()).is_some(),
        };
        let simple: Vec<_> = text.split(',').filter(simple).collect();
        let nothing = Self { default: Some(Severity::Error), names: Vec::new() };
        Self::parse(&simple.join(","), Severity::Error).unwrap_or(nothing)
    }

    pub(super) fn allow(&self, name: &str, severity: Severity) -> bool {
        let belongs =
            |own: &str| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        let found = self.names.iter().find(|(own, _)| belongs(own));
        let least = found.map_or(self.default, |(_, level)| *level);
        least.is_some_and(|least| severity as u8 >= least as u8)
    }
}

/// `tracing`'s own filter for modules, and the same words for names of loggers.
#[derive(Debug)]
pub(crate) struct ByName {
    modules: EnvFilter,
    loggers: Levels,
}

impl ByName {
    /// Reads a filter: a level, or directives such as `info,hyper=warn,shop:cart=debug`.
    pub(crate) fn parse(text: &str) -> Result<Self, tracing_subscriber::filter::ParseError> {
        // In the words of `tracing`, which has no others.
        let words: Vec<_> = text.split(',').map(in_its_words).collect();
        let modules = EnvFilter::builder().parse(words.join(","))?;
        Ok(Self { modules, loggers: Levels::lenient(text) })
    }
}

impl std::fmt::Display for ByName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.modules.fmt(f)
    }
}

fn in_its_words(part: &str) -> String {
    let (name, word) = part.split_once('=').map_or((None, part), |(name, word)| (Some(name), word));
    let word = match word.trim().to_ascii_lowercase().as_str() {
        "silly" => "trace",
        "verbose" | "http" => "debug",
        "warning" => "warn",
        "fatal" | "critical" => "error",
        "none" => "off",
        _ => return part.to_owned(),
    };
    name.map_or_else(|| word.to_owned(), |name| format!("{name}={word}"))
}

/// What `tracing` calls it; the worst it knows is an error.
fn of_level(level: tracing::Level) -> Severity {
    match level {
        tracing::Level::TRACE => Severity::Trace,
        tracing::Level::DEBUG => Severity::Debug,
        tracing::Level::INFO => Severity::Info,
        tracing::Level::WARN => Severity::Warn,
        tracing::Level::ERROR => Severity::Error,
    }
}

impl<S: Subscriber> Layer<S> for ByName {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.target() {
            LOGGER => Interest::sometimes(),
            _ => Layer::<S>::register_callsite(&self.modules, metadata),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        if metadata.target() != LOGGER {
            return Layer::<S>::enabled(&self.modules, metadata, ctx);
        }
        with_current(|current| {
            let record = current.map(|current| &current.record);
            let name = record.and_then(|record| record.logger.as_deref()).unwrap_or_default();
            let fatal = record.is_some_and(|record| record.fatal);
            self.loggers.allow(name, if fatal { Severity::Fatal } else { of_level(*metadata.level()) })
        })
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<S>::max_level_hint(&self.modules)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.modules.on_new_span(attributes, id, ctx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        Layer::<S>::on_record(&self.modules, id, values, ctx);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        Layer::<S>::on_event(&self.modules, event, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        Layer::<S>::on_enter(&self.modules, id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        Layer::<S>::on_exit(&self.modules, id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        Layer::<S>::on_close(&self.modules, id, ctx);
    }
}
