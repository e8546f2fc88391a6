//! Power cuts, kills and failing disks at any moment: every acknowledged record is there exactly
//! once, every other at most once, and the ledger says the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fresnel_sdk::config::{ByteSize, Duration};
use model::{Signal, Table, Tenant};

use super::fixture::*;
use crate::disk::{Chance, ForgetfulDisk};
use crate::{Config, Store};

const DIR: &str = "/store";

/// What a sender knows.
#[derive(Default)]
struct Sent {
    acknowledged: BTreeMap<(Tenant, Signal), Vec<Row>>,
    /// Requests without an answer: they may be there, whole.
    unanswered: BTreeMap<(Tenant, Signal), Vec<Request>>,
    next_id: u64,
}

struct World {
    chance: Chance,
    disk: ForgetfulDisk,
    clock: Arc<TestClock>,
    sent: Sent,
}

fn tiny(chance: &mut Chance) -> Config {
    let mut config = config(Path::new(DIR));
    config.seal.size = ByteSize::kib(16 << chance.below(4));
    config.compact.files_min = 2;
    config.compact.grace = Duration::from_secs(chance.below(2) * 1800);
    config.retention.logs = Duration::ZERO;
    config.retention.spans = Duration::ZERO;
    config.retention.metrics = Duration::ZERO;
    config
}

impl World {
    fn new(seed: u64) -> Self {
        let (disk, clock) = (ForgetfulDisk::new(), TestClock::new(NOON));
        Self { chance: Chance::new(seed), disk, clock, sent: Sent::default() }
    }

    async fn open(&mut self) -> Result<Store, Box<dyn std::error::Error>> {
        let config = tiny(&mut self.chance);
        try_open(options(config, Arc::new(self.disk.clone()), &self.clock)).await
    }

    fn request(&mut self) -> (Tenant, Signal, Request) {
        let chance = &mut self.chance;
        let tenant = Tenant::parse(["default", "other"][chance.below(2) as usize]).unwrap();
        let signal = Signal::ALL[chance.below(3) as usize];
        let rows = (0..1 + chance.below(12)).map(|_| {
            self.sent.next_id += 1;
            // Now and then another day.
            let day = if chance.one_in(12) { -1 } else { 0 };
            let time = NOON + day * model::NANOS_PER_DAY + chance.below(1000) as i64;
            Row { id: self.sent.next_id, stream: chance.below(5) as u8, time }
        });
        let rows = rows.collect();
        let rejected = if chance.one_in(4) { chance.below(3) as u32 } else { 0 };
        (tenant, signal, Request { rows, rejected })
    }

    /// Works until something fails, or for a while.
    async fn work(&mut self, store: &Store) {
        for _ in 0..6 + self.chance.below(20) {
            self.clock.advance(HOUR / 4);
            let now = crate::Clock::now_unix_nano(&*self.clock);
            let done = match self.chance.below(10) {
                0 => store.seal_all().await.is_ok(),
                1 => store.compact_now().await.is_ok(),
                2 => store.retain_now(now).await.is_ok(),
                _ => self.send(store).await,
            };
            if !done && store.fatal().reason().is_some() {
                return;
            }
        }
    }

    /// Removes the manifest, or alters or cuts its newest file, or leaves it.
    fn lose_manifest(&mut self) {
        let dir = Path::new(DIR).join("manifest");
        let Ok(files) = crate::Disk::list(&self.disk, &dir) else { return };
        let Some(newest) = files.last().map(|file| dir.join(&file.name)) else { return };
        let chance = &mut self.chance;
        match chance.below(4) {
            0 => {
                files.iter().for_each(|file| crate::Disk::remove(&self.disk, &dir.join(&file.name)).unwrap())
            }
            1 => self
                .disk
                .alter(&newest, |bytes| bytes.truncate(chance.below(bytes.len() as u64 + 1) as usize)),
            2 => self.disk.alter(&newest, |bytes| {
                if let Some(byte) =
                    bytes.len().checked_sub(1).map(|last| chance.below(last as u64 + 1) as usize)
                {
                    bytes[byte] ^= 1;
                }
            }),
            _ => {}
        }
    }

    async fn send(&mut self, store: &Store) -> bool {
        let (tenant, signal, request) = self.request();
        let answer = send(store, &tenant, signal, &request).await;
        let key = (tenant, signal);
        match &answer {
            Ok(_) => self.sent.acknowledged.entry(key).or_default().extend(request.rows),
            Err(_) => self.sent.unanswered.entry(key).or_default().push(request),
        }
        answer.is_ok()
    }

    fn check(&self, store: &Store, what: &str) {
        let tenants = ["default", "other"].map(|name| Tenant::parse(name).unwrap());
        for key in tenants.iter().flat_map(|tenant| Signal::ALL.map(|signal| (tenant.clone(), signal))) {
            let found = ids_of(store, &key.0, key.1);
            let mut wanted: Vec<u64> =
                self.sent.acknowledged.get(&key).into_iter().flatten().map(|row| row.id).collect();
            for request in self.sent.unanswered.get(&key).into_iter().flatten() {
                let here = request.rows.iter().filter(|row| found.binary_search(&row.id).is_ok()).count();
                assert!(here == 0 || here == request.rows.len(), "{what}: a request is there in part");
                wanted.extend(request.rows.iter().map(|row| row.id).take(here));
            }
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{what}: {key:?}: {:?}", store.status().set_aside);
            let ledger = store.ledger();
            let Some(counts) = ledger.get(&key) else { continue };
            assert!(counts.balances(), "{what}: {counts:?}");
            assert_eq!(
                counts.stored,
                found.len() as u64,
                "{what}: {key:?}: {counts:?}; {:?}; {:#?}",
                store.status().set_aside,
                store.segments().live
            );
        }
    }
}

/// The numbers of the records that are counted, sorted.
fn ids_of(store: &Store, tenant: &Tenant, signal: Signal) -> Vec<u64> {
    let tables = signal.tables().iter().filter(|table| !matches!(table, Table::Series | Table::Exemplars));
    let tables: Vec<Table> = tables.copied().collect();
    let mut ids = Vec::new();
    for snapshot in store.snapshots(tenant, &tables) {
        let (memory, files) = batches(store, &snapshot);
        memory.iter().chain(&files).for_each(|batch| ids.extend(ids_in(snapshot.table, batch)));
    }
    ids.sort_unstable();
    ids
}

async fn one_life(seed: u64, lose: bool) {
    let mut world = World::new(seed);
    for round in 0..4 {
        let what = format!("seed {seed}, round {round}");
        // The power may go off at the start, too.
        if world.chance.one_in(3) {
            let after = world.chance.below(12);
            world.disk.faults(|faults| faults.power_off = Some(after));
        }
        let opened = world.open().await;
        let powered = crate::Disk::list(&world.disk, Path::new(DIR)).is_ok();
        if let (Ok(store), true) = (&opened, powered) {
            let off = world.disk.clone();
            off.faults(|faults| faults.power_off = None);
            world.check(store, &what);
            match world.chance.below(5) {
                0 => {}
                1 => {
                    let after = world.chance.below(60);
                    off.faults(|faults| faults.fail_write = Some((after, std::io::ErrorKind::StorageFull)));
                }
                2 => {
                    let after = world.chance.below(40);
                    off.faults(|faults| faults.fail_sync = Some(after));
                }
                _ => {
                    let after = world.chance.below(160);
                    off.faults(|faults| faults.power_off = Some(after));
                }
            }
            world.work(store).await;
        }
        let cut = world.chance.number();
        world.disk = if world.chance.one_in(4) { world.disk.kill() } else { world.disk.power_cut(cut) };
        drop(opened);
        if lose {
            world.lose_manifest();
        }
    }
    let store = world.open().await.unwrap();
    world.check(&store, &format!("seed {seed}, at last"));
    store.seal_all().await.unwrap();
    store.compact_now().await.unwrap();
    world.check(&store, &format!("seed {seed}, sealed and compacted"));
}

fn lives(seeds: std::ops::Range<u64>, lose: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let only = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(seeds, |seed: u64| seed..seed + 1) {
        runtime.block_on(one_life(seed, lose));
    }
}

#[test]
fn nothing_is_lost_or_doubled_first_hundred() {
    lives(0..100, false);
}

#[test]
fn nothing_is_lost_or_doubled_second_hundred() {
    lives(100..200, false);
}

#[test]
fn nothing_is_lost_or_doubled_when_the_manifest_is_lost() {
    lives(0..60, true);
}

#[test]
#[ignore = "takes minutes: for the soak"]
fn nothing_is_lost_or_doubled_many() {
    lives(200..5000, false);
    lives(200..2000, true);
}
