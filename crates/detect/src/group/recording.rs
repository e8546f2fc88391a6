use std::collections::HashSet;

use promql::{LabelsBuilder, METRIC_NAME, Sample, Vector};

use super::RuleError;
use crate::rules::RecordingRule;

/// The samples of a recording rule.
pub(super) fn record(rule: &RecordingRule, vector: Vector, limit: usize) -> Result<Vec<Sample>, RuleError> {
    let named = vector.into_iter().map(|sample| {
        let mut labels = LabelsBuilder::new(&sample.labels);
        labels.set(METRIC_NAME, &rule.name);
        for (name, value) in &rule.labels {
            labels.set(name, value);
        }
        Sample { labels: labels.build(), ..sample }
    });
    let samples: Vec<Sample> = named.collect();
    let mut seen = HashSet::with_capacity(samples.len());
    if !samples.iter().all(|sample| seen.insert(&sample.labels)) {
        return Err(RuleError::SameSeries);
    }
    let count = samples.len();
    if limit > 0 && count > limit {
        return Err(RuleError::TooManySeries { limit, count });
    }
    Ok(samples)
}
