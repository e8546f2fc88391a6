//! OTLP over HTTP or gRPC, each signal where and how the environment wants it.

use super::environment::{Environment, ForSignal};
use crate::telemetry::http::{EndpointError, HttpExporter};
#[cfg(feature = "grpc")]
use crate::telemetry::http::{GrpcExporter, PORT_GRPC};
use crate::telemetry::{ExportError, Exporter, Signal};

/// What OpenTelemetry has for a collector on this machine.
const ENDPOINT: &str = "http://localhost:4318";
/// And for one over gRPC.
const ENDPOINT_GRPC: &str = "http://localhost:4317";

/// Of logs, traces and metrics; a signal without one is not sent.
pub(super) struct Exporters([Option<Box<dyn Exporter>>; 3]);

impl Exporters {
    /// As the environment says; what cannot be used is told, and the usual place taken.
    pub(super) fn new(environment: &mut Environment) -> Option<Self> {
        let made = environment.signals.clone().map(|signal| {
            if signal.off {
                return None;
            }
            let exporter = of(&signal).or_else(|error| {
                environment.warnings.push(format!("{error}; {} is used", usual(&signal)));
                of(&ForSignal { own_endpoint: None, endpoint: None, ..signal })
            });
            exporter.ok()
        });
        made.iter().any(Option::is_some).then_some(Self(made))
    }
}

const fn usual(signal: &ForSignal) -> &'static str {
    if signal.grpc { ENDPOINT_GRPC } else { ENDPOINT }
}

fn of(signal: &ForSignal) -> Result<Box<dyn Exporter>, EndpointError> {
    #[cfg(feature = "grpc")]
    if signal.grpc {
        let endpoint = signal.own_endpoint.as_ref().or(signal.endpoint.as_ref());
        let exporter = HttpExporter::at(endpoint.map_or(usual(signal), |it| it), PORT_GRPC)?;
        return Ok(Box::new(GrpcExporter::as_of(told(exporter, signal))));
    }
    let exporter = match (&signal.own_endpoint, &signal.endpoint) {
        (Some(own), _) => HttpExporter::for_one_signal(own)?,
        (None, all) => HttpExporter::new(all.as_deref().unwrap_or(usual(signal)))?,
    };
    Ok(Box::new(told(exporter, signal)))
}

/// With all that is said of a signal but where it goes.
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
    exporter
}

impl Exporter for Exporters {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        // One that is switched off wants nothing.
        self.0[signal as usize].as_ref().map_or(Ok(()), |exporter| exporter.export(signal, request))
    }
}
