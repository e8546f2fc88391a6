use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Distinct texts of a column in the order in which they came, kept as Parquet's dictionary page has
/// them.
#[derive(Debug)]
pub(in crate::segment) struct Dictionary {
    /// Per entry its hash, and where its bytes are in `plain`.
    entries: Vec<Entry>,
    /// Places in `entries`, by hash; [`FREE`] where there is none.
    slots: Vec<u32>,
    plain: Vec<u8>,
    /// So that no sender can choose values that hash alike.
    seed: u64,
}

/// Distinct numbers of a column in the order in which they came.
#[derive(Debug)]
pub(super) struct Numbers {
    values: Vec<i64>,
    /// As in [`Dictionary`].
    slots: Vec<u32>,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    start: u32,
    len: u32,
}

const FREE: u32 = u32::MAX;

impl Dictionary {
    pub(in crate::segment) fn new() -> Self {
        let seed = RandomState::new().hash_one(());
        Self { entries: Vec::new(), slots: vec![FREE; 64], plain: Vec::new(), seed }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The dictionary page.
    pub(super) fn plain(&self) -> &[u8] {
        &self.plain
    }

    pub(in crate::segment) fn get(&self, id: u32) -> &[u8] {
        let entry = &self.entries[id as usize];
        &self.plain[entry.start as usize..][..entry.len as usize]
    }

    /// The place of the value, which is added when it is new.
    #[inline]
    pub(in crate::segment) fn intern(&mut self, value: &[u8]) -> u32 {
        let hash = hash(value, self.seed);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let id = self.slots[slot];
            if id == FREE {
                return self.insert(value, hash, slot);
            }
            if self.entries[id as usize].hash == hash && self.get(id) == value {
                return id;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn insert(&mut self, value: &[u8], hash: u32, slot: usize) -> u32 {
        let id = u32::try_from(self.entries.len()).expect("dictionaries are given up long before");
        let len = u32::try_from(value.len()).expect("values are smaller than 4 GiB");
        self.plain.extend_from_slice(&len.to_le_bytes());
        let start = u32::try_from(self.plain.len()).expect("dictionaries are given up long before");
        self.plain.extend_from_slice(value);
        self.entries.push(Entry { hash, start, len });
        self.slots[slot] = id;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        id
    }

    fn grow(&mut self) {
        let len = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(len, FREE);
        for (id, entry) in (0..).zip(&self.entries) {
            let mut slot = entry.hash as usize & (len - 1);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = id;
        }
    }
}

impl Numbers {
    pub(super) fn new() -> Self {
        let seed = RandomState::new().hash_one(());
        Self { values: Vec::new(), slots: vec![FREE; 64], seed }
    }

    pub(super) fn values(&self) -> &[i64] {
        &self.values
    }

    /// Leaves the first so many values. No value may be looked for after it.
    pub(super) fn end(&mut self, len: usize) {
        self.values.truncate(len);
        self.slots = Vec::new();
    }

    /// The place of the value, which is added when it is new.
    #[inline]
    pub(super) fn intern(&mut self, value: i64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = spread(value.cast_unsigned(), 0, self.seed) as usize & mask;
        loop {
            match self.slots[slot] {
                FREE => return self.insert(value, slot),
                id if self.values[id as usize] == value => return id,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn insert(&mut self, value: i64, slot: usize) -> u32 {
        let id = u32::try_from(self.values.len()).expect("dictionaries are given up long before");
        self.values.push(value);
        self.slots[slot] = id;
        if self.values.len() * 2 > self.slots.len() {
            let len = self.slots.len() * 4;
            self.slots.clear();
            self.slots.resize(len, FREE);
            for (id, value) in (0..).zip(&self.values) {
                let mut slot = spread(value.cast_unsigned(), 0, self.seed) as usize & (len - 1);
                while self.slots[slot] != FREE {
                    slot = (slot + 1) & (len - 1);
                }
                self.slots[slot] = id;
            }
        }
        id
    }
}

/// Few bytes are read as one or two numbers, which may overlap; most values have few.
#[inline]
fn hash(value: &[u8], seed: u64) -> u32 {
    let len = value.len() as u64;
    match (value.first_chunk::<8>(), value.last_chunk::<8>()) {
        (Some(first), Some(last)) if len <= 16 => {
            spread(u64::from_le_bytes(*first) ^ len, u64::from_le_bytes(*last), seed)
        }
        (Some(_), _) => spread(xxh3_64_with_seed(value, seed), 0, seed),
        _ => match (value.first_chunk::<4>(), value.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
                spread(u64::from(first) | len << 32, last.into(), seed)
            }
            _ => spread(value.iter().fold(len, |bytes, byte| bytes << 8 | u64::from(*byte)), 0, seed),
        },
    }
}

#[inline]
fn spread(a: u64, b: u64, seed: u64) -> u32 {
    let wide = u128::from(a ^ seed) * u128::from(b ^ 0xa076_1d64_78bd_642f);
    let mixed = wide as u64 ^ (wide >> 64) as u64;
    (mixed ^ (mixed >> 32)) as u32
}
