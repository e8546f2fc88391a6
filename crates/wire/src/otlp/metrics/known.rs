use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::columns::{Id, Ids};

/// Which series the request had so far: row numbers by id, with open addressing.
///
/// Ids are hashes already, but anybody can make ids that collide in a few bits, so they are mixed
/// with a secret.
pub(super) struct Known {
    /// 1 + the row, or 0; a power of two of them, at most half in use.
    slots: Vec<u32>,
    seeds: (u64, u64),
}

impl Default for Known {
    fn default() -> Self {
        static SEEDS: LazyLock<(u64, u64)> = LazyLock::new(|| {
            let random = RandomState::new();
            (random.hash_one(1) | 1, random.hash_one(2))
        });
        Self { slots: Vec::new(), seeds: *SEEDS }
    }
}

impl Known {
    /// Makes room for `rows` rows in all.
    pub(super) fn reserve(&mut self, rows: usize, ids: &Ids<16>) {
        let wanted = (rows * 2).next_power_of_two().max(64);
        if wanted > self.slots.len() {
            self.slots.clear();
            self.slots.resize(wanted, 0);
            for row in 0..ids.len() {
                let slot = self.slot(ids.row(row), ids);
                self.slots[slot] = number(row);
            }
        }
    }

    /// The row of an id; if there is none, `ids.len()` becomes it, and the id must be pushed next.
    #[inline(always)]
    pub(super) fn find_or_add(&mut self, id: &Id<16>, ids: &Ids<16>) -> Option<u32> {
        if ids.len() * 2 >= self.slots.len() {
            self.reserve(ids.len() * 2 + 1, ids);
        }
        let slot = self.slot(id, ids);
        match self.slots[slot] {
            0 => {
                self.slots[slot] = number(ids.len());
                None
            }
            known => Some(known - 1),
        }
    }

    /// Takes back the last row that was added. Nothing was put further because of it.
    #[cold]
    pub(super) fn take_back(&mut self, id: &Id<16>, ids: &Ids<16>) {
        let slot = self.slot(id, ids);
        self.slots[slot] = 0;
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
