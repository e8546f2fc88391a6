use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_select::interleave::interleave_record_batch;

/// Streams of several batches, each once.
#[derive(Debug)]
pub(crate) struct MergedStreams {
    /// Row schema [`model::schema::streams`].
    pub(crate) rows: RecordBatch,
    /// Per batch, the place in `rows` of each of its streams.
    pub(crate) places: Vec<Vec<u32>>,
}

/// Streams are the same when their ids are.
pub(crate) fn merge_streams(batches: &[&RecordBatch]) -> MergedStreams {
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut picks = Vec::new();
    let mut places = Vec::with_capacity(batches.len());
    for (number, batch) in batches.iter().enumerate() {
        let ids = stream_ids(batch);
        let place = |row| {
            *known.entry(ids.value(row)).or_insert_with(|| {
                picks.push((number, row));
                u32::try_from(picks.len() - 1).expect("fewer streams than bytes in memory")
            })
        };
        places.push((0..batch.num_rows()).map(place).collect());
    }
    let rows = interleave_record_batch(batches, &picks).expect("all have the schema of streams");
    MergedStreams { rows, places }
}

/// The column that tells streams apart.
pub(crate) fn stream_ids(streams: &RecordBatch) -> &arrow_array::BinaryArray {
    streams.column_by_name("stream_id").expect("in the schema").as_binary::<i32>()
}
