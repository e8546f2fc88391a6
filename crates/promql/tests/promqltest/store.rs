//! Series in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use promql::ast::{MatchOp, Matcher};
use promql::histogram::Histogram;
use promql::series_description::SequenceValue;
use promql::{Chunk, Labels, Selection, SeriesIter, Source, SourceError};

use super::script::{Load, LoadedSeries};
use super::{hints, nhcb};

#[derive(Default)]
pub(crate) struct Store(BTreeMap<Labels, Series>);

#[derive(Default)]
struct Series(Vec<Sample>);

/// A sample at its time.
#[derive(Clone, Debug)]
struct Sample {
    time_ms: i64,
    value: f64,
    histogram: Option<Arc<Histogram>>,
    start_ms: i64,
}

impl Store {
    /// Adds to what is there.
    pub(crate) fn load(&mut self, load: &Load) -> Result<(), String> {
        for series in &load.series {
            self.add(series, load.step_ms);
        }
        if load.with_nhcb {
            for series in nhcb::convert(&load.series)? {
                self.add(&series, load.step_ms);
            }
        }
        Ok(())
    }

    fn add(&mut self, loaded: &LoadedSeries, step_ms: i64) {
        let series = self.0.entry(loaded.labels.clone()).or_default();
        for (place, value) in loaded.values.iter().enumerate() {
            let time_ms = step_ms * place as i64;
            let offset = loaded.start_offsets_ms.get(place).copied().flatten();
            let start_ms = offset.map_or(0, |offset| time_ms + offset);
            let (value, histogram) = match value {
                SequenceValue::Gap => continue,
                SequenceValue::Float(value) => (*value, None),
                SequenceValue::Histogram { histogram, .. } => (f64::NAN, Some(histogram.clone())),
            };
            series.0.push(Sample { time_ms, value, histogram, start_ms });
        }
        series.0.sort_by_key(|sample| sample.time_ms);
    }
}

impl Series {
    fn chunk(&self, selection: &Selection) -> Chunk {
        let hints =
            hints::stored(self.0.iter().map(|sample| sample.histogram.as_deref().ok_or(sample.value)));
        let range = selection.start_ms..=selection.end_ms;
        let samples = self.0.iter().zip(hints).filter(|(sample, _)| range.contains(&sample.time_ms));
        let mut chunk = Chunk::default();
        for (sample, hint) in samples {
            chunk.times_ms.push(sample.time_ms);
            chunk.values.push(sample.value);
            chunk.start_times_ms.push(sample.start_ms);
            let hinted = |histogram: &Arc<Histogram>| {
                Arc::new(Histogram { counter_reset_hint: hint, ..(**histogram).clone() })
            };
            chunk.histograms.push(sample.histogram.as_ref().map(hinted));
        }
        if chunk.histograms.iter().all(Option::is_none) {
            chunk.histograms.clear();
        }
        if chunk.start_times_ms.iter().all(|start| *start == 0) {
            chunk.start_times_ms.clear();
        }
        chunk
    }
}

impl Source for Store {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let selection = selection.clone();
        let fitting = move |(labels, series): (&'a Labels, &'a Series)| {
            let fits = selection.matchers.iter().all(|matcher| fits(matcher, labels.get(&matcher.name)));
            let chunk = fits.then(|| series.chunk(&selection))?;
            (!chunk.times_ms.is_empty()).then(|| Ok((labels.clone(), chunk.into())))
        };
        Ok(Box::new(self.0.iter().filter_map(fitting)))
    }
}

fn fits(matcher: &Matcher, value: &str) -> bool {
    let matches = || matcher.regex.as_ref().is_some_and(|regex| regex.is_match(value));
    match matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::NotEqual => matcher.value != value,
        MatchOp::Regex => matches(),
        MatchOp::NotRegex => !matches(),
    }
}
