use std::time::Duration;

use super::{EndpointError, HttpExporter};
use crate::telemetry::{ExportError, Exporter, Signal, zipkin_json};

/// Sends spans to a Zipkin at an endpoint such as `http://127.0.0.1:9411`, as version 2 of
/// its JSON. Logs and metrics, which Zipkin does not know, it takes and leaves out.
#[derive(Clone, Debug)]
pub struct ZipkinExporter(HttpExporter);

impl ZipkinExporter {
    /// Sends to `endpoint`; a path in it comes before `/api/v2/spans`.
    ///
    /// # Errors
    /// As [`HttpExporter::new`].
    pub fn new(endpoint: &str) -> Result<Self, EndpointError> {
        HttpExporter::new(endpoint).map(Self)
    }
}

impl Exporter for ZipkinExporter {
    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        if signal != Signal::Traces {
            return Ok(());
        }
        let spans = zipkin_json(&request).ok_or_else(|| ExportError::permanent("these are no spans"))?;
        self.0.deliver("/api/v2/spans", "application/json", spans.to_string().into_bytes())?;
        Ok(())
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        Self(self.0.within(within)).export(signal, request)
    }
}
