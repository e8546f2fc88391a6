#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use model::{Budget, Signal, Table};

use super::days::SeriesDays;
use super::*;
use crate::disk::Chance;
use crate::tests::fixture::{NOON, Request, Row};
use std::sync::Arc;

#[test]
fn a_series_is_new_once_a_day() {
    let mut chance = Chance::new(3);
    let (mut days, mut known) = (SeriesDays::default(), HashSet::new());
    for _ in 0..20_000 {
        let series = chance.below(40) as u32;
        let day = match chance.below(10) {
            0 => i32::MIN + chance.below(3) as i32,
            1 => i32::MAX - chance.below(3) as i32,
            _ => 19_000 + chance.below(80) as i32,
        };
        assert_eq!(days.insert(series, day), known.insert((series, day)), "{series} on {day}");
    }
}

#[test]
fn series_have_one_number_each_and_keep_it() {
    let budget = Budget::new(1 << 30);
    let index = SeriesIndex::new(&budget);
    let request = |streams: std::ops::Range<u8>| {
        let rows = streams.map(|stream| Row { id: 1, stream, time: NOON });
        match Request::of(rows).batch(Signal::Metrics) {
            model::Batch::Metrics(metrics) => metrics.series,
            _ => unreachable!(),
        }
    };
    let first = index.resolve(&request(0..10));
    assert_eq!(first, (0..10).collect::<Vec<_>>());
    assert_eq!(index.resolve(&request(5..12)), [5, 6, 7, 8, 9, 10, 11]);
    assert_eq!((index.len(), index.catalog().names.len()), (12, 4));
    assert_eq!(index.catalog().name(6), "m2");
    assert!(budget.used() > 0);
    drop(index);
    assert_eq!(budget.used(), 0);
}

#[test]
fn points_move_to_another_index_when_the_tenants_was_replaced() {
    let budget = Budget::new(1 << 30);
    let (old, new) = (Arc::new(SeriesIndex::new(&budget)), Arc::new(SeriesIndex::new(&budget)));
    let batch = |streams: [u8; 2]| {
        Request::of(streams.map(|stream| Row { id: 1, stream, time: NOON })).batch(Signal::Metrics)
    };
    Prepared::new(batch([1, 2]), Some(&old), &budget);
    Prepared::new(batch([3, 2]), Some(&new), &budget);
    let mut prepared = Prepared::new(batch([2, 3]), Some(&old), &budget);
    assert_eq!(prepared.chunks[0].1.index(), [1, 2]);
    prepared.renumber(&new, &budget);
    assert_eq!(prepared.chunks[0].1.index(), [0, 1], "2 and 3 came in this order to the new one");
    let mut days = SeriesDays::default();
    let rows = prepared.series.as_ref().unwrap().new_rows(&mut days, &budget).unwrap();
    assert_eq!((rows.len(), rows.rows.num_columns()), (2, model::schema::rows(Table::Series).fields().len()));
    assert!(prepared.series.unwrap().new_rows(&mut days, &budget).is_none());
}
