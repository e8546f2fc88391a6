#![allow(clippy::unwrap_used)]

mod codec;
mod commit;
mod damage;
mod latency;
mod power;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use model::{Lsn, Signal, Tenant};
use parking_lot::Mutex;

use super::{Damage, Entry, EntryMeta, Recovery, RefusedSeries, Rejection, Wal, WalError, WalOptions};
use crate::disk::{Chance, Disk, ForgetfulDisk};
use crate::fatal::Fatal;

const DIR: &str = "/store";

/// An entry that is recognised by its number.
pub(crate) fn entry(id: u64) -> Entry {
    let mut chance = Chance::new(id);
    let len = chance.below(if id.is_multiple_of(7) { 3000 } else { 60 });
    let mut body = id.to_le_bytes().to_vec();
    body.extend((0..len).map(|_| chance.number().to_le_bytes()[0]));
    let rejected = match chance.below(3) {
        0 => vec![Rejection { reason: "empty name".to_owned(), indices: vec![1, 3] }],
        _ => Vec::new(),
    };
    let meta = EntryMeta {
        tenant: Tenant::parse(["default", "a", "other-tenant"][(id % 3) as usize]).unwrap(),
        signal: Signal::ALL[(id / 3 % 3) as usize],
        protocol: (id % 5) as u16,
        received_unix_nano: id as i64 - 5,
        records: 4 + chance.below(100) as u32,
        rejected,
        refused: match chance.below(5) {
            0 => vec![RefusedSeries { reason: "too many".to_owned(), rows: vec![0, 7], records: 3 }],
            _ => Vec::new(),
        },
    };
    Entry { meta, body: body.into() }
}

/// The number in an entry of [`entry`].
pub(crate) fn id_of(entry: &Entry) -> u64 {
    u64::from_le_bytes(entry.body[..8].try_into().unwrap())
}

pub(crate) fn options(disk: &ForgetfulDisk) -> WalOptions {
    WalOptions {
        disk: Arc::new(disk.clone()),
        dir: DIR.into(),
        file_size: 1 << 20,
        queue_bytes_max: 1 << 20,
        replay_from: 0,
        lsn_min: 0,
        fatal: Fatal::default(),
        now: Instant::now,
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn open(options: &WalOptions) -> (Wal<u64>, Recovery) {
    Wal::open(options.clone(), Box::new(|_, _, _| {})).unwrap()
}

fn append(wal: &Wal<u64>, id: u64) -> Result<Lsn, WalError> {
    block_on(wal.append(entry(id), id))
}

/// Opens the log, reads all, closes it.
fn replay(options: &WalOptions) -> (Vec<(Lsn, u64)>, Vec<Damage>) {
    let (_wal, mut recovery) = open(options);
    let mut read = Vec::new();
    for (lsn, found) in recovery.by_ref() {
        let id = id_of(&found);
        assert_eq!(found, entry(id), "entry {lsn} is not as it was written");
        read.push((lsn, id));
    }
    (read, recovery.damage().to_vec())
}

/// A disk with entries 1 to `count` in one file, where they begin and end, and the file.
fn written(count: u64) -> (ForgetfulDisk, Vec<u64>, PathBuf) {
    let disk = ForgetfulDisk::new();
    let (wal, _) = open(&options(&disk));
    let path = Path::new(DIR).join("wal").join(super::format::file_name(1));
    let mut bounds = vec![super::format::block_end(super::format::FILE_HEADER_LEN as u64)];
    for id in 1..=count {
        assert_eq!(append(&wal, id).unwrap(), id);
        bounds.push(disk.len(&path).unwrap());
    }
    drop(wal);
    // The next start is another process.
    (disk.kill(), bounds, path)
}

/// Where the entry that begins there ends; fill comes after it.
fn end_of(disk: &ForgetfulDisk, path: &Path, start: u64) -> u64 {
    let bytes = disk.read(path).unwrap();
    let header = super::format::EntryHeader::decode(&bytes[start as usize..]).unwrap();
    start + header.entry_len() as u64
}

fn pairs(ids: impl IntoIterator<Item = u64>) -> Vec<(Lsn, u64)> {
    ids.into_iter().map(|id| (id, id)).collect()
}

/// What was published, in order.
type Published = Arc<Mutex<Vec<(Lsn, EntryMeta, u64)>>>;

fn open_published(options: &WalOptions) -> (Wal<u64>, Published) {
    let published = Published::default();
    let sink = Arc::clone(&published);
    let publish = Box::new(move |lsn, meta, id| sink.lock().push((lsn, meta, id)));
    let (wal, _) = Wal::open(options.clone(), publish).unwrap();
    (wal, published)
}

fn empty_entry() -> Entry {
    Entry {
        meta: EntryMeta { records: 0, rejected: Vec::new(), refused: Vec::new(), ..entry(1).meta },
        body: Bytes::new(),
    }
}
