use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_schema::DataType;
use model::{Table, schema};

use super::{Buckets, Points};
use crate::columns::{self, List, Nullable, Sparse};

/// The schema of histograms with explicit bounds.
pub(crate) const CUSTOM_BOUNDS: i32 = -53;

/// Columns of [`Table::Histograms`].
#[derive(Default)]
pub(crate) struct Histograms {
    pub(crate) points: Points,
    pub(crate) count: Vec<i64>,
    pub(crate) sum: Nullable<Float64Type>,
    pub(crate) min: Nullable<Float64Type>,
    pub(crate) max: Nullable<Float64Type>,
    pub(crate) schema: Nullable<Int32Type>,
    pub(crate) zero_threshold: Vec<f64>,
    pub(crate) zero_count: Vec<i64>,
    pub(crate) positive: Buckets,
    pub(crate) negative: Buckets,
    pub(crate) custom_bounds: List<Float64Type>,
    pub(crate) quantiles: List<Float64Type>,
    pub(crate) quantile_values: List<Float64Type>,
    pub(crate) reset_hint: Sparse<Int32Type>,
    /// Of histograms whose counts are not integers; those of their buckets are with the others.
    pub(crate) count_double: Sparse<Float64Type>,
    pub(crate) zero_count_double: Sparse<Float64Type>,
}

impl Histograms {
    pub(crate) fn expect(&mut self, records: usize) {
        self.points.reserve(records);
        self.count.reserve(records);
        self.sum.reserve(records);
        self.min.reserve(records);
        self.max.reserve(records);
        self.schema.reserve(records);
        self.zero_threshold.reserve(records);
        self.zero_count.reserve(records);
        self.positive.expect(records);
        self.negative.expect(records);
        self.custom_bounds.reserve(records);
        self.quantiles.reserve(records);
        self.quantile_values.reserve(records);
    }

    #[cold]
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.points.truncate(rows);
        self.count.truncate(rows);
        self.sum.truncate(rows);
        self.min.truncate(rows);
        self.max.truncate(rows);
        self.schema.truncate(rows);
        self.zero_threshold.truncate(rows);
        self.zero_count.truncate(rows);
        self.positive.truncate(rows);
        self.negative.truncate(rows);
        self.custom_bounds.truncate(rows);
        self.quantiles.truncate(rows);
        self.quantile_values.truncate(rows);
        self.reset_hint.truncate(rows);
        self.count_double.truncate(rows);
        self.zero_count_double.truncate(rows);
    }

    pub(crate) fn finish(self) -> RecordBatch {
        let rows = self.points.rows();
        let doubles = schema::list(DataType::Float64);
        let [positive_spans, positive_buckets, positive_buckets_double] = self.positive.finish();
        let [negative_spans, negative_buckets, negative_buckets_double] = self.negative.finish();
        let columns = vec![
            columns::numbers::<UInt32Type>(self.points.series),
            columns::numbers::<Int64Type>(self.points.time),
            self.points.start_time.finish(),
            columns::numbers::<Int32Type>(self.points.flags),
            columns::numbers::<Int64Type>(self.count),
            self.sum.finish(),
            self.min.finish(),
            self.max.finish(),
            self.schema.finish(),
            columns::numbers::<Float64Type>(self.zero_threshold),
            columns::numbers::<Int64Type>(self.zero_count),
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            self.custom_bounds.finish(&doubles),
            self.quantiles.finish(&doubles),
            self.quantile_values.finish(&doubles),
            self.reset_hint.finish(rows),
            self.count_double.finish(rows),
            self.zero_count_double.finish(rows),
            positive_buckets_double,
            negative_buckets_double,
        ];
        columns::batch(schema::rows(Table::Histograms), columns)
    }
}
