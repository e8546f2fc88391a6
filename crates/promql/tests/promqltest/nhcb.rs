//! Classic histograms as native ones with custom buckets (`load_with_nhcb`).

use std::collections::BTreeMap;
use std::sync::Arc;

use promql::histogram::{BucketSpan, CUSTOM_BUCKETS, Histogram};
use promql::series_description::SequenceValue;
use promql::{Labels, LabelsBuilder, METRIC_NAME};

use super::script::LoadedSeries;

/// What is known of one classic histogram at one time.
#[derive(Clone, Debug, Default)]
struct Classic {
    /// Upper bound and cumulative count.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

#[derive(Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

pub(crate) fn convert(series: &[LoadedSeries]) -> Result<Vec<LoadedSeries>, String> {
    let mut histograms: BTreeMap<Labels, BTreeMap<usize, Classic>> = BTreeMap::new();
    for series in series {
        let Some((part, base)) = part(&series.labels) else { continue };
        let times = histograms.entry(base).or_default();
        for (place, value) in series.values.iter().enumerate() {
            let SequenceValue::Float(value) = value else { continue };
            let classic = times.entry(place).or_default();
            match part {
                Part::Bucket(bound) => classic.buckets.push((bound, *value)),
                Part::Count => classic.count = Some(*value),
                Part::Sum => classic.sum = *value,
            }
        }
    }
    histograms.into_iter().map(|(labels, times)| one_series(labels, times)).collect()
}

fn one_series(labels: Labels, times: BTreeMap<usize, Classic>) -> Result<LoadedSeries, String> {
    let length = times.keys().last().map_or(0, |last| last + 1);
    let mut values = vec![SequenceValue::Gap; length];
    for (place, classic) in times {
        let histogram = Arc::new(classic.into_native()?);
        values[place] = SequenceValue::Histogram { histogram, hint_written: false };
    }
    Ok(LoadedSeries { labels, values, start_offsets_ms: Vec::new() })
}

fn part(labels: &Labels) -> Option<(Part, Labels)> {
    let name = labels.get(METRIC_NAME);
    let (part, base) = if let Some(base) = name.strip_suffix("_bucket") {
        let bound: f64 = labels.get("le").parse().ok()?;
        (Part::Bucket(bound), base)
    } else if let Some(base) = name.strip_suffix("_count") {
        (Part::Count, base)
    } else {
        (Part::Sum, name.strip_suffix("_sum")?)
    };
    let mut builder = LabelsBuilder::new(labels);
    builder.set(METRIC_NAME, base).remove("le");
    Some((part, builder.build()))
}

impl Classic {
    fn into_native(mut self) -> Result<Histogram, String> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|next, kept| next.0 == kept.0);
        let highest = self.buckets.last().copied();
        let count = self.count.or(highest.map(|(_, count)| count)).ok_or("a histogram without a count")?;
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let mut counts = Vec::new();
        for (_, cumulative) in &self.buckets {
            if *cumulative < before {
                return Err("buckets are not cumulative".to_owned());
            }
            counts.push(cumulative - before);
            before = *cumulative;
        }
        let bounds = &self.buckets[..self.buckets.len() - 1];
        let length = u32::try_from(counts.len()).map_err(|error| error.to_string())?;
        let mut histogram = Histogram {
            schema: CUSTOM_BUCKETS,
            count,
            sum: self.sum,
            positive_spans: vec![BucketSpan { offset: 0, length }],
            positive_buckets: counts,
            custom_values: bounds.iter().map(|(bound, _)| *bound).collect(),
            ..Histogram::default()
        };
        histogram.compact(0);
        histogram.validate().map_err(|error| error.to_string())?;
        Ok(histogram)
    }
}
