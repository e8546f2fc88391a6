#![allow(clippy::unwrap_used)]

use super::*;
use model::Budget;

use crate::disk::Chance;
use crate::segment::Buffers;
use crate::segment::properties::{Effort, parquet_schema};

/// What a reader makes of them: the values as bits, by the formula of `docs/reference/schema.md`.
fn read(all: &Scaled) -> Vec<u64> {
    let scales = all.runs.iter().flat_map(|(rows, scale)| std::iter::repeat_n(*scale, *rows));
    let (mut scaled, mut raw) = (all.scaled.iter(), all.raw.iter());
    let value = |(row, scale): (usize, Option<Scale>)| {
        if all.valid.as_ref().is_none_or(|valid| valid[row]) {
            let scale = scale.unwrap();
            let sum =
                scale.unit.checked_mul(*scaled.next().unwrap()).unwrap().checked_add(scale.base).unwrap();
            return (sum as f64 / scale.divisor).to_bits();
        }
        raw.next().unwrap().cast_unsigned()
    };
    let values: Vec<u64> = scales.enumerate().map(value).collect();
    assert_eq!((scaled.next(), raw.next()), (None, None), "as many as there are rows");
    values
}

fn check(series: &[Vec<f64>]) -> Scaled {
    let values: Vec<i64> = series.iter().flatten().map(|value| value.to_bits().cast_signed()).collect();
    let owners: Vec<u32> =
        (0..).zip(series).flat_map(|(owner, own)| std::iter::repeat_n(owner, own.len())).collect();
    let all = Scaled::new(&values, &owners);
    let expected: Vec<u64> = values.iter().map(|bits| bits.cast_unsigned()).collect();
    assert_eq!(read(&all), expected, "{series:?}");
    all
}

#[test]
fn decimals_are_integers_of_one_scale() {
    let all = check(&[vec![1.25, 1.5, 1.75, -3.0], vec![7.0; 3], vec![1e9, 3e9, 2e9]]);
    let scale = |base, unit, divisor| Some(Scale { base, unit, divisor });
    assert_eq!(
        all.runs,
        [(4, scale(-300, 25, 100.0)), (3, scale(7, 1, 1.0)), (3, scale(1_000_000_000, 1_000_000_000, 1.0))]
    );
    assert_eq!(all.scaled, [17, 18, 19, 0, 0, 0, 0, 0, 2, 1]);
    assert!(all.raw.is_empty() && all.valid.is_none());
}

#[test]
fn what_is_no_decimal_stays_as_it_is() {
    let stale = f64::from_bits(promql_stale_bits());
    let odd = [stale, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324];
    for value in odd {
        let all = check(&[vec![value], vec![1.5, value, 2.5], vec![value; 20]]);
        assert_eq!(all.runs[0].1, None, "{value}");
        assert!(all.runs[1].1.is_some() || value.is_finite(), "{value}: the others have their scale");
    }
    // Digits that no double has exactly, among some that have few.
    let mut noisy: Vec<f64> = (0..64).map(|n| f64::from(n) / 10.0).collect();
    noisy[40] = 1_234.560_000_000_000_2;
    let all = check(&[noisy.clone()]);
    assert_eq!((all.scaled.len(), all.raw.len()), (63, 1));
    noisy.iter_mut().step_by(4).for_each(|value| *value = value.sqrt() + 0.1);
    assert_eq!(check(&[noisy]).scaled.len(), 0, "too many are odd");
}

/// Prometheus' marker of staleness.
fn promql_stale_bits() -> u64 {
    0x7ff0_0000_0000_0002
}

#[test]
fn the_largest_and_smallest_integers_have_a_scale_or_none_but_never_another_value() {
    let edges = [
        2f64.powi(53),
        2f64.powi(53) - 1.0,
        2f64.powi(53) + 2.0,
        2f64.powi(61),
        2f64.powi(62),
        2f64.powi(62) - 512.0,
        2f64.powi(63),
        2f64.powi(64),
        1e22,
        1e23,
        f64::MAX,
        123_456_789_012.345_67,
        1e-22,
        1e-23,
        4.35,
        0.1,
        0.3,
        2.675,
        1.005,
    ];
    for a in edges {
        for b in edges {
            check(&[vec![a, -b, 0.0, b], vec![-a], vec![b, a]]);
        }
    }
}

#[test]
fn every_value_comes_back_bit_for_bit() {
    for seed in 0..400 {
        let mut chance = Chance::new(seed);
        let kinds: Vec<u64> = (0..1 + chance.below(4)).map(|_| chance.below(9)).collect();
        let digits = 10f64.powi(chance.below(18) as i32);
        let step = chance.number() >> chance.below(64);
        let value = |chance: &mut Chance| match kinds[chance.below(kinds.len() as u64) as usize] {
            0 => chance.below(100) as f64,
            1 => (chance.number() >> chance.below(64)) as f64 / digits,
            2 => -((chance.number() >> (11 + chance.below(40))) as f64) / digits,
            3 => f64::from_bits(chance.number()),
            4 => chance.below(1000).wrapping_mul(step) as f64,
            5 => [0.0, -0.0, f64::NAN, f64::INFINITY, f64::from_bits(promql_stale_bits())]
                [chance.below(5) as usize],
            6 => f64::from_bits(chance.number() >> 12),
            7 => chance.number() as f64 * 1e10,
            _ => f64::from_bits(chance.number() | 0x7ff0_0000_0000_0000),
        };
        let series: Vec<Vec<f64>> = (0..1 + chance.below(6))
            .map(|_| (0..1 + chance.below(80)).map(|_| value(&mut chance)).collect())
            .collect();
        check(&series);
    }
}

/// What is in the middle of a page need not be what most of it is.
#[test]
fn a_page_of_few_series_is_judged_as_a_whole() {
    let mut chance = Chance::new(11);
    let mut total = 0.0;
    let mut walk = |len| -> Vec<f64> {
        let mut step = || {
            total += chance.below(200) as f64;
            total
        };
        (0..len).map(|_| step()).collect()
    };
    let (before, after) = (walk(1600), walk(1600));
    let among = [0.0, 31_337.0, 65_521.0];
    let middle = (0..1100).map(|_| among[chance.below(3) as usize]).collect();
    let all = check(&[before, middle, after]);
    let schema = parquet_schema(Table::Samples);
    let leaf = schema.columns().iter().find(|leaf| leaf.name() == scaled::SCALED).unwrap();
    let mut codec =
        Codec::new(Table::Samples, Effort::Compact, &Buffers::new(&Budget::new(1 << 30))).unwrap();
    let (whole, _) = all.encode(leaf, &mut codec).unwrap().unwrap();
    let ends = all.page_ends(codec.page_rows());
    let column = Column::new(leaf, treatment(leaf));
    let (by_middle, _) = encode_pages(&all.scaled, None, ends, column, &mut codec).unwrap();
    assert!(whole.len() < by_middle.len(), "{} {}", whole.len(), by_middle.len());
}
