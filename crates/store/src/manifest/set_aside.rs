use model::{NANOS_PER_DAY, Signal, Table, Tenant};

use crate::ledger::counts_records;
use crate::segment::parse_path;

/// How many places that were set aside are remembered one by one; the oldest become one.
pub(super) const SET_ASIDE_MAX: usize = 1000;
/// What stands for those that are not remembered one by one any more.
const OLDER: &str = "set-aside/#older";

/// Something that was damaged and set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
    /// How many rows it held, if that is known.
    pub rows: Option<u64>,
    /// The least and the greatest time of them, if that is known.
    pub times: Option<(i64, i64)>,
    /// Of a place in the log, or of many places: whose records may have been in it. Of a segment
    /// its path says so.
    pub whose: Option<Whose>,
}

/// Whose records may be missing; what is not known may be anybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// The tenant, if it is known.
    pub tenant: Option<Tenant>,
    /// The signal, if it is known.
    pub signal: Option<Signal>,
}

impl SetAside {
    /// Whether records of this table of this tenant may have been in it.
    pub(crate) fn concerns(&self, tenant: &Tenant, table: Table) -> bool {
        if let Some((of, whose, ..)) = parse_path(&self.path) {
            return of == table && whose == *tenant;
        }
        self.whose.as_ref().is_some_and(|whose| {
            whose.tenant.as_ref().is_none_or(|known| known == tenant)
                && whose.signal.is_none_or(|known| known == table.signal())
        })
    }

    /// The least and the greatest time that its records may have.
    pub(crate) fn span(&self) -> (i64, i64) {
        // A part of several days is named after the latest of them.
        let latest = parse_path(&self.path).map_or(i64::MAX, |(_, _, day, _)| day_end(day));
        self.times.unwrap_or((i64::MIN, latest))
    }

    /// Its records as the ledger counts them, if they are stored as far as the ledger knows.
    pub(crate) fn records(&self) -> Option<(Tenant, Signal, u64)> {
        let (table, tenant, ..) = parse_path(&self.path)?;
        counts_records(table).then_some((tenant, table.signal(), self.rows?))
    }
}

/// Adds what is not known yet. Beyond the limit the oldest become one that says less, but says that
/// something is missing.
pub(super) fn add(known: &mut Vec<SetAside>, damage: &[SetAside]) {
    for damage in damage {
        if known.iter().all(|known| known.path != damage.path) {
            known.push(damage.clone());
        }
    }
    while known.len() > SET_ASIDE_MAX {
        let more = usize::from(known[0].path == OLDER);
        let oldest = known.remove(more);
        if more == 0 {
            let reason = "older places that were set aside are not listed one by one".to_owned();
            known.insert(0, SetAside { path: OLDER.to_owned(), reason, ..SetAside::default() });
        }
        known[0].absorb(&oldest);
    }
}

impl SetAside {
    fn absorb(&mut self, other: &Self) {
        if other.whose.is_none() && parse_path(&other.path).is_none() {
            // No record was in it.
            return;
        }
        let (from, to) = other.span();
        let (least, greatest) = self.times.unwrap_or((from, to));
        self.times = Some((least.min(from), greatest.max(to)));
        self.whose = Some(Whose::default());
    }
}

/// The last moment of a day.
fn day_end(day: i32) -> i64 {
    (i64::from(day) + 1).saturating_mul(NANOS_PER_DAY).saturating_sub(1)
}
