//! OTLP over HTTP or gRPC, spans for Zipkin or the console: each signal where and how the environment
//! wants it.

use std::time::Duration;

use super::environment::{Environment, ForSignal, Kind, Protocol};
use crate::telemetry::http::{EndpointError, HttpExporter, ZipkinExporter};
#[cfg(feature = "grpc")]
use crate::telemetry::http::{GrpcExporter, PORT_GRPC};
use crate::telemetry::{ConsoleExporter, ExportError, Exporter, Signal};

/// What OpenTelemetry has for a collector on this machine.
const ENDPOINT: &str = "http://localhost:4318";
/// And for one over gRPC.
const ENDPOINT_GRPC: &str = "http://localhost:4317";

/// And for a Zipkin.
const ENDPOINT_ZIPKIN: &str = "http://localhost:9411/api/v2/spans";

/// Of logs, traces and metrics; a signal without one is not sent.
pub(super) struct Exporters([Option<Box<dyn Exporter>>; 3]);

impl Exporters {
    /// As the environment says. What is wrong is told, once for all signals that it holds for.
    pub(super) fn new(environment: &mut Environment) -> Self {
        let mut warnings = Vec::new();
        let made = environment.signals.each_ref().map(|signal| -> Option<Box<dyn Exporter>> {
            if signal.off {
                return None;
            }
            match signal.kind {
                Kind::Otlp => {}
                Kind::Console => return Some(Box::new(ConsoleExporter::default())),
                Kind::Zipkin => return zipkin(signal, &mut warnings),
            }
            // In the wrong place there is no telemetry, with the wrong certificates there are strangers.
            let placed = placed(signal).or_else(|error| {
                warnings.push(format!("{error}; {} is used", usual(signal)));
                placed(&ForSignal { own_endpoint: None, endpoint: None, ..signal.clone() })
            });
            Some(match certified(told(placed.ok()?, signal), signal) {
                Ok(exporter) => spoken(exporter, signal),
                Err(wrong) => {
                    warnings.push(format!("{wrong}; nothing is sent"));
                    Box::new(Unusable(wrong))
                }
            })
        });
        for warning in warnings {
            if !environment.warnings.contains(&warning) {
                environment.warnings.push(warning);
            }
        }
        Self(made)
    }
}

fn zipkin(signal: &ForSignal, warnings: &mut Vec<String>) -> Option<Box<dyn Exporter>> {
    let exporter = ZipkinExporter::at(signal.zipkin.as_deref().unwrap_or(ENDPOINT_ZIPKIN));
    let exporter = exporter.or_else(|error| {
        warnings.push(format!("OTEL_EXPORTER_ZIPKIN_ENDPOINT: {error}; {ENDPOINT_ZIPKIN} is used"));
        ZipkinExporter::at(ENDPOINT_ZIPKIN)
    });
    let exporter = exporter.ok()?;
    Some(Box::new(match signal.timeout {
        Some(timeout) => exporter.timeout(timeout),
        None => exporter,
    }))
}

const fn usual(signal: &ForSignal) -> &'static str {
    match signal.protocol {
        Protocol::Grpc => ENDPOINT_GRPC,
        Protocol::Http | Protocol::Json => ENDPOINT,
    }
}

/// Where it goes.
fn placed(signal: &ForSignal) -> Result<HttpExporter, EndpointError> {
    #[cfg(feature = "grpc")]
    if signal.protocol == Protocol::Grpc {
        let endpoint = signal.own_endpoint.as_ref().or(signal.endpoint.as_ref());
        let endpoint = endpoint.map_or(usual(signal), |it| it);
        // gRPC knows targets without a scheme, and only of them says this variable something.
        let scheme = if signal.insecure { "http" } else { "https" };
        return match endpoint.contains("://") {
            true => HttpExporter::at(endpoint, PORT_GRPC),
            false => HttpExporter::at(&format!("{scheme}://{endpoint}"), PORT_GRPC),
        };
    }
    match (&signal.own_endpoint, &signal.endpoint) {
        (Some(own), _) => HttpExporter::for_one_signal(own),
        (None, all) => HttpExporter::new(all.as_deref().unwrap_or(usual(signal))),
    }
}

/// With all that is said of a signal but where it goes and by which certificates.
fn told(mut exporter: HttpExporter, signal: &ForSignal) -> HttpExporter {
    if let Some(headers) = &signal.headers {
        exporter = exporter.header_list(headers);
    }
    if let Some(token) = signal.token.as_ref().filter(|_| !exporter.has_header("authorization")) {
        exporter = exporter.header("authorization", &format!("Bearer {token}"));
    }
    if let Some(timeout) = signal.timeout {
        exporter = exporter.timeout(timeout);
    }
    #[cfg(feature = "gzip")]
    let exporter = exporter.gzip(signal.gzip);
    exporter.json(signal.protocol == Protocol::Json)
}

/// By certificates that it is told, where they count; an error says which variable is wrong.
#[cfg(feature = "https")]
fn certified(mut exporter: HttpExporter, signal: &ForSignal) -> Result<HttpExporter, String> {
    const CLIENT: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
    if !exporter.is_https() {
        return Ok(exporter);
    }
    if let Some(file) = &signal.authorities {
        exporter =
            exporter.ca_file(file).map_err(|error| format!("OTEL_EXPORTER_OTLP_CERTIFICATE: {error}"))?;
    }
    match (&signal.client_certificate, &signal.client_key) {
        (Some(chain), Some(key)) => {
            exporter.client_certificate(chain, key).map_err(|error| format!("{CLIENT}: {error}"))
        }
        (None, None) => Ok(exporter),
        _ => Err(format!("{CLIENT} and OTEL_EXPORTER_OTLP_CLIENT_KEY are needed together")),
    }
}

#[cfg(not(feature = "https"))]
fn certified(exporter: HttpExporter, _: &ForSignal) -> Result<HttpExporter, String> {
    Ok(exporter)
}

#[cfg_attr(not(feature = "grpc"), expect(unused_variables, reason = "there is one protocol"))]
fn spoken(exporter: HttpExporter, signal: &ForSignal) -> Box<dyn Exporter> {
    #[cfg(feature = "grpc")]
    if signal.protocol == Protocol::Grpc {
        return Box::new(GrpcExporter::as_of(exporter));
    }
    Box::new(exporter)
}

/// Certificates that cannot be used: whoever would be trusted without them, nothing is sent to them.
/// What is recorded is lost and counted, and the output says why.
struct Unusable(String);

impl Exporter for Unusable {
    fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
        Err(ExportError::permanent(self.0.clone()))
    }
}

impl Exporters {
    fn of(&self, signal: Signal) -> Option<&dyn Exporter> {
        self.0[signal as usize].as_deref()
    }
}

impl Exporter for Exporters {
    fn wants(&self, signal: Signal) -> bool {
        self.of(signal).is_some_and(|it| it.wants(signal))
    }

    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        self.of(signal).map_or(Ok(()), |it| it.export(signal, request))
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        self.of(signal).map_or(Ok(()), |it| it.export_within(signal, request, within))
    }

    fn flush(&self, signal: Signal, within: Duration) -> bool {
        self.of(signal).is_none_or(|it| it.flush(signal, within))
    }
}
