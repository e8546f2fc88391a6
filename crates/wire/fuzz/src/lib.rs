//! What must hold for every request, whatever its bytes are.

use model::Signal;
use wire::prometheus::{self, Version};
use wire::{Context, Decide, Decoded, Limits, Malformed, otlp};

/// Checks a request of OTLP.
///
/// # Panics
/// As [`check_decoder`].
pub fn check(signal: Signal, body: &[u8]) {
    check_decoder(|context| otlp::decode(signal, body, context));
}

/// Checks a request of remote write.
///
/// # Panics
/// As [`check_decoder`].
pub fn check_remote_write(version: Version, body: &[u8]) {
    prometheus::is_message(version, body);
    let resolved = prometheus::resolved_bytes(version, body);
    check_decoder(|context| prometheus::decode(version, body, context).inspect(|_| assert!(resolved.is_ok())));
}

/// Decodes as when the request is received, and again from the decision that was recorded.
///
/// # Panics
/// When records are neither accepted nor rejected, when the batch is not what the schema says, or
/// when the two decodings differ.
fn check_decoder(decode: impl Fn(&Context<'_>) -> Result<Decoded, Malformed>) {
    // Low limits, so that small requests reach them.
    let limits = Limits {
        records_max: 1000,
        attributes_max: 8,
        value_bytes_max: 64,
        events_max: 4,
        links_max: 4,
        buckets_max: 16,
        exemplars_max: 4,
    };
    let context = Context { received_unix_nano: 1, decide: Decide::Apply(&limits) };
    let Ok(decoded) = decode(&context) else { return };
    decoded.batch.check().expect("the batch is what the schema says");
    let mut rejected: Vec<u32> = decoded.rejected.iter().flat_map(|it| it.indices.clone()).collect();
    rejected.sort_unstable();
    assert!(rejected.windows(2).all(|pair| pair[0] < pair[1]), "a record is rejected once");
    assert_eq!(decoded.batch.records() + rejected.len() as u64, u64::from(decoded.received));

    let replay = Context { decide: Decide::Recorded(&rejected), ..context };
    let again = decode(&replay).expect("what was accepted is accepted again");
    assert!(again.rejected.is_empty() && again.received == decoded.received);
    assert_eq!(format!("{:?}", again.batch), format!("{:?}", decoded.batch));
}
