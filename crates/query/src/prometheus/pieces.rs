//! What files have of each series, as it was decoded: it is put together where a series is evaluated.
//!
//! Enters: runs of samples of the parts of files, each part with some of many series. Leaves: the samples of
//! one series, by whichever thread wants them, into memory that it has from the series before.
//! Must hold: pieces of a series come in the order of their times; where these overlap, all of them in the
//! order of the parts.

use promql::Chunk;

use super::memory::Memory;
use super::samples::Runs;

/// Samples of a part that follow each other.
#[derive(Clone, Copy, Default)]
struct Piece {
    part: u32,
    start: u32,
    end: u32,
}

/// The samples of some series in files.
#[derive(Default)]
pub(super) struct Pieces {
    parts: Vec<Runs>,
    /// Those of one series are next to each other.
    pieces: Vec<Piece>,
    /// For each series where its pieces end.
    ends: Vec<usize>,
    /// Given back when nothing of it is wanted any more.
    _memory: Option<Memory>,
}

impl Pieces {
    /// Sorts the runs of so many series by these. `memory` is what the samples were taken from.
    pub(super) fn new(parts: Vec<Runs>, series: usize, memory: Memory) -> Self {
        let mut ends = vec![0; series];
        parts.iter().for_each(|part| part.each(|place, _| ends[place] += 1));
        let mut all = 0;
        for end in &mut ends {
            // Where its pieces begin, until they are there.
            all += std::mem::replace(end, all);
        }
        let mut pieces = vec![Piece::default(); all];
        // A part has at most the rows of a row group.
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        for (number, part) in parts.iter().enumerate() {
            part.each(|place, range| {
                let (part, start, end) = (small(number), small(range.start), small(range.end));
                pieces[ends[place]] = Piece { part, start, end };
                ends[place] += 1;
            });
        }
        let mut all = Self { parts, pieces, ends, _memory: Some(memory) };
        all.order();
        all
    }

    /// Days are merged in any order, and a file may have an hour of a series between two others: what is
    /// apart in time need not be sorted sample by sample.
    fn order(&mut self) {
        let (mut start, mut ordered) = (0, Vec::with_capacity(self.pieces.len()));
        for end in &mut self.ends {
            in_order(&self.parts, &self.pieces[start..*end], &mut ordered);
            start = std::mem::replace(end, ordered.len());
        }
        self.pieces = ordered;
    }

    fn of(&self, place: usize) -> &[Piece] {
        let Some(end) = self.ends.get(place) else { return &[] };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.pieces[start..*end]
    }

    /// How many samples a series has.
    pub(super) fn len(&self, place: usize) -> usize {
        self.of(place).iter().map(|piece| (piece.end - piece.start) as usize).sum()
    }

    /// Appends the samples of a series.
    pub(super) fn append(&self, place: usize, chunk: &mut Chunk) {
        let len = self.len(place);
        chunk.times_ms.reserve(len);
        chunk.values.reserve(len);
        for piece in self.of(place) {
            let samples = &self.parts[piece.part as usize].samples;
            let range = piece.start as usize..piece.end as usize;
            chunk.times_ms.extend_from_slice(&samples.times_ms[range.clone()]);
            chunk.values.extend_from_slice(&samples.values[range.clone()]);
            if !samples.start_times_ms.is_empty() {
                chunk.start_times_ms.extend_from_slice(&samples.start_times_ms[range]);
            }
        }
    }
}

/// Appends pieces of a series in the order of their times, cut where another one comes between; as they are,
/// where that would be at too many places.
fn in_order(parts: &[Runs], pieces: &[Piece], ordered: &mut Vec<Piece>) {
    const CUTS_MAX: usize = 4;
    let times = |piece: &Piece| -> &[i64] {
        &parts[piece.part as usize].samples.times_ms[piece.start as usize..piece.end as usize]
    };
    let before = ordered.len();
    // The first one comes last.
    let mut left: Vec<(i64, Piece)> =
        pieces.iter().filter_map(|piece| Some((*times(piece).first()?, *piece))).collect();
    left.sort_by_key(|(first, _)| std::cmp::Reverse(*first));
    while let Some((_, piece)) = left.pop() {
        let own = times(&piece);
        let next = left.last().map_or(i64::MAX, |(first, _)| *first);
        let len = if own.last() < Some(&next) { own.len() } else { own.partition_point(|time| *time < next) };
        if len == 0 || ordered.len() - before > CUTS_MAX * pieces.len() {
            ordered.truncate(before);
            ordered.extend_from_slice(pieces);
            return;
        }
        let cut = piece.start + u32::try_from(len).unwrap_or(u32::MAX);
        ordered.push(Piece { end: cut, ..piece });
        if let Some(first) = own.get(len) {
            let place = left.partition_point(|(other, _)| other > first);
            left.insert(place, (*first, Piece { start: cut, ..piece }));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use crate::pool::QueryPool;

    fn given(parts: Vec<Runs>, place: usize) -> (usize, Vec<i64>, Vec<f64>) {
        let pool = Arc::new(QueryPool::new(&model::Budget::new(1 << 20), 1.0));
        let pieces = Pieces::new(parts, 3, Memory::new(&pool, "test"));
        let mut chunk = Chunk::default();
        pieces.append(place, &mut chunk);
        assert_eq!(chunk.times_ms.len(), pieces.len(place));
        (pieces.of(place).len(), chunk.times_ms, chunk.values)
    }

    #[test]
    fn what_lies_between_others_is_put_there() {
        let parts = || vec![Runs::of(&[(0, &[7]), (2, &[1, 2, 8, 9])]), Runs::of(&[(2, &[3, 4]), (1, &[5])])];
        assert_eq!(given(parts(), 2), (3, vec![1, 2, 3, 4, 8, 9], vec![1.0, 2.0, 0.0, 1.0, 3.0, 4.0]));
        assert_eq!(given(parts(), 0), (1, vec![7], vec![0.0]));
        assert_eq!(given(parts(), 1), (1, vec![5], vec![2.0]));
        let days = vec![Runs::of(&[(1, &[5, 6])]), Runs::of(&[(1, &[1, 2])]), Runs::of(&[(1, &[3])])];
        assert_eq!(given(days, 1).1, [1, 2, 3, 5, 6]);
        assert_eq!(given(Vec::new(), 1), (0, Vec::new(), Vec::new()));
    }

    #[test]
    fn what_was_written_last_stays_last() {
        // Of one time the one of the later part counts.
        let twice = vec![Runs::of(&[(0, &[4, 5, 6])]), Runs::of(&[(0, &[1, 5, 9])])];
        assert_eq!(given(twice, 0), (2, vec![4, 5, 6, 1, 5, 9], vec![0.0, 1.0, 2.0, 0.0, 1.0, 2.0]));
    }

    #[test]
    fn what_is_in_many_pieces_is_left_for_the_sort() {
        let (even, odd): (Vec<_>, Vec<_>) = (0..100).partition(|time| time % 2 == 0);
        let (pieces, times, _) = given(vec![Runs::of(&[(0, &even)]), Runs::of(&[(0, &odd)])], 0);
        assert_eq!((pieces, times), (2, [even, odd].concat()));
    }
}
