use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;
use model::{Table, schema};

/// The column that says whose record it is; files are partitioned by it and do not hold it.
pub(crate) const TENANT: &str = "tenant";

/// How an exposed column is made from a column of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Conversion {
    /// As it is.
    Same,
    /// Nanoseconds since 1970 to a timestamp.
    Time,
    /// The same, but 0 means that there is none.
    TimeOrNone,
    /// Bytes to lower-case hex.
    Hex,
    /// A span's kind to its word.
    SpanKind,
    /// A status code to its word.
    StatusCode,
    /// Events' times to timestamps.
    Events,
    /// Links' ids to hex.
    Links,
}

/// The words of `spans.kind`, by OTLP's number.
pub(crate) const SPAN_KINDS: [&str; 6] =
    ["unspecified", "internal", "server", "client", "producer", "consumer"];
/// The words of `spans.status_code`, by OTLP's number.
pub(crate) const STATUS_CODES: [&str; 3] = ["unset", "ok", "error"];

/// An exposed column and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct ExposedColumn {
    /// Its name in the file; [`TENANT`] has none.
    pub(crate) file_name: Option<String>,
    /// How it is made.
    pub(crate) conversion: Conversion,
    field: FieldRef,
}

/// What the name of a column that is hex ends with inside a scan: Parquet's reader would take a
/// text with the name of a column of bytes for those bytes read as text.
const HEX_SUFFIX: &str = "~hex";

/// The exposed columns of a table: the file's in its order, then the tenant.
#[derive(Debug)]
pub(crate) struct Exposed {
    pub(crate) schema: SchemaRef,
    /// The same with the names that they have inside a scan.
    pub(crate) scan: SchemaRef,
    pub(crate) columns: Vec<ExposedColumn>,
}

impl Exposed {
    /// The columns of `table`.
    pub(crate) fn of(table: Table) -> &'static Self {
        static TABLES: LazyLock<[Exposed; Table::ALL.len()]> = LazyLock::new(|| Table::ALL.map(Exposed::new));
        &TABLES[table as usize]
    }

    /// The column named `name`, here or inside a scan.
    pub(crate) fn column(&self, name: &str) -> Option<&ExposedColumn> {
        let name = name.strip_suffix(HEX_SUFFIX).unwrap_or(name);
        self.schema.index_of(name).ok().map(|index| &self.columns[index])
    }

    /// The exposed columns of rows in the file schema, without [`TENANT`].
    pub(crate) fn of_file(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let parts = self.columns.iter().zip(rows.columns());
        let columns = parts.map(|(column, array)| column.conversion.convert(array));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let fields: Fields = self.schema.fields().iter().take(columns.len()).cloned().collect();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    fn new(table: Table) -> Self {
        let mut columns: Vec<_> =
            schema::file(table).fields().iter().map(|field| ExposedColumn::new(table, field)).collect();
        columns.push(ExposedColumn {
            file_name: None,
            conversion: Conversion::Same,
            field: Arc::new(Field::new(TENANT, DataType::Utf8, false)),
        });
        let fields: Fields = columns.iter().map(|column| Arc::clone(&column.field)).collect();
        let scan: Fields = columns.iter().map(ExposedColumn::in_scan).collect();
        Self { schema: Arc::new(Schema::new(fields)), scan: Arc::new(Schema::new(scan)), columns }
    }
}

impl ExposedColumn {
    fn new(table: Table, file: &FieldRef) -> Self {
        let conversion = conversion(table, file);
        let name = match conversion {
            Conversion::Time | Conversion::TimeOrNone => file.name().trim_end_matches("_unix_nano"),
            _ => file.name(),
        };
        let nullable = file.is_nullable() || conversion == Conversion::TimeOrNone;
        let field = Field::new(name, conversion.data_type(file.data_type()), nullable);
        Self { file_name: Some(file.name().clone()), conversion, field: Arc::new(field) }
    }

    /// The exposed type.
    pub(crate) fn data_type(&self) -> &DataType {
        self.field.data_type()
    }

    fn in_scan(&self) -> FieldRef {
        match self.conversion {
            Conversion::Hex => {
                let name = format!("{}{HEX_SUFFIX}", self.field.name());
                Arc::new(self.field.as_ref().clone().with_name(name))
            }
            _ => Arc::clone(&self.field),
        }
    }
}

impl Conversion {
    /// The type that it makes of a file's type.
    pub(crate) fn data_type(self, file: &DataType) -> DataType {
        match self {
            Self::Same => file.clone(),
            Self::Time | Self::TimeOrNone => timestamp_type(),
            Self::Hex | Self::SpanKind | Self::StatusCode => DataType::Utf8,
            Self::Events => with_element_fields(file, |field| match field.name().as_str() {
                "time_unix_nano" => Field::new("time", timestamp_type(), field.is_nullable()).into(),
                _ => Arc::clone(field),
            }),
            Self::Links => with_element_fields(file, |field| match field.data_type() {
                DataType::Binary => Field::new(field.name(), DataType::Utf8, field.is_nullable()).into(),
                _ => Arc::clone(field),
            }),
        }
    }
}

/// Nanoseconds since 1970 with a time zone, as every exposed time is.
pub(crate) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::clone(&UTC)))
}

pub(crate) static UTC: LazyLock<Arc<str>> = LazyLock::new(|| "UTC".into());

fn conversion(table: Table, file: &Field) -> Conversion {
    match (table, file.name().as_str(), file.data_type()) {
        (Table::Logs, "observed_time_unix_nano", _) => Conversion::TimeOrNone,
        (Table::Spans, "kind", _) => Conversion::SpanKind,
        (Table::Spans, "status_code", _) => Conversion::StatusCode,
        (Table::Spans, "events", _) => Conversion::Events,
        (Table::Spans, "links", _) => Conversion::Links,
        (_, name, DataType::Int64) if name.ends_with("_unix_nano") => Conversion::Time,
        (_, _, DataType::Binary) => Conversion::Hex,
        _ => Conversion::Same,
    }
}

/// A list of structs with other fields.
fn with_element_fields(list: &DataType, change: impl Fn(&FieldRef) -> FieldRef) -> DataType {
    let DataType::List(element) = list else { return list.clone() };
    let DataType::Struct(fields) = element.data_type() else { return list.clone() };
    let fields = fields.iter().map(change).collect();
    let element = element.as_ref().clone().with_data_type(DataType::Struct(fields));
    DataType::List(Arc::new(element))
}
