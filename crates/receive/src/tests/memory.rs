//! What senders cannot do to the memory of others.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use model::{Budget, Signal, Tenant};
use wire::compression::Encoding;

use super::{Memory, intake_of};
use crate::{Body, Intake, LimitConfig, Message, Outcome, Refusal};

/// What requests may have of a budget of this many bytes.
fn share(budget: &Budget) -> u64 {
    budget.limit() * 6 / 10
}

fn intake(budget: &Budget) -> Intake {
    intake_of(Arc::new(Memory::default()), budget, &LimitConfig::default())
}

/// About four mebibytes of a request that compress to almost nothing.
fn repetitive() -> Vec<u8> {
    let record = format!(r#"{{"body":{{"stringValue":"{}"}}}}"#, "x".repeat(100 << 10));
    let records = vec![record; 40].join(",");
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#).into_bytes()
}

/// As a stream: the frame does not tell its size.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// In two members: the trailer tells the size of the last, which is small.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let member = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (most, last) = bytes.split_at(bytes.len() - 10);
    [member(most), member(last)].concat()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn take(intake: &Intake, encoding: Encoding, packed: &[u8]) -> Result<Outcome, Refusal> {
    let bytes = Bytes::copy_from_slice(packed);
    let reservation = intake.admit(bytes.len() as u64)?;
    let body = Body { message: Message::OtlpJson, encoding, bytes, reservation };
    intake.take(Tenant::default(), Signal::Logs, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_hides_its_size_takes_no_more_memory_than_there_is() {
    let bytes = repetitive();
    let packed = [
        (Encoding::Zstd, zstd(&bytes)),
        (Encoding::Gzip, gzip(&bytes)),
        (Encoding::Deflate, deflate(&bytes)),
    ];
    for (encoding, packed) in packed {
        assert!(packed.len() < 100 << 10, "{encoding:?}: {} bytes", packed.len());
        let small = Budget::new(8 << 20);
        let refusal = take(&intake(&small), encoding, &packed).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Overloaded { .. }) && refusal.retryable(), "{refusal}");
        assert!(small.peak() <= share(&small), "{encoding:?}: {} bytes", small.peak());
        assert_eq!(small.used(), 0);

        let large = Budget::new(64 << 20);
        let outcome = take(&intake(&large), encoding, &packed).await.unwrap();
        assert_eq!(outcome.stored, 40);
        assert!(large.peak() > bytes.len() as u64 && large.peak() <= share(&large), "{}", large.peak());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_almost_no_bytes_take_no_more_memory_than_there_is() {
    let records = vec!["{}"; 100_000].join(",");
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#);
    let budget = Budget::new(8 << 20);
    let refusal = take(&intake(&budget), Encoding::Identity, body.as_bytes()).await;
    assert!(matches!(refusal, Err(Refusal::Overloaded { .. })), "{refusal:?}");
    assert!(budget.peak() <= share(&budget), "{} bytes", budget.peak());
    assert_eq!(budget.used(), 0);
}
