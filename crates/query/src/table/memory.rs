use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::source::DataSource;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr, conjunction};
use datafusion::physical_expr_adapter::PhysicalExprAdapter;
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use model::schema;

use super::adapt::{Adapt, FileAdapter};
use super::columns::Exposed;
use crate::Chunk;
use crate::answer::Scan;

/// The records of a table that are in memory: filters them on the file's columns, and makes the
/// exposed columns only of what passes.
#[derive(Clone)]
pub(crate) struct MemorySource {
    adapt: Adapt,
    /// One a partition.
    chunks: Vec<Vec<Arc<dyn Chunk>>>,
    /// Over the exposed columns.
    projection: ProjectionExprs,
    /// Over the exposed columns.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    output: SchemaRef,
    fetch: Option<usize>,
    scan: Arc<Scan>,
}

impl MemorySource {
    /// All exposed columns with these indices.
    pub(crate) fn new(
        adapt: Adapt,
        chunks: &[Arc<dyn Chunk>],
        partitions: usize,
        columns: &[usize],
        scan: Arc<Scan>,
    ) -> Result<Self> {
        let exposed = &Exposed::of(adapt.table).schema;
        let projection = ProjectionExprs::from_indices(columns, exposed);
        let output = Arc::new(projection.project_schema(exposed)?);
        let per_partition = chunks.len().div_ceil(partitions.max(1)).max(1);
        let chunks = chunks.chunks(per_partition).map(<[_]>::to_vec).collect();
        Ok(Self { adapt, chunks, projection, predicate: None, output, fetch: None, scan })
    }

    /// Stops after so many rows.
    pub(crate) fn with_limit(mut self, limit: Option<usize>) -> Self {
        self.fetch = limit;
        self
    }

    fn rows(&self) -> usize {
        self.chunks.iter().flatten().map(|chunk| chunk.rows()).sum()
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DataSource for MemorySource {
    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reader = ChunkReader::new(self, context.session_config().batch_size())?;
        let batches = Batches {
            chunks: self.chunks[partition].clone().into_iter(),
            current: None,
            reader,
            left: self.fetch.unwrap_or(usize::MAX),
        };
        let stream = futures::stream::iter(batches);
        let output = Arc::clone(&self.output);
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(output, stream))))
    }

    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = self.output.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "memory, table={}, rows={}", self.adapt.table, self.rows())?;
        write!(f, ", projection=[{}]", columns.join(", "))?;
        self.predicate.as_ref().map_or(Ok(()), |predicate| write!(f, ", predicate={predicate}"))
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.chunks.len())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.output))
    }

    fn scheduling_type(&self) -> SchedulingType {
        SchedulingType::Cooperative
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.output);
        let rows = match partition {
            Some(partition) => self.chunks[partition].iter().map(|chunk| chunk.rows()).sum(),
            None => self.rows(),
        };
        statistics.num_rows = if self.predicate.is_some() || self.fetch.is_some() {
            Precision::Inexact(rows)
        } else {
            Precision::Exact(rows)
        };
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        Some(Arc::new(self.clone().with_limit(limit)))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        if projection.expr_iter().any(|expr| !is_column(&expr)) {
            return Ok(None);
        }
        let mut source = self.clone();
        source.projection = self.projection.try_merge(projection)?;
        let exposed = &Exposed::of(self.adapt.table).schema;
        source.output = Arc::new(source.projection.project_schema(exposed)?);
        Ok(Some(Arc::new(source)))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let exposed = &Exposed::of(self.adapt.table).schema;
        let taken = vec![PushedDown::Yes; filters.len()];
        let mut all: Vec<_> = self.predicate.iter().cloned().collect();
        for filter in filters {
            let filter = self.projection.unproject_expr(&filter)?;
            all.push(reassign_expr_columns(filter, exposed)?);
        }
        let mut source = self.clone();
        source.predicate = (!all.is_empty()).then(|| conjunction(all));
        Ok(FilterPushdownPropagation::with_parent_pushdown_result(taken)
            .with_updated_node(Arc::new(source) as Arc<dyn DataSource>))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.predicate.as_ref().map_or(Ok(TreeNodeRecursion::Continue), f)
    }
}

fn is_column(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<datafusion::physical_expr::expressions::Column>().is_some()
}

/// Reads windows of chunks: the predicate's columns first, the others only when a row passes.
struct ChunkReader {
    predicate: Option<(Arc<dyn PhysicalExpr>, Vec<usize>)>,
    projector: Projector,
    columns: Vec<usize>,
    batch_size: usize,
    scan: Arc<Scan>,
}

impl ChunkReader {
    fn new(source: &MemorySource, batch_size: usize) -> Result<Self> {
        let file = schema::file(source.adapt.table);
        let adapter = FileAdapter::new(&source.adapt, Arc::clone(&file));
        let predicate = source.predicate.as_ref().map(|predicate| {
            let predicate = adapter.rewrite(Arc::clone(predicate))?;
            let columns = columns_of([&predicate]);
            let predicate = reassign_expr_columns(predicate, &part(&file, &columns)?)?;
            Ok::<_, DataFusionError>((predicate, columns))
        });
        let projection = source.projection.clone().try_map_exprs(|expr| adapter.rewrite(expr))?;
        let columns = columns_of(projection.iter().map(|projected| &projected.expr));
        let window = part(&file, &columns)?;
        let projection = projection.try_map_exprs(|expr| reassign_expr_columns(expr, &window))?;
        Ok(Self {
            predicate: predicate.transpose()?,
            projector: projection.make_projector(&window)?,
            columns,
            batch_size,
            scan: Arc::clone(&source.scan),
        })
    }

    /// The rows of a window that pass, or `None` when none does.
    fn read(&self, chunk: &dyn Chunk, from: usize, len: usize) -> Result<Option<RecordBatch>> {
        self.scan.add_rows(len);
        let passing = match &self.predicate {
            Some((predicate, columns)) => {
                let window = read_chunk(chunk, columns, from, len)?;
                let passing = predicate.evaluate(&window)?.into_array(len)?;
                Some(passing.as_boolean().clone())
            }
            None => None,
        };
        if passing.as_ref().is_some_and(|passing| !passing.has_true()) {
            return Ok(None);
        }
        let mut window = read_chunk(chunk, &self.columns, from, len)?;
        if let Some(passing) = passing {
            window = filter_record_batch(&window, &passing)?;
        }
        self.projector.project_batch(&window).map(Some)
    }
}

fn columns_of<'a>(exprs: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>) -> Vec<usize> {
    let mut columns: Vec<_> =
        exprs.into_iter().flat_map(collect_columns).map(|column| column.index()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn part(file: &Schema, columns: &[usize]) -> Result<Schema> {
    Ok(file.project(columns)?)
}

fn read_chunk(chunk: &dyn Chunk, columns: &[usize], from: usize, len: usize) -> Result<RecordBatch> {
    chunk.read(columns, from, len).map_err(|error| DataFusionError::External(Box::new(error)))
}

/// The windows of a partition's chunks, one after the other.
struct Batches {
    chunks: std::vec::IntoIter<Arc<dyn Chunk>>,
    current: Option<(Arc<dyn Chunk>, usize)>,
    reader: ChunkReader,
    left: usize,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            let (chunk, from) = match self.current.take() {
                Some(current) => current,
                None => (self.chunks.next()?, 0),
            };
            let len = self.reader.batch_size.min(chunk.rows() - from);
            if len == 0 {
                continue;
            }
            let read = self.reader.read(chunk.as_ref(), from, len);
            self.current = Some((chunk, from + len));
            match read {
                Ok(Some(batch)) => {
                    let batch = batch.slice(0, batch.num_rows().min(self.left));
                    self.left -= batch.num_rows();
                    return Some(Ok(batch));
                }
                Ok(None) => {}
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
