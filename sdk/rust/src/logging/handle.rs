use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::format::Formatter;
use super::layer::LogLayer;
use super::levels::{LevelError, Levels};
use super::output::Output;
use super::queue::{OutputHealth, Parts, Queue, QueueOptions};
use super::redact::Redactor;
use super::source::Source;
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::Severity;

/// The outputs of a process. Clones are the same.
#[derive(Clone)]
pub struct Logging(Arc<Shared>);

/// Without outputs.
impl Default for Logging {
    fn default() -> Self {
        Self(Arc::new(Shared { queues: Vec::new(), redactor: Redactor::none() }))
    }
}

struct Shared {
    queues: Vec<Arc<Queue>>,
    redactor: Redactor,
}

/// Whoever forgets to close lets the threads write what waits, without waiting for them.
impl Drop for Shared {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        self.queues.iter().for_each(|queue| queue.stop(deadline));
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.queues.iter().map(|queue| &queue.name)).finish()
    }
}

/// One output with what it wants and how it wants it.
pub struct OutputSetup {
    /// A name to find it by; each is there once.
    pub name: String,
    /// A severity, or names with severities: `warn,shop:cart=debug`. `trace` is everything.
    pub filter: String,
    /// Makes the lines.
    pub formatter: Arc<dyn Formatter>,
    /// How records wait.
    pub queue: QueueOptions,
    /// Where they go.
    pub output: Box<dyn Output>,
}

impl OutputSetup {
    /// Everything, as JSON. What leaves the machine goes in batches, what does not at once.
    pub fn new(name: impl Into<String>, output: impl Output) -> Self {
        let queue = if output.is_remote() { QueueOptions::batched() } else { QueueOptions::immediate() };
        let (name, filter) = (name.into(), "trace".to_owned());
        let formatter = Arc::new(super::format::LogFormat::Json);
        Self { name, filter, formatter, queue, output: Box::new(output) }
    }

    /// With another format.
    #[must_use]
    pub fn format(mut self, formatter: impl Formatter) -> Self {
        self.formatter = Arc::new(formatter);
        self
    }

    /// With a filter.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// With another queue.
    #[must_use]
    pub fn queue(mut self, queue: QueueOptions) -> Self {
        self.queue = queue;
        self
    }
}

impl fmt::Debug for OutputSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputSetup").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// A filter is none.
    #[error("the filter of output `{output}`")]
    Filter {
        /// Whose.
        output: String,
        /// What is wrong.
        #[source]
        source: LevelError,
    },
    /// Two outputs have one name.
    #[error("there are two outputs with the name `{0}`")]
    Twice(String),
    /// There can be no more threads.
    #[error("cannot start the thread of output `{output}`")]
    Thread {
        /// Whose.
        output: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Logging {
    /// Starts the threads of the outputs.
    ///
    /// # Errors
    /// A filter or a name is wrong, or there can be no more threads.
    pub fn start(
        outputs: Vec<OutputSetup>,
        redactor: Redactor,
        source: Source,
    ) -> Result<Self, LoggingError> {
        let source = Arc::new(source);
        let mut queues: Vec<Arc<Queue>> = Vec::new();
        for setup in outputs {
            let OutputSetup { name, filter, formatter, queue: options, output } = setup;
            if queues.iter().any(|queue| queue.name == name) {
                return Err(LoggingError::Twice(name));
            }
            let parsed = Levels::parse(&filter, Severity::Trace);
            let filter = parsed.map_err(|source| LoggingError::Filter { output: name.clone(), source })?;
            let parts = Parts { name: name.clone(), filter, output, formatter, options };
            let queue = Queue::start(parts, source.clone());
            queues.push(queue.map_err(|source| LoggingError::Thread { output: name, source })?);
        }
        Ok(Self(Arc::new(Shared { queues, redactor })))
    }

    /// A layer for `tracing_subscriber` that records into this.
    pub fn layer(&self) -> LogLayer {
        LogLayer::new(self.clone())
    }

    /// Tells what becomes of records as metrics, by output.
    pub fn observe(&self, registry: &Registry) {
        let shared = Arc::downgrade(&self.0);
        let weak = shared.clone();
        let text = "Log records that outputs wrote, dropped because there was no room, or lost.";
        registry.observe_counter("fresnel.log.output.records", "{log_record}", text, move |observer| {
            for it in all(&weak) {
                let of = |outcome| [("output", it.name.as_str()), ("outcome", outcome)];
                observer.observe(it.written, &of("written"));
                observer.observe(it.dropped, &of("dropped"));
                observer.observe(it.failed, &of("failed"));
            }
        });
        let weak = shared.clone();
        let text = "Log records that wait for an output.";
        registry.observe_up_down_counter(
            "fresnel.log.output.queue.usage",
            "{log_record}",
            text,
            move |observer| {
                for it in all(&weak) {
                    observer.observe(i64::try_from(it.waiting).unwrap_or(i64::MAX), &[("output", &it.name)]);
                }
            },
        );
        let text = "Log records that may wait for an output.";
        registry.observe_up_down_counter(
            "fresnel.log.output.queue.limit",
            "{log_record}",
            text,
            move |observer| {
                for it in all(&shared) {
                    observer
                        .observe(i64::try_from(it.records_max).unwrap_or(i64::MAX), &[("output", &it.name)]);
                }
            },
        );
    }

    /// Changes what an output gets, from now on.
    ///
    /// # Errors
    /// The filter is wrong, and the old one stays. False if there is no such output.
    pub fn set_filter(&self, output: &str, filter: &str) -> Result<bool, LevelError> {
        let levels = Levels::parse(filter, Severity::Trace)?;
        let found = self.0.queues.iter().find(|queue| queue.name == output);
        if let Some(queue) = found {
            queue.set_filter(levels);
        }
        Ok(found.is_some())
    }

    /// How every output is.
    pub fn health(&self) -> Vec<OutputHealth> {
        self.0.queues.iter().map(|queue| queue.health()).collect()
    }

    /// Whether every output is well.
    pub fn is_healthy(&self) -> bool {
        self.health().iter().all(|output| output.error.is_none())
    }

    /// Writes what waits, of all outputs at once. True means that all of it was written and, for files,
    /// is on the disk; false that `patience` was over, or something was lost.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let asked: Vec<_> = self.0.queues.iter().map(|queue| (queue, queue.ask())).collect();
        let mut kept = true;
        for (queue, wanted) in asked {
            kept &= queue.await_asked(wanted, deadline);
        }
        kept
    }

    /// Writes what waits and closes all outputs. Records that come later are dropped and counted. What
    /// an output could not write within `patience` is lost.
    pub fn close(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        self.0.queues.iter().for_each(|queue| queue.stop(deadline));
        let mut kept = true;
        for queue in &self.0.queues {
            kept &= queue.await_stopped(deadline);
        }
        kept
    }

    /// Lets outputs write what waits, without waiting for them.
    pub(crate) fn hurry(&self) {
        for queue in &self.0.queues {
            queue.hurry();
        }
    }

    pub(super) fn wants(&self, logger: &str, severity: Severity, local: bool) -> bool {
        self.0.queues.iter().any(|queue| queue.wants(logger, severity, local))
    }

    /// Takes a record: what is secret goes, and the outputs get it.
    pub(super) fn take(&self, mut entry: Entry) {
        self.0.redactor.entry(&mut entry);
        let weight = entry.weight();
        let entry = Arc::new(entry);
        for queue in &self.0.queues {
            if queue.wants(&entry.logger, entry.severity, entry.local) {
                queue.push(&entry, weight);
            }
        }
    }
}

fn all(shared: &Weak<Shared>) -> Vec<OutputHealth> {
    shared.upgrade().map(|shared| Logging(shared).health()).unwrap_or_default()
}
