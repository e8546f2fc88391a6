use super::*;

#[test]
fn ranks_are_those_of_the_sorted_values() {
    let values = Quantiles::of((1..=1000).rev().map(f64::from).collect());
    let ranks = [0.0, 0.5, 0.99, 0.999, 1.0].map(|part| values.at(part));
    assert_eq!(ranks, [1.0, 500.0, 990.0, 999.0, 1000.0]);
}

#[test]
fn nothing_has_no_quantile() {
    assert!(Quantiles::default().at(0.5).is_nan());
}

#[test]
fn a_range_is_shown_only_of_several() {
    assert_eq!(Quantiles::of(vec![2.0]).range(), "2.00");
    assert_eq!(Quantiles::of(vec![3.0, 1.0, 2.0]).range(), "2.00 (1.00 to 3.00)");
}
