//! Power cuts, kills and failing disks at any moment: every acknowledged record is there exactly
//! once, every other at most once, and the ledger says the same.

mod damage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fresnel_sdk::config::{ByteSize, Duration};
use model::{Signal, Table, Tenant};
use tokio::runtime::Handle;

use super::bucket::Bucket;
use super::fixture::*;
use crate::disk::{Chance, ForgetfulDisk};
use crate::objects::Objects;
use crate::{Config, OpenError, SetAside, Store};

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
    /// Where the segments are, if it is not the disk.
    bucket: Option<Bucket>,
    sent: Sent,
    /// Whether some metrics have tiers.
    tiers: bool,
    /// Whether the manifest is lost now and then. Then nobody knows how much has expired: the commit that
    /// said so may be lost, and what is left of a seal, which a start without all commits does not delete,
    /// may come back at the next such start, until it expires again.
    lose: bool,
    /// Whether segments are damaged.
    damage: bool,
}

/// What a world is like.
#[derive(Clone, Copy)]
struct Kind {
    lose: bool,
    tiers: bool,
    /// The segments are in a bucket.
    remote: bool,
    /// Segments are damaged between starts.
    damage: bool,
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

/// Merges all there is, as somebody may ask for; whether all of it went well.
async fn merge_all(store: &Store) -> bool {
    let mut compaction = store.compact(crate::CompactRequest::default()).unwrap();
    while let Some(done) = compaction.next().await {
        if done.is_err() {
            return false;
        }
    }
    true
}

impl World {
    fn new(seed: u64, kind: Kind) -> Self {
        let Kind { lose, tiers, remote, damage } = kind;
        let (disk, clock) = (ForgetfulDisk::new(), TestClock::new(NOON));
        let bucket = remote.then(|| Bucket::new(seed, &disk));
        Self { chance: Chance::new(seed), disk, clock, bucket, sent: Sent::default(), tiers, lose, damage }
    }

    async fn open(&mut self) -> Result<Store, Box<dyn std::error::Error>> {
        let mut config = tiny(&mut self.chance);
        if self.tiers {
            config.tiers = super::tiers::short();
        }
        let options = options(config, Arc::new(self.disk.clone()), &self.clock);
        let Some(bucket) = self.bucket.clone() else { return try_open(options).await };
        let (store, replay) = Store::open_with(options, |_, disk, dir, fatal| {
            Objects::remote(disk, dir, fatal, Arc::new(bucket), Handle::current())
                .map_err(|source| OpenError::Io { path: dir.to_owned(), source })
        })?;
        restore(&store, replay).await?;
        Ok(store)
    }

    /// How the bucket is from now on, if there is one: reliable, or not.
    fn bucket_fails(&mut self, fails: bool) {
        let Some(bucket) = &self.bucket else { return };
        let chance = &mut self.chance;
        let rate = if fails && chance.one_in(2) { 2 + chance.below(30) } else { 0 };
        let power_off = (fails && chance.one_in(3)).then(|| chance.below(30));
        bucket.faults(rate, power_off);
    }

    /// Turns the power off, or ends the process.
    async fn cut(&mut self) {
        let cut = self.chance.number();
        self.disk = if self.chance.one_in(4) { self.disk.kill() } else { self.disk.power_cut(cut) };
        if let Some(bucket) = &self.bucket {
            self.bucket = Some(bucket.next(cut, &self.disk).await);
        }
    }

    fn request(&mut self) -> (Tenant, Signal, Request) {
        let chance = &mut self.chance;
        let tenant = Tenant::parse(["default", "other"][chance.below(2) as usize]).unwrap();
        let signal = Signal::ALL[chance.below(3) as usize];
        let rows = (0..1 + chance.below(12)).map(|_| {
            self.sent.next_id += 1;
            // Now and then another day.
            let day = if chance.one_in(12) { -1 } else { 0 };
            let id = self.sent.next_id;
            // Where there are tiers no two within a millisecond, of which a query sees only one.
            let within = if self.tiers { id as i64 * 1_000_000 } else { chance.below(1000) as i64 };
            let time = NOON + day * model::NANOS_PER_DAY + within;
            Row { id, stream: chance.below(5) as u8, time }
        });
        let mut rows: Vec<Row> = rows.collect();
        if self.tiers {
            rows[0].stream = 2;
        }
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
                1 if self.chance.one_in(2) => store.compact_now().await.is_ok(),
                1 => merge_all(store).await,
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

    async fn check(&self, store: &Store, what: &str) {
        if self.damage {
            return self.check_damaged(store, what).await;
        }
        let tenants = ["default", "other"].map(|name| Tenant::parse(name).unwrap());
        for key in tenants.iter().flat_map(|tenant| Signal::ALL.map(|signal| (tenant.clone(), signal))) {
            let found = ids_of(store, &key.0, key.1);
            let mut wanted: Vec<u64> =
                self.sent.acknowledged.get(&key).into_iter().flatten().map(|row| row.id).collect();
            for request in self.sent.unanswered.get(&key).into_iter().flatten() {
                let here = request.rows.iter().filter(|row| found.binary_search(&row.id).is_ok()).count();
                // The first is none of a metric with tiers: it does not expire.
                let whole = here == request.rows.len() || self.tiers && request.rows[0].stream == 2;
                assert!(here == 0 || whole, "{what}: a request is there in part");
                let is_there = here > 0 && found.binary_search(&request.rows[0].id).is_ok();
                wanted.extend(request.rows.iter().map(|row| row.id).filter(|_| is_there));
            }
            wanted.sort_unstable();
            let had = wanted.len() as u64;
            let ids: std::collections::HashSet<u64> = found.iter().copied().collect();
            if self.tiers && key.1 == Signal::Metrics {
                self.check_tiers(store, &key.0, &mut wanted, &ids, what);
            }
            assert_eq!(found, wanted, "{what}: {key:?}: {:?}", store.status().set_aside);
            let ledger = store.ledger();
            let Some(counts) = ledger.get(&key) else { continue };
            assert!(counts.balances(), "{what}: {counts:?}");
            let gone = had - found.len() as u64;
            if !(self.lose && self.tiers) {
                assert_eq!(counts.expired, gone, "{what}: {key:?}: {counts:?}");
            }
            // A segment that expired whole is named again where the commit that said so is lost, and is then
            // missing.
            let set_aside = store.status().set_aside;
            let missing = set_aside.iter().filter_map(SetAside::records);
            let missing = missing.filter(|of| self.lose && self.tiers && (&of.0, of.1) == (&key.0, key.1));
            let missing: u64 = missing.map(|(.., rows)| rows).sum();
            assert_eq!(
                counts.stored,
                found.len() as u64 + missing,
                "{what}: {key:?}: {counts:?}; {set_aside:?}; {:#?}",
                store.segments().live
            );
        }
    }
}

impl World {
    /// What is not there any more is of a metric with tiers and in each of them, and nothing is in one
    /// twice. Leaves of what is wanted what did not expire.
    fn check_tiers(
        &self,
        store: &Store,
        tenant: &Tenant,
        wanted: &mut Vec<u64>,
        found: &std::collections::HashSet<u64>,
        what: &str,
    ) {
        let key = (tenant.clone(), Signal::Metrics);
        let known = self.sent.acknowledged.get(&key).into_iter().flatten();
        let unanswered = self.sent.unanswered.get(&key).into_iter().flatten();
        let known = known.chain(unanswered.flat_map(|request| &request.rows));
        let tiered = |row: &&Row| super::tiers::is_tiered(row);
        let tiered: BTreeMap<u64, Row> = known.filter(tiered).map(|row| (row.id, *row)).collect();
        let of_tiers: Vec<u64> = wanted.iter().copied().filter(|id| tiered.contains_key(id)).collect();
        wanted.retain(|id| found.contains(id) || !tiered.contains_key(id));
        for resolution_ms in super::tiers::RESOLUTIONS {
            let (count, sum) = super::tiers::totals(store, tenant, resolution_ms);
            let gone = of_tiers.iter().filter(|id| !found.contains(id));
            let (gone, all) = (gone.count() as u64, of_tiers.len() as u64);
            assert!(gone <= count && count <= all, "{what}: {gone} <= {count} <= {all}: {resolution_ms}");
            if count == all {
                assert_eq!(sum, of_tiers.iter().sum::<u64>(), "{what}: {resolution_ms}");
            }
        }
    }

    /// Everything is in all tiers, once, and where it is too old nowhere else.
    async fn finish_tiers(&mut self, store: &Store) {
        self.clock.advance(10 * model::NANOS_PER_DAY);
        store.compact_now().await.unwrap();
        store.retain_now(crate::Clock::now_unix_nano(&*self.clock)).await.unwrap();
        self.check(store, "in the end").await;
        for tenant in ["default", "other"].map(|name| Tenant::parse(name).unwrap()) {
            let [fine, coarse] = super::tiers::RESOLUTIONS.map(|of| super::tiers::totals(store, &tenant, of));
            assert_eq!(fine, coarse);
            let expired = store.ledger().get(&(tenant, Signal::Metrics)).map_or(0, |counts| counts.expired);
            if !self.lose {
                assert_eq!(fine.0, expired, "what expired, and nothing else, is in the tiers");
            }
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

async fn one_life(seed: u64, kind: Kind) {
    let mut world = World::new(seed, kind);
    for round in 0..4 {
        let what = format!("seed {seed}, round {round}");
        if world.chance.one_in(3) {
            // Whatever the clock says after a restart.
            world.clock.advance(HOUR * (world.chance.below(8) as i64 - 6));
        }
        // The power may go off at the start, too.
        if world.chance.one_in(3) {
            let after = world.chance.below(12);
            world.disk.faults(|faults| faults.power_off = Some(after));
        }
        world.bucket_fails(true);
        let opened = world.open().await;
        world.bucket_fails(false);
        let off = world.disk.clone();
        // Before it is looked whether it went off: a seal of the start may still be running.
        off.faults(|faults| faults.power_off = None);
        let powered = crate::Disk::list(&off, Path::new(DIR)).is_ok();
        if let (Ok(store), true) = (&opened, powered) {
            world.check(store, &what).await;
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
            world.bucket_fails(true);
            world.work(store).await;
        }
        world.cut().await;
        drop(opened);
        if kind.lose {
            world.lose_manifest();
        }
        if kind.damage && world.chance.one_in(2) {
            world.damage().await;
        }
    }
    let store = world.open().await.unwrap();
    world.check(&store, &format!("seed {seed}, at last")).await;
    store.seal_all().await.unwrap();
    store.compact_now().await.unwrap();
    world.check(&store, &format!("seed {seed}, sealed and compacted")).await;
    if kind.tiers {
        world.finish_tiers(&store).await;
    }
}

fn lives(seeds: std::ops::Range<u64>, kind: Kind) {
    // Who waits for a bucket needs a second thread.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let only = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(seeds, |seed: u64| seed..seed + 1) {
        runtime.block_on(one_life(seed, kind));
    }
}

const LOCAL: Kind = Kind { lose: false, tiers: false, remote: false, damage: false };
const LOSE: Kind = Kind { lose: true, ..LOCAL };
const TIERS: Kind = Kind { tiers: true, ..LOCAL };
const TIERS_LOSE: Kind = Kind { lose: true, ..TIERS };
const REMOTE: Kind = Kind { remote: true, ..LOCAL };
const REMOTE_LOSE: Kind = Kind { lose: true, ..REMOTE };
const REMOTE_TIERS: Kind = Kind { tiers: true, ..REMOTE };
const DAMAGE: Kind = Kind { damage: true, ..LOCAL };
const DAMAGE_LOSE: Kind = Kind { lose: true, ..DAMAGE };
const DAMAGE_REMOTE: Kind = Kind { remote: true, ..DAMAGE };

#[test]
fn nothing_is_lost_or_doubled_first_hundred() {
    lives(0..100, LOCAL);
}

#[test]
fn nothing_is_lost_or_doubled_second_hundred() {
    lives(100..200, LOCAL);
}

#[test]
fn nothing_is_lost_or_doubled_when_the_manifest_is_lost() {
    lives(0..60, LOSE);
}

#[test]
fn nothing_is_lost_or_doubled_with_tiers_first_hundred() {
    lives(0..100, TIERS);
}

#[test]
fn nothing_is_lost_or_doubled_with_tiers_second_hundred() {
    lives(100..200, TIERS);
}

#[test]
fn nothing_is_lost_or_doubled_with_tiers_when_the_manifest_is_lost() {
    lives(0..60, TIERS_LOSE);
}

#[test]
fn nothing_is_lost_or_doubled_in_a_bucket() {
    lives(0..60, REMOTE);
}

#[test]
fn nothing_is_lost_or_doubled_in_a_bucket_when_the_manifest_is_lost() {
    lives(0..40, REMOTE_LOSE);
}

#[test]
fn nothing_is_missing_or_doubled_unsaid_with_damaged_segments() {
    lives(0..60, DAMAGE);
}

#[test]
fn nothing_is_missing_or_doubled_unsaid_with_damaged_segments_when_the_manifest_is_lost() {
    lives(0..40, DAMAGE_LOSE);
}

#[test]
fn nothing_is_missing_or_doubled_unsaid_with_damaged_objects_of_a_bucket() {
    lives(0..30, DAMAGE_REMOTE);
}

#[test]
#[ignore = "takes minutes: for the soak"]
fn nothing_is_lost_or_doubled_many() {
    lives(200..5000, LOCAL);
    lives(200..2000, LOSE);
    lives(200..3000, TIERS);
    lives(200..2000, TIERS_LOSE);
}

#[test]
#[ignore = "takes minutes: for the soak"]
fn nothing_is_lost_or_doubled_many_in_a_bucket() {
    lives(200..2000, REMOTE);
    lives(200..2000, REMOTE_LOSE);
    lives(200..1000, REMOTE_TIERS);
}

#[test]
#[ignore = "takes minutes: for the soak"]
fn nothing_is_lost_or_doubled_many_with_damage() {
    lives(200..2000, DAMAGE);
    lives(200..2000, DAMAGE_LOSE);
    lives(200..1000, DAMAGE_REMOTE);
}
