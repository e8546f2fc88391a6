//! Points where an executing plan notices that its query has to stop. A join can go through its
//! inputs for hours without handing anything on, and so without ever being interrupted from outside.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use crate::registry::Control;

/// Puts a checkpoint behind everything that makes more rows than it reads, and into joins that
/// compare every row with every other.
pub(crate) fn with_checkpoints(
    plan: Arc<dyn ExecutionPlan>,
    control: &Arc<Control>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let multiplies = node.is::<CrossJoinExec>()
            || node.is::<NestedLoopJoinExec>()
            || node.is::<HashJoinExec>()
            || node.is::<SortMergeJoinExec>()
            || node.is::<UnnestExec>()
            || node.is::<RecursiveQueryExec>();
        if !multiplies {
            return Ok(Transformed::no(node));
        }
        let node = match node.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => Arc::new(with_check(join, control)?),
            None => node,
        };
        Ok(Transformed::yes(Arc::new(CheckpointExec { input: node, control: Arc::clone(control) }) as _))
    })
    .data()
}

fn with_check(join: &NestedLoopJoinExec, control: &Arc<Control>) -> Result<NestedLoopJoinExec> {
    let filter = join.filter().map(|filter| {
        let check = Arc::new(Check(Arc::clone(control)));
        let checked = BinaryExpr::new(check, Operator::And, Arc::clone(filter.expression()));
        JoinFilter::new(Arc::new(checked), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()
}

/// What the executor is told; whoever asked is told the reason by [`Control::stopped`].
fn stopped() -> DataFusionError {
    DataFusionError::Execution("the query was stopped".to_owned())
}

/// Passes batches on and gives others a turn in between, until the query has to stop.
#[derive(Debug)]
struct CheckpointExec {
    input: Arc<dyn ExecutionPlan>,
    control: Arc<Control>,
}

impl DisplayAs for CheckpointExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckpointExec")
    }
}

impl ExecutionPlan for CheckpointExec {
    fn name(&self) -> &'static str {
        "CheckpointExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self { input, control: Arc::clone(&self.control) })),
            None => internal_err!("CheckpointExec has one input"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (schema, control) = (input.schema(), Arc::clone(&self.control));
        let checked =
            input.map(move |batch| if control.has_to_stop().is_some() { Err(stopped()) } else { batch });
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, checked))))
    }
}

/// True until the query has to stop, then an error.
#[derive(Debug, Clone)]
struct Check(Arc<Control>);

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Check {}

impl Hash for Check {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("checkpoint")
    }
}

impl PhysicalExpr for Check {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, _: &RecordBatch) -> Result<ColumnarValue> {
        if self.0.has_to_stop().is_some() {
            return Err(stopped());
        }
        Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
