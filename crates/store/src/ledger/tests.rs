#![allow(clippy::unwrap_used)]

//! The log, the manifest and the ledger together: every acknowledged entry is either sealed or replayed,
//! never both, and the ledger says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use model::{Lsn, Signal, Table, Tenant};

use super::*;
use crate::disk::{Chance, Disk, ForgetfulDisk};
use crate::fatal::Fatal;
use crate::manifest::{Commit, Manifest, ManifestOptions, Progress, Removal, RemovalReason};
use crate::wal::{Entry, Rejection, Wal, WalOptions};

fn meta(records: u32, rejected: &[(&str, &[u32])]) -> EntryMeta {
    let rejected = rejected
        .iter()
        .map(|(reason, indices)| Rejection { reason: (*reason).to_owned(), indices: indices.to_vec() });
    EntryMeta {
        tenant: Tenant::default(),
        signal: Signal::Logs,
        protocol: 0,
        received_unix_nano: 0,
        records,
        rejected: rejected.collect(),
        refused: Vec::new(),
    }
}

#[test]
fn the_equation_holds() {
    let mut counts = Counts::default();
    counts.count(&meta(10, &[("no body", &[1, 2]), ("too old", &[3])]));
    counts.count(&meta(5, &[("no body", &[0, 1, 2, 3, 4])]));
    counts.count(&meta(0, &[]));
    assert_eq!((counts.received, counts.stored), (15, 7));
    assert_eq!(counts.rejected, BTreeMap::from([("no body".to_owned(), 7), ("too old".to_owned(), 1)]));
    assert!(counts.balances());
    counts.expire(3);
    assert_eq!((counts.stored, counts.expired), (4, 3));
    assert!(counts.balances());
    let mut sum = counts.clone();
    sum.dropped.insert("rule".to_owned(), 2);
    assert!(!sum.balances());
    sum.received += 2;
    sum.add(&counts);
    assert!(sum.balances());
    assert_eq!((sum.received, sum.stored, sum.rejected["no body"]), (32, 8, 14));
}

/// One tenant and signal's entries that are in memory: a memtable without its rows.
#[derive(Default)]
struct Memory {
    entries: BTreeMap<Lsn, u32>,
    counts: Counts,
}

type Key = (Tenant, Signal);

struct World {
    seed: u64,
    chance: Chance,
    disk: ForgetfulDisk,
    acknowledged: BTreeMap<Lsn, EntryMeta>,
    unanswered: BTreeMap<u64, EntryMeta>,
    next: u64,
    expired: bool,
}

#[test]
fn after_every_power_cut_each_entry_is_sealed_or_replayed_and_counted_once() {
    for seed in 0..300 {
        let mut world = World {
            seed,
            chance: Chance::new(seed),
            disk: ForgetfulDisk::new(),
            acknowledged: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            next: 0,
            expired: false,
        };
        for _ in 0..4 {
            world.live();
            let (kill, fate) = (world.chance.one_in(3), world.chance.number());
            world.disk = if kill { world.disk.kill() } else { world.disk.power_cut(fate) };
        }
    }
}

impl World {
    fn live(&mut self) {
        let fatal = Fatal::default();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let options = ManifestOptions {
            disk: Arc::clone(&disk),
            dir: "/store".into(),
            checkpoint_bytes: 2000,
            fatal: fatal.clone(),
        };
        let (manifest, damage) = Manifest::open(options).unwrap();
        assert_eq!(damage, [], "seed {}", self.seed);
        let state = manifest.state();
        let options = WalOptions {
            disk,
            dir: "/store".into(),
            file_size: 1 + self.chance.below(3000),
            queue_bytes_max: 1 << 20,
            replay_from: 0,
            lsn_min: state.lsn_max() + 1,
            fatal,
            now: Instant::now,
        };
        let (wal, mut recovery) = Wal::<()>::open(options, Box::new(|_, _, ()| {})).unwrap();
        let ledger = Ledger::new(&state);
        let replayed = recovery.by_ref().collect();
        for damage in recovery.damage() {
            let lost = damage.first_lsn..damage.first_lsn + damage.entries;
            let false_alarm = lost.into_iter().any(|lsn| self.acknowledged.contains_key(&lsn));
            assert!(!false_alarm, "seed {}: {damage:?}", self.seed);
        }
        let mut memory = self.check(&state, replayed, &ledger);
        let until = self.chance.below(80);
        self.disk.faults(|faults| faults.power_off = Some(until));
        for _ in 0..60 {
            let alive = match self.chance.below(5) {
                0 => self.seal(&manifest, &wal, &mut memory),
                1 => self.expire(&manifest, &ledger),
                _ => self.append(&wal, &ledger, &mut memory),
            };
            if !alive {
                return;
            }
            assert!(ledger.totals().values().all(Counts::balances), "seed {}", self.seed);
        }
    }

    /// What must hold after a start; returns what is in memory then.
    fn check(
        &mut self,
        state: &State,
        replayed: Vec<(Lsn, Entry)>,
        ledger: &Ledger,
    ) -> BTreeMap<Key, Memory> {
        let seed = self.seed;
        let mut memory: BTreeMap<Key, Memory> = BTreeMap::new();
        let mut found = BTreeMap::new();
        for (lsn, entry) in replayed {
            if state.is_sealed(&entry.meta.tenant, entry.meta.signal, lsn) {
                continue;
            }
            let id = u64::from_le_bytes(entry.body[..8].try_into().unwrap());
            if !self.acknowledged.contains_key(&lsn) {
                let meta = self.unanswered.remove(&id);
                assert_eq!(meta.as_ref(), Some(&entry.meta), "seed {seed}: nobody sent {lsn}");
                self.acknowledged.insert(lsn, entry.meta.clone());
            }
            ledger.count(&entry.meta);
            remember(&mut memory, lsn, &entry.meta);
            assert!(found.insert(lsn, entry.meta).is_none(), "seed {seed}: {lsn} comes twice");
        }
        let mut expected = Totals::new();
        for (lsn, meta) in &self.acknowledged {
            let sealed = state.is_sealed(&meta.tenant, meta.signal, *lsn);
            assert_eq!(found.get(lsn), (!sealed).then_some(meta), "seed {seed}: entry {lsn} lost or doubled");
            with(&mut expected, &meta.tenant, meta.signal, |counts| counts.count(meta));
        }
        for (key, counts) in ledger.totals() {
            let expected = expected.remove(&key).unwrap_or_default();
            let balanced = counts.balances() && counts.received == expected.received;
            assert!(balanced, "seed {seed}: {counts:?} is not {expected:?}");
            assert_eq!(counts.rejected, expected.rejected, "seed {seed}");
            assert_eq!(counts.stored + counts.expired, expected.stored, "seed {seed}");
            assert!(self.expired || counts.expired == 0, "seed {seed}");
            let segments = state.segments_of(&key.0, key.1.tables()[0]);
            let in_files: u64 = segments.iter().map(|segment| segment.rows).sum();
            let in_memory = memory.get(&key).map_or(0, |memory| memory.counts.stored);
            assert_eq!(counts.stored, in_files + in_memory, "seed {seed}: the ledger knows what there is");
        }
        assert!(expected.is_empty(), "seed {seed}: {expected:?} is not counted");
        memory
    }

    fn append(&mut self, wal: &Wal<()>, ledger: &Ledger, memory: &mut BTreeMap<Key, Memory>) -> bool {
        self.next += 1;
        let id = self.next;
        let mut meta = meta(1 + self.chance.below(50) as u32, &[]);
        meta.signal = Signal::ALL[self.chance.below(3) as usize];
        if self.chance.one_in(2) {
            meta.tenant = Tenant::parse("other").unwrap();
        }
        if self.chance.one_in(3) {
            meta.rejected = vec![Rejection { reason: "bad".to_owned(), indices: vec![0] }];
        }
        let body = id.to_le_bytes().repeat(1 + self.chance.below(50) as usize);
        let answer = wal.append(Entry { meta: meta.clone(), body: body.into() }, ());
        match crate::wal::tests::block_on(answer) {
            Ok(lsn) => {
                ledger.count(&meta);
                remember(memory, lsn, &meta);
                assert!(self.acknowledged.insert(lsn, meta).is_none(), "seed {}: {lsn} is used", self.seed);
                true
            }
            Err(_) => {
                self.unanswered.insert(id, meta);
                false
            }
        }
    }

    /// Seals one memtable, then deletes what no other needs of the log.
    fn seal(&mut self, manifest: &Manifest, wal: &Wal<()>, memory: &mut BTreeMap<Key, Memory>) -> bool {
        let keys: Vec<_> = memory.keys().cloned().collect();
        let Some(key) = keys.get(self.chance.below(keys.len() as u64) as usize) else { return true };
        let sealed = memory.remove(key).unwrap();
        let (tenant, signal) = key.clone();
        self.next += 1;
        let segment = SegmentMeta {
            id: format!("segment-{}", self.next),
            table: signal.tables()[0],
            tenant: tenant.clone(),
            day: 0,
            path: String::new(),
            rows: sealed.counts.stored,
            bytes: 0,
            min_time: 0,
            max_time: 0,
            level: 0,
            created_unix_ms: 0,
            tail: None,
            lsns: Vec::new(),
            tier: None,
            thinned: Vec::new(),
        };
        assert_ne!(segment.table, Table::Series);
        let lsn = *sealed.entries.last_key_value().unwrap().0;
        let commit = Commit {
            progress: vec![Progress { tenant: tenant.clone(), signal, lsn }],
            ledger: vec![LedgerDelta { tenant, signal, counts: sealed.counts }],
            add: vec![segment],
            ..Commit::default()
        };
        if manifest.commit(commit).is_err() {
            return false;
        }
        let needed = memory.values().filter_map(|memory| memory.entries.keys().next()).min();
        let below = needed.copied().unwrap_or(wal.stats().last_lsn + 1);
        wal.delete_below(below).is_ok()
    }

    fn expire(&mut self, manifest: &Manifest, ledger: &Ledger) -> bool {
        let state = manifest.state();
        let Some(segment) = state.segments.values().next().and_then(|segments| segments.first()) else {
            return true;
        };
        self.expired = true;
        let removal = Removal { id: segment.id.clone(), reason: RemovalReason::Expired, at_unix_ms: 0 };
        if manifest.commit(Commit { remove: vec![removal], ..Commit::default() }).is_err() {
            return false;
        }
        ledger.expire([&**segment]);
        let in_files = &manifest.state().ledger;
        in_files.iter().all(|(key, sealed)| ledger.totals()[key].expired == sealed.expired)
    }
}

fn remember(memory: &mut BTreeMap<Key, Memory>, lsn: Lsn, meta: &EntryMeta) {
    let memory = memory.entry((meta.tenant.clone(), meta.signal)).or_default();
    memory.entries.insert(lsn, meta.records);
    memory.counts.count(meta);
}
