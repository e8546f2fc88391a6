//! The lines on standard error, as an output whose failures are known.

use std::io::{self, Write};
use std::sync::Arc;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::health::Gauge;

/// Makes writers of another maker that tell how writing goes.
pub(super) struct Watched<M> {
    pub(super) inner: M,
    pub(super) gauge: Arc<Gauge>,
}

pub(super) struct WatchedWriter<W> {
    inner: W,
    gauge: Arc<Gauge>,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Watched<M> {
    type Writer = WatchedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        WatchedWriter { inner: self.inner.make_writer(), gauge: self.gauge.clone() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        WatchedWriter { inner: self.inner.make_writer_for(metadata), gauge: self.gauge.clone() }
    }
}

impl<W: Write> WatchedWriter<W> {
    fn tell<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match &result {
            Ok(_) => self.gauge.pass(),
            // The caller asks again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.gauge.fail(error.to_string()),
        }
        result
    }
}

impl<W: Write> Write for WatchedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.tell(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.tell(flushed)
    }
}
