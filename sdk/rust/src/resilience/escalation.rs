use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Classification, Context, Severity};
use crate::clock;
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
/// It is called where the error is handled and must not block: hand over to a bounded queue. What goes
/// on and on is told once a minute: the same error, by name and level, of the same component and
/// operation. Without any, an escalation is a log record at error level with `event.name` `resilience.escalation`, and
/// the counter `resilience.escalations`, which counts all of them: what a server's alerts can go by.
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
pub(super) struct Escalator {
    hooks: Vec<Arc<dyn Escalate>>,
    /// By their levels, all of which are there from the start: an increase from nothing is seen by nobody.
    counters: [BoundCounter; 4],
    told: Mutex<HashMap<What, Told>>,
}

/// Of these there is one escalation a minute.
#[derive(PartialEq, Eq, Hash)]
struct What {
    level: Severity,
    error_name: String,
    component: String,
    operation: String,
}

struct Told {
    at: Instant,
    /// Those that were not told since.
    more: u64,
}

/// As long nothing is told again.
const PAUSE: Duration = Duration::from_secs(60);
/// So many are remembered. Beyond, all are forgotten: rather tell twice than not.
const TOLD_MAX: usize = 1_000;

impl Escalator {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter =
            registry.counter("resilience.escalations", "{escalation}", "Errors that somebody must hear of.");
        let counters = Severity::ALL.map(|it| counter.bind(&[("resilience.escalation.level", it.as_str())]));
        Self { hooks: Vec::new(), counters, told: Mutex::default() }
    }

    pub(super) fn add(&mut self, hook: Arc<dyn Escalate>) {
        self.hooks.push(hook);
    }

    pub(super) fn escalate(&self, escalation: &Escalation) {
        let Escalation { level, error_name, message, classification, context } = escalation;
        self.counters[*level as usize].add(1);
        let Some(more) = self.due(escalation) else { return };
        tracing::error!(
            event.name = "resilience.escalation",
            level = level.as_str(),
            error.type = error_name.as_str(),
            error = message.as_str(),
            component = context.component.as_str(),
            operation = context.operation.as_str(),
            category = classification.category.as_str(),
            not_told = more,
            "an error is escalated"
        );
        for hook in &self.hooks {
            if catch_unwind(AssertUnwindSafe(|| hook.escalate(escalation))).is_err() {
                tracing::error!("an escalation hook panicked");
            }
        }
    }

    /// How many were not told since the last time; nothing while it is too early.
    fn due(&self, escalation: &Escalation) -> Option<u64> {
        let what = What {
            level: escalation.level,
            error_name: escalation.error_name.clone(),
            component: escalation.context.component.clone(),
            operation: escalation.context.operation.clone(),
        };
        let (now, mut told) = (clock::now(), self.told.lock());
        if told.len() >= TOLD_MAX && !told.contains_key(&what) {
            told.clear();
        }
        match told.get_mut(&what) {
            Some(known) if now.saturating_duration_since(known.at) < PAUSE => {
                known.more += 1;
                None
            }
            _ => Some(told.insert(what, Told { at: now, more: 0 }).map_or(0, |before| before.more)),
        }
    }
}

impl fmt::Debug for Escalator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Escalator").field("hooks", &self.hooks.len()).finish_non_exhaustive()
    }
}
