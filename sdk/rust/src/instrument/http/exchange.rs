use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use super::Protocol;
use super::instruments::Instruments;
use crate::grpc_status::{GRPC_STATUS, UNKNOWN, code_of_http};
use crate::instrument::{CANCELLED, LabelList, PortText, seconds_since};
use crate::logging::Surrounding;
use crate::telemetry::otlp::Status;
use crate::telemetry::trace::Span;

/// One request and its answer, from its beginning until it is dropped.
pub(super) struct Exchange {
    pub(super) protocol: Protocol,
    pub(super) instruments: Arc<Instruments>,
    pub(super) span: Span,
    pub(super) started: Instant,
    pub(super) side: Side,
    pub(super) method: &'static str,
    pub(super) request_bytes: Option<u64>,
    pub(super) response_bytes: u64,
    pub(super) status: Option<StatusCode>,
    /// The name of gRPC's status.
    pub(super) grpc_status: Option<&'static str>,
    pub(super) error: Option<Cow<'static, str>>,
    /// The answer is there to its end, or to where nobody wanted more.
    pub(super) complete: bool,
    /// Whom and what the work of a server belongs to.
    pub(super) around: Option<Surrounding>,
}

/// Which side we are, and what is known there.
pub(super) enum Side {
    Server {
        route: Option<super::Route>,
        scheme: &'static str,
    },
    /// Of gRPC with the method that is called.
    Client {
        address: String,
        port: Option<u16>,
        call: Option<String>,
    },
}

impl Exchange {
    /// The head of the answer is there.
    pub(super) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        match self.protocol {
            Protocol::Http => {
                self.span.set("http.response.status_code", status.as_u16());
                let bad = match self.side {
                    Side::Server { .. } => status.is_server_error(),
                    Side::Client { .. } => status.is_client_error() || status.is_server_error(),
                };
                if bad {
                    self.error = Some(status.as_str().to_owned().into());
                    self.span.status(Status::Error("".into()));
                }
            }
            Protocol::Grpc => {
                // Without messages it is in the head already.
                self.trailers(headers);
                if self.grpc_status.is_none() && status != StatusCode::OK {
                    self.ended_with(code_of_http(status.as_u16()));
                }
            }
        }
    }

    /// What may be said after the body.
    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        let code = trailers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if let Some(code) = code.filter(|_| self.protocol == Protocol::Grpc) {
            self.ended_with(code);
        }
    }

    /// The answer is there to its end.
    pub(super) fn ended(&mut self) {
        self.complete = true;
        let called = matches!(self.side, Side::Client { .. });
        if called && self.protocol == Protocol::Grpc && self.grpc_status.is_none() {
            // Somebody on the way cut it off: whoever called takes it for this.
            self.ended_with(UNKNOWN);
        }
    }

    /// A code of gRPC says how the call went.
    fn ended_with(&mut self, code: usize) {
        let name = GRPC_STATUS.get(code).copied().unwrap_or("UNKNOWN");
        self.grpc_status = Some(name);
        if let Side::Server { route: Some(route), .. } = &mut self.side
            && name == "UNIMPLEMENTED"
        {
            // A method that the server does not have is of the caller's making.
            self.span.set("rpc.method_original", route.as_str());
            self.span.set("rpc.method", "_OTHER");
            self.span.rename("_OTHER");
            *route = super::Route("_OTHER".into());
        }
        let ours = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];
        let bad = match self.side {
            Side::Server { .. } => ours.contains(&name),
            Side::Client { .. } => code != 0,
        };
        if bad {
            self.error = Some(name.into());
            self.span.status(Status::Error("".into()));
        }
    }

    /// There is no answer, or no more of it.
    pub(super) fn failed(&mut self, kind: &'static str, message: String) {
        self.complete = true;
        self.error = Some(kind.into());
        self.span.status(Status::Error(message.into()));
    }

    /// One request more or less is being answered.
    pub(super) fn active(&self, change: i64) {
        if let (Some(active), Side::Server { scheme, .. }) = (&self.instruments.active, &self.side) {
            active.add(change, &[("http.request.method", self.method), ("url.scheme", scheme)]);
        }
    }

    fn measure(&self) {
        let mut port_text = PortText::default();
        let mut labels = LabelList::<7>::new();
        match &self.side {
            Side::Server { scheme, .. } if self.protocol == Protocol::Http => {
                labels = labels.with("url.scheme", Some(scheme));
            }
            Side::Server { .. } => {}
            Side::Client { address, port, .. } => {
                labels =
                    labels.with("server.address", Some(address).filter(|it| !it.is_empty()).map(|it| &**it));
                labels = labels.with("server.port", port.map(|port| port_text.write(port)));
            }
        }
        let route = match &self.side {
            Side::Server { route, .. } => route.as_ref().map(super::Route::as_str),
            Side::Client { call, .. } => call.as_deref(),
        };
        let labels = match self.protocol {
            Protocol::Http => labels
                .with("http.request.method", Some(self.method))
                .with("http.route", route)
                .with("http.response.status_code", self.status.as_ref().map(StatusCode::as_str)),
            Protocol::Grpc => labels
                .with("rpc.system.name", Some("grpc"))
                .with("rpc.method", route)
                .with("rpc.response.status_code", self.grpc_status),
        };
        let labels = labels.with("error.type", self.error.as_deref());
        let labels = labels.as_slice();
        let Instruments { duration, request_size, response_size, .. } = &*self.instruments;
        duration.record(seconds_since(self.started), labels);
        if let (Some(size), Some(bytes)) = (request_size, self.request_bytes) {
            size.record(bytes as f64, labels);
        }
        if let Some(size) = response_size.as_ref().filter(|_| self.status.is_some()) {
            size.record(self.response_bytes as f64, labels);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.complete && self.error.is_none() {
            self.error = Some(CANCELLED.into());
        }
        if let Some(error) = &self.error {
            self.span.set("error.type", &**error);
        }
        if let Some(status) = self.grpc_status {
            self.span.set("rpc.response.status_code", status);
        }
        self.active(-1);
        self.measure();
    }
}
