//! When to ask again, as a server says it.

#![cfg_attr(not(feature = "resilience"), allow(unreachable_pub, reason = "`resilience` gives it to others"))]

use std::time::{Duration, SystemTime};

/// The header by which a server says when to ask again.
pub const RETRY_AFTER: &str = "retry-after";

/// Reads the value of `Retry-After`: seconds, or a date ([RFC 9110, section
/// 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)). A date that has passed is no
/// time at all; what is neither is `None`.
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are for ever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        let parsed = |value| parse_retry_after(value, now).map(|it| it.as_secs());
        assert_eq!(
            (parsed("120"), parsed(" 0 "), parsed("99999999999999999999")),
            (Some(120), Some(0), Some(u64::MAX))
        );
        assert_eq!(parsed("Thu, 01 Jan 1970 00:01:05 GMT"), Some(5));
        assert_eq!(parsed("Thu, 01 Jan 1970 00:00:59 GMT"), Some(0), "it has passed");
        assert_eq!((parsed("soon"), parsed(""), parsed("-1")), (None, None, None));
    }
}
