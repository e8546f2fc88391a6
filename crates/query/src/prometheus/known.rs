//! What PromQL needs of the series of a file, decoded once and kept.
//!
//! Enters: a file of the table `series`. Leaves: its series with their labels. Must hold: files never
//! change, so what is kept stays right as long as the same attributes of resources are promoted, and
//! counts for no other query; it is bounded and counted in `memory.limit`, and without room everything
//! works as before, only slower.

use std::collections::HashMap;
use std::sync::Arc;

use promql::{Labels, METRIC_NAME};

use super::exposed::Translator;
use super::names::{self, Shape};
use super::promoted::Promoted;
use super::prune::SeriesId;
use super::series::Row;

/// Bytes that a series takes at most, besides its labels: what is asked for before it is decoded.
const SERIES_BYTES: usize = 192;
/// Of a label: two shared texts, and a part of their bytes.
const LABEL_BYTES: usize = 48;
/// Labels that a series is thought to have before it is looked at.
const LABELS_GUESS: usize = 10;

/// The series of a file.
pub(crate) struct KnownFile {
    /// What their labels were made with.
    pub(super) promoted: Promoted,
    pub(super) series: Vec<KnownSeries>,
}

/// A row of the table `series`, without what only metadata is made of.
#[derive(Clone, Debug)]
pub(super) struct KnownSeries {
    pub(super) id: SeriesId,
    pub(super) time: i64,
    pub(super) metric: Arc<Metric>,
    pub(super) delta: bool,
    /// Whether it came from Prometheus, so that the labels are its own.
    pub(super) own: bool,
    /// All of a series of Prometheus; of another one all but the name.
    pub(super) labels: Labels,
}

/// What the series of a metric share.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Metric {
    pub(super) name: Arc<str>,
    pub(super) unit: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) monotonic: bool,
    /// The name with its unit and suffix.
    pub(super) translated: Box<str>,
}

impl Metric {
    fn new(shape: Shape<'_>) -> Self {
        Self {
            name: shape.name.into(),
            unit: shape.unit.into(),
            kind: shape.kind.into(),
            monotonic: shape.monotonic,
            translated: names::metric(shape).into(),
        }
    }

    pub(super) fn shape(&self) -> Shape<'_> {
        Shape { name: &self.name, unit: &self.unit, kind: &self.kind, monotonic: self.monotonic }
    }
}

/// Makes series known; what they share is shared.
pub(super) struct Acquaintance<'a> {
    promoted: &'a Promoted,
    translator: Translator,
    metrics: HashMap<Metric, Arc<Metric>>,
    last: Option<Arc<Metric>>,
}

impl<'a> Acquaintance<'a> {
    pub(super) fn new(promoted: &'a Promoted) -> Self {
        Self { promoted, translator: Translator::default(), metrics: HashMap::new(), last: None }
    }

    pub(super) fn of(&mut self, row: &Row<'_>) -> KnownSeries {
        let own = row.attributes.get(METRIC_NAME).is_some();
        let labels = if own { self.translator.own(row) } else { self.translator.base(row, self.promoted) };
        KnownSeries {
            id: row.id,
            time: row.time,
            metric: self.metric(row.shape),
            delta: row.delta,
            own,
            labels,
        }
    }

    fn metric(&mut self, shape: Shape<'_>) -> Arc<Metric> {
        // Files are sorted by it.
        if let Some(last) = self.last.as_ref().filter(|last| last.shape() == shape) {
            return Arc::clone(last);
        }
        let metric = Metric::new(shape);
        let shared = match self.metrics.get(&metric) {
            Some(known) => Arc::clone(known),
            None => {
                let shared = Arc::new(Metric::new(shape));
                self.metrics.insert(metric, Arc::clone(&shared));
                shared
            }
        };
        self.last = Some(Arc::clone(&shared));
        shared
    }
}

/// Bytes that so many series may take.
pub(super) fn bytes_at_most(rows: usize, promoted: &Promoted) -> usize {
    rows * (SERIES_BYTES + (LABELS_GUESS + promoted.labels_guess()) * LABEL_BYTES)
}

/// Bytes that these take.
pub(super) fn bytes_of(series: &[KnownSeries]) -> usize {
    series.iter().map(|series| SERIES_BYTES + series.labels.len() * LABEL_BYTES).sum()
}
