//! What the evaluator can notice, and how Prometheus words it.

use crate::histogram::go_float;
use crate::parse::quote;

pub(super) const INFO: &str = "PromQL info: ";

/// What two histograms went through when something about them was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

impl HistogramOperation {
    fn name(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// Strings are metric names unless they say otherwise; an empty one is left out where Prometheus
/// leaves it out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Remark<'a> {
    InvalidQuantile(f64),
    InvalidRatio { ratio: f64, capped: f64 },
    BadBucketLabel { name: &'a str, label: &'a str },
    MixedFloatsHistograms(&'a str),
    MixedFloatsHistogramsAggregation,
    MixedClassicNative(&'a str),
    NotCounter(&'a str),
    NotGauge(&'a str),
    MixedExponentialCustom(&'a str),
    IncompatibleBucketLayout { operator: &'a str },
    CounterResetCollision(HistogramOperation),
    StartTimeOverlap(&'a str),
    IneffectiveSort,
    PossibleNonCounter(&'a str),
    ForcedMonotonicity { name: &'a str, monotonicity: Monotonicity },
    IncompatibleTypes { left: &'a str, operator: &'a str, right: &'a str },
    HistogramIgnoredInAggregation(&'a str),
    HistogramIgnoredInMixedRange(&'a str),
    QuantileNanResult(&'a str),
    QuantileNanSkew(&'a str),
    FractionNan(&'a str),
    MismatchedCustomBuckets(HistogramOperation),
}

impl Remark<'_> {
    /// Prefix and text; with [`Self::monotonicity`] only what tells one such remark from another.
    pub(super) fn text(&self) -> String {
        let (info, text) = self.words();
        if info { format!("{INFO}{text}") } else { format!("PromQL warning: {text}") }
    }

    pub(super) fn monotonicity(&self) -> Option<Monotonicity> {
        match self {
            Self::ForcedMonotonicity { monotonicity, .. } => Some(*monotonicity),
            _ => None,
        }
    }

    /// Whether it is an info, and its text. Flat: one line for each kind.
    fn words(&self) -> (bool, String) {
        match *self {
            Self::InvalidQuantile(q) => {
                (false, format!("quantile value should be between 0 and 1, got {}", go_float(q)))
            }
            Self::InvalidRatio { ratio, capped } => (
                false,
                format!(
                    "ratio value should be between -1 and 1, got {}, capping to {}",
                    go_float(ratio),
                    go_float(capped)
                ),
            ),
            Self::BadBucketLabel { name, label } => {
                let text = "bucket label \"le\" is missing or has a malformed value of";
                (false, for_metric(&format!("{text} {}", quote(label)), name))
            }
            Self::MixedFloatsHistograms(name) => {
                (false, format!("encountered a mix of histograms and floats for metric name {}", quote(name)))
            }
            Self::MixedFloatsHistogramsAggregation => {
                (false, "encountered a mix of histograms and floats for aggregation".into())
            }
            Self::MixedClassicNative(name) => {
                (false, for_metric("vector contains a mix of classic and native histograms", name))
            }
            Self::NotCounter(name) => {
                (false, format!("this native histogram metric is not a counter: {}", quote(name)))
            }
            Self::NotGauge(name) => {
                (false, format!("this native histogram metric is not a gauge: {}", quote(name)))
            }
            Self::MixedExponentialCustom(name) => {
                let text = "vector contains a mix of histograms with exponential and custom buckets \
                            schemas for metric name";
                (false, format!("{text} {}", quote(name)))
            }
            Self::IncompatibleBucketLayout { operator } => {
                (false, format!("incompatible bucket layout encountered for binary operator {operator}"))
            }
            Self::CounterResetCollision(operation) => {
                (false, format!("conflicting counter resets during histogram {}", operation.name()))
            }
            Self::StartTimeOverlap(name) => {
                let text = "sample has start time that overlaps with previous sample timestamp for metric";
                (false, format!("{text} {}", quote(name)))
            }
            Self::IneffectiveSort => {
                let text = "sort is ineffective for range queries since results are always ordered by labels";
                (false, text.into())
            }
            Self::PossibleNonCounter(name) => {
                let text = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
                (true, format!("{text} {}", quote(name)))
            }
            Self::ForcedMonotonicity { name, .. } => {
                let text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                            https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
                (true, for_metric(text, name))
            }
            Self::IncompatibleTypes { left, operator, right } => {
                let text = "incompatible sample types encountered for binary operator";
                (true, format!("{text} {}: {left} {operator} {right}", quote(operator)))
            }
            Self::HistogramIgnoredInAggregation(aggregation) => {
                (true, format!("ignored histogram in {aggregation} aggregation"))
            }
            Self::HistogramIgnoredInMixedRange(name) => {
                let text =
                    "ignored histograms in a range containing both floats and histograms for metric name";
                (true, format!("{text} {}", quote(name)))
            }
            Self::QuantileNanResult(name) => {
                let text = "input to histogram_quantile has NaN observations, result is NaN";
                (true, for_metric(text, name))
            }
            Self::QuantileNanSkew(name) => {
                let text = "input to histogram_quantile has NaN observations, result is skewed higher";
                (true, for_metric(text, name))
            }
            Self::FractionNan(name) => {
                let text = "input to histogram_fraction has NaN observations, which are excluded from \
                            all fractions";
                (true, for_metric(text, name))
            }
            Self::MismatchedCustomBuckets(operation) => {
                (true, format!("mismatched custom buckets were reconciled during {}", operation.name()))
            }
        }
    }
}

fn for_metric(text: &str, name: &str) -> String {
    if name.is_empty() { text.into() } else { format!("{text} for metric name {}", quote(name)) }
}

/// How far the buckets of a classic histogram had to be bent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Monotonicity {
    pub(crate) time_min_ms: i64,
    pub(crate) time_max_ms: i64,
    pub(crate) bucket_min: f64,
    pub(crate) bucket_max: f64,
    pub(crate) difference_max: f64,
    pub(crate) samples: u64,
}

impl Monotonicity {
    pub(super) fn merge(&mut self, other: Self) {
        self.time_min_ms = self.time_min_ms.min(other.time_min_ms);
        self.time_max_ms = self.time_max_ms.max(other.time_max_ms);
        self.bucket_min = self.bucket_min.min(other.bucket_min);
        self.bucket_max = self.bucket_max.max(other.bucket_max);
        self.difference_max = self.difference_max.max(other.difference_max);
        self.samples += other.samples;
    }

    pub(super) fn text(&self) -> String {
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            go_float(self.bucket_min),
            go_float(self.bucket_max),
            two_digits(self.difference_max),
            self.samples,
            rfc3339(self.time_min_ms),
            rfc3339(self.time_max_ms),
        )
    }
}

/// As Go's `%.2g`.
fn two_digits(value: f64) -> String {
    // Rounding in decimal by the formatter, then writing it as Go does.
    format!("{value:.1e}").parse::<f64>().map_or_else(|_| go_float(value), go_float)
}

fn rfc3339(time_ms: i64) -> String {
    let date = crate::engine::Date::from_seconds(time_ms.div_euclid(1000));
    let fraction = match time_ms.rem_euclid(1000) {
        0 => String::new(),
        milliseconds => format!(".{milliseconds:03}").trim_end_matches('0').into(),
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z",
        date.year, date.month, date.day, date.hour, date.minute, date.second
    )
}
