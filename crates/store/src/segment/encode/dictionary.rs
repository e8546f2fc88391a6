use xxhash_rust::xxh3::xxh3_64;

/// Distinct values of a column in the order in which they came, kept as Parquet's dictionary page
/// has them.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// Per entry its hash, and where its bytes are in `plain`.
    entries: Vec<Entry>,
    /// Places in `entries`, by hash; [`FREE`] where there is none.
    slots: Vec<u32>,
    plain: Vec<u8>,
    /// Whether each value is preceded by its length.
    prefixed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    start: u32,
    len: u32,
}

const FREE: u32 = u32::MAX;

impl Dictionary {
    /// For texts, which have lengths.
    pub(super) fn of_texts() -> Self {
        Self::new(true)
    }

    /// For numbers of one size.
    pub(super) fn of_numbers() -> Self {
        Self::new(false)
    }

    fn new(prefixed: bool) -> Self {
        Self { entries: Vec::new(), slots: vec![FREE; 64], plain: Vec::new(), prefixed }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The dictionary page.
    pub(super) fn plain(&self) -> &[u8] {
        &self.plain
    }

    pub(super) fn get(&self, id: u32) -> &[u8] {
        let entry = &self.entries[id as usize];
        &self.plain[entry.start as usize..][..entry.len as usize]
    }

    /// The place of the value, which is added when it is new.
    #[inline]
    pub(super) fn intern(&mut self, value: &[u8]) -> u32 {
        let hash = hash(value);
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
        if self.prefixed {
            self.plain.extend_from_slice(&len.to_le_bytes());
        }
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

#[inline]
fn hash(value: &[u8]) -> u32 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = match (value.first_chunk::<8>(), value.last_chunk::<8>()) {
        (Some(first), Some(last)) if value.len() <= 16 => {
            let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            let wide =
                u128::from(first ^ SPREAD) * u128::from(last ^ (value.len() as u64).wrapping_mul(SPREAD));
            (wide as u64) ^ (wide >> 64) as u64
        }
        (None, _) => {
            let mut bytes = [0; 8];
            bytes[..value.len()].copy_from_slice(value);
            let wide =
                u128::from(u64::from_le_bytes(bytes) ^ SPREAD) * u128::from(SPREAD ^ value.len() as u64);
            (wide as u64) ^ (wide >> 64) as u64
        }
        _ => xxh3_64(value),
    };
    (mixed ^ (mixed >> 32)) as u32
}
