//! Answers: `Export…ServiceResponse`, and `google.rpc.Status` for a request that was refused.

use std::time::Duration;

use model::Signal;
use serde_json::json;

use crate::proto::Writer;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// How an answer is written: as the request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-protobuf`, and gRPC.
    Protobuf,
    /// `application/json`.
    Json,
}

/// The answer to a request that was taken: empty when all of its records were, else with a partial
/// success.
pub fn export(signal: Signal, rejected: u64, message: &str, format: Format) -> Vec<u8> {
    let full = rejected == 0 && message.is_empty();
    match format {
        Format::Protobuf if full => Vec::new(),
        Format::Protobuf => {
            let mut partial = Writer::default();
            if rejected != 0 {
                partial.varint(1, rejected);
            }
            if !message.is_empty() {
                partial.bytes(2, message.as_bytes());
            }
            let mut response = Writer::default();
            response.bytes(1, &partial.finish());
            response.finish()
        }
        Format::Json if full => b"{}".to_vec(),
        Format::Json => {
            let rejected_key = match signal {
                Signal::Logs => "rejectedLogRecords",
                Signal::Spans => "rejectedSpans",
                Signal::Metrics => "rejectedDataPoints",
            };
            // 64-bit integers are texts in protobuf's JSON.
            let partial = json!({ rejected_key: rejected.to_string(), "errorMessage": message });
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    }
}

/// The answer to a request that was refused: a gRPC code, a message, and when to come again.
pub fn status(code: i32, message: &str, retry_after: Option<Duration>, format: Format) -> Vec<u8> {
    match format {
        Format::Protobuf => {
            let mut status = Writer::default();
            if code != 0 {
                // Negative numbers are sign-extended, says protobuf; there is no negative code.
                status.varint(1, i64::from(code).cast_unsigned());
            }
            if !message.is_empty() {
                status.bytes(2, message.as_bytes());
            }
            if let Some(after) = retry_after {
                let mut any = Writer::default();
                any.bytes(1, RETRY_INFO.as_bytes());
                any.bytes(2, &retry_info(after));
                status.bytes(3, &any.finish());
            }
            status.finish()
        }
        Format::Json => {
            let mut status = json!({ "code": code, "message": message });
            if let Some(after) = retry_after {
                status["details"] = json!([{ "@type": RETRY_INFO, "retryDelay": seconds(after) }]);
            }
            status.to_string().into_bytes()
        }
    }
}

/// `google.rpc.RetryInfo`.
fn retry_info(after: Duration) -> Vec<u8> {
    let mut duration = Writer::default();
    if after.as_secs() != 0 {
        duration.varint(1, after.as_secs());
    }
    if after.subsec_nanos() != 0 {
        duration.varint(2, u64::from(after.subsec_nanos()));
    }
    let mut info = Writer::default();
    info.bytes(1, &duration.finish());
    info.finish()
}

/// A duration as protobuf's JSON has it.
fn seconds(duration: Duration) -> String {
    match duration.subsec_nanos() {
        0 => format!("{}s", duration.as_secs()),
        nanos => format!("{}.{nanos:09}s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests;
