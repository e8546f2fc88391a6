#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const LIMIT: usize = 1 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

/// As a stream writes it: without the size of the content.
fn zstd_stream(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

fn snappy_frame(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.into_inner().unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;
const ALL: [(Encoding, Encode); 7] = [
    (Encoding::Gzip, gzip),
    (Encoding::Deflate, zlib),
    (Encoding::Deflate, deflate),
    (Encoding::Zstd, zstd),
    (Encoding::Zstd, zstd_stream),
    (Encoding::Snappy, snappy),
    (Encoding::Snappy, snappy_frame),
];

/// Text-like bytes of some length.
fn sample(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..length).map(|_| b"abcde 0123"[rng.random_range(0..10)]).collect()
}

#[test]
fn every_encoding_gives_back_what_went_in() {
    for length in [0, 1, 13, 1000, 70_000, 300_000] {
        let bytes = sample(length as u64, length);
        for (index, (encoding, encode)) in ALL.into_iter().enumerate() {
            let packed = encode(&bytes);
            if packed.is_empty() {
                // Snappy's frame encoder writes nothing for nothing; a body that is not there is corrupt.
                assert!(decompress(&packed, encoding, LIMIT).is_err());
                continue;
            }
            assert_eq!(decompress(&packed, encoding, LIMIT).unwrap(), bytes, "{index} {encoding:?} {length}");
        }
        assert!(
            matches!(decompress(&bytes, Encoding::Identity, LIMIT), Ok(Cow::Borrowed(same)) if same == bytes)
        );
    }
}

#[test]
fn names_of_encodings() {
    for (name, encoding) in [
        ("", Encoding::Identity),
        ("identity", Encoding::Identity),
        ("GZIP", Encoding::Gzip),
        ("x-gzip", Encoding::Gzip),
        ("zstd", Encoding::Zstd),
        ("deflate", Encoding::Deflate),
        ("snappy", Encoding::Snappy),
    ] {
        assert_eq!(Encoding::parse(name), Some(encoding), "{name}");
    }
    for name in ["br", "gzip, zstd", "gzip2", " "] {
        assert_eq!(Encoding::parse(name), None, "{name}");
    }
    for (encoding, _) in ALL {
        assert_eq!(Encoding::parse(encoding.as_str()), Some(encoding));
    }
}

#[test]
fn the_limit_is_exact() {
    let bytes = sample(7, 50_000);
    for (index, (encoding, encode)) in ALL.into_iter().enumerate() {
        let packed = encode(&bytes);
        assert_eq!(decompress(&packed, encoding, bytes.len()).unwrap(), bytes, "{index}");
        for limit in [0, 1, 1000, bytes.len() - 1] {
            assert_eq!(decompress(&packed, encoding, limit), Err(Error::TooLarge { limit }), "{index}");
        }
    }
    assert_eq!(decompress(&bytes, Encoding::Identity, 10), Err(Error::TooLarge { limit: 10 }));
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let bomb = vec![0; 64 << 20];
    for (index, (encoding, encode)) in ALL.into_iter().enumerate() {
        let packed = encode(&bomb);
        assert_eq!(decompress(&packed, encoding, LIMIT), Err(Error::TooLarge { limit: LIMIT }), "{index}");
        assert!(expected(&packed, encoding, LIMIT) <= LIMIT, "{index}");
    }
}

#[test]
fn a_claim_is_not_believed() {
    // A frame that says it has 2^60 bytes, and a block of snappy that says 2^32 - 1.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    frame.extend((1_u64 << 60).to_le_bytes());
    assert_eq!(size_hint(&frame, Encoding::Zstd), Some(1 << 60));
    assert!(expected(&frame, Encoding::Zstd, usize::MAX >> 1) <= frame.len() * 64);
    assert!(decompress(&frame, Encoding::Zstd, usize::MAX >> 1).is_err());
    let block = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, b'a'];
    assert!(matches!(decompress(&block, Encoding::Snappy, usize::MAX >> 1), Err(Error::Corrupt { .. })));
}

#[test]
fn no_more_memory_is_taken_than_there_is_room_for() {
    let bytes = vec![b'x'; 3 << 20];
    for (index, (encoding, encode)) in ALL.into_iter().enumerate() {
        let packed = encode(&bytes);
        let mut asked = 0;
        let result = decompress_within(&packed, encoding, bytes.len(), &mut |wanted| {
            asked = wanted;
            wanted <= LIMIT
        });
        assert_eq!(result, Err(Error::NoRoom { wanted: asked }), "{index}");
        assert!(asked > LIMIT && result.unwrap_err().retryable(), "{index}");
        // What was asked for is what there is: nothing is taken that was not asked for.
        let mut most = 0;
        let whole = decompress_within(&packed, encoding, bytes.len(), &mut |wanted| {
            most = most.max(wanted);
            true
        });
        let Ok(Cow::Owned(whole)) = whole else { panic!("{index}: {whole:?}") };
        assert!(whole == bytes && most >= whole.capacity(), "{index}: {most} for {}", whole.capacity());
    }
}

/// A stream without its size, with a window of this many bytes.
fn zstd_window(bytes: &[u8], log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(log)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_window_is_bounded_where_the_body_comes_from_anywhere() {
    let bytes = sample(5, 300_000);
    let allowed = zstd_window(&bytes, 23);
    assert_eq!(decompress_within(&allowed, Encoding::Zstd, LIMIT, &mut |_| true).unwrap(), bytes);
    let too_large = zstd_window(&bytes, 24);
    let error = decompress_within(&too_large, Encoding::Zstd, LIMIT, &mut |_| true).unwrap_err();
    assert_eq!(error, Error::Window { limit: WINDOW_MAX });
    assert!(error.to_string().contains("8388608") && !error.retryable(), "{error}");
    // What was accepted once is read again whatever the bound is now.
    assert_eq!(decompress(&too_large, Encoding::Zstd, LIMIT).unwrap(), bytes);
    // Where the size is told, no window is needed.
    let told = zstd(&bytes);
    assert_eq!(decompress_within(&told, Encoding::Zstd, LIMIT, &mut |_| true).unwrap(), bytes);
}

#[test]
fn a_window_is_room_too() {
    let packed = zstd_window(&sample(6, 300_000), 23);
    let mut most = 0;
    let take = |wanted| {
        most = most.max(wanted);
        true
    };
    decompress_within(&packed, Encoding::Zstd, LIMIT, &mut { take }).unwrap();
    assert!(most >= WINDOW_MAX, "{most}");
}

#[test]
fn members_and_frames_follow_each_other() {
    let (first, second) = (sample(1, 5000), sample(2, 70_000));
    let both = [&first[..], &second[..]].concat();
    for encode in [gzip as Encode, |bytes| [gzip(bytes), gzip(b"")].concat()] {
        let packed = [encode(&first), encode(&second)].concat();
        assert_eq!(decompress(&packed, Encoding::Gzip, LIMIT).unwrap(), both);
        assert!(decompress(&packed, Encoding::Gzip, both.len() - 1).is_err());
    }
    for (a, b) in [(zstd as Encode, zstd as Encode), (zstd, zstd_stream), (zstd_stream, zstd)] {
        let packed = [a(&first), b(&second)].concat();
        assert_eq!(decompress(&packed, Encoding::Zstd, LIMIT).unwrap(), both);
    }
    // A skippable frame between them, and zeros after a member.
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let packed = [&zstd(&first)[..], &skippable, &zstd(&second)].concat();
    assert_eq!(decompress(&packed, Encoding::Zstd, LIMIT).unwrap(), both);
    let padded = [&gzip(&first)[..], &[0; 7]].concat();
    assert_eq!(decompress(&padded, Encoding::Gzip, LIMIT).unwrap(), first);
}

#[test]
fn gzip_headers_with_every_option() {
    let bytes = sample(3, 3000);
    let plain = gzip(&bytes);
    let mut head = vec![0x1f, 0x8b, 8, 0x1f, 0, 0, 0, 0, 0, 3];
    head.extend([2, 0, b'x', b'y']);
    head.extend(b"name\0comment\0");
    head.extend([0xaa, 0xbb]);
    head.extend(&plain[10..]);
    assert_eq!(decompress(&head, Encoding::Gzip, LIMIT).unwrap(), bytes);
}

#[test]
fn damage_is_noticed_and_contexts_survive_it() {
    let bytes = sample(4, 20_000);
    let mut rng = StdRng::seed_from_u64(11);
    for (index, (encoding, encode)) in ALL.into_iter().enumerate() {
        let packed = encode(&bytes);
        let checked = encoding == Encoding::Gzip;
        for _ in 0..200 {
            let mut damaged = packed.clone();
            if rng.random() {
                damaged.truncate(rng.random_range(0..packed.len()));
            } else {
                let at = rng.random_range(0..packed.len());
                damaged[at] ^= 1 << rng.random_range(0..8);
            }
            let result = decompress(&damaged, encoding, LIMIT);
            if checked && let Ok(result) = &result {
                // Only the header has bits that mean nothing.
                assert_eq!(*result, bytes, "{index}");
            }
            if damaged.len() < packed.len() && !damaged.is_empty() {
                assert!(result.is_err(), "{index} truncated to {} of {}", damaged.len(), packed.len());
            }
            assert_eq!(decompress(&packed, encoding, LIMIT).unwrap(), bytes, "{index}");
        }
    }
}

#[test]
fn noise_is_corrupt() {
    let mut rng = StdRng::seed_from_u64(5);
    for _ in 0..3000 {
        let noise: Vec<u8> = (0..rng.random_range(0..60)).map(|_| rng.random()).collect();
        for (encoding, _) in ALL {
            if let Err(error) = decompress(&noise, encoding, 1 << 16) {
                assert!(!error.retryable());
            }
        }
        assert!(decompress(&noise, Encoding::Gzip, LIMIT).is_err());
    }
}

#[test]
fn sizes_are_told_where_they_are_known() {
    let bytes = sample(9, 12_345);
    for (encode, encoding) in
        [(gzip as Encode, Encoding::Gzip), (zstd, Encoding::Zstd), (snappy, Encoding::Snappy)]
    {
        assert_eq!(size_hint(&encode(&bytes), encoding), Some(12_345), "{encoding:?}");
    }
    assert_eq!(size_hint(&zstd_stream(&bytes), Encoding::Zstd), None);
    assert_eq!(size_hint(&zlib(&bytes), Encoding::Deflate), None);
    assert_eq!(size_hint(&bytes, Encoding::Identity), Some(12_345));
}
