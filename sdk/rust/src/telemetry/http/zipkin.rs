use std::time::Duration;

use super::{EndpointError, HttpExporter};
use crate::telemetry::{ExportError, Exporter, Signal, zipkin_json};

/// Sends spans to a Zipkin at an endpoint such as `http://127.0.0.1:9411`, as version 2 of
/// its JSON. Logs and metrics, which Zipkin does not know, it takes and leaves out.
#[derive(Clone, Debug)]
pub struct ZipkinExporter {
    exporter: HttpExporter,
    /// What comes after the path of the endpoint.
    path: &'static str,
}

const PORT: u16 = 9411;
const PATH: &str = "/api/v2/spans";

impl ZipkinExporter {
    /// Sends to `endpoint`; a path in it comes before `/api/v2/spans`.
    ///
    /// # Errors
    /// As [`HttpExporter::new`].
    pub fn new(endpoint: &str) -> Result<Self, EndpointError> {
        HttpExporter::at(endpoint, PORT).map(|exporter| Self { exporter, path: PATH })
    }

    /// Sends to exactly this address, such as `http://127.0.0.1:9411/api/v2/spans`, as
    /// `OTEL_EXPORTER_ZIPKIN_ENDPOINT` means it.
    ///
    /// # Errors
    /// As [`HttpExporter::new`].
    pub fn at(url: &str) -> Result<Self, EndpointError> {
        HttpExporter::at(url, PORT).map(|exporter| Self { exporter, path: "" })
    }

    /// Gives up a request after this long.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { exporter: self.exporter.timeout(timeout), ..self }
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
        self.exporter.deliver(self.path, "application/json", spans.to_string().into_bytes())?;
        Ok(())
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        let exporter = self.exporter.within(within);
        Self { exporter, path: self.path }.export(signal, request)
    }
}
