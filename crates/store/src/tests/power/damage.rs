//! Segments that go bad between two starts: what is missing is said to be.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use model::{Signal, Table, Tenant};

use super::{DIR, Row, World};
use crate::disk::{Chance, DirEntry, Disk, ForgetfulDisk};
use crate::error::ReadError;
use crate::segment::parse_path;
use crate::tests::fixture::{ids_in, is_histogram, try_batches};
use crate::{SetAside, Store};

/// All files below a directory.
fn files(disk: &ForgetfulDisk, dir: &Path) -> Vec<PathBuf> {
    let entries = disk.list(dir).unwrap_or_default().into_iter();
    let below = |entry: DirEntry| {
        let path = dir.join(&entry.name);
        if entry.is_dir { files(disk, &path) } else { vec![path] }
    };
    entries.flat_map(below).collect()
}

/// One bit of it is another one.
fn flipped(chance: &mut Chance, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = chance.below(bytes.len() as u64) as usize;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << chance.below(8);
    }
    bytes
}

fn table_of(signal: Signal, row: &Row) -> Table {
    match signal {
        Signal::Logs => Table::Logs,
        Signal::Spans => Table::Spans,
        Signal::Metrics if is_histogram(row.id) => Table::Histograms,
        Signal::Metrics => Table::Samples,
    }
}

impl World {
    /// Alters, cuts or removes a segment, or alters a file of the log, behind everybody's back.
    pub(super) async fn damage(&mut self) {
        // Without a manifest nobody knows that it was there.
        let may_vanish = !self.lose;
        if self.chance.one_in(3) {
            return self.damage_log();
        }
        let change = |chance: &mut Chance, bytes: Vec<u8>| match chance.below(4) {
            0 if may_vanish => None,
            0 | 1 => Some(bytes[..chance.below(bytes.len() as u64) as usize].to_vec()),
            _ => Some(flipped(chance, bytes)),
        };
        if let Some(bucket) = &self.bucket {
            return bucket.alter(&mut self.chance, change).await;
        }
        let files = files(&self.disk, &Path::new(DIR).join("segments"));
        let Some(path) = files.get(self.chance.below(files.len() as u64) as usize) else { return };
        match change(&mut self.chance, self.disk.read(path).unwrap()) {
            Some(changed) => self.disk.alter(path, |bytes| *bytes = changed),
            None => self.disk.remove(path).unwrap(),
        }
    }

    fn damage_log(&mut self) {
        let mut files = files(&self.disk, &Path::new(DIR).join("wal"));
        // What is altered in the last entry may be what a power cut left of an interrupted write.
        files.pop();
        let Some(path) = files.get(self.chance.below(files.len() as u64) as usize) else { return };
        let chance = &mut self.chance;
        self.disk.alter(path, |bytes| *bytes = flipped(chance, std::mem::take(bytes)));
    }

    /// Nothing is there that was not sent, nothing twice, and what is missing may be in what was set aside.
    pub(super) async fn check_damaged(&self, store: &Store, what: &str) {
        let tenants = ["default", "other"].map(|name| Tenant::parse(name).unwrap());
        for key in tenants.iter().flat_map(|tenant| Signal::ALL.map(|signal| (tenant.clone(), signal))) {
            let found = self.ids_or_damage(store, &key.0, key.1).await;
            let set_aside = store.status().set_aside;
            assert!(found.is_sorted_by(|a, b| a < b), "{what}: {key:?}: {found:?} are not there once");
            let acknowledged = self.sent.acknowledged.get(&key).into_iter().flatten();
            let unanswered = self.sent.unanswered.get(&key).into_iter().flatten();
            let sent = acknowledged.clone().chain(unanswered.flat_map(|request| &request.rows));
            let sent: HashSet<u64> = sent.map(|row| row.id).collect();
            assert!(found.iter().all(|id| sent.contains(id)), "{what}: {key:?}: not sent");
            for row in acknowledged.filter(|row| found.binary_search(&row.id).is_err()) {
                let may_have = |place: &&SetAside| {
                    let (from, to) = place.span();
                    // Of a piece of the log it is known when it was received, and no more.
                    let of_log = parse_path(&place.path).is_none();
                    let within = of_log || (from..=to).contains(&row.time);
                    place.concerns(&key.0, table_of(key.1, row)) && within
                };
                let said = set_aside.iter().find(may_have);
                assert!(said.is_some(), "{what}: {key:?}: {row:?} is missing: {set_aside:#?}");
            }
            let ledger = store.ledger();
            let Some(counts) = ledger.get(&key) else { continue };
            assert!(counts.balances(), "{what}: {counts:?}");
            let records = set_aside.iter().filter_map(SetAside::records);
            let aside: u64 =
                records.filter(|of| (&of.0, of.1) == (&key.0, key.1)).map(|(.., rows)| rows).sum();
            let there = found.len() as u64 + aside;
            // After a lost manifest nobody knows what was in what cannot say so itself.
            let uncounted = |place: &SetAside| {
                let of = |table: &&Table| place.concerns(&key.0, **table);
                place.rows.is_none() && key.1.tables().iter().any(|table| of(&table))
            };
            let same = counts.stored == there || self.lose && set_aside.iter().any(uncounted);
            assert!(same, "{what}: {key:?}: {counts:?}, {there} are there: {set_aside:#?}");
        }
    }

    /// The numbers of the records that are counted, sorted; what cannot be read is set aside, as for a
    /// query.
    async fn ids_or_damage(&self, store: &Store, tenant: &Tenant, signal: Signal) -> Vec<u64> {
        let tables =
            signal.tables().iter().filter(|table| !matches!(table, Table::Series | Table::Exemplars));
        let tables: Vec<Table> = tables.copied().collect();
        loop {
            let read = || {
                let mut ids = Vec::new();
                for snapshot in store.snapshots(tenant, &tables) {
                    let (memory, files) = try_batches(store, &snapshot)?;
                    memory.iter().chain(&files).for_each(|batch| ids.extend(ids_in(snapshot.table, batch)));
                }
                Ok(ids)
            };
            match read() {
                Ok(mut ids) => {
                    ids.sort_unstable();
                    return ids;
                }
                Err(ReadError::Damaged { path, reason }) => {
                    assert!(store.examine(&path).await.unwrap(), "`{path}` is whole, though: {reason}");
                }
                // One that the start could not ask about is missing or too short: a question says that it
                // cannot be read.
                Err(ReadError::Io { path, source }) => {
                    assert!(store.examine(&path).await.unwrap(), "`{path}` is whole, though: {source}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
