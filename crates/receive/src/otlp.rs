//! OpenTelemetry's protocol, over HTTP (4318) and gRPC (4317).

mod grpc;
mod http;

pub use self::grpc::router as grpc_router;
pub use self::http::router as http_router;
