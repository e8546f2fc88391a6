use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use bytes::Bytes;

use super::Render;
use crate::dto::Summary;

/// `{"columns":[…],"rows":[[…],…],"complete":…}`
pub(super) struct Table {
    schema: SchemaRef,
    first: bool,
}

/// One object a row; the last line is the summary, under a key no column can have.
pub(super) struct Lines {
    schema: SchemaRef,
}

impl Table {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema, first: true }
    }
}

impl Lines {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl Render for Table {
    fn begin(&mut self) -> Result<Bytes, ArrowError> {
        let columns: Vec<_> = self
            .schema
            .fields()
            .iter()
            .map(|field| serde_json::json!({"name": field.name(), "type": type_name(field.data_type())}))
            .collect();
        Ok(format!("{{\"columns\":{},\"rows\":[", serde_json::Value::from(columns)).into())
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        let mut out = Vec::with_capacity(batch.num_rows() * batch.num_columns() * 16);
        let mut columns = encoders(batch, &self.schema)?;
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if self.first { b"[" } else { b",\n[" });
            self.first = false;
            for (index, column) in columns.iter_mut().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                value(column, row, &mut out);
            }
            out.push(b']');
        }
        Ok(out.into())
    }

    fn end(&mut self, summary: &Summary) -> Result<Bytes, ArrowError> {
        let summary =
            serde_json::to_string(summary).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        // The summary's own braces: its keys continue the object that `begin` opened.
        Ok(format!("],{}\n", &summary[1..]).into())
    }
}

impl Render for Lines {
    fn begin(&mut self) -> Result<Bytes, ArrowError> {
        Ok(Bytes::new())
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        let mut out = Vec::with_capacity(batch.num_rows() * batch.num_columns() * 24);
        let mut columns = encoders(batch, &self.schema)?;
        let names: Vec<String> = self
            .schema
            .fields()
            .iter()
            .map(|field| serde_json::Value::from(field.name().as_str()).to_string())
            .collect();
        for row in 0..batch.num_rows() {
            for (index, (column, name)) in columns.iter_mut().zip(&names).enumerate() {
                out.push(if index == 0 { b'{' } else { b',' });
                out.extend_from_slice(name.as_bytes());
                out.push(b':');
                value(column, row, &mut out);
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(out.into())
    }

    fn end(&mut self, summary: &Summary) -> Result<Bytes, ArrowError> {
        let line = serde_json::json!({ "$summary": summary });
        Ok(format!("{line}\n").into())
    }
}

fn value(column: &mut NullableEncoder<'_>, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
    } else {
        column.encode(row, out);
    }
}

fn encoders<'a>(
    batch: &'a RecordBatch,
    schema: &'a SchemaRef,
) -> Result<Vec<NullableEncoder<'a>>, ArrowError> {
    static OPTIONS: std::sync::LazyLock<EncoderOptions> =
        std::sync::LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));
    batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| make_encoder(field, column.as_ref(), &OPTIONS))
        .collect()
}

/// The type in the words of the documentation.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Map(..) => "map".into(),
        DataType::Dictionary(_, value) => type_name(value),
        integer if integer.is_integer() => "integer".into(),
        float if float.is_floating() => "float".into(),
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => "binary".into(),
        DataType::List(_) | DataType::LargeList(_) => "list".into(),
        other => other.to_string().to_lowercase(),
    }
}

/// A single row as a JSON object, for the csv writer's nested values.
pub(super) fn nested(field: &FieldRef, array: &dyn Array) -> Result<Vec<Option<String>>, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, array, &options)?;
    let text = |row| {
        if encoder.is_null(row) {
            return Ok(None);
        }
        let mut out = Vec::new();
        encoder.encode(row, &mut out);
        String::from_utf8(out).map(Some).map_err(|error| ArrowError::JsonError(error.to_string()))
    };
    (0..array.len()).map(text).collect()
}
