//! Takes series for which there is no room out of a request.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use model::Metrics;

use super::chunk::with_index;

/// Stands for a series that is taken out.
const OUT: u32 = u32::MAX;

/// The request without the series in these rows and without their points.
pub(crate) fn without(metrics: Metrics, rows: impl IntoIterator<Item = u32>) -> Metrics {
    let mut places: Vec<u32> = vec![0; metrics.series.num_rows()];
    for row in rows {
        // A row that is not there is not recorded by us.
        if let Some(place) = places.get_mut(row as usize) {
            *place = OUT;
        }
    }
    for (next, place) in (0..).zip(places.iter_mut().filter(|place| **place != OUT)) {
        *place = next;
    }
    let keep = |places: &[u32]| places.iter().map(|place| Some(*place != OUT)).collect::<BooleanArray>();
    let points = |points: RecordBatch| {
        let of = points.column(0).as_primitive::<UInt32Type>().values();
        let moved: Vec<u32> = of.iter().map(|series| places[*series as usize]).collect();
        let keep = keep(&moved);
        filtered(&with_index(&points, moved), &keep)
    };
    Metrics {
        series: filtered(&metrics.series, &keep(&places)),
        samples: points(metrics.samples),
        histograms: points(metrics.histograms),
        exemplars: points(metrics.exemplars),
        streams: metrics.streams,
    }
}

fn filtered(rows: &RecordBatch, keep: &BooleanArray) -> RecordBatch {
    filter_record_batch(rows, keep).expect("a mask as long as the rows")
}

/// How many points of these rows the table has.
pub(crate) fn points_of(points: &RecordBatch, rows: &[u32]) -> usize {
    let of = points.column(0).as_primitive::<UInt32Type>().values();
    of.iter().filter(|series| rows.binary_search(series).is_ok()).count()
}
