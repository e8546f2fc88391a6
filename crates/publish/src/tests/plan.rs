use std::collections::BTreeMap;

use deltalake_core::kernel::Action;
use model::Table;

use crate::Segment;
use crate::plan::{File, Files, Plan, Stamp};

fn segment(name: &str, rows: u64, level: u8) -> Segment {
    Segment {
        table: Table::Logs,
        path: format!("segments/logs/{name}"),
        rows,
        bytes: rows * 10,
        min_time: 1,
        max_time: 2,
        level,
        created_unix_ms: 3,
    }
}

/// Whether each path is declared to change data, in a commit from `before` to `after`.
fn check(before: &[(&str, u64)], after: &[(&str, u64, u8)], expected: &[(&str, bool)]) {
    let file =
        |(name, rows): &(&str, u64)| ((*name).to_owned(), File { rows: Some(*rows), bytes: rows * 10 });
    let files: Files = before.iter().map(file).collect();
    let segments: Vec<Segment> =
        after.iter().map(|(name, rows, level)| segment(name, *rows, *level)).collect();
    let live: BTreeMap<&str, &Segment> =
        segments.iter().map(|segment| (segment.relative().unwrap(), segment)).collect();
    let plan = Plan::new(&files, &live);
    let actions = plan.actions("time_unix_nano", None, Stamp { sequence: 1, now_unix_ms: 4 });
    let changes = actions.iter().filter_map(|action| match action {
        Action::Add(add) => Some((add.path.as_str(), add.data_change)),
        Action::Remove(remove) => Some((remove.path.as_str(), remove.data_change)),
        _ => None,
    });
    assert_eq!(changes.collect::<Vec<_>>(), expected);
}

const A: &str = "tenant=t/day=2027-03-01/a.parquet";
const B: &str = "tenant=t/day=2027-03-01/b.parquet";
const M: &str = "tenant=t/day=2027-03-01/m.parquet";
const OTHER: &str = "tenant=u/day=2027-03-01/o.parquet";

#[test]
fn nothing_is_planned_when_nothing_differs() {
    check(&[(A, 5)], &[(A, 5, 0)], &[]);
}

#[test]
fn a_file_that_is_not_as_the_table_says_is_said_again() {
    check(&[(A, 4)], &[(A, 5, 0)], &[(A, true)]);
}

#[test]
fn a_merged_file_with_the_rows_of_those_that_go_changes_no_data() {
    check(&[(A, 5), (B, 7)], &[(M, 12, 1)], &[(A, false), (B, false), (M, false)]);
}

#[test]
fn new_rows_beside_a_merge_change_data() {
    check(&[(A, 5)], &[(B, 7, 0), (M, 5, 1)], &[(A, false), (B, true), (M, false)]);
    check(&[(A, 5)], &[(M, 5, 1), (OTHER, 7, 0)], &[(A, false), (M, false), (OTHER, true)]);
}

#[test]
fn a_merged_file_with_rows_that_were_never_published_changes_data() {
    check(&[(A, 5)], &[(M, 12, 1)], &[(A, true), (M, true)]);
}

#[test]
fn an_expired_file_changes_data_also_beside_another_tenants_merge() {
    check(&[(A, 5), (OTHER, 5)], &[(M, 5, 2)], &[(A, false), (OTHER, true), (M, false)]);
    check(&[(A, 5)], &[], &[(A, true)]);
}

#[test]
fn rows_that_move_to_another_partition_change_data() {
    check(&[(A, 5)], &[(OTHER, 5, 1)], &[(A, true), (OTHER, true)]);
}

#[test]
fn a_file_must_lie_in_its_partition() {
    let relative = |path: &str| {
        let mut segment = segment("", 1, 0);
        segment.path = path.to_owned();
        segment.relative().map(str::to_owned)
    };
    assert_eq!(relative(&format!("segments/logs/{A}")).as_deref(), Some(A));
    for path in
        ["a.parquet", "segments/spans/x", "segments/logs/tenant=t/a", "segments/logs/tenant=/day=d/a", ""]
    {
        assert_eq!(relative(path), None, "{path}");
    }
}
