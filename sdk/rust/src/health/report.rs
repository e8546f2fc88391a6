use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Finding, Status};

/// How a service is, as its endpoints answer it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Unhealthy when something critical is; healthy when all is; unknown when nobody has looked at
    /// something critical yet, or there is nothing to look at; else degraded.
    pub status: Status,
    /// Why, when it is not the checks that say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When this was written, in UTC, as RFC 3339 has it.
    pub timestamp: String,
    /// Seconds since the start.
    pub uptime: f64,
    /// Of the service.
    pub version: String,
    /// Milliseconds that it took to find out.
    pub duration: f64,
    /// What each check found; left out for those who may not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckResult>>,
    /// How many there are of each.
    pub summary: Summary,
}

impl Report {
    /// Without what the checks found.
    #[must_use]
    pub fn without_details(self) -> Self {
        Self { checks: None, ..self }
    }
}

/// How many checks there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All.
    pub total: usize,
    /// Those that are healthy.
    pub healthy: usize,
    /// Those that are degraded.
    pub degraded: usize,
    /// Those that are unhealthy.
    pub unhealthy: usize,
    /// Those that have not run, or could not find out.
    pub unknown: usize,
    /// Of the unhealthy ones those that are critical.
    pub critical: usize,
}

/// What one check found last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckResult {
    /// The check.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// What is to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was measured.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// Milliseconds that it took.
    pub duration: f64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the service cannot work without.
    pub critical: bool,
    /// When it ran last, in UTC, as RFC 3339 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<String>,
    /// Seconds since it ran last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
    /// The share of the last 100 runs that did not find it healthy, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
}

impl CheckResult {
    pub(super) fn new(name: &str, critical: bool, finding: Finding) -> Self {
        let Finding { status, message, details, error } = finding;
        let name = name.to_owned();
        Self {
            name,
            status,
            message,
            details,
            duration: 0.0,
            error,
            critical,
            last_checked: None,
            age: None,
            error_rate: None,
        }
    }
}

impl Summary {
    pub(super) fn of(checks: &[CheckResult]) -> Self {
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        let critical = checks.iter().filter(|it| it.critical && it.status == Status::Unhealthy).count();
        Self {
            total: checks.len(),
            healthy: count(Status::Healthy),
            degraded: count(Status::Degraded),
            unhealthy: count(Status::Unhealthy),
            unknown: count(Status::Unknown),
            critical,
        }
    }
}

/// What checks come to.
pub(super) fn overall(checks: &[CheckResult]) -> Status {
    let summary = Summary::of(checks);
    let unknown = checks.iter().any(|check| check.critical && check.status == Status::Unknown);
    if summary.critical > 0 {
        Status::Unhealthy
    } else if unknown || checks.is_empty() {
        Status::Unknown
    } else if summary.healthy == summary.total {
        Status::Healthy
    } else {
        Status::Degraded
    }
}

/// `2026-11-26T23:30:00.123Z`. A time before 1970 is 1970.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a day since 1970: Howard Hinnant's `civil_from_days`, for days that are
/// not negative. Its years begin in March, so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}
