use model::{Table, Tenant};

/// Where the segments are.
pub(crate) const SEGMENTS: &str = "segments";

/// The object of a segment: `segments/<table>/tenant=<t>/day=<YYYY-MM-DD>/<id>.parquet`.
pub(crate) fn object_path(table: Table, tenant: &Tenant, day: i32, id: &str) -> String {
    format!("{SEGMENTS}/{table}/tenant={tenant}/day={}/{id}.parquet", date(day))
}

/// What [`object_path`] was made of, also when it is below another folder.
pub(crate) fn parse_path(path: &str) -> Option<(Table, Tenant, i32, &str)> {
    let mut parts = path.rsplit('/');
    let id = parts.next()?.strip_suffix(".parquet")?;
    let day = parse_date(parts.next()?.strip_prefix("day=")?)?;
    let tenant = Tenant::parse(parts.next()?.strip_prefix("tenant=")?).ok()?;
    let table = Table::parse(parts.next()?)?;
    (parts.next()? == SEGMENTS).then_some((table, tenant, day, id))
}

/// Days since 1970-01-01 as `YYYY-MM-DD` (Howard Hinnant's `civil_from_days`).
fn date(day: i32) -> String {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The reverse of [`date`].
fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    i32::try_from(days).ok().filter(|days| date(*days) == text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (day, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_782, "2024-02-29"),
            (106_751, "2262-04-11"),
            (-106_752, "1677-09-21"),
        ] {
            assert_eq!((date(day).as_str(), parse_date(text)), (text, Some(day)));
        }
        assert!((-106_752..106_752).all(|day| parse_date(&date(day)) == Some(day)));
        for wrong in ["2023-02-29", "1970-1-1", "x", "1970-13-01"] {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_path_says_what_it_was_made_of() {
        let tenant = Tenant::parse("shop_1").unwrap();
        let path = object_path(Table::Spans, &tenant, -1, "abc");
        assert_eq!(path, "segments/spans/tenant=shop_1/day=1969-12-31/abc.parquet");
        assert_eq!(parse_path(&path), Some((Table::Spans, tenant.clone(), -1, "abc")));
        assert_eq!(parse_path(&format!("set-aside/{path}")), Some((Table::Spans, tenant, -1, "abc")));
        assert_eq!(parse_path("segments/spans/abc.parquet"), None);
    }
}
