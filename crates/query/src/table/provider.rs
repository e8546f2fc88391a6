use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use model::Table;

use super::adapt::Adapt;
use super::columns::{Exposed, UTC};
use super::memory::MemorySource;
use crate::cache::Segments;
use crate::sql::{BATCH_ROWS, SEGMENTS_URL};
use crate::{Chunk, Segment, Snapshot};

/// A table of one tenant at one moment: records in memory and in segments.
#[derive(Clone)]
pub(crate) struct TableOf {
    pub(crate) adapt: Adapt,
    pub(crate) segments: Segments,
    /// `None` where only the columns are asked for.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
}

impl std::fmt::Debug for TableOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.adapt.table)
    }
}

#[async_trait]
impl TableProvider for TableOf {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&Exposed::of(self.adapt.table).schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Scans skip what statistics rule out; the rest is decided when the plan is optimised.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let all = || (0..schema.fields().len()).collect();
        let columns = projection.cloned().unwrap_or_else(all);
        let empty: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(schema.project(&columns)?)));
        let Some(snapshot) = &self.snapshot else { return Ok(empty) };
        let partitions = state.config().target_partitions();
        let pruning = self.pruning(state, filters)?;

        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let chunks = self.chunks(snapshot, pruning.as_deref())?;
        if !chunks.is_empty() {
            let scan = Arc::clone(&self.segments.scan);
            let source = MemorySource::new(self.adapt.clone(), &chunks, partitions, &columns, scan)?;
            parts.push(DataSourceExec::from_data_source(source.with_limit(limit)));
        }
        self.segments.scan.has_segments(self.table(), snapshot.segments.len());
        let segments = self.keep(pruning.as_deref(), &snapshot.segments, |segment| {
            Some((segment.min_time, segment.max_time))
        })?;
        for missing in self.keep(pruning.as_deref(), &snapshot.missing, |missing| Some(missing.times))? {
            self.segments.scan.incomplete(missing.warning.clone());
        }
        if !segments.is_empty() {
            parts.push(self.files(&segments, partitions, &columns, filters, limit)?);
        }
        match parts.len() {
            0 => Ok(empty),
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}

impl TableOf {
    fn table(&self) -> Table {
        self.adapt.table
    }

    fn chunks(&self, snapshot: &Snapshot, pruning: Option<&PruningPredicate>) -> Result<Vec<Arc<dyn Chunk>>> {
        let chunks = self.keep(pruning, &snapshot.memory, |chunk| chunk.times())?;
        Ok(chunks.into_iter().filter(|chunk| chunk.rows() > 0).cloned().collect())
    }

    fn pruning(&self, state: &dyn Session, filters: &[Expr]) -> Result<Option<Arc<PruningPredicate>>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(None) };
        let schema = DFSchema::try_from(self.schema())?;
        let predicate = state.create_physical_expr(filter, &schema)?;
        // A filter that statistics cannot decide rules nothing out.
        let pruning = PruningPredicateBuilder::new().with_file_schema(self.schema()).build(predicate);
        Ok(pruning.filter(|pruning| !pruning.always_true()))
    }

    /// The parts whose times the filters do not rule out.
    fn keep<'a, T>(
        &self,
        pruning: Option<&PruningPredicate>,
        parts: &'a [T],
        times: impl Fn(&T) -> Option<(i64, i64)>,
    ) -> Result<Vec<&'a T>> {
        let Some(pruning) = pruning else { return Ok(parts.iter().collect()) };
        let times = Times { column: self.time_column(), times: parts.iter().map(times).collect() };
        let keep = pruning.prune(&times)?;
        Ok(parts.iter().zip(keep).filter(|(_, keep)| *keep).map(|(part, _)| part).collect())
    }

    fn time_column(&self) -> &'static str {
        self.table().time_column().trim_end_matches("_unix_nano")
    }

    fn files(
        &self,
        segments: &[&Segment],
        partitions: usize,
        columns: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut newest_first = segments.to_vec();
        newest_first.sort_by_key(|segment| std::cmp::Reverse(segment.max_time));
        let mut groups: Vec<FileGroup> = vec![FileGroup::default(); partitions.min(segments.len()).max(1)];
        let count = groups.len();
        for (index, segment) in newest_first.into_iter().enumerate() {
            groups[index % count].push(self.file(segment)?);
        }
        let mut options = TableParquetOptions::default();
        options.global.pushdown_filters = late_materialization_pays(filters);
        options.global.reorder_filters = true;
        let source: Arc<dyn FileSource> = ParquetSource::new(Arc::clone(&Exposed::of(self.table()).scan))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(self.segments.clone()))
            .into();
        let source = source.try_pushdown_projection(&self.projection(columns))?.unwrap_or(source);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(SEGMENTS_URL)?, source)
            .with_file_groups(groups)
            .with_statistics(self.statistics(segments))
            .with_batch_size(Some(batch_rows(segments)))
            .with_expr_adapter(Some(Arc::new(self.adapt.clone())))
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// These columns by their exposed names.
    fn projection(&self, columns: &[usize]) -> ProjectionExprs {
        let exposed = Exposed::of(self.table());
        ProjectionExprs::new(columns.iter().map(|index| {
            let inside = expressions::Column::new(exposed.scan.field(*index).name(), *index);
            ProjectionExpr::new(Arc::new(inside), exposed.schema.field(*index).name())
        }))
    }

    fn file(&self, segment: &Segment) -> Result<PartitionedFile> {
        let mut file = PartitionedFile::new("", segment.bytes);
        // Not through `new`, which would encode the path a second time.
        file.object_meta.location = object_store::path::Path::parse(&segment.path)?;
        if let Some(tail) = segment.tail {
            file = file.with_extension(tail);
        }
        Ok(file.with_statistics(Arc::new(self.statistics(&[segment]))))
    }

    /// What is known of segments without reading them.
    fn statistics(&self, segments: &[&Segment]) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema());
        let count = |value: u64| usize::try_from(value).map_or(Precision::Absent, Precision::Exact);
        statistics.num_rows = count(segments.iter().map(|segment| segment.rows).sum());
        statistics.total_byte_size = count(segments.iter().map(|segment| segment.bytes).sum()).to_inexact();
        if let Ok(index) = self.schema().index_of(self.time_column()) {
            let min = segments.iter().map(|segment| segment.min_time).min();
            let max = segments.iter().map(|segment| segment.max_time).max();
            statistics.column_statistics[index] = ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: min.map_or(Precision::Absent, |nano| Precision::Exact(time(nano))),
                max_value: max.map_or(Precision::Absent, |nano| Precision::Exact(time(nano))),
                ..ColumnStatistics::new_unknown()
            };
        }
        statistics
    }
}

/// Rows that are decoded at once: fewer where rows are large, since they are not counted while they
/// are decoded.
fn batch_rows(segments: &[&Segment]) -> usize {
    const BYTES: u64 = 2 * 1024 * 1024;
    let (bytes, rows) =
        segments.iter().fold((0, 0), |(bytes, rows), segment| (bytes + segment.bytes, rows + segment.rows));
    let fitting = BYTES * rows / bytes.max(1);
    usize::try_from(fitting.clamp(64, BATCH_ROWS)).unwrap_or(64)
}

fn time(nano: i64) -> ScalarValue {
    ScalarValue::TimestampNanosecond(Some(nano), Some(Arc::clone(&UTC)))
}

/// Whether filters decide on small columns which rows of the large ones are decoded. A search in
/// long texts alone is faster on whole pages.
fn late_materialization_pays(filters: &[Expr]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| !searches_text(filter))
}

fn searches_text(filter: &Expr) -> bool {
    let mut found = false;
    let visited = filter.apply(|expr| {
        found |= match expr {
            Expr::Column(column) => column.name == "body",
            Expr::Like(_) | Expr::SimilarTo(_) => true,
            Expr::BinaryExpr(binary) => matches!(
                binary.op,
                Operator::RegexMatch
                    | Operator::RegexIMatch
                    | Operator::RegexNotMatch
                    | Operator::RegexNotIMatch
            ),
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found || visited.is_err()
}

/// Smallest and largest time of parts, for pruning.
struct Times {
    column: &'static str,
    times: Vec<Option<(i64, i64)>>,
}

impl Times {
    fn array(&self, column: &Column, pick: impl Fn((i64, i64)) -> i64) -> Option<ArrayRef> {
        if column.name != self.column {
            return None;
        }
        let times: TimestampNanosecondArray = self.times.iter().map(|times| times.map(&pick)).collect();
        Some(Arc::new(times.with_timezone(Arc::clone(&UTC))))
    }
}

impl PruningStatistics for Times {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.array(column, |(min, _)| min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.array(column, |(_, max)| max)
    }

    fn num_containers(&self) -> usize {
        self.times.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == self.column)
            .then(|| Arc::new(UInt64Array::from(vec![0; self.times.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
