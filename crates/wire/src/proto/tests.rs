#![allow(clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const KNOWN: Known = Known::new("Test", &[1, 2]);

fn varint(bytes: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(bytes);
    let value = reader.varint();
    reader.more().map(|_| value).map_err(|refused| *refused)
}

#[test]
fn varints_of_every_length() {
    for shift in 0..64 {
        for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
            let mut writer = Writer::default();
            writer.raw_varint(value);
            assert_eq!(varint(&writer.finish()), Ok(value));
        }
    }
    // More bytes than needed are allowed, more bits are not.
    assert_eq!(varint(&[0x81, 0x80, 0x80, 0]), Ok(1));
    assert_eq!(varint(&[0xff; 9]), Err(Malformed::Truncated));
    assert_eq!(varint(&[0xff; 10]), Err(Malformed::Varint));
    assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]), Err(Malformed::Varint));
    assert_eq!(varint(&[]), Err(Malformed::Truncated));
}

#[test]
fn a_field_stays_within_its_message() {
    // A message of three bytes within a longer body: a fixed64 in it would go on into what follows.
    let body = [0x0a, 3, 0x11, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut outer = Reader::new(&body);
    assert_eq!(outer.key(), 0x0a);
    let mut inner = outer.field();
    assert_eq!((inner.len(), inner.key()), (3, 0x11));
    inner.fixed64();
    assert_eq!(*inner.more().unwrap_err(), Malformed::Truncated);
    // A broken reader gives nothing but zeros and stays broken.
    assert_eq!((inner.varint(), inner.fixed32(), inner.field().len(), inner.len()), (0, 0, 0, 0));
    assert!(inner.attribute().is_none() && inner.more().is_err() && inner.unknown(0, &KNOWN).is_err());
}

#[test]
fn unknown_fields_are_skipped_and_known_ones_must_have_their_type() {
    let skip = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        let key = reader.key();
        reader.unknown(key, &KNOWN)?;
        reader.more().map(|more| (more, reader.len()))
    };
    assert_eq!(skip(&[0x18, 0x80, 1, 9]).unwrap(), (true, 1));
    assert_eq!(skip(&[0x19, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap(), (false, 0));
    assert_eq!(skip(&[0x1a, 2, 7, 7]).unwrap(), (false, 0));
    assert_eq!(skip(&[0x1d, 1, 2, 3, 4, 5]).unwrap(), (true, 1));
    assert_eq!(skip(&[0x1b, 0x23, 0x24, 0x08, 1, 0x1c, 5]).unwrap(), (true, 1));
    // A number beyond 64 is never known.
    assert_eq!(skip(&[0x8a, 4, 1, 0]).unwrap(), (false, 0));
    for bytes in
        [&[0x1b, 0x24][..], &[0x1b], &[0x1a, 2, 7], &[0x1c], &[0x08 | 1, 1], &[0x1e], &[0x1d, 1, 2, 3]]
    {
        assert!(skip(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn attributes_are_recognised_only_in_their_plain_form() {
    let read = |bytes: &[u8]| {
        let body = [bytes, &[0; 40]].concat();
        let mut reader = Reader { body: &body, pos: 0, end: bytes.len() };
        let attribute = reader.attribute()?;
        assert_eq!(reader.pos, bytes.len());
        let text = match attribute.value {
            Value::Text(text) => Some(text.bytes().to_vec()),
            Value::Other(_) => None,
        };
        Some((attribute.key.bytes().to_vec(), text))
    };
    let plain = [9, 0x0a, 2, b'k', b'y', 0x12, 3, 0x0a, 1, b'v'];
    assert_eq!(read(&plain), Some((b"ky".to_vec(), Some(b"v".to_vec()))));
    assert_eq!(read(&[8, 0x0a, 2, b'k', b'y', 0x12, 2, 0x18, 5]), Some((b"ky".to_vec(), None)));
    assert_eq!(read(&[5, 0x0a, 1, b'k', 0x12, 0]), Some((b"k".to_vec(), None)));
    // Any other length, order or end is left to the one that reads everything.
    for at in [0, 1, 2, 5, 6] {
        let mut other = plain;
        other[at] ^= 1;
        assert_eq!(read(&other), None, "{at}");
    }
    assert_eq!(read(&plain[..9]), None);
    // What is in a value may be anything: it is not a text then.
    for at in [7, 8] {
        let mut other = plain;
        other[at] ^= 1;
        assert_eq!(read(&other), Some((b"ky".to_vec(), None)), "{at}");
    }
}

#[test]
fn texts_are_copied_exactly_near_the_end_of_the_body_too() {
    let mut rng = StdRng::seed_from_u64(1);
    let body: Vec<u8> = (0..200).map(|_| rng.random()).collect();
    for _ in 0..20_000 {
        let pos = rng.random_range(0..=body.len());
        let end = rng.random_range(pos..=body.len());
        let mut out = vec![7; rng.random_range(0..3)];
        let before = out.len();
        Reader { body: &body, pos, end }.copy_to(&mut out);
        assert_eq!(out[before..], body[pos..end]);
    }
}

#[test]
fn open_fields_get_their_length_whatever_it_is() {
    for length in [0, 1, 127, 128, 300, 20_000] {
        let mut writer = Writer::default();
        let outer = writer.begin(1);
        let inner = writer.begin(2);
        writer.raw(&vec![7; length]);
        writer.end(inner);
        writer.varint(3, 5);
        writer.end(outer);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.key(), 0x0a);
        let mut outer = reader.field();
        assert!(!reader.more().unwrap());
        assert_eq!(outer.key(), 0x12);
        assert_eq!(outer.field().bytes(), vec![7; length]);
        assert_eq!((outer.key(), outer.varint(), outer.more().unwrap()), (0x18, 5, false));
    }
}
