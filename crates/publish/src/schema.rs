//! What a Delta table says about itself: columns, partitions, properties, protocol.

use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::{Metadata, MetadataExt, Protocol, new_metadata};
use deltalake_core::{DataType, StructField, StructType};
use model::Table;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Columns that are in the path and not in the file.
const PARTITION_COLUMNS: [&str; 2] = ["tenant", "day"];

/// A commit costs as much as there are changes, a checkpoint as much as there are files.
pub(crate) const CHECKPOINT_INTERVAL: u64 = 100;

/// Properties of every table. The log would otherwise grow for 30 days; removed files live as long
/// as the store's `compact.grace`, so that is how long the log remembers them.
const PROPERTIES: [(&str, &str); 3] = [
    ("delta.checkpointInterval", "100"),
    ("delta.logRetentionDuration", "interval 1 day"),
    ("delta.deletedFileRetentionDuration", "interval 1 hour"),
];

/// The columns of a table: those of its files, then the partition columns.
pub(crate) fn columns(table: Table) -> Result<StructType, Cause> {
    let file: StructType = model::schema::stored(table).as_ref().try_into_kernel()?;
    let partitions =
        [StructField::not_null("tenant", DataType::STRING), StructField::not_null("day", DataType::DATE)];
    Ok(StructType::try_new(file.fields().cloned().chain(partitions))?)
}

/// What a new table says.
pub(crate) fn metadata(table: Table) -> Result<Metadata, Cause> {
    let metadata = new_metadata(&columns(table)?, PARTITION_COLUMNS, PROPERTIES)?;
    Ok(metadata.with_name(table.to_string())?)
}

/// What it takes to read and to write a table: nothing but the oldest versions with column types.
pub(crate) fn protocol() -> Result<Protocol, Cause> {
    Ok(serde_json::from_value(serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))?)
}

/// What a table that says `found` has to say instead, if it does not say `expected`. It stays the
/// same table: columns and properties may be added from release to release.
pub(crate) fn replacement(found: &Metadata, expected: &Metadata) -> Result<Option<Metadata>, Cause> {
    let same = found.schema_string() == expected.schema_string()
        && found.configuration() == expected.configuration();
    if same { Ok(None) } else { Ok(Some(expected.clone().with_table_id(found.id().to_owned())?)) }
}

/// Whether the files of a table lie where ours do.
pub(crate) fn partitioned_alike(found: &Metadata) -> bool {
    found.partition_columns() == PARTITION_COLUMNS.map(str::to_owned).as_slice()
}
