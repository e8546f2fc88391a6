//! Power cuts and kills at any moment: whatever survives, the log keeps its word. A failure prints its
//! seed; with [`SEEDS`] set to it alone, it happens again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::format::Encoded;
use super::super::log::Log;
use super::super::stats::Counters;
use super::*;

const SEEDS: Range<u64> = 0..600;

/// What the log has promised.
#[derive(Default)]
struct Model {
    /// Must be replayed.
    acknowledged: BTreeMap<Lsn, u64>,
    /// Were being written when the machine stopped: may be replayed.
    unanswered: BTreeMap<Lsn, u64>,
    /// Nothing below needs to be there.
    deleted_below: Lsn,
    next_id: u64,
}

struct Life {
    seed: u64,
    chance: Chance,
    disk: ForgetfulDisk,
    model: Model,
}

#[test]
fn a_power_cut_at_any_moment_loses_and_doubles_nothing() {
    for seed in SEEDS {
        let mut life = Life {
            seed,
            chance: Chance::new(seed),
            disk: ForgetfulDisk::new(),
            model: Model { next_id: 1, ..Model::default() },
        };
        for _ in 0..4 {
            life.live();
            life.die();
        }
    }
}

impl Life {
    /// Opens the log, checks what is in it, and works until the power goes.
    fn live(&mut self) {
        let options = WalOptions {
            file_size: 1 + self.chance.below(3000),
            replay_from: self.model.deleted_below,
            ..options(&self.disk)
        };
        if self.chance.one_in(3) {
            // Already while it opens.
            let until = self.chance.below(6);
            self.disk.faults(|faults| faults.power_off = Some(until));
        }
        let opened = Log::open(&options, Arc::new(Counters::default()));
        let Ok((mut log, recovery)) = opened else { return };
        if !self.check(recovery) {
            return;
        }
        let until = self.chance.below(40);
        self.disk.faults(|faults| faults.power_off = Some(until));
        for _ in 0..60 {
            match self.chance.below(8) {
                0 => self.delete(&log, &options.fatal),
                1 => self.fail_next_write(),
                _ => self.append(&mut log, &options.fatal),
            }
        }
    }

    fn append(&mut self, log: &mut Log, fatal: &Fatal) {
        let count = 1 + self.chance.below(4);
        let ids: Vec<u64> = (self.model.next_id..).take(count as usize).collect();
        self.model.next_id += count;
        let mut group: Vec<_> = ids
            .iter()
            .map(|id| {
                let entry = entry(*id);
                Encoded::new(&entry.meta, entry.body)
            })
            .collect();
        if fatal.reason().is_some() {
            return;
        }
        let next = log.next_lsn();
        match log.append_group(group.iter_mut(), Instant::now) {
            Ok(first) => self.model.acknowledged.extend((first..).zip(ids)),
            // An answer that says no: it must never appear.
            Err(WalError::Io { .. }) => {}
            Err(_) => self.model.unanswered.extend((next..).zip(ids)),
        }
    }

    fn delete(&mut self, log: &Log, fatal: &Fatal) {
        let Some((last, _)) = self.model.acknowledged.last_key_value() else { return };
        let below = self.model.deleted_below.max(self.chance.below(*last + 2));
        self.model.deleted_below = below;
        self.model.acknowledged.retain(|lsn, _| *lsn >= below);
        // A failure is the power; the next life sees it.
        drop(log.files().delete_below(below, fatal));
    }

    fn fail_next_write(&mut self) {
        self.disk.faults(|faults| faults.fail_write = Some((0, std::io::ErrorKind::StorageFull)));
    }

    /// Ends the process; mostly by ending the power.
    fn die(&mut self) {
        self.disk =
            if self.chance.one_in(3) { self.disk.kill() } else { self.disk.power_cut(self.chance.number()) };
    }

    /// Compares what is replayed with what was promised. False when the power went meanwhile.
    fn check(&mut self, mut recovery: Recovery) -> bool {
        let seed = self.seed;
        let read: Vec<_> = recovery.by_ref().collect();
        if self.disk.list(Path::new(DIR)).is_err() {
            return false;
        }
        self.disk.faults(|faults| faults.power_off = None);
        assert!(read.is_sorted_by_key(|(lsn, _)| *lsn), "seed {seed}: out of order");
        let mut replayed = BTreeMap::new();
        for (lsn, found) in read {
            let id = id_of(&found);
            assert_eq!(found, entry(id), "seed {seed}: entry {lsn} has changed");
            assert!(replayed.insert(lsn, id).is_none(), "seed {seed}: {lsn} comes twice");
            let promised = self.model.acknowledged.get(&lsn).or(self.model.unanswered.get(&lsn));
            assert_eq!(promised, Some(&id), "seed {seed}: {lsn} was never acknowledged or on its way");
        }
        let ids: BTreeSet<_> = replayed.values().collect();
        assert_eq!(ids.len(), replayed.len(), "seed {seed}: an entry comes under two numbers");
        for (lsn, id) in &self.model.acknowledged {
            assert_eq!(replayed.get(lsn), Some(id), "seed {seed}: acknowledged entry {lsn} is lost");
        }
        for damage in recovery.damage() {
            let lost = damage.first_lsn..damage.first_lsn + damage.entries;
            assert!(
                lost.clone().all(|lsn| !self.model.acknowledged.contains_key(&lsn)),
                "seed {seed}: {damage:?}"
            );
            let known = lost.into_iter().all(|lsn| self.model.unanswered.contains_key(&lsn));
            assert!(known, "seed {seed}: no power cut does this: {damage:?}");
        }
        // What was replayed once stays.
        self.model.acknowledged = replayed;
        true
    }
}

/// The same with the real thread and real senders. Which entries share a group is up to the scheduler.
#[test]
fn concurrent_senders_get_true_answers_when_the_power_goes() {
    for seed in 0..200 {
        let mut chance = Chance::new(seed);
        let disk = ForgetfulDisk::new();
        let options = WalOptions { file_size: 1 + chance.below(4000), ..options(&disk) };
        let (wal, published) = open_published(&options);
        let until = chance.below(60);
        disk.faults(|faults| faults.power_off = Some(until));
        let acknowledged = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let (wal, acknowledged) = (&wal, &acknowledged);
                scope.spawn(move || {
                    for n in 0..12 {
                        let id = sender * 100 + n;
                        if let Ok(lsn) = append(wal, id) {
                            acknowledged.lock().insert(lsn, id);
                        }
                    }
                });
            }
        });
        let after = disk.power_cut(seed);
        drop(wal);
        let (read, _) = replay(&WalOptions { disk: Arc::new(after), ..options });
        let replayed: BTreeMap<_, _> = read.iter().copied().collect();
        assert_eq!(replayed.len(), read.len(), "seed {seed}");
        let acknowledged = acknowledged.into_inner();
        for (lsn, id) in &acknowledged {
            assert_eq!(replayed.get(lsn), Some(id), "seed {seed}: acknowledged entry {lsn} is lost");
        }
        let published: BTreeMap<_, _> = published.lock().iter().map(|(lsn, _, id)| (*lsn, *id)).collect();
        assert_eq!(published, acknowledged, "seed {seed}: exactly what is published is acknowledged");
    }
}
