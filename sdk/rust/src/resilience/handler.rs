use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::RwLock;

use rand::Rng;
use serde_json::Value;

use super::classify::insert;
use super::escalation::Escalator;
use super::seldom::Seldom;
use super::{
    BoxError, Breakers, Budget, Category, Classification, Classify, Deadline, Escalate, Escalation, Facts,
    Match, Rejected, Rules, Severity,
};
use crate::clock;
use crate::logging::LogContext;
use crate::telemetry::metrics::{Counter, Registry};

/// Where an error happened, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The part of the program, such as `payments`.
    pub component: String,
    /// What it was doing, such as `charge`.
    pub operation: String,
    /// The request.
    pub request_id: Option<String>,
    /// Who asked; a pseudonym.
    pub user_id: Option<String>,
    /// What else helps.
    pub metadata: BTreeMap<String, String>,
}

impl Context {
    /// Of this operation of this component.
    pub fn new(component: impl Into<String>, operation: impl Into<String>) -> Self {
        Self { component: component.into(), operation: operation.into(), ..Self::default() }
    }
}

/// Puts right what made a call fail, such as a lost connection.
pub type Recovery = Arc<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// What is done about an error.
#[derive(Clone)]
pub enum Action {
    /// Tried again.
    Retry {
        /// After so long.
        delay: Duration,
        /// So often.
        max_retries: u32,
    },
    /// Nothing; it is expected. Whoever called gets it all the same.
    Ignore,
    /// Somebody hears of it.
    Escalate {
        /// How urgently.
        level: Severity,
    },
    /// Put right, then tried again, once.
    Recover(Recovery),
    /// Nothing but that whoever called gets it.
    Return,
}

impl Action {
    /// `retry`, `ignore`, `escalate`, `recover` or `return`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Ignore => "ignore",
            Self::Escalate { .. } => "escalate",
            Self::Recover(_) => "recover",
            Self::Return => "return",
        }
    }

    /// Whether something is done, rather than only giving the error back.
    pub const fn is_handled(&self) -> bool {
        !matches!(self, Self::Return)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { delay, max_retries } => write!(f, "Retry({delay:?} x{max_retries})"),
            Self::Escalate { level } => write!(f, "Escalate({level})"),
            other => f.write_str(other.as_str()),
        }
    }
}

/// What is done about an error, and why.
#[derive(Clone, Debug)]
pub struct Handling {
    /// What is done.
    pub action: Action,
    /// Why, for people.
    pub message: String,
}

impl Handling {
    /// An action with its reason.
    pub fn new(action: Action, message: impl Into<String>) -> Self {
        Self { action, message: message.into() }
    }
}

/// Decides what is done about an error. It may fail; then the default holds.
pub type Handler = Arc<dyn Fn(&Facts<'_>, &Context) -> Result<Handling, BoxError> + Send + Sync>;

/// Names a handler that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(u64);

/// Decides what is done about errors, and does it: tries again, puts right, escalates. Clones are
/// the same.
///
/// Handlers of one's own are asked first, then the defaults:
///
/// | error | what is done |
/// |---|---|
/// | timeout | retry after 1 s, 3 times |
/// | connection refused | retry after 5 s, twice |
/// | rate limit | retry once, after what the other side says, else 60 s; if it says more, back to whoever called |
/// | authentication | escalate, medium |
/// | validation | back to whoever called |
/// | else, retryable | retry after 1 s, 3 times |
/// | else, to be escalated | escalate at its severity |
/// | else | back to whoever called |
///
/// Each pause is up to a half longer, by chance, so that not all come back at once. No error is
/// swallowed: what is not put right is returned.
///
/// ```
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{CallError, Context, ErrorHandler};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let handler = ErrorHandler::new(&Registry::new());
/// let mut calls = 0;
/// let answer = clock::simulate(handler.run(&Context::new("stock", "read"), || {
///     calls += 1;
///     let ready = calls == 3;
///     async move {
///         let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
///         if ready { Ok("12 pieces") } else { Err(CallError::Inner(refused)) }
///     }
/// }));
/// assert_eq!(answer.expect("the third attempt works"), "12 pieces");
/// ```
#[derive(Clone)]
pub struct ErrorHandler {
    inner: Arc<Inner>,
    idempotent: bool,
}

struct Inner {
    rules: Rules,
    handlers: RwLock<Handlers>,
    escalator: Escalator,
    breakers: Option<Breakers>,
    budget: Budget,
    errors: Counter,
    /// An open breaker may turn thousands of calls away a second.
    turned_away: Seldom,
}

#[derive(Default)]
struct Handlers {
    /// The exact ones first.
    list: Vec<(Match, (HandlerId, Handler))>,
    next_id: u64,
}

impl ErrorHandler {
    /// The defaults.
    pub fn new(registry: &Registry) -> Self {
        Self::build(registry, Rules::new(), None, Vec::new())
    }

    /// With rules of one's own, breakers around what [`ErrorHandler::run`] calls, and those who are
    /// told of escalations.
    pub fn build(
        registry: &Registry,
        rules: Rules,
        breakers: Option<Breakers>,
        hooks: Vec<Arc<dyn Escalate>>,
    ) -> Self {
        let mut escalator = Escalator::new(registry);
        hooks.into_iter().for_each(|hook| escalator.add(hook));
        let errors = registry.counter("resilience.errors", "{error}", "Errors by what was done about them.");
        let (handlers, budget) = (RwLock::default(), Budget::default());
        let turned_away = Seldom::new(Duration::from_secs(60));
        let inner = Inner { rules, handlers, escalator, breakers, budget, errors, turned_away };
        Self { inner: Arc::new(inner), idempotent: true }
    }

    /// The same for calls of which a second effect would do harm, or not. Where it would,
    /// [`ErrorHandler::run`] makes a call again only when it certainly had no effect: a refused
    /// connection, a call that was turned away. True, unless said otherwise.
    #[must_use]
    pub fn idempotent(&self, idempotent: bool) -> Self {
        Self { inner: self.inner.clone(), idempotent }
    }

    /// Asks this handler for errors that match; exact ones before others, each in their order.
    pub fn add_handler(
        &self,
        which: Match,
        handler: impl Fn(&Facts<'_>, &Context) -> Result<Handling, BoxError> + Send + Sync + 'static,
    ) -> HandlerId {
        let mut handlers = self.inner.handlers.write();
        handlers.next_id += 1;
        let id = HandlerId(handlers.next_id);
        insert(&mut handlers.list, which, (id, Arc::new(handler)));
        id
    }

    /// Asks it no more. False when it is not there.
    pub fn remove_handler(&self, id: HandlerId) -> bool {
        let mut handlers = self.inner.handlers.write();
        let before = handlers.list.len();
        handlers.list.retain(|(_, (known, _))| *known != id);
        handlers.list.len() < before
    }

    /// What an error is.
    pub fn classification<E: Classify + ?Sized>(&self, error: &E) -> Classification {
        self.inner.rules.classify(error)
    }

    /// Decides what is to be done about an error, logs and counts it, and escalates it if that is
    /// what is to be done. It does not try again: [`ErrorHandler::run`] does.
    pub fn handle<E: Classify + ?Sized>(&self, error: &E, context: &Context) -> Handling {
        let facts = self.inner.rules.facts(error);
        let handling = self.inner.decide(&facts, error.retry_after(), context);
        let class = facts.classification;
        let labels = [
            ("resilience.error.category", class.category.as_str()),
            ("resilience.error.severity", class.severity.as_str()),
            ("resilience.action", handling.action.as_str()),
        ];
        self.inner.errors.bind(&labels).add(1);
        let repeated = is_turned_away(&facts) && !self.inner.turned_away.now();
        log(&facts, &handling, context, repeated);
        if let Action::Escalate { level } = handling.action {
            self.inner.escalator.escalate(&Escalation {
                level,
                error_name: facts.name.to_string(),
                message: facts.message,
                classification: class,
                context: context.clone(),
            });
        }
        handling
    }

    /// Makes a call and does what is to be done when it fails. With breakers, it goes through the
    /// one of the component and operation. Pauses keep to the [`Deadline`] of the task and to a
    /// retry budget.
    ///
    /// # Errors
    /// The last error of the call; [`Rejected::CircuitOpen`].
    pub async fn run<T, E, F>(&self, context: &Context, mut op: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: Classify + From<Rejected>,
    {
        let inner = &*self.inner;
        let breaker =
            inner.breakers.as_ref().map(|breakers| breakers.get(&context.component, &context.operation));
        inner.budget.deposit();
        let (mut retries, mut recovered) = (0, false);
        loop {
            let outcome = match &breaker {
                // The closure is not called either while it is open.
                Some(breaker) => breaker.judged_by_ref(&inner.rules, async { op().await }).await,
                None => op().await,
            };
            let error = match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let may_repeat = self.idempotent || !error.executed();
            match self.handle(&error, context).action {
                Action::Retry { delay, max_retries } if may_repeat && retries < max_retries => {
                    let more = (delay / 2).mul_f64(rand::rng().random_range(0.0..=1.0));
                    let delay = delay.saturating_add(more);
                    if !inner.may_wait(delay) {
                        return Err(error);
                    }
                    clock::sleep(delay).await;
                    retries += 1;
                }
                Action::Recover(recovery) if may_repeat && !recovered => {
                    recovered = true;
                    if let Err(failed) = recovery().await {
                        tracing::error!(error = %failed, "the recovery failed");
                        return Err(error);
                    }
                }
                _ => return Err(error),
            }
        }
    }
}

impl Inner {
    fn may_wait(&self, delay: Duration) -> bool {
        let in_time = Deadline::current().is_none_or(|deadline| deadline.at() > clock::after(delay));
        in_time && self.budget.withdraw()
    }

    /// By the first handler that matches and works; else by the defaults.
    fn decide(&self, facts: &Facts<'_>, retry_after: Option<Duration>, context: &Context) -> Handling {
        let handler = {
            let handlers = self.handlers.read();
            let first = handlers.list.iter().find(|(which, _)| which.matches(facts));
            first.map(|(_, (_, handler))| handler.clone())
        };
        let default = || default(facts, retry_after);
        let Some(handler) = handler else { return default() };
        match catch_unwind(AssertUnwindSafe(|| handler(facts, context))) {
            Ok(Ok(handling)) => return handling,
            Ok(Err(error)) => tracing::error!(%error, "an error handler failed, the default holds"),
            Err(_) => tracing::error!("an error handler panicked, the default holds"),
        }
        default()
    }
}

/// The one table of what is done when nobody has said otherwise.
fn default(facts: &Facts<'_>, retry_after: Option<Duration>) -> Handling {
    const SECOND: Duration = Duration::from_secs(1);
    /// As long a retry waits at most because the other side says so; as `RetryOptions` has it.
    const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
    let class = facts.classification;
    let retry = |delay, max_retries| Action::Retry { delay, max_retries };
    let (action, message) = match class.category {
        // An open breaker is the end of many failures: somebody should look.
        _ if is_turned_away(facts) => {
            (Action::Escalate { level: Severity::High }, "the circuit breaker is open")
        }
        Category::Timeout if class.retryable => (retry(SECOND, 3), "it took too long"),
        Category::Network if facts.code.as_deref() == Some("ConnectionRefused") => {
            (retry(SECOND * 5, 2), "the connection was refused")
        }
        Category::RateLimit if retry_after.is_some_and(|asked| asked > RETRY_AFTER_MAX) => {
            (Action::Return, "it was asked too often, and is to be asked again much later")
        }
        Category::RateLimit => (retry(retry_after.unwrap_or(SECOND * 60), 1), "it was asked too often"),
        Category::Authentication => (Action::Escalate { level: Severity::Medium }, "nobody knows who asks"),
        Category::Validation => (Action::Return, "what was asked for makes no sense"),
        _ if class.retryable => (retry(SECOND, 3), "it may go well another time"),
        _ if class.escalate => (Action::Escalate { level: class.severity }, "somebody must hear of it"),
        _ => (Action::Return, "nothing can be done about it here"),
    };
    Handling::new(action, message)
}

/// By an open breaker.
fn is_turned_away(facts: &Facts<'_>) -> bool {
    facts.code.as_deref() == Some("circuit_open")
}

/// One record with all that is known, at the level of the severity; for developers where it says the
/// same again and again.
fn log(facts: &Facts<'_>, handling: &Handling, context: &Context, repeated: bool) {
    let class = facts.classification;
    let causes: Vec<_> = super::classify::chain(facts.error).map(ToString::to_string).collect();
    let causes = causes.join(": ");
    // As values, not as their text, so that redaction sees what is in them.
    let metadata = context.metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
    let _metadata = (!context.metadata.is_empty())
        .then(|| LogContext::new().field("metadata", Value::Object(metadata.collect())).push());
    let backtrace = std::backtrace::Backtrace::capture();
    let captured = backtrace.status() == std::backtrace::BacktraceStatus::Captured;
    let stack = captured.then(|| backtrace.to_string());
    // The level of an event must be known when it is compiled.
    macro_rules! record {
        ($level:ident) => {
            tracing::event!(
                tracing::Level::$level,
                error.type = &*facts.name,
                error = causes,
                error.code = facts.code.as_deref(),
                exception.stacktrace = stack,
                component = context.component,
                operation = context.operation,
                request.id = context.request_id,
                user.id = context.user_id,
                severity = class.severity.as_str(),
                category = class.category.as_str(),
                retryable = class.retryable,
                user_visible = class.user_visible,
                escalate = class.escalate,
                action = handling.action.as_str(),
                reason = handling.message,
                "an error is handled"
            )
        };
    }
    match class.severity {
        _ if repeated => record!(DEBUG),
        Severity::Critical | Severity::High => record!(ERROR),
        Severity::Medium => record!(WARN),
        Severity::Low => record!(INFO),
    }
}

impl fmt::Debug for ErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.inner.handlers.read().list.len();
        f.debug_struct("ErrorHandler").field("handlers", &handlers).finish_non_exhaustive()
    }
}
