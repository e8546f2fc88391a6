use fresnel_sdk::telemetry::metrics::{Counter, Registry};
use model::Signal;

use crate::error::Refusal;
use crate::intake::Outcome;

/// What `receive` counts. Names and attributes: `docs/reference/metrics.md`.
#[derive(Clone)]
pub struct Metrics {
    records: Counter,
    requests: Counter,
    scrapes: Counter,
    scrapes_missed: Counter,
    duplicates: Counter,
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
            scrapes: registry.counter(
                "fresnel.receive.scrapes",
                "{scrape}",
                "Scrapes of targets, by outcome (success, failure).",
            ),
            scrapes_missed: registry.counter(
                "fresnel.receive.scrapes.missed",
                "{scrape}",
                "Scrapes that could not be stored before the next one was due.",
            ),
            duplicates: registry.counter(
                "fresnel.receive.scrapes.duplicates",
                "{sample}",
                "Samples of series that a target exposed twice in a scrape; the first was kept.",
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

    /// Counts a scrape of a target.
    pub(crate) fn scraped(&self, failed: bool, duplicates: u64) {
        let outcome = if failed { "failure" } else { "success" };
        self.scrapes.bind(&[("outcome", outcome)]).add(1);
        if duplicates > 0 {
            self.duplicates.bind(&[]).add(duplicates);
        }
    }

    /// Counts a scrape that was not stored.
    pub(crate) fn missed(&self) {
        self.scrapes_missed.bind(&[]).add(1);
    }
}
