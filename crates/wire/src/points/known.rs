use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::columns::{Id, Ids};

/// Row numbers by id, with open addressing.
///
/// Rows that are only appended to the ids cost nothing until an id is looked for.
///
/// Ids are hashes already, but anybody can make ids that collide in a few bits, so they are mixed
/// with a secret.
pub(crate) struct Known {
    /// 1 + the row, or 0; a power of two of them, at most half in use.
    slots: Vec<u32>,
    /// How many rows are in it.
    rows: usize,
    seeds: (u64, u64),
}

impl Default for Known {
    fn default() -> Self {
        static SEEDS: LazyLock<(u64, u64)> = LazyLock::new(|| {
            let random = RandomState::new();
            (random.hash_one(1) | 1, random.hash_one(2))
        });
        Self { slots: Vec::new(), rows: 0, seeds: *SEEDS }
    }
}

impl Known {
    /// The row of an id; if there is none, `ids.len()` becomes it, and the id must be pushed next.
    #[inline(always)]
    pub(crate) fn find_or_add(&mut self, id: &Id<16>, ids: &Ids<16>) -> Option<u32> {
        if self.rows < ids.len() || ids.len() * 2 >= self.slots.len() {
            self.catch_up(ids);
        }
        let slot = self.slot(id, ids);
        match self.slots[slot] {
            0 => {
                self.slots[slot] = number(ids.len());
                self.rows += 1;
                None
            }
            known => Some(known - 1),
        }
    }

    /// The row of an id, of those rows that were looked for when they were added.
    pub(crate) fn find(&self, id: &Id<16>, ids: &Ids<16>) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots[self.slot(id, ids)].checked_sub(1)
    }

    /// Adds the rows that are not in it yet, and makes room for one more.
    #[inline(never)]
    fn catch_up(&mut self, ids: &Ids<16>) {
        if ids.len() * 2 >= self.slots.len() {
            let wanted = (ids.len() * 4).next_power_of_two().max(64);
            self.slots.clear();
            self.slots.resize(wanted, 0);
            self.rows = 0;
        }
        for row in self.rows..ids.len() {
            let slot = self.slot(ids.row(row), ids);
            // Of rows with the same id the first is found.
            if self.slots[slot] == 0 {
                self.slots[slot] = number(row);
            }
        }
        self.rows = ids.len();
    }

    /// Takes back the last row, which was added with this id. Nothing was put further because of it.
    #[cold]
    pub(crate) fn take_back(&mut self, id: &Id<16>, ids: &Ids<16>) {
        let slot = self.slot(id, ids);
        self.slots[slot] = 0;
        self.rows -= 1;
    }

    /// The slot of an id, or the free one where it would be.
    #[inline(always)]
    fn slot(&self, id: &Id<16>, ids: &Ids<16>) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.mix(id) & mask;
        loop {
            match self.slots[slot] {
                0 => return slot,
                row if ids.row(row as usize - 1) == id => return slot,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    #[inline(always)]
    fn mix(&self, id: &Id<16>) -> usize {
        let id = u128::from_le_bytes(*id);
        #[expect(clippy::cast_possible_truncation, reason = "halves are meant")]
        let (low, high) = (id as u64 ^ self.seeds.1, (id >> 64) as u64 ^ self.seeds.0);
        let mixed = u128::from(low) * u128::from(high);
        (mixed ^ mixed >> 64) as usize
    }
}

fn number(row: usize) -> u32 {
    u32::try_from(row + 1).expect("a request has fewer points than bytes")
}
