//! The statuses of gRPC, for spans and metrics of calls and for the exporter
//! ([list](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md)).

/// The code for what nobody said.
#[cfg(any(feature = "grpc", feature = "tower"))]
pub(crate) const UNKNOWN: usize = 2;

/// What an answer means that is not one of gRPC, as of a proxy
/// ([mapping](https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md)).
#[cfg(any(feature = "grpc", feature = "tower"))]
pub(crate) const fn code_of_http(status: u16) -> usize {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => UNKNOWN,
    }
}

/// Their names, by their numbers.
pub(crate) const GRPC_STATUS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
