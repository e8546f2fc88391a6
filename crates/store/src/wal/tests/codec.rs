use super::super::entry::EntryMeta;
use super::super::format::{
    Encoded, EntryHeader, FileHeader, VERSION, block_end, file_name, parse_file_name,
};
use super::super::scan::{FileScan, Found};
use super::super::stats::Histogram;
use super::*;

#[test]
fn metadata_survives_and_nothing_shorter_or_longer_is_taken_for_it() {
    for id in 0..50 {
        let meta = entry(id).meta;
        let mut bytes = Vec::new();
        meta.encode(&mut bytes);
        assert_eq!(EntryMeta::decode(&bytes).as_ref(), Some(&meta));
        assert_eq!(EntryMeta::decode_found(&bytes).as_ref(), Some(&meta));
        // As version 2 and version 3 wrote it.
        let before = EntryMeta { refused: Vec::new(), ..meta.clone() };
        let mut old = Vec::new();
        before.encode(&mut old);
        let (second, third) = (old.len() - 8, bytes.len() - 4);
        for len in 0..bytes.len() {
            // Where nothing was refused, the count of that is all that the third has more.
            let expected = match len {
                _ if len == third => Some(&meta),
                _ if len == second || len == second + 4 && meta.refused.is_empty() => Some(&before),
                _ => None,
            };
            assert_eq!(EntryMeta::decode(&bytes[..len]).as_ref(), expected, "{len} of {}", bytes.len());
            assert_eq!(EntryMeta::decode_found(&bytes[..len]), None);
        }
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(EntryMeta::decode_found(&bytes), None);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        bytes.push(0);
        assert_eq!((EntryMeta::decode(&bytes), EntryMeta::decode_found(&bytes)), (None, None));
    }
}

#[test]
fn hostile_lengths_allocate_nothing() {
    let mut bytes = Vec::new();
    EntryMeta { refused: Vec::new(), ..entry(1).meta }.encode(&mut bytes);
    let count = bytes.len() - 8;
    bytes[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(EntryMeta::decode(&bytes), None);
}

#[test]
fn headers_survive_and_every_flipped_bit_is_seen() {
    let header = EntryHeader {
        marker: *b"8 bytes.",
        lsn: 77,
        group_first: 70,
        meta_len: 30,
        body_len: 1 << 20,
        payload_crc: 5,
    };
    let mut bytes = header.encode();
    assert_eq!(EntryHeader::decode(&bytes), Some(header));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(EntryHeader::decode(&bytes), None);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    let header = FileHeader { version: VERSION, first_lsn: 9, marker: [3; 8] };
    let mut bytes = header.encode();
    assert_eq!(FileHeader::decode(&bytes), Some(header));
    bytes[13] ^= 1;
    assert_eq!(FileHeader::decode(&bytes), None);
}

#[test]
fn file_names_sort_like_their_numbers() {
    assert_eq!(file_name(42), "00000000000000000042.wal");
    assert_eq!(parse_file_name(&file_name(u64::MAX)), Some(u64::MAX));
    for other in ["42.wal", "00000000000000000042.wal.tmp", "0000000000000000004x.wal", "lost+found"] {
        assert_eq!(parse_file_name(other), None);
    }
}

#[test]
fn a_histogram_bounds_its_quantiles() {
    let histogram = Histogram::default();
    assert_eq!(histogram.snapshot().quantile(0.5), 0);
    for value in [0, 1, 5, 6, 7, 1000, u64::MAX] {
        histogram.record(value);
    }
    let snapshot = histogram.snapshot();
    assert_eq!(snapshot.count, 7);
    assert_eq!(snapshot.buckets, [(0, 1), (1, 2), (7, 5), (1023, 6), (u64::MAX, 7)]);
    assert_eq!((snapshot.quantile(0.5), snapshot.quantile(0.8), snapshot.quantile(1.0)), (7, 1023, u64::MAX));
    assert_eq!(snapshot.counts(&[0, 3, 7, 511, 1023, 1 << 40]), [1, 1, 3, 0, 1, 0, 1]);
    assert_eq!(snapshot.counts(&[]), [7]);
    assert_eq!(crate::HistogramSnapshot::default().counts(&[1, 3]), [0, 0, 0]);
}

/// The last bytes of a block may be the first of an entry's marker, and zeros: no fill (found by the kills of
/// the soak; the entry was acknowledged, and not read again).
#[test]
fn a_marker_that_begins_with_zeros_at_the_end_of_a_block_is_no_fill() {
    for zeros in 0..7_usize {
        let mut marker = *b"8 bytes.";
        marker[..zeros].fill(0);
        for left in 1..9_u64 {
            let header = FileHeader { version: VERSION, first_lsn: 1, marker };
            let mut bytes = header.encode().to_vec();
            let first = Entry { body: Bytes::new(), ..entry(1) };
            let end = bytes.len() + Encoded::new(&first.meta, Bytes::new()).len();
            let body = vec![7; usize::try_from(block_end(end as u64) - left).unwrap() - end];
            for (lsn, body) in [(1, body), (2, vec![8; 100]), (3, vec![9; 100])] {
                let mut encoded = Encoded::new(&first.meta, body.into());
                encoded.place(marker, lsn, 1);
                encoded.parts().iter().for_each(|part| bytes.extend_from_slice(part));
            }
            let disk = ForgetfulDisk::new();
            disk.create_dir_all(Path::new("/x")).unwrap();
            disk.create(Path::new("/x/file")).unwrap().write_all(&bytes).unwrap();
            let disk: Arc<dyn Disk> = Arc::new(disk);
            let mut scan = FileScan::open(&disk, Path::new("/x/file"), 1, bytes.len() as u64).unwrap();
            for lsn in 1..=3 {
                let found = scan.next(0);
                let what = format!("{zeros} zeros, {left} bytes left, entry {lsn}");
                assert!(
                    matches!(found, Found::Entry { header, entry: Some(_) } if header.lsn == lsn),
                    "{what}"
                );
            }
            assert!(matches!(scan.next(0), Found::End));
        }
    }
}
