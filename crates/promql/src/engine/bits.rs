//! A bit for each step.
//!
//! Must hold: bits beyond the length are zero.

/// Which steps have something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    pub(super) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    pub(super) fn all(len: usize) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = words.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        Self { words, len }
    }

    /// A word for each 64 places, with nothing beyond the last.
    pub(super) fn from_words(words: Vec<u64>, len: usize) -> Self {
        debug_assert_eq!(words.len(), len.div_ceil(64), "a word for each 64 places");
        Self { words, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: usize) -> bool {
        self.words[place / 64] >> (place % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, place: usize) {
        debug_assert!(place < self.len, "beyond the last step");
        self.words[place / 64] |= 1 << (place % 64);
    }

    pub(super) fn clear(&mut self, place: usize) {
        self.words[place / 64] &= !(1 << (place % 64));
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn any(&self) -> bool {
        self.words.iter().any(|word| *word != 0)
    }

    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(one, other)| one & other != 0)
    }

    pub(super) fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// The places that are set, ascending.
    pub(super) fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(number, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let place = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(number * 64 + place)
            })
        })
    }

    /// Runs of places that are set, as ranges: dense columns are worked on as slices.
    pub(super) fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.next_equal(from, true)?;
            let end = self.next_equal(start, false).unwrap_or(self.len);
            from = end;
            Some(start..end)
        })
    }

    /// The first place at or after `from` that is set (or is not).
    fn next_equal(&self, from: usize, set: bool) -> Option<usize> {
        if from >= self.len {
            return None;
        }
        let flip = if set { 0 } else { u64::MAX };
        let mut number = from / 64;
        let mut word = (self.words[number] ^ flip) & (u64::MAX << (from % 64));
        while word == 0 {
            number += 1;
            word = self.words.get(number)? ^ flip;
        }
        let place = number * 64 + word.trailing_zeros() as usize;
        (place < self.len).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn runs_and_ones_agree() {
        for len in [1, 63, 64, 65, 130, 200] {
            let mut bits = Bits::none(len);
            (0..len).filter(|place| place % 7 != 3 && place % 50 > 4).for_each(|place| bits.set(place));
            let by_runs: Vec<_> = bits.runs().flatten().collect();
            let by_ones: Vec<_> = bits.ones().collect();
            assert_eq!(by_runs, by_ones, "{len}");
            assert_eq!(by_ones.len(), bits.count());
            assert_eq!(Bits::all(len).count(), len);
            assert_eq!(Bits::all(len).runs().next(), Some(0..len));
        }
    }
}
