//! OpenTelemetry's protocol, over HTTP (4318) and gRPC (4317).

mod grpc;
mod http;

pub use self::grpc::{refusal as grpc_refusal, router as grpc_router};
pub use self::http::{refusal as http_refusal, router as http_router};
