use std::sync::Arc;

use model::{Table, scaled, schema};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::{ColumnDescriptor, SchemaDescPtr};

/// How hard files are compressed: at seal for speed, at compaction for size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Seal,
    Compact,
}

impl Effort {
    pub(super) fn level(self, table: Table) -> ZstdLevel {
        let level = match (self, table) {
            (Self::Seal, _) => 1,
            // A tenth more of the time of a merge for two percent of the bytes.
            (Self::Compact, Table::Samples) => 6,
            (Self::Compact, _) => 3,
        };
        ZstdLevel::try_new(level).expect("a level that zstd has")
    }
}

/// How a column is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Treatment {
    /// Whether values may be places in a dictionary.
    pub(super) dictionary: bool,
    /// Whether the least and the greatest value of each page are noted.
    pub(super) pages: bool,
    /// Whether a part of each page of integers decides how they are written.
    pub(super) sampled: bool,
    /// Whether it is never compressed: ids are chance, and each look-up would decompress the dictionary of
    /// all of them to save the fifth of it that their lengths are.
    pub(super) stored: bool,
}

/// How this column is written.
pub(super) fn treatment(column: &ColumnDescriptor) -> Treatment {
    Treatment {
        dictionary: has_dictionary(column),
        pages: statistics(column) == EnabledStatistics::Page,
        sampled: column.name() == scaled::SCALED,
        stored: column.name() == SERIES_ID,
    }
}

/// Rows of a page, unless it is shorter because of its bytes, or longer because all of them are the
/// same: what a look-up of a single row has to decode. Of samples that are merged a row is less than
/// a byte, so that what a page has beside its rows would be a tenth of it.
pub(super) fn page_rows(table: Table, effort: Effort) -> usize {
    match (table, effort) {
        (Table::Samples, Effort::Compact) => 32_768,
        _ => 8_192,
    }
}

/// The shortest repetition that is looked for in texts, in bytes, where it is not what the level says: words
/// of records and their values are found by longer ones in less time, and the pages become no larger. In
/// texts of series it is the short ones that count (docs/adr/003).
pub(super) fn shortest_match(table: Table, effort: Effort) -> Option<u32> {
    (effort == Effort::Seal && matches!(table, Table::Logs | Table::Spans)).then_some(7)
}

const PAGE_BYTES: usize = 256 << 10;
const DICTIONARY_BYTES: usize = 512 << 10;

/// Columns by whose values pages are skipped.
const SEARCHED: [&str; 8] = [
    "service_name",
    "severity_number",
    "name",
    "status_code",
    "kind",
    "duration_nano",
    "metric_name",
    "series_id",
];

/// Most rows of a row group. Who reads a series reads the dictionaries of the whole group first.
pub(crate) const GROUP_ROWS: usize = 1 << 18;

/// A row group that has one part in so many of the most rows is a large one.
const PARTS: usize = 8;
/// Of samples.
const LARGE_ROWS: usize = 1 << 17;
/// Samples of a series that are a long run.
pub(super) const RUN_ROWS: usize = 1 << 10;
/// Whose distinct values are told, of samples that were merged: how many runs there are.
pub(super) const SERIES_ID: &str = "series_id";

/// Whether little is won by merging a row group with others: to write a row anew costs twice
/// what it cost to write it first, and saves a few percent of its bytes. A sender of some hundred
/// records a second fills such a row group between two seals.
pub(crate) fn is_large(table: Table, group: &RowGroupMetaData) -> bool {
    const LARGE_BYTES: i64 = 4 << 20;
    let rows = usize::try_from(group.num_rows()).unwrap_or(0);
    if table == Table::Samples {
        return rows >= LARGE_ROWS;
    }
    rows >= GROUP_ROWS / PARTS || group.total_byte_size() >= LARGE_BYTES
}

/// Whether samples of a series follow each other for long in this file. Until they do they are worth being
/// written anew, however many rows there are: each run of a series is a page more that a query reads.
pub(crate) fn has_long_runs(metadata: &ParquetMetaData) -> bool {
    let series_of = |group: &RowGroupMetaData| {
        let series = group.columns().iter().find(|column| column.column_path().parts() == [SERIES_ID]);
        series.and_then(|series| series.statistics()?.distinct_count_opt())
    };
    let series: Option<u64> = metadata.row_groups().iter().map(series_of).sum();
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    series.is_some_and(|series| rows / series.max(1) >= RUN_ROWS as u64)
}

/// The Parquet schema of a table.
pub(crate) fn parquet_schema(table: Table) -> SchemaDescPtr {
    let converter = ArrowSchemaConverter::new();
    Arc::new(converter.convert(&schema::stored(table)).expect("the stored schemas can be written as Parquet"))
}

/// How a table's columns are encoded.
pub(crate) fn properties(table: Table, effort: Effort) -> WriterPropertiesPtr {
    let columns = parquet_schema(table);
    let mut properties = WriterProperties::builder()
        .set_created_by("fresnel".into())
        .set_compression(Compression::ZSTD(effort.level(table)))
        .set_data_page_row_count_limit(page_rows(table, effort))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(None)
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(64))
        .set_sorting_columns(Some(sorting(table, &columns)));
    for column in columns.columns() {
        let path = column.path().clone();
        properties = properties.set_column_statistics_enabled(path.clone(), statistics(column));
        if let Some(encoding) = encoding(column) {
            properties = properties.set_column_encoding(path.clone(), encoding);
        }
        properties = properties.set_column_dictionary_enabled(path, has_dictionary(column));
    }
    Arc::new(properties.build())
}

fn is_time(column: &ColumnDescriptor) -> bool {
    column.name().ends_with("time_unix_nano")
}

/// Texts and ids of which no two are the same.
fn is_unique(column: &ColumnDescriptor) -> bool {
    matches!(column.name(), "body" | "trace_id" | "span_id" | "parent_span_id")
}

fn statistics(column: &ColumnDescriptor) -> EnabledStatistics {
    let top_level = column.path().parts().len() == 1;
    match column.name() {
        _ if !top_level || is_unique(column) => EnabledStatistics::None,
        name if SEARCHED.contains(&name) || is_time(column) => EnabledStatistics::Page,
        _ => EnabledStatistics::Chunk,
    }
}

/// What a column is written in when it has no dictionary, or a full one.
fn encoding(column: &ColumnDescriptor) -> Option<Encoding> {
    match column.physical_type() {
        // All bytes in one run, the lengths apart: a search looks at the run.
        Type::BYTE_ARRAY => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        Type::INT64 | Type::INT32 => Some(Encoding::DELTA_BINARY_PACKED),
        _ => None,
    }
}

fn has_dictionary(column: &ColumnDescriptor) -> bool {
    match column.physical_type() {
        Type::BOOLEAN => false,
        Type::INT64 => !is_time(column) && !matches!(column.name(), "duration_nano" | scaled::SCALED),
        _ => !is_unique(column),
    }
}

/// The order of the rows in a row group, as far as columns say it.
fn sorting(table: Table, columns: &SchemaDescPtr) -> Vec<SortingColumn> {
    let names: &[&str] = match table {
        // Within a service by stream, which is no column.
        Table::Logs => &["service_name"],
        Table::Spans => &["service_name", "name", "start_time_unix_nano"],
        Table::Samples
        | Table::Histograms
        | Table::Exemplars
        | Table::Downsampled
        | Table::DownsampledHistograms
        | Table::Series => &["metric_name", "series_id", "time_unix_nano"],
    };
    let place = |name: &&str| {
        let place = columns.columns().iter().position(|column| column.path().parts() == [*name]);
        i32::try_from(place.expect("sorting columns are columns")).expect("tables have few columns")
    };
    let column = |column_idx| SortingColumn { column_idx, descending: false, nulls_first: false };
    names.iter().map(place).map(column).collect()
}
