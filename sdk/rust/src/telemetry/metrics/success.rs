use super::{BoundCounter, BoundGauge, Registry};

/// How many of something went well and how many did not, as a counter by outcome and as a share.
#[derive(Clone)]
pub(crate) struct Success {
    well: BoundCounter,
    badly: BoundCounter,
    ratio: BoundGauge,
}

/// The names of a [`Success`].
pub(crate) struct SuccessNames {
    pub(crate) counter: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    /// Of the share.
    pub(crate) ratio: &'static str,
    /// The attribute, and its value for what went well and for what did not.
    pub(crate) outcome: (&'static str, &'static str, &'static str),
}

impl Success {
    pub(crate) fn new(registry: &Registry, names: &SuccessNames) -> Self {
        let counter = registry.counter(names.counter, names.unit, names.description);
        let (attribute, well, badly) = names.outcome;
        let ratio = registry.gauge(names.ratio, "1", "The share that went well.").bind(&[]);
        ratio.set(1.0);
        Self { well: counter.bind(&[(attribute, well)]), badly: counter.bind(&[(attribute, badly)]), ratio }
    }

    /// One more.
    pub(crate) fn count(&self, well: bool) {
        if well { &self.well } else { &self.badly }.add(1);
        let (well, badly) = (self.well.value(), self.badly.value());
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        self.ratio.set(well as f64 / (well + badly) as f64);
    }
}
