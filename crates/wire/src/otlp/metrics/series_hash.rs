use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// Hashes ids that are hashes already, with a secret, so that nobody can prepare ids that collide.
#[derive(Clone, Copy)]
pub(super) struct Seeded(u64, u64);

/// The state of one hash.
pub(super) struct Folded {
    seeds: (u64, u64),
    hash: u64,
}

impl Default for Seeded {
    fn default() -> Self {
        static SEEDS: LazyLock<(u64, u64)> = LazyLock::new(|| {
            let random = RandomState::new();
            (random.hash_one(1) | 1, random.hash_one(2))
        });
        Self(SEEDS.0, SEEDS.1)
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folded;

    #[inline(always)]
    fn build_hasher(&self) -> Folded {
        Folded { seeds: (self.0, self.1), hash: 0 }
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        let mixed = u128::from(self.hash ^ word ^ self.seeds.1) * u128::from(self.seeds.0);
        self.hash = low(mixed) ^ low(mixed >> 64);
    }

    #[inline(always)]
    fn write_u128(&mut self, id: u128) {
        self.write_u64(low(id));
        self.write_u64(low(id >> 64));
    }

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.hash
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
#[inline(always)]
fn low(word: u128) -> u64 {
    word as u64
}
