use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use super::provider::TableOf;

const SERIES_ID: &str = "series_id";
/// Bytes of an entry of the set: the text, its pointer and the table around it.
const ENTRY_BYTES: usize = 32 + 16 + 16;

/// The table `series` with one row a series: a series has a row a day, and one after a restart.
#[derive(Debug)]
pub(crate) struct UniqueSeries(pub(crate) TableOf);

#[async_trait]
impl TableProvider for UniqueSeries {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.0.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let id = self.schema().index_of(SERIES_ID)?;
        let wanted = projection.cloned().unwrap_or_else(|| (0..self.schema().fields().len()).collect());
        let mut scanned = wanted.clone();
        if !scanned.contains(&id) {
            scanned.push(id);
        }
        let input = self.0.scan(state, Some(&scanned), filters, None).await?;
        let unique: Arc<dyn ExecutionPlan> = Arc::new(UniqueExec::new(input));
        if scanned.len() == wanted.len() {
            return Ok(unique);
        }
        let schema = unique.schema();
        let columns = (0..wanted.len()).map(|index| {
            let name = schema.field(index).name().clone();
            (Arc::new(Column::new(&name, index)) as Arc<dyn PhysicalExpr>, name)
        });
        Ok(Arc::new(ProjectionExec::try_new(columns, Arc::clone(&unique))?))
    }
}

/// Passes the first row of each series.
#[derive(Debug)]
struct UniqueExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl UniqueExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for UniqueExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UniqueExec: series_id")
    }
}

impl ExecutionPlan for UniqueExec {
    fn name(&self) -> &'static str {
        "UniqueExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self::new(input))),
            None => internal_err!("UniqueExec has one input"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    /// Rows of a series say the same, so that it does not matter which is filtered.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("UniqueSeries").register(context.memory_pool());
        let mut unique = Unique { index: self.schema().index_of(SERIES_ID)?, seen: HashSet::new(), memory };
        let input = self.input.execute(partition, context)?;
        let stream = input.and_then(move |batch| std::future::ready(unique.keep_new(&batch)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

struct Unique {
    index: usize,
    seen: HashSet<Box<str>>,
    memory: MemoryReservation,
}

impl Unique {
    fn keep_new(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let ids = batch.column(self.index).as_string::<i32>();
        let before = self.seen.len();
        let new: BooleanArray = (0..ids.len())
            .map(|row| {
                let id = ids.value(row);
                Some(!self.seen.contains(id) && self.seen.insert(id.into()))
            })
            .collect();
        self.memory.try_grow((self.seen.len() - before) * ENTRY_BYTES)?;
        Ok(filter_record_batch(batch, &new)?)
    }
}
