//! The spans of one side as a sequence of bucket indexes, and how two of them become one.

use super::BucketSpan;

/// The indexes of a side's buckets, never more than there are buckets.
#[derive(Clone, Debug)]
pub(super) struct Indexes<'a> {
    spans: &'a [BucketSpan],
    remaining: usize,
    front: Cursor,
    /// Its index is one past the last.
    back: Cursor,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    span: usize,
    left: u32,
    index: i64,
}

impl<'a> Indexes<'a> {
    pub(super) fn new(spans: &'a [BucketSpan], buckets: usize) -> Self {
        let (mut total, mut end) = (0_usize, 0_i64);
        for span in spans {
            total = total.saturating_add(span.length as usize);
            end += i64::from(span.offset) + i64::from(span.length);
        }
        let front = spans.first().map_or_else(Cursor::default, |span| Cursor {
            span: 0,
            left: span.length,
            index: i64::from(span.offset),
        });
        let back = spans.last().map_or_else(Cursor::default, |span| Cursor {
            span: spans.len() - 1,
            left: span.length,
            index: end,
        });
        let mut indexes = Self { spans, remaining: total, front, back };
        indexes.drop_back(total - total.min(buckets));
        indexes
    }

    /// Leaves out places at the end for which there is no bucket.
    fn drop_back(&mut self, mut surplus: usize) {
        self.remaining -= surplus;
        while surplus > 0 {
            self.step_back_to_span();
            let step = self.back.left.min(u32::try_from(surplus).unwrap_or(u32::MAX));
            self.back.left -= step;
            self.back.index -= i64::from(step);
            surplus -= step as usize;
        }
    }

    fn step_back_to_span(&mut self) {
        while self.back.left == 0 && self.back.span > 0 {
            self.back.index -= i64::from(self.spans[self.back.span].offset);
            self.back.span -= 1;
            self.back.left = self.spans[self.back.span].length;
        }
    }
}

fn to_index(index: i64) -> i32 {
    index.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

impl Iterator for Indexes<'_> {
    type Item = i32;

    #[inline]
    fn next(&mut self) -> Option<i32> {
        if self.remaining == 0 {
            return None;
        }
        while self.front.left == 0 {
            self.front.span += 1;
            let span = self.spans.get(self.front.span)?;
            self.front.index += i64::from(span.offset);
            self.front.left = span.length;
        }
        let index = self.front.index;
        self.front.index += 1;
        self.front.left -= 1;
        self.remaining -= 1;
        Some(to_index(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl DoubleEndedIterator for Indexes<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<i32> {
        if self.remaining == 0 {
            return None;
        }
        self.step_back_to_span();
        self.back.left = self.back.left.checked_sub(1)?;
        self.back.index -= 1;
        self.remaining -= 1;
        Some(to_index(self.back.index))
    }
}

impl ExactSizeIterator for Indexes<'_> {}

/// Spans from ascending indexes; others are left out.
#[derive(Debug, Default)]
pub(super) struct SpanBuilder {
    spans: Vec<BucketSpan>,
    next: i64,
}

impl SpanBuilder {
    /// Whether the index is new.
    pub(super) fn push(&mut self, index: i32) -> bool {
        let index = i64::from(index);
        match self.spans.last_mut() {
            Some(_) if index < self.next => return false,
            Some(last) if index == self.next => last.length += 1,
            Some(_) => self.open(index - self.next),
            None => self.open(index),
        }
        self.next = index + 1;
        true
    }

    fn open(&mut self, offset: i64) {
        self.spans.push(BucketSpan { offset: to_index(offset), length: 1 });
    }

    pub(super) fn finish(self) -> Vec<BucketSpan> {
        self.spans
    }
}

/// The spans that have the places of both, and how many places those are.
pub(super) fn union(
    left: impl Iterator<Item = i32>,
    right: impl Iterator<Item = i32>,
) -> (Vec<BucketSpan>, usize) {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    let mut builder = SpanBuilder::default();
    let mut places = 0;
    loop {
        let index = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a <= b => left.next(),
            (_, Some(_)) => right.next(),
            (_, None) => left.next(),
        };
        let Some(index) = index else { break };
        places += usize::from(builder.push(index));
    }
    (builder.finish(), places)
}

/// Visits the target's buckets that stand at the source's indexes; the second argument is the place
/// in the source.
pub(super) fn scatter(
    source: impl Iterator<Item = i32>,
    target: Indexes<'_>,
    mut visit: impl FnMut(usize, usize),
) {
    let mut target = target.enumerate().peekable();
    for (from, index) in source.enumerate() {
        while target.next_if(|(_, at)| *at < index).is_some() {}
        if let Some((to, at)) = target.peek()
            && *at == index
        {
            visit(*to, from);
        }
    }
}

/// The same places, however they are divided into spans of length zero.
pub(super) fn same(left: &[BucketSpan], right: &[BucketSpan]) -> bool {
    if left == right {
        return true;
    }
    let mut left = Filled(left.iter());
    let mut right = Filled(right.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (a, b) if a != b => return false,
            _ => {}
        }
    }
}

/// The spans that have buckets; the gaps of empty ones go to the next.
struct Filled<'a>(std::slice::Iter<'a, BucketSpan>);

impl Iterator for Filled<'_> {
    type Item = (i64, u32);

    fn next(&mut self) -> Option<(i64, u32)> {
        let mut offset = 0;
        for span in self.0.by_ref() {
            offset += i64::from(span.offset);
            if span.length > 0 {
                return Some((offset, span.length));
            }
        }
        None
    }
}
