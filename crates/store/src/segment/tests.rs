#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use model::{Budget, Table};

use super::trace_index::{Place, TraceIndex, TraceIndexBuilder, all, rows_in};
use super::*;
use crate::disk::Chance;
use crate::memtable::{Chunk, Prepared, SeriesCatalog, SeriesIndex};
use crate::tests::fixture::{NOON, Request, Row, rows_of};

/// Chunks of some requests, as they are in memory, and the catalog that their series refer to.
fn chunks(table: Table, chance: &mut Chance) -> (Vec<Chunk>, SeriesCatalog) {
    let budget = Budget::new(1 << 30);
    let index = Arc::new(SeriesIndex::new(&budget));
    let mut chunks = Vec::new();
    for _ in 0..1 + chance.below(6) {
        let rows = (0..1 + chance.below(40)).map(|_| Row {
            id: chance.below(1000),
            stream: chance.below(9) as u8,
            time: NOON + chance.below(50) as i64,
        });
        let batch = Request::of(rows.collect::<Vec<_>>()).batch(table.signal());
        let prepared = Prepared::new(batch, Some(&index), &budget);
        chunks.extend(prepared.chunks.into_iter().filter(|(of, _)| *of == table).map(|(_, chunk)| chunk));
    }
    (chunks, index.catalog())
}

/// By what the files of a table are sorted, as far as columns say it.
fn keys(table: Table, batch: &arrow_array::RecordBatch) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let text = |name: &str, row: usize| column(name).as_string::<i32>().value(row).as_bytes().to_vec();
    let time = |row: usize| column(table.time_column()).as_primitive::<Int64Type>().value(row);
    let key = |row: usize| match table {
        Table::Logs => (text("service_name", row), text("scope_name", row), time(row)),
        Table::Spans => (text("service_name", row), text("name", row), time(row)),
        _ => {
            let id = column("series_id").as_binary::<i32>().value(row).to_vec();
            (text("metric_name", row), id, time(row))
        }
    };
    (0..batch.num_rows()).map(key).collect()
}

#[test]
fn rows_are_sorted_for_their_use_and_none_is_lost() {
    for (seed, table) in (0..60).zip(
        [Table::Logs, Table::Spans, Table::Samples, Table::Histograms, Table::Exemplars].into_iter().cycle(),
    ) {
        let (chunks, catalog) = chunks(table, &mut Chance::new(seed));
        let Some(rows) = Rows::new(table, &chunks, &catalog) else { continue };
        let picks = order(&rows);
        let mut seen: Vec<_> = picks.iter().map(|pick| (pick.chunk, pick.row)).collect();
        seen.sort_unstable();
        let all =
            (0..).zip(&chunks).flat_map(|(chunk, part)| (0..part.len() as u32).map(move |row| (chunk, row)));
        assert!(seen.into_iter().eq(all), "seed {seed}: each row once");
        let keys = keys(table, &rows.gather(&picks).unwrap());
        if table == Table::Logs {
            // The streams of a service are together, in the order of their ids.
            let mut runs: Vec<_> = keys.iter().map(|(service, scope, _)| (service, scope)).collect();
            runs.dedup();
            let streams = runs.len();
            runs.sort_unstable();
            runs.dedup();
            assert_eq!(runs.len(), streams, "seed {seed}: a stream is in one run");
            assert!(keys.is_sorted_by_key(|(service, ..)| service), "seed {seed}");
            let by_stream = keys.chunk_by(|a, b| a.1 == b.1);
            assert!(by_stream.into_iter().all(|run| run.is_sorted_by_key(|(.., time)| time)), "seed {seed}");
        } else {
            assert!(keys.is_sorted(), "seed {seed}: {table}");
        }
    }
}

#[test]
fn rows_of_a_file_become_chunks_and_rows_again() {
    for (seed, table) in (0..60).zip(
        [Table::Logs, Table::Spans, Table::Samples, Table::Histograms, Table::Exemplars].into_iter().cycle(),
    ) {
        let (chunks, catalog) = chunks(table, &mut Chance::new(seed));
        let Some(rows) = Rows::new(table, &chunks, &catalog) else { continue };
        let whole = rows.gather(&order(&rows)).unwrap();
        let mut series = FileSeries::default();
        let again = unfile(table, &whole, &mut series, &Budget::new(1 << 30));
        let all: Vec<usize> = (0..whole.num_columns()).collect();
        let back = project(table, &again, &series.catalog, 0..again.len(), &all).unwrap();
        assert_eq!(rows_of(&back), rows_of(&whole), "seed {seed}: {table}");
        let mut owners = again.index().to_vec();
        owners.sort_unstable();
        owners.dedup();
        let most = if table == Table::Logs || table == Table::Spans { 9 } else { catalog.ids.len() };
        assert!(owners.len() <= most, "streams and series are kept once");
    }
}

#[test]
fn the_trace_index_finds_every_row_of_every_trace() {
    for seed in 0..20 {
        let mut chance = Chance::new(seed);
        let rows = chance.below(20_000) as u32;
        let traces: Vec<u64> = (0..=rows / 7).map(|_| chance.number() >> 24).collect();
        let of_row: Vec<u64> =
            (0..rows).map(|_| traces[chance.below(traces.len() as u64) as usize]).collect();
        let mut builder = TraceIndexBuilder::default();
        of_row.iter().zip(0..).for_each(|(hash, row)| builder.push(*hash, row));
        let (bytes, blocks) = builder.encode();
        assert!(bytes.len() <= rows as usize * 6 + 64, "{} bytes for {rows} rows", bytes.len());
        let offset = 1000;
        let place = Place { offset, len: bytes.len() as u64, blocks: blocks as u64 };
        assert_eq!(Place::parse(&place.format(), offset + place.len), Some(place));
        assert_eq!(Place::parse(&place.format(), offset + place.len - 1), None);
        let at = |range: std::ops::Range<u64>| {
            &bytes[(range.start - offset) as usize..(range.end - offset) as usize]
        };
        let mut every: Vec<(u64, u32)> = of_row.iter().copied().zip(0..).collect();
        every.sort_unstable();
        assert_eq!(all(place, &bytes), Some(every), "seed {seed}");
        let index = TraceIndex::new(place, at(place.fences())).unwrap();
        for hash in traces.iter().step_by(17).copied().chain([0, u64::MAX >> 24, chance.number() >> 24]) {
            let found = index
                .block(hash)
                .map_or(Vec::new(), |(first, block)| rows_in(at(block), first, hash).unwrap());
            let wanted: Vec<u32> = (0..rows).filter(|row| of_row[*row as usize] == hash).collect();
            assert_eq!(found, wanted, "seed {seed}");
        }
    }
}

#[test]
fn an_altered_index_is_noticed() {
    let mut builder = TraceIndexBuilder::default();
    (0..3000).for_each(|row| builder.push(hash(&[row as u8, (row >> 8) as u8]), row));
    let (bytes, blocks) = builder.encode();
    let place = Place { offset: 0, len: bytes.len() as u64, blocks: blocks as u64 };
    let fences = place.fences().end as usize;
    for at in (0..bytes.len()).step_by(31) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        assert_eq!(all(place, &altered), None, "{at}");
        let index = TraceIndex::new(place, &altered[..fences]);
        assert_eq!(index.is_none(), at < fences, "{at}");
        let Some(index) = index else { continue };
        let hashes = (0..3000u32).map(|row| hash(&[row as u8, (row >> 8) as u8]));
        let mut blocks = hashes.map(|hash| (hash, index.block(hash).unwrap()));
        let (hash, (first, block)) = blocks.find(|(_, (_, block))| block.contains(&(at as u64))).unwrap();
        assert_eq!(rows_in(&altered[block.start as usize..block.end as usize], first, hash), None, "{at}");
    }
}

#[test]
fn a_broken_index_finds_nothing_but_does_not_fail() {
    let mut chance = Chance::new(1);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..chance.below(200)).map(|_| chance.number() as u8).collect();
        let _ = rows_in(&bytes, chance.number() >> 24, chance.number() >> 24);
        let place = Place { offset: 0, len: bytes.len() as u64, blocks: bytes.len() as u64 / 12 };
        let _ = TraceIndex::new(place, &bytes).map(|index| index.block(chance.number() >> 24));
        let _ = all(place, &bytes);
    }
    for text in [
        "",
        "2",
        "2 0 0 0",
        "2 0 1 99999999999999999999",
        "2 18446744073709551615 2 0",
        "2 a b c",
        "1 0 16 1",
    ] {
        assert_eq!(Place::parse(text, 100), None, "{text}");
    }
}
