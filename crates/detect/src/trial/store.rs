//! Series in memory, as a test describes them.

use std::collections::BTreeMap;

use promql::ast::{MatchOp, Matcher};
use promql::histogram::{Histogram, STALE_NAN_BITS};
use promql::series_description::{SequenceValue, SeriesDescription};
use promql::{Chunk, Labels, Options, Point, Sample, Selection, SeriesIter, Source, SourceError, Value};

use crate::group::Series;

/// Series by their labels, each in ascending order of time.
#[derive(Debug)]
pub(crate) struct Store {
    series: BTreeMap<Labels, Vec<(i64, Point)>>,
    /// Later samples are not there yet.
    pub(crate) until_ms: i64,
    pub(crate) options: Options,
}

impl Store {
    pub(crate) fn new(options: Options) -> Self {
        Self { series: BTreeMap::new(), until_ms: i64::MAX, options }
    }

    /// Samples from `start_ms` on. A series that is described twice is as it was described last.
    pub(crate) fn load(&mut self, described: &SeriesDescription, start_ms: i64, interval_ms: i64) {
        let mut time_ms = start_ms;
        let mut points = Vec::new();
        let mut histogram_before = false;
        for value in &described.values {
            let point = match value {
                SequenceValue::Gap => None,
                // The end of a series of histograms is one.
                SequenceValue::Float(value) if histogram_before && value.to_bits() == STALE_NAN_BITS => {
                    let stale = Histogram { sum: f64::from_bits(STALE_NAN_BITS), ..Histogram::default() };
                    Some(Point::Histogram(stale.into()))
                }
                SequenceValue::Float(value) => Some(Point::Float(*value)),
                SequenceValue::Histogram { histogram, .. } => Some(Point::Histogram(histogram.clone())),
            };
            if let Some(point) = point {
                histogram_before = matches!(point, Point::Histogram(_));
                points.push((time_ms, point));
            }
            time_ms = time_ms.saturating_add(interval_ms);
        }
        self.series.insert(described.labels.clone(), points);
    }
}

impl Series for Store {
    fn query(&self, expr: &str, time_ms: i64) -> Result<Value, String> {
        let expr = promql::parse(expr, &(&self.options).into()).map_err(|error| error.to_string())?;
        let outcome = promql::query_instant(&expr, time_ms, &self.options, self, &|| Ok(()));
        outcome.map(|outcome| outcome.value).map_err(|error| error.to_string())
    }

    fn append(&mut self, samples: Vec<Sample>) -> Result<(), String> {
        for Sample { labels, time_ms, point } in samples {
            let points = self.series.entry(labels).or_default();
            // Of two samples at one time the first stays, as in Prometheus.
            if let Err(place) = points.binary_search_by_key(&time_ms, |(time_ms, _)| *time_ms) {
                points.insert(place, (time_ms, point));
            }
        }
        Ok(())
    }
}

impl Source for Store {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let selection = selection.clone();
        let until_ms = selection.end_ms.min(self.until_ms);
        let fitting = move |(labels, points): (&'a Labels, &'a Vec<(i64, Point)>)| {
            if !selection.matchers.iter().all(|matcher| fits(matcher, labels.get(&matcher.name))) {
                return None;
            }
            let from = points.partition_point(|(time_ms, _)| *time_ms < selection.start_ms);
            let to = points.partition_point(|(time_ms, _)| *time_ms <= until_ms);
            let points = points.get(from..to).filter(|points| !points.is_empty())?;
            Some(Ok((labels.clone(), chunk(points).into())))
        };
        Ok(Box::new(self.series.iter().filter_map(fitting)))
    }
}

fn chunk(points: &[(i64, Point)]) -> Chunk {
    let mut chunk = Chunk::default();
    let any = points.iter().any(|(_, point)| matches!(point, Point::Histogram(_)));
    for (time_ms, point) in points {
        let (value, histogram) = match point {
            Point::Float(value) => (*value, None),
            Point::Histogram(histogram) => (f64::NAN, Some(histogram.clone())),
        };
        chunk.times_ms.push(*time_ms);
        chunk.values.push(value);
        if any {
            chunk.histograms.push(histogram);
        }
    }
    chunk
}

/// Whether a label's value is one that a matcher wants.
pub(crate) fn fits(matcher: &Matcher, value: &str) -> bool {
    let matches = || matcher.regex.as_ref().is_some_and(|regex| regex.is_match(value));
    match matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::NotEqual => matcher.value != value,
        MatchOp::Regex => matches(),
        MatchOp::NotRegex => !matches(),
    }
}
