//! From exposed columns to the file's, in expressions.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, in_list, lit,
};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};
use model::{Table, Tenant, scaled};

use super::columns::{Conversion, Exposed, timestamp_type};
use super::convert::Convert;
use super::value::Value;

/// Makes adapters for the files of a table.
#[derive(Clone, Debug)]
pub(crate) struct Adapt {
    pub(crate) table: Table,
    pub(crate) tenant: Tenant,
}

impl PhysicalExprAdapterFactory for Adapt {
    fn create(&self, _exposed: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        Ok(Arc::new(FileAdapter { adapt: self.clone(), file }))
    }
}

/// Rewrites expressions over a table's exposed columns into ones over a file's columns.
#[derive(Debug)]
pub(crate) struct FileAdapter {
    adapt: Adapt,
    file: SchemaRef,
}

impl FileAdapter {
    /// For a file, or records in memory, with this schema.
    pub(crate) fn new(adapt: &Adapt, file: SchemaRef) -> Self {
        Self { adapt: adapt.clone(), file }
    }

    fn column(&self, name: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let exposed = Exposed::of(self.adapt.table);
        let Some(column) = exposed.column(name) else {
            return plan_err!("{} has no column {name}", self.adapt.table);
        };
        let Some(file_name) = &column.file_name else {
            return Ok(lit(self.adapt.tenant.as_str()));
        };
        let Ok(index) = self.file.index_of(file_name) else {
            // A file from before the column existed.
            return Ok(lit(ScalarValue::try_from(column.data_type())?));
        };
        if self.adapt.table == Table::Samples
            && file_name == scaled::RAW
            && let Some(value) = Value::of(&self.file)
        {
            return Ok(Arc::new(value));
        }
        let input: Arc<dyn PhysicalExpr> = Arc::new(Column::new(file_name, index));
        Ok(match column.conversion {
            Conversion::Same => input,
            Conversion::Time => Arc::new(CastExpr::new(input, timestamp_type(), None)),
            conversion => Arc::new(Convert { conversion, input }),
        })
    }
}

impl PhysicalExprAdapter for FileAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        expr.transform_up(|expr| {
            if let Some(column) = expr.downcast_ref::<Column>() {
                return Ok(Transformed::yes(self.column(column.name())?));
            }
            Ok(match on_raw_column(&expr, &self.file)? {
                Some(raw) => Transformed::yes(raw),
                None => Transformed::no(expr),
            })
        })
        .data()
    }
}

/// A comparison of a converted column with constants, as one of the raw column, where that means
/// the same.
fn on_raw_column(expr: &Arc<dyn PhysicalExpr>, file: &SchemaRef) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return Ok(comparison(binary));
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        return membership(list, file);
    }
    if let Some(raw) = expr.downcast_ref::<IsNullExpr>().and_then(|is| nulls_of(is.arg())) {
        return Ok(Some(Arc::new(IsNullExpr::new(raw))));
    }
    if let Some(raw) = expr.downcast_ref::<IsNotNullExpr>().and_then(|is| nulls_of(is.arg())) {
        return Ok(Some(Arc::new(IsNotNullExpr::new(raw))));
    }
    Ok(None)
}

fn comparison(binary: &BinaryExpr) -> Option<Arc<dyn PhysicalExpr>> {
    let (left, right) = (binary.left(), binary.right());
    let (column, constant, operator) = match (left.downcast_ref::<Literal>(), right.downcast_ref::<Literal>())
    {
        (None, Some(constant)) => (left, constant, *binary.op()),
        (Some(constant), None) => (right, constant, binary.op().swap()?),
        _ => return None,
    };
    let ordered = match operator {
        Operator::Eq | Operator::NotEq => false,
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => true,
        _ => return None,
    };
    let (raw, value) = raw_pair(column, constant.value(), ordered)?;
    Some(Arc::new(BinaryExpr::new(raw, operator, lit(value))))
}

fn membership(list: &InListExpr, file: &SchemaRef) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let mut raw = None;
    let mut values = Vec::with_capacity(list.list().len());
    for item in list.list() {
        let pair = item.downcast_ref::<Literal>().and_then(|item| raw_pair(list.expr(), item.value(), false));
        let Some((column, value)) = pair else { return Ok(None) };
        raw = Some(column);
        values.push(lit(value));
    }
    raw.map(|raw| in_list(raw, values, &list.negated(), file)).transpose()
}

/// The raw column below a conversion, and the value that stands for a constant there.
fn raw_pair(
    column: &Arc<dyn PhysicalExpr>,
    constant: &ScalarValue,
    ordered: bool,
) -> Option<(Arc<dyn PhysicalExpr>, ScalarValue)> {
    if let Some(convert) = column.downcast_ref::<Convert>() {
        return Some((Arc::clone(&convert.input), convert.file_value(constant, ordered)?));
    }
    let cast = column.downcast_ref::<CastExpr>().filter(|cast| is_time(cast))?;
    let ScalarValue::TimestampNanosecond(Some(nano), _) = constant else { return None };
    Some((Arc::clone(cast.expr()), ScalarValue::Int64(Some(*nano))))
}

/// The raw column, where it is null exactly where the converted one is.
fn nulls_of(column: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    if let Some(convert) = column.downcast_ref::<Convert>() {
        return (convert.conversion != Conversion::TimeOrNone).then(|| Arc::clone(&convert.input));
    }
    column.downcast_ref::<CastExpr>().filter(|cast| is_time(cast)).map(|cast| Arc::clone(cast.expr()))
}

/// Whether a cast is the one that makes a time of a file's column.
fn is_time(cast: &CastExpr) -> bool {
    let of_time =
        cast.expr().downcast_ref::<Column>().is_some_and(|column| column.name().ends_with("_unix_nano"));
    of_time && *cast.cast_type() == timestamp_type()
}
