use super::Protocol;
use crate::telemetry::metrics::{BYTES, Histogram, Registry, UpDownCounter};

/// The bounds of the semantic conventions, in seconds.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What is counted on one side of one protocol.
pub(super) struct Instruments {
    pub(super) duration: Histogram,
    /// Requests that are not over; of HTTP servers.
    pub(super) active: Option<UpDownCounter>,
    /// Bytes of bodies, of HTTP.
    pub(super) request_size: Option<Histogram>,
    pub(super) response_size: Option<Histogram>,
}

impl Instruments {
    pub(super) fn server(protocol: Protocol, registry: &Registry) -> Self {
        let duration = |name, text| registry.histogram(name, "s", text, SECONDS);
        let bytes = |name, text| Some(registry.histogram(name, "By", text, BYTES));
        match protocol {
            Protocol::Http => Self {
                duration: duration("http.server.request.duration", "Duration of HTTP server requests."),
                active: Some(registry.up_down_counter(
                    "http.server.active_requests",
                    "{request}",
                    "Number of active HTTP server requests.",
                )),
                request_size: bytes("http.server.request.body.size", "Size of HTTP server request bodies."),
                response_size: bytes(
                    "http.server.response.body.size",
                    "Size of HTTP server response bodies.",
                ),
            },
            Protocol::Grpc => {
                Self::of_calls(duration("rpc.server.call.duration", "Duration of incoming calls."))
            }
        }
    }

    pub(super) fn client(protocol: Protocol, registry: &Registry) -> Self {
        let duration = |name, text| registry.histogram(name, "s", text, SECONDS);
        let bytes = |name, text| Some(registry.histogram(name, "By", text, BYTES));
        match protocol {
            Protocol::Http => Self {
                duration: duration("http.client.request.duration", "Duration of HTTP client requests."),
                active: None,
                request_size: bytes("http.client.request.body.size", "Size of HTTP client request bodies."),
                response_size: bytes(
                    "http.client.response.body.size",
                    "Size of HTTP client response bodies.",
                ),
            },
            Protocol::Grpc => {
                Self::of_calls(duration("rpc.client.call.duration", "Duration of outgoing calls."))
            }
        }
    }

    const fn of_calls(duration: Histogram) -> Self {
        Self { duration, active: None, request_size: None, response_size: None }
    }
}
