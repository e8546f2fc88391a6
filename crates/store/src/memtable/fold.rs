use std::sync::Arc;

use arrow_select::concat::concat_batches;
use model::{Budget, Table};

use super::chunk::{Chunk, with_index};
use super::streams::merge_streams;

/// From this size on a chunk stays as it is: what it costs beside its columns is little.
const FOLDED_BYTES: u64 = 64 << 10;
/// Below this size chunks are folded among themselves first, so that each row is copied twice at
/// most.
const SMALL_BYTES: u64 = 12 << 10;
/// Chunks of a size that are folded together.
pub(crate) const PARTS_MIN: usize = 16;

/// Chunks that are better one: many small requests leave many small chunks.
pub(crate) fn pick(chunks: &[Arc<Chunk>]) -> Option<Vec<Arc<Chunk>>> {
    let of_size = |low: u64, high: u64| {
        let parts: Vec<_> =
            chunks.iter().filter(|chunk| (low..high).contains(&chunk.bytes())).cloned().collect();
        (parts.len() >= PARTS_MIN).then_some(parts)
    };
    of_size(0, SMALL_BYTES).or_else(|| of_size(SMALL_BYTES, FOLDED_BYTES))
}

/// One chunk of all rows of `parts`, which are of one table and one generation.
pub(crate) fn fold(table: Table, parts: &[Arc<Chunk>], budget: &Budget) -> Chunk {
    let streams: Vec<_> = parts.iter().filter_map(|part| part.streams.as_ref()).collect();
    let rows: Vec<_> = parts.iter().map(|part| &part.rows).collect();
    let schema = parts[0].rows.schema();
    let whole = concat_batches(&schema, rows).expect("chunks of a table have one schema and are small");
    if streams.is_empty() {
        return Chunk::new(table, None, whole, budget);
    }
    let merged = merge_streams(&streams);
    let index = parts
        .iter()
        .zip(&merged.places)
        .flat_map(|(part, places)| part.index().iter().map(|stream| places[*stream as usize]));
    let whole = with_index(&whole, index.collect());
    Chunk::new(table, Some(merged.rows), whole, budget)
}
