//! Segments that no commit names, at the start.
//!
//! Enters: what the manifest says, what lies in the folder or bucket, where the log begins. Leaves:
//! one commit that names again what a lost part of the manifest had named; deleted files. Must hold:
//! each record is there once; nothing is deleted but what is proven to be the leftover of a seal or
//! merge of this very store whose rows are elsewhere.
//!
//! The proof is in what each footer says ([`crate::segment::Origin`]): which entries of the log it
//! covers. Seals of a tenant and signal cover the log one behind the other, and an entry goes from
//! the log only after the commit of its seal. So a segment that begins behind an entry, or whose first
//! entry the log does not have any more, says that there was a commit up to there, even when that
//! commit is lost. What is above that is in the log, whole, and is replayed. What is below is in
//! segments, and of two that cover the same entries of a table and day the younger one has all that
//! the other has. Which is younger their names say, whatever the clock said ([`crate::names`]).

mod orphan;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use model::{Lsn, Signal, Table, Tenant};

use self::orphan::{Found, Orphan, look_at};
use crate::error::WorkError;
use crate::identity::Identity;
use crate::ledger::{Counts, LedgerDelta, counts_records};
use crate::manifest::{
    Commit, ExpiredRows, Manifest, Progress, Removal, RemovalReason, SegmentMeta, SetAside, State, TierOf,
    Whose,
};
use crate::names::made_ms;
use crate::objects::{Objects, SET_ASIDE};
use crate::segment::{SEGMENTS, covers, overlap, parse_path, union};

/// What the manifest's file stands for in the status.
const MANIFEST: &str = "manifest";

/// What is looked at.
pub(crate) struct Rebuild<'a> {
    pub(crate) objects: &'a Arc<Objects>,
    pub(crate) manifest: &'a Manifest,
    pub(crate) identity: &'a mut Identity,
    /// No commit of the manifest is lost, as far as it can tell.
    pub(crate) sound: bool,
    /// The first entry that the log still has.
    pub(crate) log_from: Lsn,
    pub(crate) now_ms: i64,
}

/// What becomes of a segment that no commit names.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It was named: it takes the place of these.
    Adopt(Vec<Arc<SegmentMeta>>),
    /// Its rows are elsewhere.
    Leftover,
}

/// What of a segment that was set aside is nowhere else.
enum Missing {
    Nothing,
    All,
    /// Some of it, or all.
    Unknown,
}

type Cuts = BTreeMap<(Tenant, Signal), Lsn>;
type Place = (Tenant, Table, i32, Option<TierOf>);

impl Rebuild<'_> {
    /// Brings the manifest up to what is there, and says when the youngest was made of what it did not
    /// name. To be called before anything is written, and before the log is opened: it may turn out that
    /// LSNs were given out which the manifest does not know.
    pub(crate) fn run(&mut self) -> Result<i64, WorkError> {
        let state = self.manifest.state();
        let there = self.objects.list(SEGMENTS)?;
        let (mut orphans, mut set_aside) = self.orphans(&state, &there)?;
        // The youngest first: it has what the others have.
        orphans.sort_by(|a, b| b.meta.id.cmp(&a.meta.id));
        let youngest_ms = orphans.first().and_then(|orphan| made_ms(&orphan.meta.id)).unwrap_or(0);
        let (orphans, mut leftovers) = without_abandoned(orphans, &state);
        let cuts = cuts(&orphans, &state, self.log_from);
        let mut plan = Plan::new(&state, there, cuts, self);
        for orphan in orphans {
            match plan.fate(&orphan) {
                Fate::Adopt(replaced) => plan.adopt(orphan, replaced),
                Fate::Leftover => leftovers.push(orphan.meta.path),
            }
        }
        if !self.sound {
            plan.replace_covered();
            set_aside.extend(self.set_aside_before(&plan, &state, &set_aside)?);
        }
        self.commit(plan, &state, &mut set_aside)?;
        if self.sound {
            for path in leftovers {
                tracing::info!(path, "delete a segment that was never committed");
                self.objects.remove(&path)?;
            }
        }
        Ok(youngest_ms)
    }

    /// What no commit names and is ours. Deletes drafts, which nobody ever named, and sets aside what
    /// does not say where it came from.
    fn orphans(
        &mut self,
        state: &State,
        there: &[String],
    ) -> Result<(Vec<Orphan>, Vec<SetAside>), WorkError> {
        let live = state.segments.values().flat_map(|segments| segments.iter());
        let removed = state.removed.iter().map(|removed| &removed.segment);
        let named: HashSet<&str> = live.chain(removed).map(|segment| segment.path.as_str()).collect();
        let (mut orphans, mut set_aside) = (Vec::new(), Vec::new());
        for path in there.iter().filter(|path| !named.contains(path.as_str())) {
            match look_at(self.objects, path, self.now_ms)? {
                Found::NotOurs => {}
                Found::Draft => self.objects.remove(path)?,
                Found::Unknown(reason) => {
                    tracing::error!(path, reason, "set aside a segment that no commit names");
                    let path = self.objects.set_aside(path)?;
                    set_aside.push(SetAside { path, reason, ..SetAside::default() });
                }
                Found::Segment(orphan) => {
                    if self.accepts(&orphan) {
                        orphans.push(*orphan);
                    } else {
                        tracing::warn!(path, store = orphan.store, "a segment of another store is not read");
                    }
                }
            }
        }
        Ok((orphans, set_aside))
    }

    /// What was set aside and is not known any more: what was in it is missing as before.
    fn set_aside_before(
        &self,
        plan: &Plan,
        state: &State,
        now: &[SetAside],
    ) -> Result<Vec<SetAside>, WorkError> {
        let known: HashSet<&str> =
            state.set_aside.iter().chain(now).map(|place| place.path.as_str()).collect();
        // One that is named is found missing when the segments are checked, with all that is known of it.
        let live = plan.live.values().flatten();
        let named: HashSet<String> = live.map(|segment| format!("{SET_ASIDE}/{}", segment.path)).collect();
        let mut places = Vec::new();
        for path in self.objects.all_set_aside()? {
            if !known.contains(path.as_str()) && !named.contains(&path) {
                places.extend(self.known_again(path, plan)?);
            }
        }
        Ok(places)
    }

    /// A place that was set aside; nothing when its records are elsewhere.
    fn known_again(&self, path: String, plan: &Plan) -> Result<Option<SetAside>, WorkError> {
        let reason = "it was set aside before the manifest was lost".to_owned();
        if parse_path(&path).is_none() {
            // A piece of the log was anybody's, and was there by now.
            let times = Some((i64::MIN, self.now_ms.saturating_mul(1_000_000)));
            return Ok(Some(SetAside { path, reason, rows: None, times, whose: Some(Whose::default()) }));
        }
        // Where its end is whole that says how much it held; else its path says whose it was.
        let (mut rows, mut times) = (None, None);
        if let Found::Segment(orphan) = look_at(self.objects, &path, self.now_ms)? {
            let ours = self.identity.is_ours(&orphan.store, made_ms(&orphan.meta.id).unwrap_or(0));
            match plan.missing(&orphan) {
                Missing::Nothing => return Ok(None),
                Missing::All if ours => rows = Some(orphan.meta.rows),
                _ => {}
            }
            times = Some((orphan.meta.min_time, orphan.meta.max_time));
        }
        Ok(Some(SetAside { path, reason, rows, times, whose: None }))
    }

    /// A new directory that has segments is one that lost all else: it is theirs.
    fn accepts(&mut self, orphan: &Orphan) -> bool {
        let made_ms = made_ms(&orphan.meta.id).unwrap_or(0);
        if self.identity.is_ours(&orphan.store, made_ms) {
            return true;
        }
        let lost = self.identity.fresh && self.manifest.is_new();
        if lost {
            self.identity.take_over(&orphan.store, made_ms.max(self.now_ms));
        }
        lost
    }

    fn commit(&self, plan: Plan, before: &State, set_aside: &mut Vec<SetAside>) -> Result<(), WorkError> {
        let same = self.sound && plan.adopted.is_empty();
        let (ledger, expired) = if same { Default::default() } else { plan.ledger(before, set_aside) };
        let Plan { adopted, replaced, cuts, .. } = plan;
        if !adopted.is_empty() {
            let reason = format!(
                "{} segments that it did not name were found and are read again: a part of it was lost",
                adopted.len()
            );
            tracing::error!(segments = adopted.len(), replaced = replaced.len(), "the manifest is rebuilt");
            let path = format!("{MANIFEST}#{}", self.now_ms);
            set_aside.push(SetAside { path, reason, ..SetAside::default() });
        }
        let progress = cuts.into_iter().filter(|(key, lsn)| before.progress.get(key) < Some(lsn));
        let progress = progress.map(|((tenant, signal), lsn)| Progress { tenant, signal, lsn });
        let remove = replaced.iter().map(|segment| Removal {
            id: segment.id.clone(),
            reason: RemovalReason::Compacted,
            at_unix_ms: self.now_ms,
        });
        let commit = Commit {
            progress: progress.collect(),
            add: adopted,
            remove: remove.collect(),
            ledger,
            expired,
            set_aside: std::mem::take(set_aside),
            settled: before.in_doubt,
            ..Commit::default()
        };
        if commit == Commit::default() {
            return Ok(());
        }
        // Before it is named, and what it replaces goes.
        commit.add.iter().try_for_each(|segment| self.objects.keep(&segment.path))?;
        self.manifest.commit(commit).map(drop).map_err(WorkError::Manifest)
    }
}

/// Parts the seals that were given up from the others: they were made again with other bounds, and never
/// committed.
fn without_abandoned(orphans: Vec<Orphan>, state: &State) -> (Vec<Orphan>, Vec<String>) {
    let key = |segment: &SegmentMeta| (segment.tenant.clone(), segment.table.signal());
    // Committed seals cover the log one behind the other: none goes over the end of another one.
    let ends = ends(&orphans, state);
    let goes_over = |orphan: &mut Orphan| {
        let ends = ends.get(&key(&orphan.meta));
        let has_one =
            |(from, to): &(Lsn, Lsn)| ends.is_some_and(|ends| ends.range(from..to).next().is_some());
        !orphan.origin.is_merge() && orphan.origin.lsns.iter().any(has_one)
    };
    let mut orphans = orphans;
    let mut abandoned: Vec<_> = orphans.extract_if(.., goes_over).collect();
    // Of what is left, a younger one that has only a part of a seal was made instead of it.
    let mut known: HashMap<_, Vec<SegmentMeta>> = HashMap::new();
    for orphan in &orphans {
        known.entry(key(&orphan.meta)).or_default().push(orphan.meta.clone());
    }
    let is_cut = |orphan: &mut Orphan| {
        let (meta, lsns) = (&orphan.meta, &orphan.origin.lsns);
        let in_part = |other: &SegmentMeta| overlap(&other.lsns, lsns) && !covers(&other.lsns, lsns);
        let others = known.get(&key(meta)).map_or(&[][..], Vec::as_slice);
        !orphan.origin.is_merge() && others.iter().any(|other| other.id > meta.id && in_part(other))
    };
    abandoned.extend(orphans.extract_if(.., is_cut));
    (orphans, abandoned.into_iter().map(|orphan| orphan.meta.path).collect())
}

/// Where committed seals of each tenant's signal are known to end: what is named or was merged was
/// committed, and a seal begins behind one that was.
fn ends(orphans: &[Orphan], state: &State) -> HashMap<(Tenant, Signal), BTreeSet<Lsn>> {
    let mut ends: HashMap<_, BTreeSet<Lsn>> = HashMap::new();
    for (key, lsn) in &state.progress {
        ends.entry(key.clone()).or_default().insert(*lsn);
    }
    let named = state.segments.values().flat_map(|segments| segments.iter());
    let named = named.map(|segment| (&**segment, &segment.lsns, true));
    let unnamed = orphans.iter().map(|orphan| (&orphan.meta, &orphan.origin.lsns, orphan.origin.is_merge()));
    for (segment, lsns, committed) in named.chain(unnamed) {
        let own = ends.entry((segment.tenant.clone(), segment.table.signal())).or_default();
        own.extend(lsns.iter().map(|(from, _)| from.saturating_sub(1)));
        own.extend(lsns.iter().map(|(_, to)| *to).filter(|_| committed));
    }
    ends
}

/// Up to where each tenant's signal was committed, as manifest and segments prove it.
fn cuts(orphans: &[Orphan], state: &State, log_from: Lsn) -> Cuts {
    let mut cuts = state.progress.clone();
    // What is named was committed, also where the commit that sealed it is lost.
    for segment in state.segments.values().flat_map(|segments| segments.iter()) {
        let last = segment.lsns.last().map_or(0, |(_, last)| *last);
        let cut = cuts.entry((segment.tenant.clone(), segment.table.signal())).or_default();
        *cut = last.max(*cut);
    }
    for orphan in orphans {
        let origin = &orphan.origin;
        let begin = origin.lsns.first().map_or(0, |(from, _)| from.saturating_sub(1));
        // A merge has committed inputs; of a seal the log may be gone.
        let committed = origin.first.is_none_or(|first| first < log_from);
        let proven = if committed { origin.last() } else { begin };
        let cut = cuts.entry((orphan.meta.tenant.clone(), orphan.meta.table.signal())).or_default();
        *cut = proven.max(*cut);
    }
    cuts.retain(|_, lsn| *lsn > 0);
    cuts
}

/// What is decided, orphan by orphan.
struct Plan {
    sound: bool,
    /// What the manifest says itself.
    sealed: Cuts,
    cuts: Cuts,
    /// The first entry that the log still has.
    log_from: Lsn,
    there: HashSet<String>,
    /// What is named or adopted so far.
    live: HashMap<Place, Vec<Arc<SegmentMeta>>>,
    adopted: Vec<SegmentMeta>,
    replaced: Vec<Arc<SegmentMeta>>,
}

impl Plan {
    fn new(state: &State, there: Vec<String>, cuts: Cuts, of: &Rebuild<'_>) -> Self {
        let mut live: HashMap<Place, Vec<_>> = HashMap::new();
        for segment in state.segments.values().flat_map(|segments| segments.iter()) {
            live.entry(place(segment)).or_default().push(Arc::clone(segment));
        }
        Self {
            sound: of.sound,
            log_from: of.log_from,
            sealed: state.progress.clone(),
            cuts,
            there: there.into_iter().collect(),
            live,
            adopted: Vec::new(),
            replaced: Vec::new(),
        }
    }

    fn fate(&self, orphan: &Orphan) -> Fate {
        let key = (orphan.meta.tenant.clone(), orphan.meta.table.signal());
        let up_to = |cuts: &Cuts| cuts.get(&key).is_some_and(|cut| orphan.origin.last() <= *cut);
        if !up_to(&self.cuts) {
            // The log has all of it.
            return Fate::Leftover;
        }
        let live = self.live.get(&place(&orphan.meta)).map_or(&[][..], Vec::as_slice);
        let same: Vec<_> = live.iter().filter(|other| orphan.shares_rows_with(other)).cloned().collect();
        let replaces = same.iter().all(|other| orphan.replaces(other));
        let gone = same.iter().any(|other| !self.there.contains(&other.path));
        // Where all commits are there they would name it, unless it was removed or never committed.
        let decided = self.sound && up_to(&self.sealed) && !gone;
        if decided || !replaces { Fate::Leftover } else { Fate::Adopt(same) }
    }

    fn adopt(&mut self, orphan: Orphan, replaced: Vec<Arc<SegmentMeta>>) {
        let meta = orphan.meta;
        let live = self.live.entry(place(&meta)).or_default();
        live.retain(|other| replaced.iter().all(|gone| gone.id != other.id));
        live.push(Arc::new(meta.clone()));
        tracing::warn!(path = meta.path, rows = meta.rows, "found a segment that the manifest had lost");
        self.adopted.push(meta);
        self.replaced.extend(replaced);
    }

    /// Of two that are named one may have been made of the other, when the commit that said so is
    /// lost and a later one is not.
    fn replace_covered(&mut self) {
        for live in self.live.values_mut() {
            let merges: Vec<_> = live.iter().filter(|segment| segment.level > 0).cloned().collect();
            let replaced = |segment: &mut Arc<SegmentMeta>| {
                let made_of = |merge: &Arc<SegmentMeta>| {
                    merge.id > segment.id && !segment.lsns.is_empty() && covers(&merge.lsns, &segment.lsns)
                };
                merges.iter().any(made_of)
            };
            self.replaced.extend(live.extract_if(.., replaced));
        }
    }

    /// What of a segment that is not there any more is neither in another one nor in the log.
    fn missing(&self, orphan: &Orphan) -> Missing {
        let key = (orphan.meta.tenant.clone(), orphan.meta.table.signal());
        let lsns = &orphan.origin.lsns;
        let live = self.live.get(&place(&orphan.meta)).map_or(&[][..], Vec::as_slice);
        let elsewhere = union(live.iter().flat_map(|other| other.lsns.iter().copied()));
        if !lsns.is_empty() && covers(&elsewhere, lsns) {
            return Missing::Nothing;
        }
        if live.iter().any(|other| orphan.shares_rows_with(other)) {
            return Missing::Unknown;
        }
        // What is above the cut and in the log is replayed.
        let replayed = self.log_from.max(self.cuts.get(&key).map_or(0, |cut| cut + 1));
        let first = orphan.origin.first.or(lsns.first().map(|(from, _)| *from));
        match first {
            _ if orphan.origin.last() < replayed => Missing::All,
            Some(first) if first >= replayed => Missing::Nothing,
            _ => Missing::Unknown,
        }
    }

    /// What the ledger has lost with the commits: records that are in segments and not in it, and those
    /// that it has and that are in none any more, because they were too old.
    fn ledger(&self, before: &State, set_aside: &[SetAside]) -> (Vec<LedgerDelta>, Vec<ExpiredRows>) {
        // Also of whom nothing is left.
        let mut there: BTreeMap<(Tenant, Signal), u64> =
            before.ledger.keys().map(|key| (key.clone(), 0)).collect();
        for segment in self.live.values().flatten() {
            add_rows(&mut there, &segment.tenant, segment.table, segment.rows);
        }
        let set_aside = || before.set_aside.iter().chain(set_aside);
        for (tenant, signal, rows) in set_aside().filter_map(SetAside::records) {
            *there.entry((tenant, signal)).or_default() += rows;
        }
        let (mut lost, mut expired) = (Vec::new(), Vec::new());
        for ((tenant, signal), rows) in there {
            let known = before.ledger.get(&(tenant.clone(), signal)).map_or(0, |counts| counts.stored);
            // Nobody knows what was in some of it.
            let uncounted = |place: &SetAside| {
                let of = |table: &&Table| counts_records(**table) && place.concerns(&tenant, **table);
                place.rows.is_none() && signal.tables().iter().any(|table| of(&table))
            };
            if rows > known {
                let rows = rows - known;
                let counts = Counts { received: rows, stored: rows, ..Counts::default() };
                lost.push(LedgerDelta { tenant, signal, counts });
            } else if rows < known && !set_aside().any(uncounted) {
                expired.push(ExpiredRows { tenant, signal, rows: known - rows });
            }
        }
        (lost, expired)
    }
}

/// Rows that the ledger counts, by tenant and signal.
fn add_rows(sums: &mut BTreeMap<(Tenant, Signal), u64>, tenant: &Tenant, table: Table, rows: u64) {
    if counts_records(table) {
        *sums.entry((tenant.clone(), table.signal())).or_default() += rows;
    }
}

fn place(segment: &SegmentMeta) -> Place {
    (segment.tenant.clone(), segment.table, segment.day, segment.tier)
}

impl Orphan {
    fn shares_rows_with(&self, other: &SegmentMeta) -> bool {
        self.origin.inputs.contains(&other.id) || overlap(&self.origin.lsns, &other.lsns)
    }

    /// Whether it was made of the other one, directly or not.
    fn replaces(&self, other: &SegmentMeta) -> bool {
        let within = !other.lsns.is_empty() && covers(&self.origin.lsns, &other.lsns);
        let younger = self.meta.id > other.id;
        self.origin.is_merge() && younger && (within || self.origin.inputs.contains(&other.id))
    }
}
