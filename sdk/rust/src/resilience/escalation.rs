use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Classification, Context, Severity};
use crate::telemetry::metrics::{BoundCounter, Registry};

/// Something that somebody must hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How urgent it is; it may differ from the severity of the error.
    pub level: Severity,
    /// What the error is called.
    pub error_name: String,
    /// What it says.
    pub message: String,
    /// What it is.
    pub classification: Classification,
    /// Where it happened, and to whom.
    pub context: Context,
}

/// Takes escalations: sends a page, opens a ticket. A closure can do it.
///
/// It is called where the error is handled and must not block: hand over to a bounded queue. Without
/// any, an escalation is a log record at error level with `event.name` `resilience.escalation`, and
/// the counter `resilience.escalations`: what a server's alerts can go by.
pub trait Escalate: Send + Sync {
    /// Somebody must hear of this.
    fn escalate(&self, escalation: &Escalation);
}

impl<F: Fn(&Escalation) + Send + Sync> Escalate for F {
    fn escalate(&self, escalation: &Escalation) {
        self(escalation);
    }
}

/// Where escalations go.
#[derive(Clone)]
pub(super) struct Escalator {
    hooks: Vec<Arc<dyn Escalate>>,
    /// By their levels, all of which are there from the start: an increase from nothing is seen by nobody.
    counters: [BoundCounter; 4],
}

impl Escalator {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter =
            registry.counter("resilience.escalations", "{escalation}", "Errors that somebody must hear of.");
        let counters = Severity::ALL.map(|it| counter.bind(&[("resilience.escalation.level", it.as_str())]));
        Self { hooks: Vec::new(), counters }
    }

    pub(super) fn add(&mut self, hook: Arc<dyn Escalate>) {
        self.hooks.push(hook);
    }

    pub(super) fn escalate(&self, escalation: &Escalation) {
        let Escalation { level, error_name, message, classification, context } = escalation;
        self.counters[*level as usize].add(1);
        tracing::error!(
            event.name = "resilience.escalation",
            level = level.as_str(),
            error.type = error_name.as_str(),
            error = message.as_str(),
            component = context.component.as_str(),
            operation = context.operation.as_str(),
            category = classification.category.as_str(),
            "an error is escalated"
        );
        for hook in &self.hooks {
            if catch_unwind(AssertUnwindSafe(|| hook.escalate(escalation))).is_err() {
                tracing::error!("an escalation hook panicked");
            }
        }
    }
}

impl fmt::Debug for Escalator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Escalator").field("hooks", &self.hooks.len()).finish_non_exhaustive()
    }
}
