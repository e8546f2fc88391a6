//! Floats that are the same but for rounding.

use super::STALE_NAN_BITS;

/// Whether two floats differ by less than `epsilon`, relative to their sum. NaN is equal to NaN, the
/// marker of staleness only to itself.
pub fn almost_equal(a: f64, b: f64, epsilon: f64) -> bool {
    let stale = |value: f64| value.to_bits() == STALE_NAN_BITS;
    if stale(a) || stale(b) {
        return stale(a) && stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < epsilon * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < epsilon
}
