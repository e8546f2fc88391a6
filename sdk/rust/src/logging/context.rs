//! Whom and what log records belong to: ids and values that are set for a scope and follow tasks.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::Value;

use super::entry::{ErrorInfo, Fields, Performance};
use crate::errors::Scope;

/// What an id tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// Everything that one cause set off, over services.
    Correlation,
    /// One request.
    Request,
    /// One visit of a user.
    Session,
    /// Who.
    User,
    /// For which customer, which is what a tenant is.
    Customer,
    /// As part of which workflow.
    Workflow,
    /// As which task of it.
    Task,
}

impl Id {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Correlation,
        Self::Request,
        Self::Session,
        Self::User,
        Self::Customer,
        Self::Workflow,
        Self::Task,
    ];

    /// As an attribute of OpenTelemetry: `user.id`.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Correlation => "correlation.id",
            Self::Request => "request.id",
            Self::Session => "session.id",
            Self::User => "user.id",
            Self::Customer => "customer.id",
            Self::Workflow => "workflow.id",
            Self::Task => "task.id",
        }
    }

    /// As JSON has it: `userId`.
    pub const fn json_name(self) -> &'static str {
        match self {
            Self::Correlation => "correlationId",
            Self::Request => "requestId",
            Self::Session => "sessionId",
            Self::User => "userId",
            Self::Customer => "customerId",
            Self::Workflow => "workflowId",
            Self::Task => "taskId",
        }
    }
}

/// The ids of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids([Option<Arc<str>>; Id::ALL.len()]);

impl Ids {
    /// One of them.
    pub fn get(&self, id: Id) -> Option<&str> {
        self.0[id as usize].as_deref()
    }

    /// Those that are there.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &str)> {
        Id::ALL.into_iter().filter_map(|id| Some((id, self.get(id)?)))
    }

    pub(crate) fn set(&mut self, id: Id, value: &str) {
        self.0[id as usize] = Some(value.into());
    }

    fn over(mut self, outer: &Self) -> Self {
        for (own, outer) in self.0.iter_mut().zip(&outer.0) {
            if own.is_none() {
                own.clone_from(outer);
            }
        }
        self
    }
}

/// Ids, values and tags that all log records of a scope get. Of two scopes the inner one wins.
///
/// ```
/// use fresnel_sdk::logging::{Id, LogContext};
///
/// let request = LogContext::new().id(Id::Request, "r-1").id(Id::User, "ann");
/// request.with(|| {
///     tracing::info!("of request r-1");
///     LogContext::new().id(Id::User, "bob").with(|| {
///         let current = LogContext::current();
///         assert_eq!((current.get(Id::Request), current.get(Id::User)), (Some("r-1"), Some("bob")));
///     });
/// });
/// assert_eq!(LogContext::current().get(Id::User), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct LogContext {
    pub(super) ids: Ids,
    pub(super) fields: Fields,
    pub(super) tags: Vec<String>,
    /// What [`Logger`](super::Logger) says of the one record that it makes.
    pub(super) record: Record,
    scope: Option<Arc<Scope>>,
}

/// What belongs to one record only.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) logger: Option<Arc<str>>,
    pub(super) fatal: bool,
    pub(super) error: Option<ErrorInfo>,
    pub(super) performance: Option<Performance>,
}

thread_local! {
    /// What surrounds this thread, each whole by itself, innermost last.
    static CURRENT: RefCell<Vec<(u64, Arc<LogContext>)>> = const { RefCell::new(Vec::new()) };
}

impl LogContext {
    /// Says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With an id.
    #[must_use]
    pub fn id(mut self, id: Id, value: impl AsRef<str>) -> Self {
        self.ids.set(id, value.as_ref());
        self
    }

    /// With a value.
    #[must_use]
    pub fn field(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(key.into(), value.into());
        self
    }

    /// With a word to find records by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// With a user and breadcrumbs of its own for [`errors`](crate::errors), which begin as those
    /// around this call.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.scope = Some(Scope::forked());
        self
    }

    /// One of its ids.
    pub fn get(&self, id: Id) -> Option<&str> {
        self.ids.get(id)
    }

    /// Its values.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// What surrounds this thread now: to hand it to a task or a thread.
    pub fn current() -> Self {
        let current = with_current(|current| current.cloned()).unwrap_or_default();
        Self { record: Record::default(), ..current }
    }

    /// Sets it on this thread until the guard is dropped.
    pub fn push(self) -> Pushed {
        push(Arc::new(self.over_current()))
    }

    /// Runs something in it.
    pub fn with<T>(self, f: impl FnOnce() -> T) -> T {
        let _pushed = self.push();
        f()
    }

    /// A future that runs in it, and in what surrounds this call, on whatever threads.
    ///
    /// ```
    /// use fresnel_sdk::logging::{Id, LogContext};
    ///
    /// # let spawn = |task| tokio::runtime::Builder::new_current_thread().build().expect("it starts").block_on(task);
    /// let _request = LogContext::new().id(Id::Request, "r-1").push();
    /// let task = LogContext::new().id(Id::Task, "7").scope(async {
    ///     let current = LogContext::current();
    ///     (current.get(Id::Request).map(str::to_owned), current.get(Id::Task).map(str::to_owned))
    /// });
    /// let seen = std::thread::scope(|scope| scope.spawn(|| spawn(task)).join().expect("no panic"));
    /// assert_eq!(seen, (Some("r-1".into()), Some("7".into())));
    /// ```
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped { around: self.surrounding(), future: Box::pin(future) }
    }

    /// In what surrounds this call, to be entered again and again.
    pub(crate) fn surrounding(self) -> Surrounding {
        Surrounding(Arc::new(self.over_current()))
    }

    pub(crate) fn error_scope(&self) -> Option<Arc<Scope>> {
        self.scope.clone()
    }

    /// Its ids and tags, with these instead of all the rest.
    pub(crate) fn replaced(mut self, user: Option<&str>, fields: Fields, error: Option<ErrorInfo>) -> Self {
        self.ids.0[Id::User as usize] = user.map(Into::into);
        self.fields = fields;
        self.record = Record { error, ..Record::default() };
        self
    }

    fn over_current(self) -> Self {
        with_current(|outer| outer.map(|outer| self.clone().over(outer))).unwrap_or(self)
    }

    /// This with what it does not say itself from the one around it.
    pub(super) fn over(self, outer: &Self) -> Self {
        let mut fields = outer.fields.clone();
        fields.extend(self.fields);
        let mut tags = outer.tags.clone();
        tags.extend(self.tags.into_iter().filter(|tag| !outer.tags.contains(tag)));
        let scope = self.scope.or_else(|| outer.scope.clone());
        Self { ids: self.ids.over(&outer.ids), fields, tags, record: self.record, scope }
    }
}

pub(super) fn push(context: Arc<LogContext>) -> Pushed {
    let id = CURRENT.try_with(|current| {
        let mut current = current.borrow_mut();
        let id = current.last().map_or(1, |(last, _)| last + 1);
        current.push((id, context));
        id
    });
    // A thread that is ending has no scopes left.
    Pushed { id: id.unwrap_or(0), marker: PhantomData }
}

/// Lets something see what surrounds this thread.
pub(crate) fn with_current<T>(f: impl FnOnce(Option<&LogContext>) -> T) -> T {
    let current = CURRENT.try_with(|current| current.try_borrow().ok()?.last().map(|(_, it)| it.clone()));
    f(current.ok().flatten().as_deref())
}

/// While this lives, its context surrounds the thread. It cannot be held over an `await` of a task
/// that may move; use [`LogContext::scope`] for that.
#[must_use = "the context ends when it is dropped"]
#[derive(Debug)]
pub struct Pushed {
    id: u64,
    /// It belongs to its thread.
    marker: PhantomData<*const ()>,
}

impl Drop for Pushed {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| {
            let mut current = current.borrow_mut();
            // It need not be the innermost.
            if let Some(place) = current.iter().rposition(|(id, _)| *id == self.id) {
                current.remove(place);
            }
        });
    }
}

/// A context that is entered whenever what is in it goes on, on whatever threads.
#[derive(Clone, Debug)]
pub(crate) struct Surrounding(Arc<LogContext>);

impl Surrounding {
    pub(crate) fn enter(&self) -> Pushed {
        push(self.0.clone())
    }
}

/// The future of [`LogContext::scope`].
#[derive(Debug)]
#[must_use = "it runs only when it is awaited"]
pub struct Scoped<F> {
    around: Surrounding,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _pushed = self.around.enter();
        self.future.as_mut().poll(cx)
    }
}

/// A new id for what one cause sets off: a random UUID.
pub fn correlation_id() -> String {
    let random: u128 = rand::random();
    // Version 4, variant 1.
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
