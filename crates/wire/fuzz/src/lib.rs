//! What must hold for every request, whatever its bytes are: a function a target. The targets of
//! cargo-fuzz call them, and so does `../tests/corpus.rs`, with a stable compiler.

use model::Signal;
use wire::compression::{Encoding, decompress, decompress_within, size_hint};
use wire::prometheus::exposition::{Entry, Format, Lines, labels};
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
    check_decoder(|context| {
        prometheus::decode(version, body, context).inspect(|_| assert!(resolved.is_ok()))
    });
}

/// Checks a body of Prometheus' text, and as OpenMetrics.
///
/// # Panics
/// As [`check_decoder`], or when an entry is not told with the line that it stands in.
pub fn check_exposition(body: &[u8]) {
    for format in [Format::Text, Format::OpenMetrics] {
        check_decoder(|context| prometheus::exposition::decode(format, body, context));
        let (mut last, mut read) = (0, Vec::new());
        for line in Lines::new(format, body) {
            let number = match line {
                Ok(Entry::Sample(sample)) => {
                    let _ = labels(sample.series, &mut read);
                    sample.line
                }
                Ok(_) => continue,
                Err(fault) => fault.line,
            };
            assert!(last <= number && number as usize <= body.len());
            last = number;
        }
    }
}

/// A request in JSON, as one of each signal.
///
/// # Panics
/// As for [`check`].
pub fn json(text: &[u8]) {
    for signal in Signal::ALL {
        if let Ok(body) = wire::otlp::json::transcode(signal, text) {
            check(signal, &body);
        }
    }
}

/// A body in each encoding, and as a gRPC message.
///
/// # Panics
/// When more comes out than is allowed, or than there was room for.
pub fn compression(body: &[u8]) {
    const LIMIT: usize = 1 << 16;
    for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy] {
        size_hint(body, encoding);
        let trusted = decompress(body, encoding, LIMIT);
        if let Ok(bytes) = &trusted {
            assert!(bytes.len() <= LIMIT);
        }
        let mut most = 0;
        let within = decompress_within(body, encoding, LIMIT, &mut |wanted| {
            most = most.max(wanted);
            true
        });
        if let Ok(bytes) = within {
            assert!(bytes.len() <= most && trusted.is_ok_and(|trusted| trusted == bytes));
        }
    }
    if let Ok((_, message)) = wire::grpc::unary(body) {
        assert_eq!(message.len() + 5, body.len());
    }
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
        age_max_nanos: 1 << 61,
        ahead_max_nanos: 1 << 61,
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
