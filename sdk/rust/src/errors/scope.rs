use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use serde_json::Value;

use super::report::{BREADCRUMBS_MAX, Breadcrumb, User};
use crate::logging::{LogContext, Scoped, with_current};

/// For whom something is done, and what was done so far. It is part of the [`LogContext`], and
/// follows a task as that does. A scope that begins as another one shares what is in it until one of
/// them changes it, as every request of a server begins one.
#[derive(Debug, Default)]
pub(crate) struct Scope(Mutex<Arc<Content>>);

#[derive(Clone, Debug, Default)]
struct Content {
    user: Option<User>,
    breadcrumbs: VecDeque<Breadcrumb>,
}

/// What is outside of all scopes.
static PROCESS: LazyLock<Arc<Scope>> = LazyLock::new(Arc::default);

impl Scope {
    /// The innermost around this thread, else that of the process.
    fn current() -> Arc<Self> {
        with_current(|current| current.and_then(LogContext::error_scope)).unwrap_or_else(|| PROCESS.clone())
    }

    /// One of its own, which begins as the one around it.
    pub(crate) fn forked() -> Arc<Self> {
        let content = Self::current().content();
        Arc::new(Self(Mutex::new(content)))
    }

    fn content(&self) -> Arc<Content> {
        self.0.lock().clone()
    }

    pub(super) fn read() -> (Option<User>, Vec<Breadcrumb>) {
        let content = Self::current().content();
        (content.user.clone(), content.breadcrumbs.iter().cloned().collect())
    }
}

/// A future with a user and breadcrumbs of its own, which begin as those around this call; on
/// whatever threads. In a server every request wants one, and has it where
/// [`ServerLayer`](crate::instrument::http::ServerLayer) is; elsewhere it is for each message of a queue
/// and each turn of a loop. With other values of a context it is [`LogContext::isolated`].
///
/// ```
/// use fresnel_sdk::errors::{add_breadcrumb, scope, set_user};
/// use fresnel_sdk::logging::NO_VALUES;
///
/// async fn work(user: String) {
///     set_user(fresnel_sdk::errors::User::new(user));
///     add_breadcrumb("order taken", "queue", NO_VALUES);
/// }
///
/// async fn on_message(user: String) {
///     scope(work(user)).await; // nobody else sees it
/// }
/// ```
pub fn scope<F: Future>(future: F) -> Scoped<F> {
    LogContext::new().isolated().scope(future)
}

/// As [`scope`], for what runs on this thread.
pub fn with_scope<T>(run: impl FnOnce() -> T) -> T {
    LogContext::new().isolated().with(run)
}

/// From now on this user is concerned, in the scope around it; nobody, with `None`. Outside of all
/// scopes it is so for the whole process, as in a program that has one user.
pub fn set_user(user: impl Into<Option<User>>) {
    let user = user.into();
    let scope = Scope::current();
    Arc::make_mut(&mut scope.0.lock()).user = user;
}

/// Something was done, which every report in this scope tells from now on, until
/// [`BREADCRUMBS_MAX`] others were done. A long text is cut, facts that are too much are left out
/// ([`BREADCRUMB_BYTES_MAX`](super::BREADCRUMB_BYTES_MAX)).
pub fn add_breadcrumb<K: Into<Cow<'static, str>>, V: Into<Value>>(
    message: &str,
    category: &str,
    data: impl IntoIterator<Item = (K, V)>,
) {
    let data = data.into_iter().map(|(key, value)| (key.into().into_owned(), value.into()));
    // Before the lock: the facts are somebody's code.
    let breadcrumb = Breadcrumb::bounded(message, category, data);
    let scope = Scope::current();
    let mut content = scope.0.lock();
    let content = Arc::make_mut(&mut content);
    if content.breadcrumbs.len() >= BREADCRUMBS_MAX {
        content.breadcrumbs.pop_front();
    }
    content.breadcrumbs.push_back(breadcrumb);
}
