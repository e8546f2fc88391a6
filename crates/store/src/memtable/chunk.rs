use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use model::{Budget, Reservation, Table};

use super::blank::{is_blank, without_blanks};

/// What a chunk costs beside its columns: the arrays' own structures and the lists it is in.
const OVERHEAD_BYTES: u64 = 256;

/// Records of one table, as one request brought them or as several were folded into one.
///
/// The first column of `rows` is an index: into `streams` for tables that have streams, else into
/// the series of the generation it belongs to. Its memory is given back when the last reader is
/// done with it, not when it leaves the memtable.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) streams: Option<RecordBatch>,
    pub(crate) rows: RecordBatch,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
    reservation: Reservation,
}

impl Chunk {
    /// A chunk of at least one row, accounted to `budget`.
    pub(crate) fn new(
        table: Table,
        streams: Option<RecordBatch>,
        rows: RecordBatch,
        budget: &Budget,
    ) -> Self {
        let (time_min, time_max) = time_range(times(table, &rows));
        let rows = without_blanks(&rows);
        let bytes = Self::bytes_of(streams.as_ref(), &rows);
        Self { streams, rows, time_min, time_max, reservation: budget.take(bytes) }
    }

    /// What a chunk of these parts takes from the budget.
    pub(crate) fn bytes_of(streams: Option<&RecordBatch>, rows: &RecordBatch) -> u64 {
        let streams = streams.map_or(0, RecordBatch::get_array_memory_size);
        let bytes = |column: &ArrayRef| if is_blank(column) { 0 } else { column.get_array_memory_size() };
        let rows: usize = rows.columns().iter().map(bytes).sum();
        (streams + rows) as u64 + OVERHEAD_BYTES
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.reservation.bytes()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// The first column: which stream or series each row belongs to.
    pub(crate) fn index(&self) -> &[u32] {
        self.rows.column(0).as_primitive::<UInt32Type>().values()
    }
}

/// The column by which a table's rows are assigned to days.
pub(crate) fn times(table: Table, rows: &RecordBatch) -> &[i64] {
    rows.column_by_name(table.time_column())
        .expect("every schema of a table has its time column")
        .as_primitive::<Int64Type>()
        .values()
}

/// The least and the greatest; `(0, 0)` of none.
pub(crate) fn time_range(times: &[i64]) -> (i64, i64) {
    let Some(first) = times.first() else { return (0, 0) };
    times.iter().fold((*first, *first), |(min, max), time| (min.min(*time), max.max(*time)))
}

/// The rows with another first column.
pub(crate) fn with_index(rows: &RecordBatch, index: Vec<u32>) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    columns[0] = std::sync::Arc::new(UInt32Array::from(index));
    RecordBatch::try_new(rows.schema(), columns).expect("as long as before and of the same type")
}
