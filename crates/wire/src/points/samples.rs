use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use model::{Table, schema};

use super::Points;
use crate::columns::{self, Sparse};

/// Prometheus' marker of staleness: a NaN that says that there is no value any more.
pub(crate) const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Columns of [`Table::Samples`].
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) points: Points,
    pub(crate) value: Vec<f64>,
    pub(crate) value_int: Sparse<Int64Type>,
}

impl Samples {
    pub(crate) fn expect(&mut self, records: usize) {
        self.points.reserve(records);
        self.value.reserve(records);
    }

    #[cold]
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.points.truncate(rows);
        self.value.truncate(rows);
        self.value_int.truncate(rows);
    }

    pub(crate) fn finish(self) -> RecordBatch {
        let rows = self.points.rows();
        let columns = vec![
            columns::numbers::<UInt32Type>(self.points.series),
            columns::numbers::<Int64Type>(self.points.time),
            self.points.start_time.finish(),
            columns::numbers::<Float64Type>(self.value),
            self.value_int.finish(rows),
            columns::numbers::<Int32Type>(self.points.flags),
        ];
        columns::batch(schema::rows(Table::Samples), columns)
    }
}
