//! OTLP over HTTP, blocking, without a client library. `https://` needs the feature `https`,
//! compressed requests the feature `gzip`, gRPC the feature `grpc`.

#[cfg(feature = "grpc")]
mod grpc;
mod zipkin;

#[cfg(feature = "grpc")]
pub use self::grpc::GrpcExporter;
pub use self::zipkin::ZipkinExporter;
#[cfg(feature = "https")]
pub use crate::post::tls::CertificateError;

#[cfg(feature = "https")]
use std::path::Path;
use std::time::Duration;

use super::environment::percent_decoded;
use super::export::{ExportError, Exporter, Signal};
use super::otlp::{json, rejected, rejected_json};
#[cfg(feature = "https")]
use crate::post::tls::Remedy;
use crate::post::{Answer, Endpoint, Header, is_header, post};

/// Sends requests to an OTLP/HTTP receiver.
#[derive(Clone)]
pub struct HttpExporter {
    endpoint: Endpoint,
    /// The path of the endpoint is the whole path: it is for one signal only.
    whole: bool,
    headers: Vec<Header>,
    timeout: Duration,
    gzip: bool,
    json: bool,
}

/// Headers carry tokens: only their names are shown.
impl std::fmt::Debug for HttpExporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let mut shown = f.debug_struct("HttpExporter");
        shown.field("endpoint", &self.endpoint.url()).field("headers", &headers);
        shown.field("timeout", &self.timeout).field("gzip", &self.gzip).finish_non_exhaustive()
    }
}

/// An endpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{endpoint}` is not an endpoint: it must be like `http://127.0.0.1:{port}`{hint}")]
pub struct EndpointError {
    endpoint: String,
    port: u16,
    hint: String,
}

/// The port of OTLP/HTTP.
const PORT: u16 = 4318;
/// The port of OTLP/gRPC.
#[cfg(feature = "grpc")]
pub(crate) const PORT_GRPC: u16 = 4317;
/// Compressing a smaller request gains nothing.
#[cfg(feature = "gzip")]
const GZIP_BYTES_MIN: usize = 1 << 10;

impl HttpExporter {
    /// Sends to `endpoint`, such as `http://127.0.0.1:4318`; a path in it comes first.
    ///
    /// # Errors
    /// It is no `http://` endpoint, nor an `https://` one in a build with the feature `https`.
    pub fn new(endpoint: &str) -> Result<Self, EndpointError> {
        Self::at(endpoint, PORT)
    }

    /// As [`HttpExporter::new`], at this port unless the endpoint says another.
    pub(crate) fn at(endpoint: &str, port: u16) -> Result<Self, EndpointError> {
        let invalid = || {
            let tls = endpoint.trim().starts_with("https://") && !cfg!(feature = "https");
            let with_scheme = format!("http://{}", endpoint.trim());
            let hint = if tls {
                "; https:// is not in this build, it needs the feature `https`".to_owned()
            } else if Endpoint::parse(&with_scheme, port).is_some() {
                format!("; with a scheme it is `{with_scheme}`")
            } else {
                String::new()
            };
            EndpointError { endpoint: endpoint.to_owned(), port, hint }
        };
        let endpoint = Endpoint::parse(endpoint, port).ok_or_else(invalid)?;
        let timeout = Duration::from_secs(10);
        Ok(Self { endpoint, whole: false, headers: Vec::new(), timeout, gzip: false, json: false })
    }

    /// Sends requests of one signal to exactly this address, as `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`
    /// means it: no `/v1/traces` is added.
    ///
    /// # Errors
    /// As [`HttpExporter::new`].
    pub fn for_one_signal(url: &str) -> Result<Self, EndpointError> {
        let mut exporter = Self::new(url)?;
        // The specification: without a path it is the root.
        if exporter.endpoint.path.is_empty() {
            exporter.endpoint.path.push('/');
        }
        Ok(Self { whole: true, ..exporter })
    }

    /// As the environment says: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and
    /// `OTEL_EXPORTER_OTLP_TIMEOUT` (milliseconds), else `default`.
    ///
    /// # Errors
    /// The endpoint is none.
    pub fn from_env(default: &str) -> Result<Self, EndpointError> {
        Self::from_env_at(default, PORT)
    }

    fn from_env_at(default: &str, port: u16) -> Result<Self, EndpointError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut exporter =
            Self::at(variable("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref().unwrap_or(default), port)?;
        if let Some(list) = variable("OTEL_EXPORTER_OTLP_HEADERS") {
            exporter = exporter.header_list(&list);
        }
        if let Some(milliseconds) = variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|text| text.parse().ok())
        {
            exporter.timeout = Duration::from_millis(milliseconds);
        }
        Ok(exporter)
    }

    /// Sends one more header. One that is empty or not legal is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if is_header(name, value) {
            self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sends the headers of a list like `name=value,name=value`, values percent-encoded where needed.
    #[must_use]
    pub fn header_list(self, list: &str) -> Self {
        list.split(',').filter_map(|pair| pair.split_once('=')).fold(self, |exporter, (name, value)| {
            let value = value.trim();
            let decoded = percent_decoded(value).unwrap_or_else(|| value.to_owned());
            exporter.header(name.trim(), &decoded)
        })
    }

    /// Gives up a request after this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Trusts the authorities whose certificates are in a file of PEM, instead of those that the
    /// system trusts, for `https://`. The file is read now.
    ///
    /// # Errors
    /// It cannot be read, or has no certificate.
    #[cfg(feature = "https")]
    pub fn ca_file(mut self, file: impl AsRef<Path>) -> Result<Self, CertificateError> {
        self.endpoint.trust.authorities_in(file.as_ref())?;
        Ok(self)
    }

    /// Shows a certificate to a server that wants to know who comes (mTLS): it, and those that lead to
    /// its authority, are in a file of PEM, its private key is in another. Both are read now.
    ///
    /// # Errors
    /// One of them cannot be read or has not what it should have, or they do not belong together.
    #[cfg(feature = "https")]
    pub fn client_certificate(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, CertificateError> {
        self.endpoint.trust.show(chain.as_ref(), key.as_ref())?;
        Ok(self)
    }

    /// Writes requests as JSON, for receivers that read it more easily. It takes several times the
    /// bytes and the work of protobuf.
    #[must_use]
    pub fn json(mut self, on: bool) -> Self {
        self.json = on;
        self
    }

    /// Compresses requests with gzip.
    #[cfg(feature = "gzip")]
    #[must_use]
    pub fn gzip(mut self, on: bool) -> Self {
        self.gzip = on;
        self
    }

    #[cfg(feature = "https")]
    pub(crate) fn is_https(&self) -> bool {
        self.endpoint.tls
    }

    /// As this one, but gives up a request after `within` at the latest.
    fn within(&self, within: Duration) -> Self {
        Self { timeout: self.timeout.min(within), ..self.clone() }
    }

    /// Whether a header of this name is sent.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    fn send(&self, path: &str, content_type: &str, body: Vec<u8>) -> std::io::Result<Answer> {
        let mut headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let (body, packed) = self.packed(body)?;
        if packed {
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        }
        headers.extend(self.headers.iter().cloned());
        post(&self.endpoint, path, &headers, &body, self.timeout)
    }

    /// A body as it is sent, and whether that is compressed.
    fn packed(&self, body: Vec<u8>) -> std::io::Result<(Vec<u8>, bool)> {
        #[cfg(feature = "gzip")]
        if self.gzip && body.len() >= GZIP_BYTES_MIN {
            return Ok((gzip(&body)?, true));
        }
        Ok((body, false))
    }

    /// Posts a body and looks at the answer, which has the body of a success.
    fn deliver(&self, path: &str, content_type: &str, body: Vec<u8>) -> Result<Vec<u8>, ExportError> {
        let sent = self.send(path, content_type, body);
        judge(sent.map_err(|error| self.unreachable(&error))?)
    }

    /// No answer came: the receiver may be back soon.
    fn unreachable(&self, error: &std::io::Error) -> ExportError {
        let message = format!("cannot send to {}: {error}{}", self.endpoint.url(), hint(error));
        ExportError::retry_after(message, Duration::from_millis(200))
    }
}

/// What to do about it, where that is known.
#[cfg_attr(not(feature = "https"), expect(unused_variables, reason = "there are no certificates"))]
fn hint(error: &std::io::Error) -> &'static str {
    #[cfg(feature = "https")]
    match Remedy::of(error) {
        Some(Remedy::Authority) => {
            return "; name the file of the authority that signed it by OTEL_EXPORTER_OTLP_CERTIFICATE";
        }
        Some(Remedy::Own) => {
            return "; name a certificate that it takes by OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and its \
                    key by OTEL_EXPORTER_OTLP_CLIENT_KEY";
        }
        None => {}
    }
    ""
}

#[cfg(feature = "gzip")]
fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

impl Exporter for HttpExporter {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        let path = if self.whole { String::new() } else { format!("/v1/{}", signal.name()) };
        if !self.json {
            return taken(rejected(&self.deliver(&path, "application/x-protobuf", request)?));
        }
        let request = json(signal, &request).ok_or_else(|| ExportError::permanent("this is no request"))?;
        let answer = self.deliver(&path, "application/json", request.to_string().into_bytes())?;
        taken(rejected_json(&answer))
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        self.within(within).export(signal, request)
    }
}

/// What an answer means: OTLP names four statuses that may be retried.
fn judge(answer: Answer) -> Result<Vec<u8>, ExportError> {
    let message = || format!("the receiver answered {}", answer.status);
    match answer.status {
        200..300 => Ok(answer.body),
        429 | 502..=504 => {
            let wait = answer.retry_after().unwrap_or(Duration::from_secs(1));
            Err(ExportError::retry_after(message(), wait))
        }
        _ => Err(ExportError::permanent(message())),
    }
}

/// Whether all of it was taken, by what a success says. One that cannot be read says nothing.
fn taken(rejected: Option<(u64, String)>) -> Result<(), ExportError> {
    match rejected {
        Some((records @ 1.., why)) => {
            Err(ExportError::partial(format!("{records} records refused: {why}"), records))
        }
        _ => Ok(()),
    }
}
