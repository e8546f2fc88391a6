//! Sums whose rounding errors are kept beside them.

/// Adds to a sum; `compensation` gathers what rounding lost (Kahan's way, as Neumaier improved it).
/// The best value is `sum + compensation`.
#[inline]
pub fn increase(sum: &mut f64, compensation: &mut f64, by: f64) {
    let total = *sum + by;
    if total.is_infinite() {
        *compensation = 0.0;
    } else if sum.abs() >= by.abs() {
        *compensation += (*sum - total) + by;
    } else {
        *compensation += (by - total) + *sum;
    }
    *sum = total;
}
