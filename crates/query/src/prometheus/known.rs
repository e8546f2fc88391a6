//! What PromQL needs of the series of a file, decoded once and kept.
//!
//! Enters: a file of the table `series`. Leaves: its series with their labels. Must hold: files never
//! change, so what is kept stays right as long as the same attributes of resources are promoted, and
//! counts for no other query; it is bounded and counted in `memory.limit`, and without room everything
//! works as before, only slower.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use promql::{Labels, METRIC_NAME};

use super::exposed::{Translator, bases};
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

/// Of a metric: where its series are, and its two places among the names.
const METRIC_BYTES: usize = 32;

/// The series of a file.
pub(crate) struct KnownFile {
    /// What their labels were made with.
    pub(super) promoted: Promoted,
    series: Vec<KnownSeries>,
    /// Where the series of each metric are.
    metrics: Vec<Range<usize>>,
    /// The metrics in the order of their own names.
    by_name: Vec<usize>,
    /// The metrics in the order of their translated names.
    by_translated: Vec<usize>,
}

impl KnownFile {
    /// Of series in the order of the file.
    pub(super) fn new(promoted: Promoted, mut series: Vec<KnownSeries>) -> Self {
        series.shrink_to_fit();
        let mut metrics = Vec::new();
        // In the order in which they will be wanted.
        for of_metric in series.chunk_by_mut(|a, b| Arc::ptr_eq(&a.metric, &b.metric)) {
            of_metric.sort_by(|a, b| a.labels.cmp(&b.labels));
            let start = metrics.last().map_or(0, |last: &Range<usize>| last.end);
            metrics.push(start..start + of_metric.len());
        }
        metrics.shrink_to_fit();
        let by = |name: &dyn Fn(&Metric) -> &str| {
            let mut places: Vec<usize> = (0..metrics.len()).collect();
            let name = |place: &usize| name(&series[metrics[*place].start].metric);
            places.sort_by(|a, b| name(a).cmp(name(b)));
            places
        };
        let (by_name, by_translated) = (by(&|metric| &metric.name), by(&|metric| &metric.translated));
        Self { promoted, series, metrics, by_name, by_translated }
    }

    /// Whether all of them came from Prometheus: no resource is told of then.
    pub(super) fn is_own(&self) -> bool {
        self.series.iter().all(|series| series.own)
    }

    /// How many series.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let of = |series: &KnownSeries| SERIES_BYTES + series.labels.len() * LABEL_BYTES;
        self.series.iter().map(of).sum::<usize>() + self.metrics.len() * METRIC_BYTES
    }

    /// The series of each metric, in the order of the file.
    pub(super) fn by_metric(&self) -> impl Iterator<Item = &[KnownSeries]> {
        self.metrics.iter().map(|place| &self.series[place.clone()])
    }

    /// As [`KnownFile::by_metric`], of metrics that may be seen under a name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &[KnownSeries]> {
        let mut found = Vec::new();
        for base in bases(name) {
            self.of_base(&self.by_name, base, |metric| &metric.name, &mut found);
            self.of_base(&self.by_translated, base, |metric| &metric.translated, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|place| &self.series[self.metrics[place].clone()])
    }

    fn of_base(&self, order: &[usize], base: &str, name: fn(&Metric) -> &str, found: &mut Vec<usize>) {
        let name = |place: &usize| name(&self.series[self.metrics[*place].start].metric);
        let first = order.partition_point(|place| name(place) < base);
        found.extend(order[first..].iter().take_while(|place| name(place) == base));
    }
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
    rows * (SERIES_BYTES + METRIC_BYTES + (LABELS_GUESS + promoted.labels_guess()) * LABEL_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> KnownFile {
        let shape = |name, unit, kind, monotonic| Shape { name, unit, kind, monotonic };
        let shapes = [
            shape("http.server.request.duration", "s", "histogram", false),
            shape("node_load1", "", "gauge", false),
            shape("requests", "", "sum", true),
            shape("requests_total", "", "sum", true),
            // Of another metric between them.
            shape("queue", "1", "gauge", false),
            shape("requests", "", "gauge", false),
        ];
        let mut series = Vec::new();
        for shape in shapes {
            let metric = Arc::new(Metric::new(shape));
            for number in 0..2 {
                let (id, metric) = ([number; 16], Arc::clone(&metric));
                series.push(KnownSeries {
                    id,
                    time: 0,
                    metric,
                    delta: false,
                    own: false,
                    labels: Labels::default(),
                });
            }
        }
        KnownFile::new(Promoted::These(Default::default()), series)
    }

    #[test]
    fn metrics_are_found_by_their_own_name_and_by_the_translated_one() {
        let file = file();
        let found = |name: &str| -> Vec<(String, String)> {
            let of = |series: &[KnownSeries]| {
                assert_eq!(series.len(), 2, "all series of a metric");
                (series[0].metric.name.to_string(), series[0].metric.kind.to_string())
            };
            file.named(name).map(of).collect()
        };
        let told = |found: &[(&str, &str)]| -> Vec<(String, String)> {
            found.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
        };
        let duration = told(&[("http.server.request.duration", "histogram")]);
        assert_eq!(found("http_server_request_duration_seconds_bucket"), duration);
        assert_eq!(found("http_server_request_duration_seconds"), duration);
        assert_eq!(found("http.server.request.duration"), duration);
        // In the order of the file, each once, though two names of one fit.
        assert_eq!(found("requests_total"), told(&[("requests", "sum"), ("requests_total", "sum")]));
        assert_eq!(found("requests"), told(&[("requests", "sum"), ("requests", "gauge")]));
        assert_eq!(found("queue_ratio"), told(&[("queue", "gauge")]));
        for name in ["node_load", "node_load11", "", "zzz", "requests_bucket_"] {
            assert_eq!(found(name), told(&[]), "{name}");
        }
    }

    /// As if every metric was looked at.
    #[test]
    fn nothing_that_may_fit_is_missed() {
        let file = file();
        for name in ["node_load1", "requests_count", "requests_total_sum", "queue", "queue_ratio_bucket"] {
            let may_fit = |series: &&[KnownSeries]| {
                let metric = &series[0].metric;
                bases(name).any(|base| base == &*metric.name || base == &*metric.translated)
            };
            let all: Vec<_> = file.by_metric().filter(may_fit).map(|of| Arc::as_ptr(&of[0].metric)).collect();
            let named: Vec<_> = file.named(name).map(|of| Arc::as_ptr(&of[0].metric)).collect();
            assert!(!all.is_empty(), "{name}");
            assert_eq!(named, all, "{name}");
        }
    }
}
