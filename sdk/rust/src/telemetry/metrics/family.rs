use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Labels;
use crate::telemetry::otlp::KeyValue;

/// All series of one instrument.
pub(super) struct Family<C> {
    series: Mutex<HashMap<LabelSet, Arc<Series<C>>>>,
    limit: usize,
}

/// Labels sorted by name.
type LabelSet = Box<[(&'static str, Box<str>)]>;

/// The cell that values go to, with the labels as they are exported.
pub(super) struct Series<C> {
    pub(super) attributes: Arc<[KeyValue]>,
    pub(super) cell: C,
}

/// What OpenTelemetry's specification calls the series for everything beyond the limit. No label
/// set of a caller has this name with an empty value.
const OVERFLOW: &str = "otel.metric.overflow";

impl<C> Family<C> {
    pub(super) fn new(limit: usize) -> Self {
        Self { series: Mutex::new(HashMap::new()), limit }
    }

    /// The series with these labels; the overflow's when there are already too many others.
    pub(super) fn bind(&self, labels: Labels<'_>, cell: impl FnOnce() -> C) -> Arc<Series<C>> {
        let mut key: Vec<_> = labels.iter().map(|(name, value)| (*name, Box::from(*value))).collect();
        key.sort_unstable();
        let mut series = self.series.lock();
        if let Some(known) = series.get(&*key) {
            return known.clone();
        }
        // The last place is kept for the overflow.
        let overflown = series.len() + 1 >= self.limit;
        let attributes: Arc<[KeyValue]> = if overflown {
            key = vec![(OVERFLOW, "".into())];
            [KeyValue::new(OVERFLOW, true)].into()
        } else {
            key.iter().map(|(name, value)| KeyValue::new(*name, value.to_string())).collect()
        };
        series.entry(key.into()).or_insert_with(|| Arc::new(Series { attributes, cell: cell() })).clone()
    }

    /// The series there are, in the order of their labels.
    pub(super) fn all(&self) -> Vec<Arc<Series<C>>> {
        let mut all: Vec<_> =
            self.series.lock().iter().map(|(key, series)| (key.clone(), series.clone())).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.into_iter().map(|(_, series)| series).collect()
    }
}
