//! OTLP over HTTP as any sender writes it: the messages and their two encodings come from the
//! upstream crate.

use std::io::Write;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;

pub use opentelemetry_proto::tonic as proto;

use crate::http::{Request, Response};

/// A request of one of the three signals.
pub trait Export: Message + Serialize + Default {
    /// Where it is posted.
    const PATH: &'static str;

    /// How many records of an accepted request were rejected, and the reasons, from the answer.
    fn partial_success(answer: &[u8]) -> Result<(i64, String), prost::DecodeError>;
}

macro_rules! export {
    ($request:ty, $response:ty, $path:literal, $rejected:ident) => {
        impl Export for $request {
            const PATH: &'static str = $path;

            fn partial_success(answer: &[u8]) -> Result<(i64, String), prost::DecodeError> {
                let partial = <$response>::decode(answer)?.partial_success;
                Ok(partial.map_or((0, String::new()), |partial| (partial.$rejected, partial.error_message)))
            }
        }
    };
}
export!(ExportLogsServiceRequest, ExportLogsServiceResponse, "/v1/logs", rejected_log_records);
export!(ExportTraceServiceRequest, ExportTraceServiceResponse, "/v1/traces", rejected_spans);
export!(ExportMetricsServiceRequest, ExportMetricsServiceResponse, "/v1/metrics", rejected_data_points);

/// How a message becomes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Binary protobuf.
    Protobuf,
    /// Protobuf's JSON as OTLP changes it.
    Json,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Protobuf, Self::Json];

    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// How the bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all; the header is left out.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Those that every OTLP server should know, and the one that collectors like best.
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// Its name in `Content-Encoding`.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The bytes, compressed.
    pub fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).expect("a Vec takes every byte");
                encoder.finish().expect("a Vec takes every byte")
            }
            Self::Zstd => zstd::bulk::compress(bytes, 1).expect("zstd has room for its bound"),
        }
    }
}

/// The request that carries a message.
pub fn request<E: Export>(export: &E, format: Format, encoding: Encoding) -> Request {
    let bytes = match format {
        Format::Protobuf => export.encode_to_vec(),
        Format::Json => serde_json::to_vec(export).expect("OTLP messages have text keys only"),
    };
    raw::<E>(encoding.encode(&bytes), format, encoding)
}

/// The request that carries these bytes as if they were a message of this kind.
pub fn raw<E: Export>(body: Vec<u8>, format: Format, encoding: Encoding) -> Request {
    let request = Request::post(E::PATH, body).header("content-type", format.content_type());
    match encoding.header() {
        Some(name) => request.header("content-encoding", name),
        None => request,
    }
}

/// The `google.rpc.Status` that every refusal carries as its body.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Status {
    /// A gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What is wrong, for the sender.
    #[prost(string, tag = "2")]
    pub message: String,
}

impl Status {
    /// Reads the body of a refusal in the format its content type names.
    ///
    /// # Panics
    /// When the body is not a status in that format.
    #[track_caller]
    pub fn of(response: &Response) -> Self {
        match response.header("content-type") {
            Some("application/x-protobuf") => match Self::decode(response.body.as_slice()) {
                Ok(status) => status,
                Err(error) => panic!("body is not a protobuf Status ({error}): {:?}", response.body),
            },
            Some("application/json") => {
                let json = response.json();
                Self {
                    code: json["code"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or_default(),
                    message: json["message"].as_str().unwrap_or_default().to_owned(),
                }
            }
            other => panic!("a refusal of type {other:?}: {}", response.text()),
        }
    }
}
