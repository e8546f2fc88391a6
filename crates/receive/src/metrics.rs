use fresnel_sdk::telemetry::metrics::{Counter, Registry};
use model::Signal;

use crate::error::Refusal;
use crate::intake::Outcome;

/// What `receive` counts. Names and attributes: `docs/reference/metrics.md`.
#[derive(Clone)]
pub struct Metrics {
    records: Counter,
    requests: Counter,
}

impl Metrics {
    /// Registers the instruments.
    pub fn new(registry: &Registry) -> Self {
        Self {
            records: registry.counter(
                "fresnel.receive.records",
                "{record}",
                "Records received, by signal and outcome (stored, rejected).",
            ),
            requests: registry.counter(
                "fresnel.receive.requests",
                "{request}",
                "Requests answered, by signal, transport and error.type (none for success).",
            ),
        }
    }

    pub(crate) fn records(&self, signal: Signal, outcome: &Outcome) {
        for (name, count) in [("stored", outcome.stored), ("rejected", outcome.rejected)] {
            if count > 0 {
                self.records.bind(&[("signal", signal.as_str()), ("outcome", name)]).add(count);
            }
        }
    }

    pub(crate) fn request(&self, signal: Signal, transport: &'static str, refusal: Option<&Refusal>) {
        let error = refusal.map_or("", Refusal::name);
        let labels = [("signal", signal.as_str()), ("transport", transport), ("error.type", error)];
        // A success has no error.type, as the conventions say.
        self.requests.bind(if refusal.is_some() { &labels } else { &labels[..2] }).add(1);
    }
}
