use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;

use super::{Render, json};
use crate::dto::Summary;

/// RFC 4180 with a header line; maps and lists as JSON.
pub(super) struct Csv {
    schema: SchemaRef,
    flat: SchemaRef,
}

impl Csv {
    pub(super) fn new(schema: SchemaRef) -> Self {
        let flat = schema.fields().iter().map(|field| {
            if field.data_type().is_nested() {
                Arc::new(Field::new(field.name(), DataType::Utf8, true))
            } else {
                Arc::clone(field)
            }
        });
        let flat = Arc::new(Schema::new(flat.collect::<Vec<_>>()));
        Self { schema, flat }
    }

    fn flatten(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let column = |(column, field): (&ArrayRef, _)| -> Result<ArrayRef, ArrowError> {
            if column.data_type().is_nested() {
                Ok(Arc::new(StringArray::from(json::nested(field, column.as_ref())?)))
            } else {
                Ok(Arc::clone(column))
            }
        };
        let columns = batch.columns().iter().zip(self.schema.fields()).map(column);
        RecordBatch::try_new(Arc::clone(&self.flat), columns.collect::<Result<_, _>>()?)
    }

    fn write(batch: &RecordBatch, header: bool) -> Result<Bytes, ArrowError> {
        let mut out = Vec::new();
        let mut writer = WriterBuilder::new().with_header(header).build(&mut out);
        writer.write(batch)?;
        drop(writer);
        Ok(out.into())
    }
}

impl Render for Csv {
    fn begin(&mut self) -> Result<Bytes, ArrowError> {
        Self::write(&RecordBatch::new_empty(Arc::clone(&self.flat)), true)
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        Self::write(&self.flatten(batch)?, false)
    }

    fn end(&mut self, _: &Summary) -> Result<Bytes, ArrowError> {
        Ok(Bytes::new())
    }
}
