//! Where buckets end.

use std::sync::LazyLock;

use super::{CUSTOM_BUCKETS, is_exponential};

/// 2^(k/256 - 1) for every k of the finest schema; a coarser one takes every 2nd, 4th, ….
static FRACTIONS: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|place| (place as f64 / 256.0 - 1.0).exp2()));

/// The upper bound of a bucket of the positive side (its absolute value on the negative one).
/// Indexes that a set of custom bounds does not have are taken as infinite.
pub(super) fn bound(index: i32, schema: i32, custom_values: &[f64]) -> f64 {
    if schema != CUSTOM_BUCKETS {
        return exponential_bound(index, schema);
    }
    match usize::try_from(index) {
        Ok(place) => custom_values.get(place).copied().unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    }
}

/// The last bucket of finite numbers ends at the largest of them: by the formula its bound would be
/// infinite, but infinite observations have a bucket of their own behind it.
pub(super) fn exponential_bound(index: i32, schema: i32) -> f64 {
    if !is_exponential(schema) {
        return (f64::from(index) * f64::from(schema).exp2().recip()).exp2();
    }
    let index = i64::from(index);
    if schema < 0 {
        let exponent = index << -schema;
        return if exponent == 1024 { f64::MAX } else { scale_by_power(1.0, exponent) };
    }
    let place = (index & ((1 << schema) - 1)) << (8 - schema);
    let fraction = FRACTIONS[place as usize];
    let exponent = (index >> schema) + 1;
    if fraction == 0.5 && exponent == 1025 { f64::MAX } else { scale_by_power(fraction, exponent) }
}

/// `fraction * 2^exponent`, also where the power alone would leave the range.
fn scale_by_power(fraction: f64, exponent: i64) -> f64 {
    let mut value = fraction;
    let mut left = exponent.clamp(-2200, 2200);
    while left != 0 {
        let step = left.clamp(-1022, 1023);
        let biased = u64::try_from(step + 1023).expect("the step is at least -1022");
        value *= f64::from_bits(biased << 52);
        left -= step;
    }
    value
}

/// Below the zero bucket's edge, for exponential schemas only.
pub(super) fn within_threshold(index: i32, schema: i32, threshold: f64) -> bool {
    threshold > 0.0 && is_exponential(schema) && exponential_bound(index, schema) <= threshold
}
