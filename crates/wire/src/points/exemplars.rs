use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type};
use model::{Table, schema};

use crate::columns::{self, Attributes, NotUtf8, OptionalIds, Sparse};

/// Columns of [`Table::Exemplars`]. An exemplar without a value has NaN, one without a time has its
/// point's.
#[derive(Default)]
pub(crate) struct Exemplars {
    pub(crate) series: Vec<u32>,
    pub(crate) time: Vec<i64>,
    pub(crate) value: Vec<f64>,
    pub(crate) value_int: Sparse<Int64Type>,
    pub(crate) trace_id: OptionalIds<16>,
    pub(crate) span_id: OptionalIds<8>,
    pub(crate) attributes: Attributes,
}

impl Exemplars {
    pub(crate) fn rows(&self) -> usize {
        self.series.len()
    }

    pub(crate) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        self.attributes.check_tail()
    }

    #[cold]
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.series.truncate(rows);
        self.time.truncate(rows);
        self.value.truncate(rows);
        self.value_int.truncate(rows);
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.attributes.truncate(rows);
    }

    pub(crate) fn finish(self) -> Result<RecordBatch, NotUtf8> {
        let rows = self.rows();
        let columns = vec![
            columns::numbers::<UInt32Type>(self.series),
            columns::numbers::<Int64Type>(self.time),
            columns::numbers::<Float64Type>(self.value),
            self.value_int.finish(rows),
            self.trace_id.finish(),
            self.span_id.finish(),
            self.attributes.finish()?,
        ];
        Ok(columns::batch(schema::rows(Table::Exemplars), columns))
    }
}
