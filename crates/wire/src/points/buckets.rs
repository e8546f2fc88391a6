use arrow_array::ArrayRef;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_schema::DataType;
use model::schema;

use crate::columns::{self, List, Offsets, SparseLists};

/// Three columns: the spans of non-empty buckets, the counts in them, and the counts that are not
/// integers.
#[derive(Default)]
pub(crate) struct Buckets {
    offset: Vec<i32>,
    length: Vec<i32>,
    spans: Offsets,
    counts: List<Int64Type>,
    pub(crate) floats: SparseLists<Float64Type>,
}

/// The last span of the open row.
#[derive(Default)]
pub(crate) struct Span {
    /// Index after its last bucket: from there the next span's gap counts.
    end: i32,
    /// There is one.
    open: bool,
}

impl Buckets {
    pub(crate) fn expect(&mut self, records: usize) {
        self.spans.reserve(records);
        self.counts.reserve(records);
    }

    /// Adds a bucket that is not empty to the open row. They come in the order of their indices, and
    /// none is `i32::MAX`; false, and nothing is added, where the gap before it does not fit.
    #[inline(always)]
    pub(crate) fn add(&mut self, span: &mut Span, index: i32, count: i64) -> bool {
        if !span.open || span.end != index {
            let Some(gap) = index.checked_sub(span.end) else { return false };
            self.offset.push(gap);
            self.length.push(0);
        }
        if let Some(length) = self.length.last_mut() {
            *length += 1;
        }
        self.counts.values.push(count);
        *span = Span { end: index + 1, open: true };
        true
    }

    /// Ends the open row.
    #[inline(always)]
    pub(crate) fn end_row(&mut self) {
        self.spans.push(self.offset.len());
        self.counts.end_row();
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.spans.truncate(rows);
        let spans = self.spans.end_of(rows);
        self.offset.truncate(spans);
        self.length.truncate(spans);
        self.counts.truncate(rows);
        self.floats.truncate(rows);
    }

    /// The spans' column, the counts', and that of those that are not integers.
    pub(crate) fn finish(self) -> [ArrayRef; 3] {
        let rows = self.spans.len();
        let columns =
            vec![columns::numbers::<Int32Type>(self.offset), columns::numbers::<Int32Type>(self.length)];
        let spans = columns::list_of_structs(&schema::bucket_spans_type(), self.spans, columns);
        let floats = self.floats.finish(&schema::list(DataType::Float64), rows);
        [spans, self.counts.finish(&schema::list(DataType::Int64)), floats]
    }
}
