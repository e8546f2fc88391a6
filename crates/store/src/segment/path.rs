use model::{Table, Tenant, day_text, parse_day};

/// Where the segments are.
pub(crate) const SEGMENTS: &str = "segments";

/// The object of a segment: `segments/<table>/tenant=<t>/day=<YYYY-MM-DD>/<id>.parquet`.
pub(crate) fn object_path(table: Table, tenant: &Tenant, day: i32, id: &str) -> String {
    format!("{SEGMENTS}/{table}/tenant={tenant}/day={}/{id}.parquet", day_text(day))
}

/// What [`object_path`] was made of, also when it is below another folder.
pub(crate) fn parse_path(path: &str) -> Option<(Table, Tenant, i32, &str)> {
    let mut parts = path.rsplit('/');
    let id = parts.next()?.strip_suffix(".parquet")?;
    let day = parse_day(parts.next()?.strip_prefix("day=")?)?;
    let tenant = Tenant::parse(parts.next()?.strip_prefix("tenant=")?).ok()?;
    let table = Table::parse(parts.next()?)?;
    (parts.next()? == SEGMENTS).then_some((table, tenant, day, id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
