use super::*;

fn goal(value: f64, better: Better) -> Goal {
    Goal { name: "g".into(), value, unit: "x", floor: Some(2.0), target: Some(1.0), better }
}

#[test]
fn a_goal_is_judged_by_its_direction() {
    assert_eq!(goal(0.9, Better::Lower).verdict(), "PASS");
    assert_eq!(goal(1.5, Better::Lower).verdict(), "floor");
    assert_eq!(goal(2.1, Better::Lower).verdict(), "MISS");
    assert_eq!(Goal { target: Some(8.0), ..goal(4.0, Better::Higher) }.verdict(), "floor");
    assert_eq!(goal(1.9, Better::Higher).verdict(), "MISS");
}

#[test]
fn a_value_that_is_not_a_number_misses_its_floor() {
    let mut report = Report::new("r");
    assert!(!report.failed());
    report.goal(goal(f64::NAN, Better::Lower));
    assert!(report.failed());
}

#[test]
fn columns_stand_under_each_other() {
    let rows = [vec!["name", "n"], vec!["a", "1"], vec!["long name", "22"]];
    let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(aligned(&rows), "name       n\n---------  --\na           1\nlong name  22");
}
