use std::sync::Arc;

use super::{LoggingConfig, OutputConfig, OutputKind};
use crate::logging::format::{Formatter, LogFormat, Text};
use crate::logging::handle::{Logging, LoggingError, OutputSetup};
use crate::logging::output::{Console, Elasticsearch, File, Http, Output, Stream, Syslog};
use crate::logging::queue::QueueOptions;
use crate::logging::redact::RedactError;
use crate::logging::source::Source;

/// Logging cannot be what the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A redaction is none.
    #[error("redaction cannot be set up")]
    Redact(#[from] RedactError),
    /// An output is none.
    #[error("output `{output}` cannot be set up")]
    Output {
        /// Its name.
        output: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Logging cannot begin.
    #[error("logging cannot begin")]
    Start(#[from] LoggingError),
}

impl LoggingConfig {
    /// Starts the outputs, and others beside them.
    ///
    /// # Errors
    /// What a validated configuration would have said.
    pub fn start(&self, others: Vec<OutputSetup>, source: Source) -> Result<Logging, BuildError> {
        let redactor = self.redact.build()?;
        let mut outputs = others;
        for (name, output) in &self.outputs {
            let built = output.build(name, &source);
            outputs.push(built.map_err(|source| BuildError::Output { output: name.clone(), source })?);
        }
        Ok(Logging::start(outputs, redactor, source)?)
    }
}

impl OutputConfig {
    fn build(
        &self,
        name: &str,
        source: &Source,
    ) -> Result<OutputSetup, Box<dyn std::error::Error + Send + Sync>> {
        let formatter = self.formatter();
        let json = formatter.is_json();
        let output: Box<dyn Output> = match &self.to {
            OutputKind::Stdout => Box::new(Console::new(Stream::Stdout)),
            OutputKind::Stderr => Box::new(Console::new(Stream::Stderr)),
            OutputKind::File(file) => Box::new(File::new(&file.path, file.rotation())?),
            OutputKind::Syslog(it) => Box::new(Syslog::new(it.address.clone(), it.facility, source.clone())),
            OutputKind::Http(it) => {
                let mut http = Http::new(&it.url, json)?.timeout(it.timeout.get()).body(it.body);
                it.tls.secure(http.endpoint_mut())?;
                #[cfg(feature = "gzip")]
                let http = http.gzip(it.gzip);
                let headers = it.headers.iter();
                Box::new(headers.fold(http, |http, (name, value)| http.header(name, value.expose())))
            }
            OutputKind::Elasticsearch(it) => {
                let mut output = Elasticsearch::new(&it.url, &it.index)?.timeout(it.timeout.get());
                it.tls.secure(output.endpoint_mut())?;
                let key = it.api_key.as_ref().map(|key| format!("ApiKey {}", key.expose()));
                Box::new(key.iter().fold(output, |output, key| output.header("authorization", key)))
            }
            OutputKind::Datadog(it) => {
                let mut http = Http::new(&it.url, json)?.timeout(it.timeout.get());
                it.tls.secure(http.endpoint_mut())?;
                Box::new(http.header("dd-api-key", it.api_key.expose()))
            }
        };
        let queue = self.queue(output.is_remote());
        Ok(OutputSetup { name: name.to_owned(), filter: self.filter.clone(), formatter, queue, output })
    }

    fn queue(&self, remote: bool) -> QueueOptions {
        let usual = if remote { QueueOptions::batched() } else { QueueOptions::immediate() };
        QueueOptions {
            records_max: self.records_max,
            bytes_max: self.queue_bytes_max.as_usize(),
            batch_max: self.batch_max.unwrap_or(usual.batch_max),
            interval: self.interval.map_or(usual.interval, crate::config::Duration::get),
            ..usual
        }
    }

    fn formatter(&self) -> Arc<dyn Formatter> {
        let stream = match self.to {
            OutputKind::Stdout => Some(Stream::Stdout),
            OutputKind::Stderr => Some(Stream::Stderr),
            _ => None,
        };
        let color = stream.is_some_and(Stream::wants_color);
        let usual = match self.to {
            OutputKind::Stdout | OutputKind::Stderr if stream.is_some_and(Stream::is_terminal) => {
                LogFormat::Text
            }
            OutputKind::Syslog(_) => LogFormat::Text,
            OutputKind::Elasticsearch(_) => LogFormat::Ecs,
            OutputKind::Datadog(_) => LogFormat::Datadog,
            _ => LogFormat::Json,
        };
        match self.format.unwrap_or(usual) {
            LogFormat::Text => Arc::new(Text { color }),
            format => Arc::new(format),
        }
    }
}
