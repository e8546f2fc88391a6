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
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        let mixed = u128::from(self.hash ^ word ^ self.seeds.1) * u128::from(self.seeds.0);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded")]
        let folded = mixed as u64 ^ (mixed >> 64) as u64;
        self.hash = folded;
    }

    /// The length before an array's bytes, which is always the same here.
    #[inline(always)]
    fn write_usize(&mut self, _length: usize) {}

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.hash
    }
}
