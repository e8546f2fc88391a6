/// MurmurHash3 of Austin Appleby, the 32-bit variant for x86, with seed 0.
pub(super) fn murmur3(bytes: &[u8]) -> u32 {
    let blocks = bytes.chunks_exact(4);
    let tail = blocks.remainder();
    let mut hash = 0_u32;
    for block in blocks {
        let block = block.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        hash ^= scramble(block);
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    hash ^= scramble(tail.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)));
    // The algorithm takes the length modulo 2^32.
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::murmur3;

    /// Values that are published for this algorithm.
    #[test]
    fn it_is_the_published_hash() {
        let known: [(&str, u32); 5] = [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
            ("hello", 0x248b_fa47),
        ];
        for (text, hash) in known {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text:?}");
        }
    }
}
