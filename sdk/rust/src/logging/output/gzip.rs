use std::io::Write;

use crate::post::Header;

/// Packs a body and says so in the headers. Writing to memory does not fail.
pub(super) fn pack(body: &[u8], headers: &mut Vec<Header>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    match encoder.write_all(body).and_then(|()| encoder.finish()) {
        Ok(packed) => {
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
            packed
        }
        Err(_) => body.to_vec(),
    }
}
