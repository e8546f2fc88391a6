//! Rows of the table `histograms` as PromQL's histograms, and as the series of classic ones.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BinaryArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use promql::histogram::{
    BucketSpan, CUSTOM_BUCKETS, CounterResetHint, EXPONENTIAL_MAX, Histogram, STALE_NAN_BITS,
};

use super::series::{column, misfit};
use crate::QueryError;

/// Columns of native histograms; those for counts that are no integers are not in every file.
pub(super) const NATIVE: [&str; 18] = [
    "series_id",
    "time_unix_nano",
    "flags",
    "count",
    "sum",
    "schema",
    "zero_threshold",
    "zero_count",
    "positive_spans",
    "positive_buckets",
    "negative_spans",
    "negative_buckets",
    "custom_bounds",
    "reset_hint",
    "count_double",
    "zero_count_double",
    "positive_buckets_double",
    "negative_buckets_double",
];

/// Columns of classic buckets.
pub(super) const BUCKETS: [&str; 8] = [
    "series_id",
    "time_unix_nano",
    "flags",
    "schema",
    "count",
    "positive_spans",
    "positive_buckets",
    "custom_bounds",
];

/// OpenTelemetry's flag of a point without a value: the series ends.
pub(super) const NO_RECORDED_VALUE: i32 = 1;

/// A batch of histograms.
pub(super) struct Histograms<'a> {
    batch: &'a RecordBatch,
    pub(super) ids: &'a BinaryArray,
    pub(super) times: &'a Int64Array,
    pub(super) flags: &'a Int32Array,
}

impl<'a> Histograms<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(Self {
            batch,
            ids: column(batch, "series_id")?.as_binary_opt().ok_or_else(|| misfit("series_id"))?,
            times: column(batch, "time_unix_nano")?
                .as_primitive_opt()
                .ok_or_else(|| misfit("time_unix_nano"))?,
            flags: column(batch, "flags")?.as_primitive_opt().ok_or_else(|| misfit("flags"))?,
        })
    }

    pub(super) fn is_stale(&self, row: usize) -> bool {
        self.flags.value(row) & NO_RECORDED_VALUE != 0
    }

    /// When what a row adds up began, in nanoseconds; 0 where nobody knows, or it was not asked for.
    pub(super) fn start(&self, row: usize) -> i64 {
        self.int("start_time_unix_nano", row).unwrap_or(0)
    }

    fn int(&self, name: &str, row: usize) -> Option<i64> {
        let column: &Int64Array = self.batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn small(&self, name: &str, row: usize) -> Option<i32> {
        let column: &Int32Array = self.batch.column_by_name(name)?.as_primitive_opt::<Int32Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn double(&self, name: &str, row: usize) -> Option<f64> {
        let column: &Float64Array = self.batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn list(&self, name: &str, row: usize) -> Option<arrow::array::ArrayRef> {
        let column: &ListArray = self.batch.column_by_name(name)?.as_list_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn doubles(&self, name: &str, row: usize) -> Vec<f64> {
        let list = self.list(name, row);
        let values = list.as_ref().and_then(|list| list.as_primitive_opt::<Float64Type>());
        values.map(|values| values.values().to_vec()).unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "PromQL's counts are doubles")]
    fn counts(&self, name: &str, row: usize) -> Vec<f64> {
        let list = self.list(name, row);
        let values = list.as_ref().and_then(|list| list.as_primitive_opt::<Int64Type>());
        values.map(|values| values.values().iter().map(|count| *count as f64).collect()).unwrap_or_default()
    }

    fn spans(&self, name: &str, row: usize) -> Vec<BucketSpan> {
        let Some(list) = self.list(name, row) else { return Vec::new() };
        let Some(spans) = list.as_struct_opt() else { return Vec::new() };
        let column = |name| spans.column_by_name(name)?.as_primitive_opt::<Int32Type>();
        let (Some(offsets), Some(lengths)) = (column("offset"), column("length")) else { return Vec::new() };
        let pairs = offsets.values().iter().zip(lengths.values());
        pairs
            .map(|(offset, length)| BucketSpan { offset: *offset, length: (*length).max(0).cast_unsigned() })
            .collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "PromQL's counts are doubles")]
    pub(super) fn count(&self, row: usize) -> f64 {
        self.double("count_double", row).unwrap_or_else(|| self.int("count", row).unwrap_or(0) as f64)
    }

    /// The native histogram of a row; none where it is a summary or no valid one.
    pub(super) fn native(&self, row: usize, delta: bool) -> Option<Arc<Histogram>> {
        if self.is_stale(row) {
            let sum = f64::from_bits(STALE_NAN_BITS);
            return Some(Arc::new(Histogram { sum, ..Histogram::default() }));
        }
        let schema = self.small("schema", row)?;
        let buckets = |doubles, counts| {
            let doubles = self.doubles(doubles, row);
            if doubles.is_empty() { self.counts(counts, row) } else { doubles }
        };
        let mut histogram = Histogram {
            counter_reset_hint: match (delta, self.small("reset_hint", row)) {
                (true, _) | (_, Some(3)) => CounterResetHint::Gauge,
                (_, Some(1)) => CounterResetHint::Reset,
                (_, Some(2)) => CounterResetHint::NotReset,
                _ => CounterResetHint::Unknown,
            },
            schema,
            zero_threshold: self.double("zero_threshold", row).unwrap_or(0.0),
            zero_count: self.zero_count(row),
            count: self.count(row),
            sum: self.double("sum", row).unwrap_or(f64::NAN),
            positive_spans: self.spans("positive_spans", row),
            negative_spans: self.spans("negative_spans", row),
            positive_buckets: buckets("positive_buckets_double", "positive_buckets"),
            negative_buckets: buckets("negative_buckets_double", "negative_buckets"),
            custom_values: self.doubles("custom_bounds", row).into(),
        };
        if schema == CUSTOM_BUCKETS {
            // A bound that is infinite is the one that every histogram has anyway.
            let finite = histogram.custom_values.iter().filter(|bound| bound.is_finite());
            histogram.custom_values = finite.copied().collect();
        } else {
            histogram.custom_values = Arc::default();
            // OpenTelemetry counts buckets by their lower bound, Prometheus by their upper one.
            for spans in [&mut histogram.positive_spans, &mut histogram.negative_spans] {
                if let Some(first) = spans.first_mut() {
                    first.offset = first.offset.saturating_add(1);
                }
            }
        }
        if schema > EXPONENTIAL_MAX {
            histogram.reduce_resolution(EXPONENTIAL_MAX);
        }
        histogram.validate().is_ok().then(|| Arc::new(histogram))
    }

    #[expect(clippy::cast_precision_loss, reason = "PromQL's counts are doubles")]
    fn zero_count(&self, row: usize) -> f64 {
        self.double("zero_count_double", row)
            .unwrap_or_else(|| self.int("zero_count", row).unwrap_or(0) as f64)
    }

    /// Bounds of a row with explicit ones, ascending, with how many observations are not above
    /// each; the last bound is infinite.
    pub(super) fn classic(&self, row: usize) -> Vec<(f64, f64)> {
        if self.small("schema", row) != Some(CUSTOM_BUCKETS) {
            return Vec::new();
        }
        let bounds = self.doubles("custom_bounds", row);
        let mut counts = vec![0.0; bounds.len()];
        let mut index = 0_i64;
        let mut filled = self.counts("positive_buckets", row).into_iter();
        for span in self.spans("positive_spans", row) {
            index += i64::from(span.offset);
            for _ in 0..span.length {
                let Some(count) = filled.next() else { break };
                let place = usize::try_from(index).ok();
                // What is beyond the last bound is in the count of all.
                if let Some(place) = place.and_then(|place| counts.get_mut(place)) {
                    *place += count;
                }
                index += 1;
            }
        }
        let mut below = 0.0;
        let mut buckets: Vec<_> = bounds
            .into_iter()
            .zip(counts)
            .filter(|(bound, _)| bound.is_finite())
            .map(|(bound, count)| {
                below += count;
                (bound, below)
            })
            .collect();
        buckets.push((f64::INFINITY, self.count(row)));
        buckets
    }

    /// Quantiles of a summary with their values.
    pub(super) fn quantiles(&self, row: usize) -> Vec<(f64, f64)> {
        let values = self.doubles("quantile_values", row);
        self.doubles("quantiles", row).into_iter().zip(values).collect()
    }
}
