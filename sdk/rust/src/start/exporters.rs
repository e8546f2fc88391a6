//! OTLP over HTTP, each signal where the environment wants it.

use super::environment::{Environment, ForSignal};
use crate::telemetry::http::{EndpointError, HttpExporter};
use crate::telemetry::{ExportError, Exporter, Signal};

/// What OpenTelemetry has for a collector on this machine.
const ENDPOINT: &str = "http://localhost:4318";

/// Of logs, traces and metrics; a signal without one is not sent.
#[derive(Debug)]
pub(super) struct Exporters([Option<HttpExporter>; 3]);

impl Exporters {
    /// As the environment says; what cannot be used is told, and the usual place taken.
    pub(super) fn new(environment: &mut Environment) -> Option<Self> {
        let made = environment.signals.clone().map(|signal| {
            if signal.off {
                return None;
            }
            let exporter = of(&signal).or_else(|error| {
                environment.warnings.push(format!("{error}; {ENDPOINT} is used"));
                of(&ForSignal { own_endpoint: None, endpoint: None, ..signal })
            });
            exporter.ok()
        });
        made.iter().any(Option::is_some).then_some(Self(made))
    }
}

fn of(signal: &ForSignal) -> Result<HttpExporter, EndpointError> {
    let mut exporter = match (&signal.own_endpoint, &signal.endpoint) {
        (Some(own), _) => HttpExporter::for_one_signal(own)?,
        (None, all) => HttpExporter::new(all.as_deref().unwrap_or(ENDPOINT))?,
    };
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
    Ok(exporter)
}

impl Exporter for Exporters {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        // One that is switched off wants nothing.
        self.0[signal as usize].as_ref().map_or(Ok(()), |exporter| exporter.export(signal, request))
    }
}
