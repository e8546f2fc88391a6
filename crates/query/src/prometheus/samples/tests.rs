//! Columns as the general writer of Parquet makes them, and samples as a file of ours has them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use model::scaled;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;

use super::*;

const PAGE_ROWS: usize = 100;

/// How a column of numbers is written.
#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    Split,
    Deltas,
    Dictionary,
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Plain), Just(Way::Split), Just(Way::Deltas), Just(Way::Dictionary)]
}

fn properties(ways: &[(&str, Way)], packed: bool, coded_ids: bool) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_compression(if packed {
            Compression::ZSTD(ZstdLevel::default())
        } else {
            Compression::UNCOMPRESSED
        });
    for (name, way) in ways {
        let path = ColumnPath::from(*name);
        properties = properties.set_column_dictionary_enabled(path.clone(), matches!(way, Way::Dictionary));
        properties = match way {
            Way::Plain | Way::Dictionary => properties,
            Way::Split => properties.set_column_encoding(path, Encoding::BYTE_STREAM_SPLIT),
            Way::Deltas => properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        };
    }
    let ids = ColumnPath::from("series_id");
    properties
        .set_column_dictionary_enabled(ids.clone(), coded_ids)
        .set_column_encoding(ids, Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .build()
}

/// A file of one row group.
struct Written {
    bytes: Bytes,
    footer: ParquetMetaData,
}

impl Written {
    fn new(rows: &RecordBatch, properties: WriterProperties) -> Self {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        let bytes = Bytes::from(bytes);
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        reader.try_parse(&bytes).unwrap();
        Self { bytes, footer: reader.finish().unwrap() }
    }

    fn read(
        &self,
        bytes: &Bytes,
        rows: &[Range<usize>],
        (places, times): (&ById<usize>, Times),
        directory: Option<&Directory>,
    ) -> Result<Runs> {
        let request =
            Request { footer: &self.footer, group: 0, rows, places, times, starts: true, directory };
        let columns = Columns::of(request)?;
        let read = |place: &Range<u64>| {
            bytes.slice(usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap())
        };
        let read = columns.places().iter().map(read).collect();
        columns.decode(read)
    }
}

fn id(series: usize) -> [u8; 16] {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&(series as u64).to_be_bytes());
    id
}

/// A sample as it went in.
#[derive(Clone, Debug)]
struct Row {
    time_ms: i64,
    value: f64,
    /// Kept as an integer of the scale of its series, if it is one.
    scaled: bool,
    stale: bool,
    start_ms: Option<i64>,
}

/// The scale of a series.
fn scale(series: usize) -> (i64, i64, f64) {
    (series as i64 * 1000, 1 + series as i64 % 3, [1.0, 10.0, 100.0][series % 3])
}

fn rows() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let row = (0_i64..2_000, -500_i64..500, prop::bool::weighted(0.9), prop::bool::weighted(0.02), 0_i64..50)
        .prop_map(|(time_ms, number, scaled, stale, start)| Row {
            time_ms,
            value: number as f64,
            scaled,
            stale,
            start_ms: (start > 5).then_some(start),
        });
    let series = prop_oneof![prop::collection::vec(row.clone(), 1..6), prop::collection::vec(row, 100..350),];
    let series = (series, prop::option::of(0_i64..20)).prop_map(|(mut series, every_ms)| {
        series.sort_by_key(|row| row.time_ms);
        // As a scraper gives them.
        if let Some(every_ms) = every_ms {
            let first = series[0].time_ms;
            series.iter_mut().zip(0..).for_each(|(row, number)| row.time_ms = first + number * every_ms);
        }
        series
    });
    (prop::collection::vec(series, 1..12), any::<bool>()).prop_map(|(mut all, scaled)| {
        for (number, series) in all.iter_mut().enumerate() {
            let (base, unit, divisor) = scale(number);
            for row in series {
                row.scaled &= scaled;
                if row.scaled {
                    row.value = scaled::value(row.value as i64, base, unit, divisor);
                } else {
                    row.value /= 7.0;
                }
            }
        }
        all
    })
}

fn batch(all: &[Vec<Row>]) -> RecordBatch {
    let rows = || all.iter().enumerate().flat_map(|(series, rows)| rows.iter().map(move |row| (series, row)));
    let unscaled = |series: usize, row: &Row| {
        let (base, unit, divisor) = scale(series);
        ((row.value * divisor).round() as i64 - base) / unit
    };
    let ints = |of: &dyn Fn(usize, &Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows().map(|(series, row)| of(series, row)).collect::<Int64Array>())
    };
    let doubles = |of: &dyn Fn(usize, &Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows().map(|(series, row)| of(series, row)).collect::<Float64Array>())
    };
    let of_scale = |of: &dyn Fn(usize) -> i64| {
        ints(&|series, _| all[series].iter().any(|row| row.scaled).then(|| of(series)))
    };
    let ids: Vec<_> = rows().map(|(series, _)| id(series)).collect();
    let flags = rows().map(|(_, row)| i32::from(row.stale)).collect::<Int32Array>();
    let columns: [(&str, ArrayRef, bool); 9] = [
        ("series_id", Arc::new(BinaryArray::from_iter_values(ids)), false),
        ("time_unix_nano", ints(&|_, row| Some(row.time_ms * NANOS_PER_MS + 5)), false),
        (START_TIME, ints(&|_, row| row.start_ms.map(|ms| ms * NANOS_PER_MS)), true),
        (scaled::RAW, doubles(&|_, row| (!row.scaled).then_some(row.value)), true),
        ("flags", Arc::new(flags), false),
        (scaled::SCALED, ints(&|series, row| row.scaled.then(|| unscaled(series, row))), true),
        (scaled::BASE, of_scale(&|series| scale(series).0), true),
        (scaled::UNIT, of_scale(&|series| scale(series).1), true),
        (
            scaled::DIVISOR,
            doubles(&|series, _| all[series].iter().any(|row| row.scaled).then(|| scale(series).2)),
            true,
        ),
    ];
    let field = |(name, array, nullable): &(&str, ArrayRef, bool)| {
        Field::new(*name, array.data_type().clone(), *nullable)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array, _)| array).collect()).unwrap()
}

/// What should come out: for each sought series in the order of the file.
fn expected(
    all: &[Vec<Row>],
    wanted: &[Range<usize>],
    places: &ById<usize>,
    matters: impl Fn(i64) -> bool,
) -> Vec<(usize, i64, u64, i64)> {
    let mut found = Vec::new();
    let mut number = 0;
    for (series, rows) in all.iter().enumerate() {
        for row in rows {
            let time = row.time_ms * NANOS_PER_MS + 5;
            let is_wanted = wanted.iter().any(|range| range.contains(&number));
            number += 1;
            let Some(place) = places.get(&id(series)).filter(|_| is_wanted) else { continue };
            if matters(time) {
                let value = if row.stale { STALE_NAN_BITS } else { row.value.to_bits() };
                found.push((*place, row.time_ms, value, row.start_ms.unwrap_or(0)));
            }
        }
    }
    found
}

fn flat(runs: &Runs) -> Vec<(usize, i64, u64, i64)> {
    let mut flat = Vec::new();
    let samples = &runs.samples;
    runs.each(|place, range| {
        let row = |row: usize| {
            (place, samples.times_ms[row], samples.values[row].to_bits(), samples.start_times_ms[row])
        };
        flat.extend(range.map(row));
    });
    assert_eq!(flat.len(), samples.times_ms.len(), "every sample is in a run");
    flat
}

prop_compose! {
    fn layouts()(
        time in ways(), value in ways(), scaled in ways(), base in ways(),
        packed in any::<bool>(), coded_ids in any::<bool>(),
    ) -> WriterProperties {
        let double = |way| if matches!(way, Way::Deltas) { Way::Plain } else { way };
        let ways = [
            ("time_unix_nano", time), (scaled::RAW, double(value)), (scaled::SCALED, scaled),
            (scaled::BASE, base), ("flags", if matches!(base, Way::Split) { Way::Plain } else { base }),
        ];
        properties(&ways, packed, coded_ids)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn samples_come_back_however_they_are_written(
        all in rows(),
        properties in layouts(),
        sought in prop::collection::vec(any::<bool>(), 12),
        cuts in prop::collection::btree_set(0_usize..2_000, 0..5),
        times in (0_i64..2_000, 0_i64..2_000),
        apart in prop::option::of((2_i64..400, 1_i64..400)),
    ) {
        let written = Written::new(&batch(&all), properties);
        let places = sought.iter().enumerate().filter(|(_, sought)| **sought);
        let places: ById<usize> = places.map(|(series, _)| (id(series), 100 - series)).collect();
        let total: usize = all.iter().map(Vec::len).sum();
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < total).collect();
        if cuts.len() % 2 == 1 {
            cuts.push(total);
        }
        let mut wanted: Vec<_> = cuts.chunks(2).map(|pair| pair[0]..pair[1]).collect();
        if wanted.is_empty() {
            wanted.push(0..total);
        }
        let times = (times.0.min(times.1) * NANOS_PER_MS, times.0.max(times.1) * NANOS_PER_MS + 9);
        let apart = apart.filter(|(every_ms, length_ms)| length_ms < every_ms);
        let apart = apart.map(|(every_ms, length_ms)| Apart { every_ms, length_ms });
        let asked = (&places, Times::new(times, apart));
        let runs = written.read(&written.bytes, &wanted, asked, None).unwrap();
        let matters = |time: i64| match apart {
            _ if time < times.0 || time > times.1 => false,
            Some(apart) => (times.1 - time) % (apart.every_ms * NANOS_PER_MS) < apart.length_ms * NANOS_PER_MS,
            None => true,
        };
        let expected = expected(&all, &wanted, &places, matters);
        prop_assert_eq!(flat(&runs), &expected[..]);
        // The first time the directory is made; then, if it may be kept, it is there, and neither ids nor scales
        // are read.
        for (runs_max, is_kept) in [(12, true), (0, false)] {
            let directory = Directory::of_group(runs_max);
            for _ in 0..2 {
                let runs = written.read(&written.bytes, &wanted, asked, Some(&directory)).unwrap();
                prop_assert_eq!(flat(&runs), &expected[..]);
                prop_assert_eq!(directory.group(0).unwrap().is_known(), is_kept);
            }
        }
    }

    #[test]
    fn values_are_the_same_several_at_a_time(
        scaled in prop::collection::vec(prop_oneof![0_i64..1_000, 0_i64..1 << 51, any::<i64>()], 0..40),
        base in prop_oneof![-1_000_i64..1_000, -(1_i64 << 51)..1 << 51, any::<i64>()],
        unit in prop_oneof![Just(1_i64), any::<i64>()],
        digits in 0_i32..5,
    ) {
        let divisor = 10_f64.powi(digits);
        let mut values = Vec::new();
        unscale(&scaled, (base, unit, divisor), &mut values);
        let bits: Vec<_> = values.iter().map(|value| value.to_bits()).collect();
        let expected = scaled.iter().map(|scaled| scaled::value(*scaled, base, unit, divisor).to_bits());
        prop_assert_eq!(bits, expected.collect::<Vec<_>>());
    }

    #[test]
    fn times_that_are_stepped_are_those_that_are_looked_at_one_by_one(
        first in -2_000_i64..2_000,
        step in prop_oneof![-3_i64..400, Just(NANOS_PER_MS), Just(3 * NANOS_PER_MS)],
        count in 1_usize..100,
        bounds in (-3_000_i64..30_000, -3_000_i64..30_000),
        apart in prop::option::of((2_i64..40, 1_i64..40)),
    ) {
        let apart = apart.filter(|(every_ms, length_ms)| length_ms < every_ms);
        let apart = apart.map(|(every_ms, length_ms)| Apart { every_ms, length_ms });
        let micros = |(from, to): (i64, i64)| (from.min(to) * 1_000, from.max(to) * 1_000);
        let times = Times::new(micros(bounds), apart);
        let runs = [RunRows { place: 7, rows: 5..5 + count }];
        let (first, at) = (first * 1_000, At { range: 0, place: 5 });
        let all: Vec<_> = (1..=count as i64).map(|number| first + number * step).collect();
        let kept = |give: &dyn Fn(&mut Within<'_>)| {
            let mut times_ms = Vec::new();
            let mut within = Within::new(times, &runs, &mut times_ms);
            give(&mut within);
            let found: Vec<_> = within.found.iter().map(|run| (run.place, run.rows.clone())).collect();
            (found, times_ms)
        };
        let stepped = kept(&|within| within.steps(at, first, step, count));
        prop_assert_eq!(&stepped, &kept(&|within| within.numbers(at, &all)));
        let expected = all.iter().filter(|time| times.around(**time).1);
        let expected: Vec<_> = expected.map(|time| time.div_euclid(NANOS_PER_MS)).collect();
        prop_assert_eq!(stepped.1, expected);
    }

    #[test]
    fn the_first_that_are_outside_end_it(
        times in prop::collection::vec(prop_oneof![0_i64..100, any::<i64>()], 0..200),
        bounds in prop_oneof![(0_i64..100, 0_i64..100), (any::<i64>(), any::<i64>())],
    ) {
        let around = bounds.0.min(bounds.1)..=bounds.0.max(bounds.1);
        let expected = times.iter().take_while(|time| around.contains(time)).count();
        prop_assert_eq!(leading(&times, &around), expected);
    }

    /// Bytes that were changed are an error or, where nothing notices it, other samples: no panic.
    #[test]
    fn broken_bytes_do_no_harm(
        all in rows(),
        properties in layouts(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let written = Written::new(&batch(&all), properties);
        let mut bytes = written.bytes.to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let places = (0..12).map(|series| (id(series), series)).collect();
        let total: usize = all.iter().map(Vec::len).sum();
        let (bytes, rows) = (Bytes::from(bytes), 0..total);
        let everything = (&places, Times::new((i64::MIN, i64::MAX), None));
        let _ = written.read(&bytes, std::slice::from_ref(&rows), everything, None);
        let _ = written.read(&bytes, std::slice::from_ref(&rows), everything, Some(&Directory::of_group(12)));
    }
}

/// The general writer gives no checksums; ours does.
#[test]
fn a_page_of_another_checksum_is_not_believed() {
    let body = 4_i64.to_le_bytes();
    let zigzag = |out: &mut Vec<u8>, value: i64| {
        let mut value = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    };
    // The kind of the page, its two lengths and its checksum; then the header of a data page.
    let mut page = Vec::new();
    for value in [0, 8, 8, i64::from(crc32fast::hash(&body).cast_signed())] {
        page.push(0x15);
        zigzag(&mut page, value);
    }
    page.extend_from_slice(&[0x1c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0]);
    page.extend_from_slice(&body);
    let mut codec = page::Codec::new().unwrap();
    assert_eq!(codec.page(&page, Compression::UNCOMPRESSED).unwrap().body, body);
    let last = page.len() - 1;
    page[last] ^= 1;
    let error = codec.page(&page, Compression::UNCOMPRESSED).err().unwrap();
    assert!(error.to_string().contains("checksum"), "{error}");
}
