use std::borrow::Cow;
use std::time::Duration;

use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry as Spans, reload};

use super::environment::Environment;
use super::guard::{Guard, Started};
use super::panics;
use super::service::Service;
use crate::errors::{ErrorLayer, Report};
use crate::logging::{BuildError, ByName, LoggingConfig, OutputSetup, RedactError, Source};
use crate::propagation::Propagation;
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::{Resource, Value};
use crate::telemetry::trace::Tracer;
use crate::telemetry::{ExportError, Exporter, Layer, Pipeline, Sampler, Signal, process};

/// How a service is to be seen. What the environment says goes over it.
#[derive(Default)]
#[must_use = "nothing begins before `start`"]
pub struct Builder {
    service: Option<(String, String)>,
    attributes: Vec<(Cow<'static, str>, Value)>,
    logging: LoggingConfig,
    outputs: Vec<OutputSetup>,
    exporter: Option<Box<dyn Exporter>>,
    registry: Option<Registry>,
    errors: ErrorLayer,
    patience: Option<Duration>,
    keep_panics: bool,
}

/// Why nothing began.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The filter is none.
    #[error("`{filter}` is not a log filter")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Redaction cannot be set up.
    #[error("redaction cannot be set up")]
    Redact(#[from] RedactError),
    /// An output cannot be set up.
    #[error("logging cannot be set up")]
    Logging(#[from] BuildError),
    /// There can be no more threads.
    #[error("cannot start the thread of telemetry")]
    Thread(#[source] std::io::Error),
    /// Somebody has set up `tracing` before.
    #[error("tracing is already set up in this process")]
    AlreadySet,
}

impl Builder {
    /// Who it is; the name of the program unless said.
    pub fn service(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.service = Some((name.into(), version.into()));
        self
    }

    /// What else is told of it, by the semantic conventions for resources.
    pub fn attribute(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// Where it is deployed, such as `production`: `deployment.environment.name`.
    pub fn environment(self, name: impl Into<String>) -> Self {
        self.attribute("deployment.environment.name", name.into())
    }

    /// How [`errors`](crate::errors) are reported.
    pub fn errors(mut self, errors: ErrorLayer) -> Self {
        self.errors = errors;
        self
    }

    /// As [`ErrorLayer::before_send`].
    pub fn before_send(mut self, hook: impl Fn(Report) -> Option<Report> + Send + Sync + 'static) -> Self {
        self.errors = self.errors.before_send(hook);
        self
    }

    /// Levels, redaction and outputs of logs.
    pub fn logging(mut self, config: LoggingConfig) -> Self {
        self.logging = config;
        self
    }

    /// What is recorded: a level, or directives such as `info,hyper=warn`.
    pub fn level(mut self, filter: impl Into<String>) -> Self {
        self.logging.level = filter.into();
        self
    }

    /// One more output of logs.
    pub fn output(mut self, output: OutputSetup) -> Self {
        self.outputs.push(output);
        self
    }

    /// Sends OTLP here, not where the environment says.
    pub fn exporter(mut self, exporter: impl Exporter) -> Self {
        self.exporter = Some(Box::new(exporter));
        self
    }

    /// Sends the instruments of this registry along; a new one unless said.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// How long the end may take; five seconds unless said.
    pub fn shutdown_timeout(mut self, at_most: Duration) -> Self {
        self.patience = Some(at_most);
        self
    }

    /// Whether panics are recorded; they are unless said. Whoever handled them before still does.
    pub fn capture_panics(mut self, on: bool) -> Self {
        self.keep_panics = !on;
        self
    }

    /// Begins, for the whole process.
    ///
    /// # Errors
    /// Something cannot be set up, or `tracing` was set up before. Nothing is left running then.
    pub fn start(self) -> Result<Guard, StartError> {
        let (capture, mut environment) = (!self.keep_panics, Environment::of_process());
        let (started, dispatch) = self.build(&mut environment)?;
        tracing::dispatcher::set_global_default(dispatch).map_err(|_| StartError::AlreadySet)?;
        started.service.become_the_process();
        if capture {
            panics::capture(&started);
        }
        for warning in environment.warnings {
            tracing::warn!("{warning}");
        }
        Ok(Guard::new(started))
    }

    /// All but what is set up for the process.
    pub(super) fn build(
        self,
        environment: &mut Environment,
    ) -> Result<(std::sync::Arc<Started>, Dispatch), StartError> {
        let resource = self.resource(environment);
        let filter = environment.filter.clone().unwrap_or_else(|| self.logging.level.clone());
        let levels = ByName::parse(&filter);
        let levels = levels.or_else(|source| match environment.filter.take() {
            // What the environment says wrongly counts as not said.
            Some(wrong) => {
                environment.warnings.push(format!("`{wrong}` is not a log filter: {source}"));
                ByName::parse(&self.logging.level)
            }
            None => Err(source),
        });
        let levels = levels.map_err(|source| StartError::Filter { filter, source })?;
        let (levels, handle) = reload::Layer::new(levels);
        let redactor = self.logging.redact.build()?;
        let registry = self.registry.unwrap_or_default();
        let pipeline = match environment.disabled {
            true => None,
            false => {
                let options = environment.options.clone();
                let started = Pipeline::start(resource.clone(), registry.clone(), options);
                Some(started.map_err(StartError::Thread)?)
            }
        };
        if let Some(pipeline) = &pipeline {
            connect(pipeline, self.exporter, environment);
        }
        let logging = self.logging.start(self.outputs, Source::of(&resource))?;
        logging.observe(&registry);
        process::observe(&registry);
        self.errors.observe(&registry);
        let (sampler, wrong) = Sampler::from_env();
        environment.warnings.extend(wrong.map(|wrong| wrong.to_string()));
        // Whoever sends and reads contexts goes by it too, and has nobody to tell.
        let (_, wrong) = Propagation::from_env();
        environment.warnings.extend(wrong.iter().map(ToString::to_string));
        let limits = environment.limits;
        let layer = |it: &Pipeline| it.layer().redacting(redactor).sampled_by(sampler).limited_to(limits);
        let spans = pipeline.as_ref().map(layer);
        let tracer = spans.as_ref().map_or(Tracer::disabled(), Layer::tracer);
        // Spans first: records have their ids.
        let subscriber = Spans::default().with(levels).with(spans).with(logging.layer()).with(self.errors);
        let patience = self.patience.unwrap_or(Duration::from_secs(5));
        let service = Service::new(tracer, registry, version(&resource));
        let started = Started { levels: Some(handle), logging, pipeline, service, patience };
        Ok((std::sync::Arc::new(started), Dispatch::new(subscriber)))
    }

    fn resource(&self, environment: &mut Environment) -> Resource {
        let (name, version) = self.service.clone().unwrap_or_else(|| (program_name(), String::new()));
        let resource = self
            .attributes
            .iter()
            .fold(Resource::service(&name, &version), |it, (key, value)| it.with(key.clone(), value.clone()));
        let (name, list) = (environment.service_name.as_deref(), environment.attributes.as_deref());
        let (resource, error) = resource.with_variables(name, list);
        environment.warnings.extend(error.map(|error| error.to_string()));
        resource
    }
}

fn connect(pipeline: &Pipeline, exporter: Option<Box<dyn Exporter>>, environment: &mut Environment) {
    match exporter {
        Some(exporter) => pipeline.connect(Given(exporter)),
        None => connect_by(environment, pipeline),
    }
}

#[cfg(feature = "http")]
fn connect_by(environment: &mut Environment, pipeline: &Pipeline) {
    pipeline.connect(super::exporters::Exporters::new(environment));
}

/// Nothing here can send.
#[cfg(not(feature = "http"))]
fn connect_by(_: &mut Environment, pipeline: &Pipeline) {
    struct Nobody;
    impl Exporter for Nobody {
        fn wants(&self, _: Signal) -> bool {
            false
        }
        fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
            Ok(())
        }
    }
    pipeline.connect(Nobody);
}

/// An exporter of a type that is not known.
struct Given(Box<dyn Exporter>);

impl Exporter for Given {
    fn wants(&self, signal: Signal) -> bool {
        self.0.wants(signal)
    }

    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        self.0.export(signal, request)
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        self.0.export_within(signal, request, within)
    }

    fn flush(&self, signal: Signal, within: Duration) -> bool {
        self.0.flush(signal, within)
    }
}

/// `service.version`, whoever said it.
fn version(resource: &Resource) -> String {
    let version = resource.attributes.iter().find(|attribute| attribute.key == "service.version");
    match version.map(|attribute| &attribute.value) {
        Some(Value::Text(version)) => version.to_string(),
        _ => String::new(),
    }
}

fn program_name() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(std::path::Path::file_stem);
    name.map_or_else(|| "unknown_service".to_owned(), |name| name.to_string_lossy().into_owned())
}
