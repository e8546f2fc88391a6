//! Series in memory, by chance.

use std::sync::Arc;

use proptest::prelude::*;

use crate::ast::Matcher;
use crate::engine::plan::fits;
use crate::histogram::{BucketSpan, Histogram, STALE_NAN_BITS};
use crate::labels::Labels;
use crate::source::{Chunk, Selection, SeriesIter, Source, SourceError};

/// A multiple of everything that subqueries are aligned to.
pub(super) const START_MS: i64 = 1_700_006_400_000;

/// A sample: how long after the one before, what, and how long before it began.
type Sampled = (i64, Kind, Option<i64>);

#[derive(Clone, Debug)]
enum Kind {
    Float(f64),
    Histogram(u32),
    Stale,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    series: Vec<(Labels, Chunk)>,
    /// Gives all samples whatever the selection.
    generous: bool,
}

impl Memory {
    fn new(mut series: Vec<(Labels, Chunk)>) -> Self {
        series.sort_by(|left, right| left.0.cmp(&right.0));
        series.dedup_by(|left, right| left.0 == right.0);
        Self { series, generous: false }
    }

    /// Series of one name that only grow.
    pub(super) fn counters(series: usize) -> Self {
        let labels =
            |number: usize| [("__name__", "a".to_owned()), ("x", number.to_string())].into_iter().collect();
        let chunk = Chunk {
            times_ms: (0..120).map(|sample| START_MS + 15_000 * sample).collect(),
            values: (0..120).map(f64::from).collect(),
            ..Chunk::default()
        };
        Self::new((0..series).map(|number| (labels(number), chunk.clone())).collect())
    }

    /// A series of histograms with one bucket.
    pub(super) fn histograms(counts: &[f64]) -> Self {
        let histogram = |count: &f64| Histogram {
            count: *count,
            positive_spans: vec![BucketSpan { offset: 0, length: 1 }],
            positive_buckets: vec![*count],
            ..Histogram::default()
        };
        let chunk = Chunk {
            times_ms: (0..counts.len() as i64).map(|sample| START_MS + 15_000 * sample).collect(),
            values: vec![0.0; counts.len()],
            histograms: counts.iter().map(|count| Some(Arc::new(histogram(count)))).collect(),
            ..Chunk::default()
        };
        Self::new(vec![([("__name__", "a")].into_iter().collect(), chunk)])
    }

    pub(super) fn moved(&self, by_ms: i64) -> Self {
        let mut moved = self.clone();
        for (_, chunk) in &mut moved.series {
            chunk.times_ms.iter_mut().for_each(|time_ms| *time_ms += by_ms);
            chunk
                .start_times_ms
                .iter_mut()
                .filter(|start_ms| **start_ms != 0)
                .for_each(|start_ms| *start_ms += by_ms);
        }
        moved
    }

    pub(super) fn generous(&self) -> Self {
        Self { generous: true, ..self.clone() }
    }

    pub(super) fn single_series(&self) -> Vec<Self> {
        self.series.iter().map(|series| Self::new(vec![series.clone()])).collect()
    }
}

impl Source for Memory {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let Selection { matchers, start_ms, end_ms, .. } = selection.clone();
        let fits_all = move |labels: &Labels| {
            matchers.iter().all(|matcher: &Matcher| fits(matcher, labels.get(&matcher.name)))
        };
        let given = move |(labels, chunk): &'a (Labels, Chunk)| {
            let chunk = if self.generous { chunk.clone() } else { cut(chunk, start_ms, end_ms) };
            Ok((labels.clone(), chunk.into()))
        };
        Ok(Box::new(self.series.iter().filter(move |(labels, _)| fits_all(labels)).map(given)))
    }
}

fn cut(chunk: &Chunk, start_ms: i64, end_ms: i64) -> Chunk {
    let places: Vec<usize> = (0..chunk.times_ms.len())
        .filter(|place| (start_ms..=end_ms).contains(&chunk.times_ms[*place]))
        .collect();
    fn pick<T: Clone>(column: &[T], places: &[usize]) -> Vec<T> {
        if column.is_empty() {
            Vec::new()
        } else {
            places.iter().map(|place| column[*place].clone()).collect()
        }
    }
    Chunk {
        times_ms: pick(&chunk.times_ms, &places),
        values: pick(&chunk.values, &places),
        histograms: pick(&chunk.histograms, &places),
        start_times_ms: pick(&chunk.start_times_ms, &places),
    }
}

/// Up to so many series.
pub(super) fn memory(series_max: usize) -> impl Strategy<Value = Memory> {
    proptest::collection::vec(series(), 0..series_max).prop_map(Memory::new)
}

fn series() -> impl Strategy<Value = (Labels, Chunk)> {
    let labels = ("[ab]", "[xyz]{0,1}", "[0-9]{0,2}").prop_map(|(name, first, second)| {
        [("__name__", name), ("i", first), ("j", second)].into_iter().collect::<Labels>()
    });
    (labels, proptest::collection::vec(sampled(), 0..60), any::<bool>(), any::<bool>())
        .prop_map(|(labels, samples, histograms, starts)| (labels, chunk(&samples, histograms, starts)))
}

fn sampled() -> impl Strategy<Value = Sampled> {
    let gap = prop_oneof![4 => Just(15_000_i64), 3 => 1_i64..40_000, 1 => 40_000_i64..900_000];
    let number = prop_oneof![
        6 => (0_u32..50).prop_map(f64::from),
        2 => -1e3..1e3,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(1e300), Just(-1e300)],
    ];
    let kind = prop_oneof![
        12 => number.prop_map(Kind::Float),
        2 => any::<u32>().prop_map(Kind::Histogram),
        1 => Just(Kind::Stale),
    ];
    (gap, kind, proptest::option::of(0_i64..60_000))
}

fn chunk(samples: &[Sampled], histograms: bool, starts: bool) -> Chunk {
    let mut chunk = Chunk::default();
    let mut time_ms = START_MS;
    for (gap_ms, kind, before_ms) in samples {
        time_ms += gap_ms;
        let (value, histogram) = match kind {
            Kind::Float(value) => (*value, None),
            Kind::Stale => (f64::from_bits(STALE_NAN_BITS), None),
            Kind::Histogram(seed) if histograms => (f64::NAN, Some(Arc::new(histogram(*seed)))),
            Kind::Histogram(seed) => (f64::from(*seed), None),
        };
        chunk.times_ms.push(time_ms);
        chunk.values.push(value);
        if histograms {
            chunk.histograms.push(histogram);
        }
        if starts {
            chunk.start_times_ms.push(before_ms.map_or(0, |before_ms| time_ms - before_ms));
        }
    }
    chunk
}

fn histogram(seed: u32) -> Histogram {
    let count = |shift: u32| f64::from(seed >> shift & 15);
    let buckets = vec![count(0), count(4), count(8)];
    let custom = seed & 0x1000 != 0;
    Histogram {
        schema: if custom { crate::histogram::CUSTOM_BUCKETS } else { (seed >> 13 & 3) as i32 },
        count: buckets.iter().sum(),
        sum: count(16),
        positive_spans: vec![BucketSpan { offset: 0, length: 3 }],
        positive_buckets: buckets,
        custom_values: if custom { Arc::new([1.0, 2.0, 5.0]) } else { Arc::default() },
        ..Histogram::default()
    }
}
