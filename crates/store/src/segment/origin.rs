//! Where a segment's rows came from: what a lost manifest is made again from.
//!
//! In the footer's key-value metadata under [`KEY`], as JSON, where other readers do not look. A
//! record is in the log until its seal is committed, and in the inputs until their merge is; which
//! entries of the log a segment covers therefore tells whether its rows are also somewhere else.

use model::{Lsn, Table, Tenant};
use serde::{Deserialize, Serialize};

use crate::manifest::TierOf;

/// The footer's key.
pub(crate) const KEY: &str = "fresnel.segment";

/// Ranges of the log, both ends included, ascending and apart.
pub(crate) type Ranges = Vec<(Lsn, Lsn)>;

/// Where rows came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The entries of its tenant and signal that are covered. Each begins behind what the seal
    /// before it reached: that it exists proves that what is below was committed.
    pub(crate) lsns: Ranges,
    /// Of a seal: the first entry that really brought something.
    pub(crate) first: Option<Lsn>,
    /// Of a merge: the ids of the segments in whose place it came.
    pub(crate) inputs: Vec<String>,
}

/// What is on disk: names are added, never changed.
#[derive(Debug, Serialize, Deserialize)]
struct Footer {
    store: String,
    tenant: String,
    table: String,
    level: u8,
    #[serde(default)]
    lsns: Ranges,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Lsn>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolution_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    thinned: Vec<u64>,
}

/// What a footer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The store that wrote it.
    pub(crate) store: String,
    /// How often the rows had been merged.
    pub(crate) level: u8,
    pub(crate) origin: Origin,
    /// Of downsampled samples, what they are.
    pub(crate) tier: Option<TierOf>,
    /// Of samples, the rules whose samples were removed, since they had expired.
    pub(crate) thinned: Vec<u64>,
}

impl Stamp {
    pub(crate) fn format(&self, table: Table, tenant: &Tenant) -> String {
        let Origin { lsns, first, inputs } = self.origin.clone();
        let footer = Footer {
            store: self.store.clone(),
            tenant: tenant.to_string(),
            table: table.to_string(),
            level: self.level,
            lsns,
            first,
            inputs,
            resolution_ms: self.tier.map(|tier| tier.resolution_ms),
            rule: self.tier.map(|tier| tier.rule),
            thinned: self.thinned.clone(),
        };
        serde_json::to_string(&footer).expect("texts and numbers can be written")
    }

    /// Nothing when it is not the footer of this table and tenant: somebody moved the file.
    pub(crate) fn parse(text: &str, table: Table, tenant: &Tenant) -> Option<Self> {
        let footer: Footer = serde_json::from_str(text).ok()?;
        let here = footer.tenant == tenant.as_str() && footer.table == table.as_str();
        let Footer { store, level, lsns, first, inputs, resolution_ms, rule, thinned, .. } = footer;
        let tier = resolution_ms.zip(rule).map(|(resolution_ms, rule)| TierOf { resolution_ms, rule });
        here.then_some(Self { store, level, origin: Origin { lsns, first, inputs }, tier, thinned })
    }
}

impl Origin {
    /// The last entry that is covered; 0 when that is not known.
    pub(crate) fn last(&self) -> Lsn {
        self.lsns.last().map_or(0, |(_, last)| *last)
    }

    pub(crate) fn is_merge(&self) -> bool {
        !self.inputs.is_empty()
    }
}

/// All of several ranges, as few as possible.
pub(crate) fn union(ranges: impl IntoIterator<Item = (Lsn, Lsn)>) -> Ranges {
    let mut sorted: Ranges = ranges.into_iter().collect();
    sorted.sort_unstable();
    let mut union: Ranges = Vec::new();
    for (from, to) in sorted {
        match union.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => union.push((from, to)),
        }
    }
    union
}

/// Whether they have an entry in common.
pub(crate) fn overlap(a: &[(Lsn, Lsn)], b: &[(Lsn, Lsn)]) -> bool {
    a.iter().any(|(from, to)| b.iter().any(|(start, end)| from <= end && start <= to))
}

/// Whether each range of `inner` is in one of `outer`.
pub(crate) fn covers(outer: &[(Lsn, Lsn)], inner: &[(Lsn, Lsn)]) -> bool {
    inner.iter().all(|(start, end)| outer.iter().any(|(from, to)| from <= start && end <= to))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(union([(5, 9), (1, 2), (3, 4), (20, 30), (8, 12)]), [(1, 12), (20, 30)]);
        assert_eq!(union([(1, Lsn::MAX), (3, 4)]), [(1, Lsn::MAX)]);
        assert!(overlap(&[(1, 3), (8, 9)], &[(4, 8)]) && !overlap(&[(1, 3), (8, 9)], &[(4, 7)]));
        assert!(covers(&[(1, 3), (8, 9)], &[(2, 3), (8, 8)]) && !covers(&[(1, 3), (8, 9)], &[(3, 8)]));
    }

    #[test]
    fn a_footer_says_what_was_written_and_nothing_about_another_table() {
        let origin = Origin { lsns: vec![(3, 9)], first: Some(4), inputs: vec!["a".into()] };
        let tier = Some(TierOf { resolution_ms: 300_000, rule: u64::MAX });
        let stamp = Stamp { store: "s".into(), level: 2, origin, tier, thinned: vec![3, u64::MAX] };
        let (table, tenant) = (Table::Logs, Tenant::default());
        let text = stamp.format(table, &tenant);
        assert_eq!(Stamp::parse(&text, table, &tenant), Some(stamp));
        assert_eq!(Stamp::parse(&text, Table::Spans, &tenant), None);
        assert_eq!(Stamp::parse(&text, table, &Tenant::parse("other").unwrap()), None);
        assert_eq!(Stamp::parse("{}", table, &tenant), None);
    }
}
