use std::panic::{AssertUnwindSafe, catch_unwind};

/// What happens to a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is about to start.
    Starting,
    /// It runs.
    Started,
    /// It did not start; why.
    StartFailed(String),
    /// It is about to stop.
    Stopping,
    /// It stopped; when it was unloaded, it is forgotten too.
    Stopped,
    /// A new one is about to take its place.
    Replacing,
    /// The new one runs, or will when it is started.
    Replaced,
    /// The old one stays; why.
    ReplaceFailed(String),
}

type Observer = Box<dyn Fn(&str, &Event) + Send + Sync>;

/// Who is told.
#[derive(Default)]
pub(super) struct Observers(Vec<Observer>);

impl Observers {
    pub(super) fn add(&mut self, observer: impl Fn(&str, &Event) + Send + Sync + 'static) {
        self.0.push(Box::new(observer));
    }

    /// Tells all, whoever panics.
    pub(super) fn tell(&self, id: &str, event: &Event) {
        for observer in &self.0 {
            if catch_unwind(AssertUnwindSafe(|| observer(id, event))).is_err() {
                tracing::error!(module.id = id, ?event, "an observer of modules panicked");
            }
        }
    }
}
