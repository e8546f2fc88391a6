#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn tenants_are_short_plain_names() {
    for good in ["default", "a", "A-1_b", &"x".repeat(64)] {
        assert_eq!(Tenant::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a b", "ä", "../etc", "a/b", "a.b", &"x".repeat(65)] {
        assert_eq!(Tenant::parse(bad), Err(InvalidTenant), "{bad:?}");
    }
}

#[test]
fn a_day_before_1970_is_negative() {
    assert_eq!(day_of(0), 0);
    assert_eq!(day_of(NANOS_PER_DAY - 1), 0);
    assert_eq!(day_of(-1), -1);
    assert_eq!(day_of(i64::MIN), -106_752);
}

#[test]
fn days_are_those_of_the_calendar() {
    for (day, text) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (19_782, "2024-02-29"),
        (106_751, "2262-04-11"),
        (-106_752, "1677-09-21"),
    ] {
        assert_eq!((day_text(day).as_str(), parse_day(text)), (text, Some(day)));
    }
    assert!((-106_752..106_752).all(|day| parse_day(&day_text(day)) == Some(day)));
    for wrong in ["2023-02-29", "1970-1-1", "x", "1970-13-01", "2147483647-01-01", "1970-01-2147483647"] {
        assert_eq!(parse_day(wrong), None, "{wrong}");
    }
}

#[test]
fn the_budget_gives_back_exactly_what_it_took() {
    let budget = Budget::new(100);
    let mut first = budget.reserve(60).unwrap();
    assert_eq!(budget.reserve(41).unwrap_err(), OverBudget { wanted: 41, used: 60, limit: 100 });
    assert!(budget.reserve_within(21, 0.8).is_err());
    let second = budget.reserve_within(20, 0.8).unwrap();
    first.settle(10);
    assert_eq!(budget.used(), 30);
    first.settle(75);
    assert_eq!((budget.used(), budget.peak(), budget.refused()), (95, 95, 2));
    first.merge(second);
    assert_eq!((budget.used(), first.bytes()), (95, 95));
    drop(first);
    assert_eq!(budget.used(), 0);
}

#[test]
fn files_have_the_columns_of_rows_and_what_they_refer_to() {
    for table in Table::ALL {
        let rows = schema::rows(table);
        let file = schema::file(table);
        for field in rows.fields().iter().skip(1) {
            assert_eq!(file.field_with_name(field.name()).unwrap(), field.as_ref(), "{table}");
        }
        assert!(file.field_with_name(table.time_column()).is_ok(), "{table}");
        let shared = if schema::has_streams(table) { 9 } else { 2 };
        assert_eq!(file.fields().len(), rows.fields().len() - 1 + shared, "{table}");
    }
}

#[test]
fn the_documented_columns_are_those_of_the_files() {
    let path = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests")
        + "/../../docs/reference/schema.md";
    let document = std::fs::read_to_string(path).unwrap();
    let section = |title: &str| {
        let start = document.find(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section {title}"));
        let rest = &document[start + 4..];
        rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
    };
    let stream = section("Columns of the stream");
    for table in Table::ALL {
        let own = section(&format!("`{table}`"));
        for field in schema::stored(table).fields() {
            let name = format!("`{}`", field.name());
            assert!(own.contains(&name) || stream.contains(&name), "{table}: {name} is not documented");
        }
    }
}
