use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tracing::Subscriber;

use super::report::Report;
use crate::logging::Fields;
use crate::telemetry::metrics::Registry;

type Hook = dyn Fn(Report) -> Option<Report> + Send + Sync;

/// How errors are reported, for [`Builder::errors`](crate::Builder::errors) or a subscriber of your
/// own. It records nothing by itself: reports are found by it.
///
/// ```
/// use fresnel_sdk::errors::ErrorLayer;
///
/// let errors = ErrorLayer::default()
///     .tag("component", "checkout")
///     .before_send(|mut report| {
///         if report.attributes.get("http.response.status_code") == Some(&404.into()) {
///             return None;
///         }
///         report.attributes.insert("feature".into(), "cart".into());
///         Some(report)
///     });
/// let guard = fresnel_sdk::builder().environment("staging").errors(errors).start()?;
/// # Ok::<(), fresnel_sdk::start::StartError>(())
/// ```
#[derive(Clone, Default)]
pub struct ErrorLayer {
    tags: Fields,
    hook: Option<Arc<Hook>>,
    pub(super) personal_data: bool,
    pub(super) stacktraces: bool,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    recorded: AtomicU64,
    dropped: AtomicU64,
}

impl fmt::Debug for ErrorLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tags, hook, personal_data, stacktraces, .. } = self;
        f.debug_struct("ErrorLayer")
            .field("tags", tags)
            .field("before_send", &hook.is_some())
            .field("personal_data", personal_data)
            .field("stacktraces", stacktraces)
            .finish_non_exhaustive()
    }
}

impl ErrorLayer {
    /// An attribute of every report; what surrounds a report, and what is said with it, goes over it.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Sees every report before it is recorded, panics too, and may change it or drop it: `None`. What
    /// it drops is counted in `fresnel.error.reports`. What is captured while it runs is not recorded;
    /// if it panics, that is told instead of the report, which nobody has looked through.
    #[must_use]
    pub fn before_send(self, hook: impl Fn(Report) -> Option<Report> + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)), ..self }
    }

    /// Whether `user.email` and `user.name` are told; they are not unless said.
    #[must_use]
    pub fn personal_data(self, told: bool) -> Self {
        Self { personal_data: told, ..self }
    }

    /// Whether every report of an error has the stack of where it was captured, which takes
    /// milliseconds; else only where `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` say so.
    #[must_use]
    pub fn stacktraces(self, always: bool) -> Self {
        Self { stacktraces: always, ..self }
    }

    /// The one of the subscriber of this thread.
    pub(super) fn current() -> Self {
        let found = tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Self>().cloned());
        found.unwrap_or_default()
    }

    pub(super) fn tags(&self) -> &Fields {
        &self.tags
    }

    /// What the hook makes of a report.
    pub(super) fn ask(&self, report: Report) -> Option<Report> {
        let Some(hook) = &self.hook else { return Some(report) };
        let kind = report.error.as_ref().and_then(|error| error.name.clone());
        catch_unwind(AssertUnwindSafe(|| hook(report))).unwrap_or_else(|_| {
            tracing::error!(exception.type = kind, "before_send panicked, a report is lost");
            None
        })
    }

    pub(super) fn count(&self, recorded: bool) {
        let count = if recorded { &self.counts.recorded } else { &self.counts.dropped };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells what became of reports.
    pub(crate) fn observe(&self, registry: &Registry) {
        let counts = Arc::downgrade(&self.counts);
        let text = "Reports of errors that were recorded, or dropped by `before_send`.";
        registry.observe_counter("fresnel.error.reports", "{report}", text, move |observer| {
            let Some(counts) = counts.upgrade() else { return };
            observer.observe(counts.recorded.load(Ordering::Relaxed), &[("outcome", "recorded")]);
            observer.observe(counts.dropped.load(Ordering::Relaxed), &[("outcome", "dropped")]);
        });
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for ErrorLayer {}
