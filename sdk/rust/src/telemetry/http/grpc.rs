use std::path::Path;
use std::time::Duration;

use super::{CertificateError, EndpointError, HttpExporter, PORT_GRPC, taken};
use crate::grpc_status::GRPC_STATUS;
use crate::post::grpc::{Message, Reply, call};
use crate::telemetry::environment::percent_decoded;
use crate::telemetry::otlp::{rejected, retry_delay};
use crate::telemetry::{ExportError, Exporter, Signal};

/// Sends requests to an OTLP/gRPC receiver such as `http://127.0.0.1:4317`. It needs no runtime, and
/// must not be called from a task of one: it blocks.
///
/// ```
/// use fresnel_sdk::telemetry::http::GrpcExporter;
///
/// let exporter = GrpcExporter::new("http://127.0.0.1:4317")?.header("x-tenant", "shop");
/// # let builder =
/// fresnel_sdk::builder().exporter(exporter);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct GrpcExporter(HttpExporter);

impl GrpcExporter {
    /// Sends to `endpoint`; a path in it does not count.
    ///
    /// # Errors
    /// It is no `http://` or `https://` endpoint.
    pub fn new(endpoint: &str) -> Result<Self, EndpointError> {
        HttpExporter::at(endpoint, PORT_GRPC).map(Self)
    }

    /// As [`HttpExporter::from_env`], by the same variables.
    ///
    /// # Errors
    /// The endpoint is none.
    pub fn from_env(default: &str) -> Result<Self, EndpointError> {
        HttpExporter::from_env_at(default, PORT_GRPC).map(Self)
    }

    /// To where and as this one sends.
    pub(crate) const fn as_of(http: HttpExporter) -> Self {
        Self(http)
    }

    /// Sends one more entry of metadata. One that is empty or not legal is left out.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Sends the entries of a list like `name=value,name=value`, values percent-encoded where needed.
    #[must_use]
    pub fn header_list(self, list: &str) -> Self {
        Self(self.0.header_list(list))
    }

    /// Gives up a request after this long; the receiver is told.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// As [`HttpExporter::ca_file`].
    ///
    /// # Errors
    /// As there.
    pub fn ca_file(self, file: impl AsRef<Path>) -> Result<Self, CertificateError> {
        self.0.ca_file(file).map(Self)
    }

    /// As [`HttpExporter::client_certificate`].
    ///
    /// # Errors
    /// As there.
    pub fn client_certificate(
        self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, CertificateError> {
        self.0.client_certificate(chain, key).map(Self)
    }

    /// Compresses requests with gzip.
    #[cfg(feature = "gzip")]
    #[must_use]
    pub fn gzip(self, on: bool) -> Self {
        Self(self.0.gzip(on))
    }
}

impl Exporter for GrpcExporter {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        let http = &self.0;
        let sent = http.packed(request).and_then(|(bytes, gzip)| {
            call(&http.endpoint, method(signal), &http.headers, &Message { bytes, gzip }, http.timeout)
        });
        judge(&sent.map_err(|error| http.unreachable(&error))?)
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        Self(self.0.within(within)).export(signal, request)
    }
}

const fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
}

/// As long as the receiver does not say when to come again.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// Of what a receiver says, in characters.
const TEXT_MAX: usize = 200;

/// What an answer means: OTLP names the codes that may be retried, one of them only if the receiver
/// says when.
fn judge(reply: &Reply) -> Result<(), ExportError> {
    let name = GRPC_STATUS.get(reply.code as usize).copied().unwrap_or("an unknown status");
    let text = percent_decoded(&reply.text).unwrap_or_else(|| reply.text.clone());
    let text: String = text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
    let message = format!("the receiver answered {name}{}{text}", if text.is_empty() { "" } else { ": " });
    let delay = retry_delay(&reply.details);
    match (name, delay) {
        ("OK", _) => taken(rejected(&reply.message)),
        ("RESOURCE_EXHAUSTED", Some(delay)) => Err(ExportError::retry_after(message, delay)),
        (
            "CANCELLED" | "DEADLINE_EXCEEDED" | "ABORTED" | "OUT_OF_RANGE" | "UNAVAILABLE" | "DATA_LOSS",
            delay,
        ) => Err(ExportError::retry_after(message, delay.unwrap_or(RETRY_WAIT))),
        _ => Err(ExportError::permanent(message)),
    }
}
