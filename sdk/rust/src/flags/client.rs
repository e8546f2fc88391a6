use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value};

use super::context::Context;
use super::details::{Details, ErrorCode, EvaluationError, Reason};
use super::set::{FlagSet, RuleError};
use super::source::{Source, SourceError};
use super::value::{integer, object, string};
use crate::config::{FileChange, Files};
use crate::telemetry::metrics::{Counter, Registry};
use crate::telemetry::unix_nanos;

/// Called with who was told what.
pub type Listener = Box<dyn Fn(&Evaluated<'_>) + Send + Sync>;

/// How flags are started.
#[derive(Default)]
pub struct StartOptions {
    /// Rules that hold until the source gives some: with them a source that fails at the start is
    /// told and tried again, without them it is an error.
    pub bootstrap: Option<FlagSet>,
    /// Where evaluations are counted, as `feature_flag.evaluations`.
    pub metrics: Option<Registry>,
    /// How often the files of the source are looked at; every 100 ms if nothing is said. A change is
    /// applied once they looked the same twice.
    pub poll: Option<Duration>,
    /// Called after every evaluation, on the thread that asked: the exposure of experiments.
    pub on_evaluation: Option<Listener>,
}

impl fmt::Debug for StartOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartOptions").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

/// Who was told what.
#[derive(Clone, Copy, Debug)]
pub struct Evaluated<'a> {
    /// The flag.
    pub key: &'a str,
    /// Whom it was asked for.
    pub context: &'a Context,
    /// The variant, if there is one.
    pub variant: Option<&'a str>,
    /// Why this one.
    pub reason: Reason,
    /// What kind of error it was.
    pub error: Option<ErrorCode>,
}

/// The last failure of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFailure {
    /// The whole chain of causes.
    pub message: String,
    /// When, in nanoseconds since 1970.
    pub at_unix_nano: u64,
}

/// Answers questions about flags. Clones are the same; the watching ends with the last one.
#[derive(Clone)]
pub struct Flags {
    shared: Arc<Shared>,
    _watcher: Option<Arc<Watcher>>,
}

struct Shared {
    current: RwLock<Option<Arc<FlagSet>>>,
    source: Option<Box<dyn Source>>,
    /// One reload or switch at a time.
    turn: Mutex<()>,
    failure: Mutex<Option<SourceFailure>>,
    evaluations: Option<Counter>,
    on_evaluation: Option<Listener>,
}

struct Watcher {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The last clone may go on the watching thread itself: it cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|it| it.thread().id() != thread::current().id()) {
            // A panic in it was already told.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flags").field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}

impl Flags {
    /// Rules that never change.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn from_text(rules: &str) -> Result<Self, RuleError> {
        let bootstrap = Some(FlagSet::parse(rules)?);
        Ok(Self::new(None, StartOptions { bootstrap, ..StartOptions::default() }))
    }

    /// Loads the rules and keeps them current while the files of the source change. When this
    /// returns, questions have answers.
    ///
    /// # Errors
    /// The source gave no rules and there are none to start with.
    ///
    /// ```
    /// use fresnel_sdk::flags::{FileSource, Flags, StartOptions};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("flags.json");
    /// std::fs::write(&path, r#"{"flags": {"dark": {
    ///     "state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"
    /// }}}"#)?;
    /// let flags = Flags::start(FileSource::new(path), StartOptions::default())?;
    /// assert!(!flags.is_enabled("dark", &Default::default()));
    /// flags.set_enabled("dark", true)?;
    /// assert!(flags.is_enabled("dark", &Default::default()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(source: impl Source, options: StartOptions) -> Result<Self, SourceError> {
        let poll = options.poll.unwrap_or(Duration::from_millis(100));
        // Marked before they are read, so that no change falls in between.
        let files = Files::new(source.files());
        let watches = !source.files().is_empty();
        let has_rules = options.bootstrap.is_some();
        let mut flags = Self::new(Some(Box::new(source)), options);
        match flags.reload() {
            Err(error) if !has_rules => return Err(error),
            // Told by the reload.
            _ => {}
        }
        if watches {
            flags._watcher = Some(Arc::new(watch(flags.shared.clone(), files, poll)));
        }
        Ok(flags)
    }

    fn new(source: Option<Box<dyn Source>>, options: StartOptions) -> Self {
        let evaluations = options.metrics.map(|metrics| {
            metrics.counter("feature_flag.evaluations", "{evaluation}", "Questions about feature flags.")
        });
        let shared = Shared {
            current: RwLock::new(options.bootstrap.map(Arc::new)),
            source,
            turn: Mutex::new(()),
            failure: Mutex::new(None),
            evaluations,
            on_evaluation: options.on_evaluation,
        };
        Self { shared: Arc::new(shared), _watcher: None }
    }

    /// Whether there are rules.
    pub fn is_ready(&self) -> bool {
        self.shared.current.read().is_some()
    }

    /// The rules in force.
    pub fn current(&self) -> Arc<FlagSet> {
        self.shared.current.read().clone().unwrap_or_default()
    }

    /// Why the last reload changed nothing; nothing if it did.
    pub fn failure(&self) -> Option<SourceFailure> {
        self.shared.failure.lock().clone()
    }

    /// Loads the rules again now.
    ///
    /// # Errors
    /// Why the old ones stay.
    pub fn reload(&self) -> Result<(), SourceError> {
        let _turn = self.shared.turn.lock();
        self.shared.reload()
    }

    /// Switches a flag where the rules are kept and loads them again.
    ///
    /// # Errors
    /// Nothing was switched, or it was and the rules could not be loaded again.
    pub fn set_enabled(&self, key: &str, enabled: bool) -> Result<(), SourceError> {
        let _turn = self.shared.turn.lock();
        let source = self.shared.source.as_ref();
        let source = source.ok_or_else(|| SourceError::ReadOnly("the rules are a fixed text".into()))?;
        source.set_enabled(key, enabled)?;
        tracing::info!(feature_flag.key = key, enabled, "switch feature flag");
        self.shared.reload()
    }

    /// Whether a flag of truth values is true here, or a flag of another type is on and chooses a
    /// variant. False for an unknown key.
    pub fn is_enabled(&self, key: &str, context: &Context) -> bool {
        let details = self.details(key, context);
        let switched_on = details.error.is_none() && details.reason != Reason::Disabled;
        switched_on && details.value.is_some_and(|value| value != Value::Bool(false))
    }

    /// The variant that is chosen here, if the flag is there and chooses one.
    pub fn variant(&self, key: &str, context: &Context) -> Option<String> {
        self.details(key, context).variant
    }

    /// The answer of whatever type; nothing means that it is left to the code.
    pub fn details(&self, key: &str, context: &Context) -> Details<Option<Value>> {
        self.resolve(key, None, context, |value| Some(Some(value)))
    }

    /// A truth value.
    pub fn bool(&self, key: &str, default: bool, context: &Context) -> bool {
        self.bool_details(key, default, context).value
    }

    /// A truth value and why it is what it is.
    pub fn bool_details(&self, key: &str, default: bool, context: &Context) -> Details<bool> {
        self.resolve(key, default, context, |value| value.as_bool())
    }

    /// A text.
    pub fn string(&self, key: &str, default: &str, context: &Context) -> String {
        self.string_details(key, default, context).value
    }

    /// A text and why it is what it is.
    pub fn string_details(&self, key: &str, default: &str, context: &Context) -> Details<String> {
        self.resolve(key, default.to_owned(), context, string)
    }

    /// An integer. `10.0` is one, `3.14` is not.
    pub fn integer(&self, key: &str, default: i64, context: &Context) -> i64 {
        self.integer_details(key, default, context).value
    }

    /// An integer and why it is what it is.
    pub fn integer_details(&self, key: &str, default: i64, context: &Context) -> Details<i64> {
        self.resolve(key, default, context, integer)
    }

    /// A number.
    pub fn float(&self, key: &str, default: f64, context: &Context) -> f64 {
        self.float_details(key, default, context).value
    }

    /// A number and why it is what it is.
    pub fn float_details(&self, key: &str, default: f64, context: &Context) -> Details<f64> {
        self.resolve(key, default, context, |value| value.as_f64())
    }

    /// An object and why it is what it is.
    pub fn object_details(
        &self,
        key: &str,
        default: Map<String, Value>,
        context: &Context,
    ) -> Details<Map<String, Value>> {
        self.resolve(key, default, context, object)
    }

    /// An answer of one type without a default.
    #[cfg(feature = "open-feature")]
    pub(super) fn optional<T>(
        &self,
        key: &str,
        context: &Context,
        convert: impl FnOnce(Value) -> Option<T>,
    ) -> Details<Option<T>> {
        self.resolve(key, None, context, |value| convert(value).map(Some))
    }

    fn resolve<T>(
        &self,
        key: &str,
        default: T,
        context: &Context,
        convert: impl FnOnce(Value) -> Option<T>,
    ) -> Details<T> {
        let current = self.shared.current.read().clone();
        let Some(set) = current else {
            let error = EvaluationError::new(ErrorCode::ProviderNotReady, "no rules were loaded yet");
            return self.tell(key, context, Details::failed(default, error));
        };
        let mut details = set.evaluate(key, context, unix_nanos() / 1_000_000_000);
        let details = match details.value.take().map(convert) {
            Some(Some(value)) => details.with_value(value),
            None => details.with_value(default),
            Some(None) => {
                let message = format!("`{key}` is of another type");
                let failed = Details::failed(default, EvaluationError::new(ErrorCode::TypeMismatch, message));
                Details { variant: details.variant, metadata: details.metadata, ..failed }
            }
        };
        self.tell(key, context, details)
    }

    fn tell<T>(&self, key: &str, context: &Context, details: Details<T>) -> Details<T> {
        let error = details.error.as_ref().map(|error| error.code);
        if let Some(counter) = &self.shared.evaluations {
            // A key that nobody declared may be anything: it must not become a series.
            let known = error != Some(ErrorCode::FlagNotFound) && error != Some(ErrorCode::ProviderNotReady);
            let mut labels = vec![("feature_flag.result.reason", reason_label(details.reason))];
            if known {
                labels.push(("feature_flag.key", key));
            }
            if let Some(variant) = &details.variant {
                labels.push(("feature_flag.result.variant", variant));
            }
            if let Some(code) = error {
                labels.push(("error.type", error_label(code)));
            }
            counter.bind(&labels).add(1);
        }
        if let Some(callback) = &self.shared.on_evaluation {
            let variant = details.variant.as_deref();
            let evaluated = Evaluated { key, context, variant, reason: details.reason, error };
            if catch_unwind(AssertUnwindSafe(|| callback(&evaluated))).is_err() {
                tracing::error!(feature_flag.key = key, "who listens to evaluations panicked");
            }
        }
        details
    }
}

/// OpenTelemetry's conventions have them in lower case.
const fn reason_label(reason: Reason) -> &'static str {
    match reason {
        Reason::Static => "static",
        Reason::Default => "default",
        Reason::TargetingMatch => "targeting_match",
        Reason::Disabled => "disabled",
        Reason::Error => "error",
    }
}

const fn error_label(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ProviderNotReady => "provider_not_ready",
        ErrorCode::FlagNotFound => "flag_not_found",
        ErrorCode::ParseError => "parse_error",
        ErrorCode::TypeMismatch => "type_mismatch",
        ErrorCode::General => "general",
    }
}

impl Shared {
    /// Whoever calls has the turn.
    fn reload(&self) -> Result<(), SourceError> {
        let Some(source) = &self.source else { return Ok(()) };
        let outcome = source.load().and_then(|text| Ok(FlagSet::parse(&text)?));
        match outcome {
            Ok(set) => {
                *self.current.write() = Some(Arc::new(set));
                *self.failure.lock() = None;
                Ok(())
            }
            Err(error) => {
                let message = chain(&error);
                tracing::warn!(error = message, "feature flags stay as they were");
                *self.failure.lock() = Some(SourceFailure { message, at_unix_nano: unix_nanos() });
                Err(error)
            }
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn watch(shared: Arc<Shared>, mut files: Files, poll: Duration) -> Watcher {
    let (stop, stopped) = sync_channel::<()>(0);
    let body = move || {
        while stopped.recv_timeout(poll) == Err(RecvTimeoutError::Timeout) {
            if files.look() == FileChange::Settled {
                let _turn = shared.turn.lock();
                let reload = catch_unwind(AssertUnwindSafe(|| shared.reload()));
                match reload {
                    // Told by the reload.
                    Ok(_) => {}
                    Err(_) => tracing::error!("the source of feature flags panicked"),
                }
            }
        }
    };
    let thread = thread::Builder::new().name("flags-watch".into()).spawn(body);
    if let Err(error) = &thread {
        tracing::error!(%error, "files of feature flags are not watched");
    }
    Watcher { stop: Some(stop), thread: thread.ok() }
}
