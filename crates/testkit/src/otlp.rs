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
    /// Where it is called over gRPC.
    const METHOD: &'static str;

    /// How many records of an accepted request were rejected, and the reasons, from the answer.
    fn partial_success(answer: &[u8]) -> Result<(i64, String), prost::DecodeError>;
}

macro_rules! export {
    ($request:ty, $response:ty, $path:literal, $service:literal, $rejected:ident) => {
        impl Export for $request {
            const PATH: &'static str = $path;
            const METHOD: &'static str = concat!("/opentelemetry.proto.collector.", $service, "/Export");

            fn partial_success(answer: &[u8]) -> Result<(i64, String), prost::DecodeError> {
                let partial = <$response>::decode(answer)?.partial_success;
                Ok(partial.map_or((0, String::new()), |partial| (partial.$rejected, partial.error_message)))
            }
        }
    };
}
export!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    "/v1/logs",
    "logs.v1.LogsService",
    rejected_log_records
);
export!(
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    "/v1/traces",
    "trace.v1.TraceService",
    rejected_spans
);
export!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    "/v1/metrics",
    "metrics.v1.MetricsService",
    rejected_data_points
);

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

    /// The bytes, compressed as a stream: the body does not tell how many they are.
    pub fn encode_streamed(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None | Self::Gzip => self.encode(bytes),
            Self::Zstd => zstd::stream::encode_all(bytes, 1).expect("a Vec takes every byte"),
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

/// A message in binary protobuf.
pub fn protobuf<E: Export>(export: &E) -> Vec<u8> {
    export.encode_to_vec()
}

/// The request that carries a message.
pub fn request<E: Export>(export: &E, format: Format, encoding: Encoding) -> Request {
    let bytes = match format {
        Format::Protobuf => protobuf(export),
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
    /// What else there is to know.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// A `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Any {
    /// Of which type it is.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// A `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Eq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

/// A `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Status {
    /// Reads it from binary protobuf.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn from_protobuf(bytes: &[u8]) -> Self {
        match Self::decode(bytes) {
            Ok(status) => status,
            Err(error) => panic!("not a protobuf Status ({error}): {bytes:?}"),
        }
    }

    /// After how long to come again, if that is said.
    ///
    /// # Panics
    /// When what says so is not a `RetryInfo`.
    #[track_caller]
    pub fn retry_delay(&self) -> Option<std::time::Duration> {
        let info =
            self.details.iter().find(|any| any.type_url == "type.googleapis.com/google.rpc.RetryInfo")?;
        let info = RetryInfo::decode(info.value.as_slice()).expect("a RetryInfo is one");
        let delay = info.retry_delay.unwrap_or_default();
        let part = |number: i64| u32::try_from(number).expect("a delay is not negative");
        Some(std::time::Duration::new(part(delay.seconds).into(), part(delay.nanos.into())))
    }

    /// Reads the body of a refusal in the format its content type names.
    ///
    /// # Panics
    /// When the body is not a status in that format.
    #[track_caller]
    pub fn of(response: &Response) -> Self {
        match response.header("content-type") {
            Some("application/x-protobuf") => Self::from_protobuf(&response.body),
            Some("application/json") => {
                let json = response.json();
                Self {
                    code: json["code"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or_default(),
                    message: json["message"].as_str().unwrap_or_default().to_owned(),
                    details: Vec::new(),
                }
            }
            other => panic!("a refusal of type {other:?}: {}", response.text()),
        }
    }
}
