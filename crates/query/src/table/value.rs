use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use model::scaled;

/// Makes the values of samples of what a file has of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Value {
    /// In the order of [`scaled::COLUMNS`].
    columns: Vec<Arc<dyn PhysicalExpr>>,
}

impl Value {
    /// For a file whose values may be scaled; nothing for another one.
    pub(crate) fn of(file: &SchemaRef) -> Option<Self> {
        let column = |name: &str| -> Option<Arc<dyn PhysicalExpr>> {
            Some(Arc::new(Column::new(name, file.index_of(name).ok()?)))
        };
        Some(Self { columns: scaled::COLUMNS.iter().map(|name| column(name)).collect::<Option<_>>()? })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scaled(")?;
        for (number, column) in self.columns.iter().enumerate() {
            write!(f, "{}{column}", if number == 0 { "" } else { ", " })?;
        }
        write!(f, ")")
    }
}

impl PhysicalExpr for Value {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = |column: &Arc<dyn PhysicalExpr>| column.evaluate(batch)?.into_array(batch.num_rows());
        let arrays = self.columns.iter().map(array).collect::<Result<Vec<_>>>()?;
        let [raw, scaled, base, unit, divisor] = arrays.as_slice() else {
            return internal_err!("{self} has five inputs");
        };
        let values = scaled::values([raw, scaled, base, unit, divisor].map(|array| array.as_ref()))?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.columns.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        columns: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        if columns.len() == self.columns.len() {
            Ok(Arc::new(Self { columns }))
        } else {
            internal_err!("{self} has five inputs")
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
