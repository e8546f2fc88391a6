use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Render;
use crate::dto::Summary;

/// Arrow's IPC stream.
pub(super) struct Stream(StreamWriter<Vec<u8>>);

/// A Parquet file; row groups of bounded size leave as soon as they are full.
pub(super) struct Parquet(Option<ArrowWriter<Vec<u8>>>);

const ROW_GROUP_ROWS: usize = 64 << 10;

impl Stream {
    pub(super) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        Ok(Self(StreamWriter::try_new(Vec::new(), &schema)?))
    }

    fn taken(&mut self) -> Bytes {
        std::mem::take(self.0.get_mut()).into()
    }
}

impl Render for Stream {
    fn begin(&mut self) -> Result<Bytes, ArrowError> {
        Ok(self.taken())
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        self.0.write(batch)?;
        Ok(self.taken())
    }

    fn end(&mut self, _: &Summary) -> Result<Bytes, ArrowError> {
        self.0.finish()?;
        Ok(self.taken())
    }
}

impl Parquet {
    pub(super) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        Ok(Self(Some(ArrowWriter::try_new(Vec::new(), schema, Some(properties))?)))
    }

    fn taken(&mut self) -> Bytes {
        self.0.as_mut().map(|writer| std::mem::take(writer.inner_mut())).unwrap_or_default().into()
    }
}

impl Render for Parquet {
    fn begin(&mut self) -> Result<Bytes, ArrowError> {
        Ok(self.taken())
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        if let Some(writer) = self.0.as_mut() {
            writer.write(batch)?;
        }
        Ok(self.taken())
    }

    fn end(&mut self, _: &Summary) -> Result<Bytes, ArrowError> {
        match self.0.take() {
            Some(writer) => Ok(writer.into_inner()?.into()),
            None => Ok(Bytes::new()),
        }
    }
}
