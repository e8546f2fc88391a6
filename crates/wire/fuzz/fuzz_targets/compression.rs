#![no_main]

use wire::compression::{Encoding, decompress, size_hint};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    const LIMIT: usize = 1 << 16;
    for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy] {
        size_hint(body, encoding);
        if let Ok(bytes) = decompress(body, encoding, LIMIT) {
            assert!(bytes.len() <= LIMIT);
        }
    }
    let _ = wire::grpc::unary(body);
});
