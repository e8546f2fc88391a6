//! Times and durations in query parameters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::problem::Problem;
use crate::queries::TimeRange;

const NANOS_PER_MS: i64 = 1_000_000;
const DEFAULT_RANGE: i64 = 3_600_000 * NANOS_PER_MS;

/// The range of `from` and `to`; the last hour where they are missing.
pub(crate) fn range(from: Option<&str>, to: Option<&str>) -> Result<TimeRange, Problem> {
    let to = to.map(|text| instant("to", text)).transpose()?.unwrap_or_else(now);
    let from = match from {
        Some(text) => instant("from", text)?,
        None => to.saturating_sub(DEFAULT_RANGE),
    };
    if from >= to {
        return Err(Problem::bad_request("`from` must be before `to`"));
    }
    Ok(TimeRange { from, to })
}

/// `30s`, `500ms`, `2m`.
pub(crate) fn duration(name: &str, text: &str) -> Result<Duration, Problem> {
    let problem = || {
        Problem::bad_request(format!("`{name}` must be a duration such as 30s, 500ms or 2m, got `{text}`"))
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| problem())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(problem()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(problem)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// RFC 3339, or Unix milliseconds.
fn instant(name: &str, text: &str) -> Result<i64, Problem> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return milliseconds.checked_mul(NANOS_PER_MS).ok_or_else(|| {
            Problem::bad_request(format!("`{name}` is out of range: Unix milliseconds are expected"))
        });
    }
    arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text).map_err(|_| {
        Problem::bad_request(format!(
            "`{name}` must be a time such as 2026-11-21T10:00:00Z, or Unix milliseconds, got `{text}`"
        ))
    })
}
