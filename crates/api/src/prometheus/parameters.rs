//! Parameters as Prometheus reads them: of the query string and of a form together, the form first.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Limited};
use promql::ast::Matcher;

use super::Fault;

/// The largest form.
const FORM_BYTES_MAX: usize = 4 << 20;

/// Names and values.
pub(crate) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(pairs(parts.uri.query().unwrap_or("").as_bytes())))
    }
}

/// Parameters of a POST.
pub(crate) struct Form(pub(crate) Parameters);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Fault;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Fault> {
        let (head, body) = request.into_parts();
        let mut all = Vec::new();
        if is_form(&head.headers) {
            let body = Limited::new(body, FORM_BYTES_MAX).collect().await;
            let body =
                body.map_err(|error| Fault::bad_data(format!("error parsing form values: {error}")))?;
            all = pairs(&body.to_bytes());
        }
        all.extend(pairs(head.uri.query().unwrap_or("").as_bytes()));
        Ok(Self(Parameters(all)))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.starts_with("application/x-www-form-urlencoded")
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

impl Parameters {
    #[cfg(test)]
    pub(super) fn parse(text: &str) -> Self {
        Self(pairs(text.as_bytes()))
    }

    /// The first value of a name; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A time in milliseconds that has to be given.
    pub(super) fn time(&self, name: &str) -> Result<i64, Fault> {
        time(self.get(name)).map_err(|text| Fault::parameter(name, text))
    }

    /// A time in milliseconds.
    pub(super) fn time_or(&self, name: &str, default: impl FnOnce() -> i64) -> Result<i64, Fault> {
        match self.get(name) {
            "" => Ok(default()),
            text => time(text)
                .map_err(|error| Fault::parameter(name, format!("invalid time value for '{name}': {error}"))),
        }
    }

    /// `start` and `end` in milliseconds; without them, always.
    pub(super) fn times(&self) -> Result<(i64, i64), Fault> {
        Ok((self.time_or("start", || MIN_MS)?, self.time_or("end", || MAX_MS)?))
    }

    /// A duration in milliseconds that has to be given.
    pub(super) fn duration(&self, name: &str) -> Result<i64, Fault> {
        duration(self.get(name)).map_err(|text| Fault::parameter(name, text))
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, Fault> {
        if self.get("timeout").is_empty() {
            return Ok(None);
        }
        let milliseconds = self.duration("timeout")?;
        Ok(Some(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))))
    }

    pub(super) fn lookback_ms(&self) -> Result<Option<i64>, Fault> {
        match self.get("lookback_delta") {
            "" => Ok(None),
            text => match duration(text) {
                Ok(milliseconds) if milliseconds > 0 => Ok(Some(milliseconds)),
                Ok(_) => Err(Fault::bad_data("error parsing lookback delta duration: must be positive")),
                Err(error) => Err(Fault::bad_data(format!("error parsing lookback delta duration: {error}"))),
            },
        }
    }

    /// The coarsest resolution that may be read, milliseconds; `None` for whatever is best.
    pub(super) fn resolution_max_ms(&self) -> Result<Option<u64>, Fault> {
        let name = "max_source_resolution";
        match self.get(name) {
            "" | "auto" => Ok(None),
            "raw" => Ok(Some(0)),
            text => match duration(text).map(u64::try_from) {
                Ok(Ok(milliseconds)) => Ok(Some(milliseconds)),
                Ok(Err(_)) => Err(Fault::parameter(name, "must not be negative")),
                Err(error) => Err(Fault::parameter(name, error)),
            },
        }
    }

    /// How many at most; `None` for no limit.
    pub(super) fn limit(&self, name: &str) -> Result<Option<usize>, Fault> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<i64>() {
            Ok(limit) => match usize::try_from(limit) {
                Ok(0) => Ok(None),
                Ok(limit) => Ok(Some(limit)),
                Err(_) => Err(Fault::parameter(name, "limit must be non-negative")),
            },
            Err(_) => Err(Fault::parameter(name, format!("cannot parse \"{text}\" to a number"))),
        }
    }

    /// A selector; without one, everything fits.
    pub(super) fn selector(&self, name: &str) -> Result<Vec<Matcher>, Fault> {
        match self.get(name) {
            "" => Ok(Vec::new()),
            text => promql::parse_selector(text).map_err(|error| Fault::bad_data(error.to_string())),
        }
    }

    /// The selectors of `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Fault> {
        let selector = |text: &str| {
            let matchers =
                promql::parse_selector(text).map_err(|error| Fault::bad_data(error.to_string()))?;
            if matchers.iter().all(fits_nothing) {
                return Err(Fault::bad_data("match[] must contain at least one non-empty matcher"));
            }
            Ok(matchers)
        };
        self.all("match[]").map(selector).collect()
    }
}

/// Whether a matcher fits a label that is not there.
fn fits_nothing(matcher: &Matcher) -> bool {
    use promql::ast::MatchOp;
    let found = || matcher.regex.as_ref().is_some_and(|regex| regex.is_match(""));
    match matcher.op {
        MatchOp::Equal => matcher.value.is_empty(),
        MatchOp::NotEqual => !matcher.value.is_empty(),
        MatchOp::Regex => found(),
        MatchOp::NotRegex => !found(),
    }
}

/// The first and the last millisecond that nanoseconds can tell.
const MIN_MS: i64 = i64::MIN / 1_000_000;
const MAX_MS: i64 = i64::MAX / 1_000_000;

/// Prometheus' first and last time, which clients send for "always".
const MIN_TIME: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME: &str = "292277025-08-18T07:12:54.999999999Z";

/// Milliseconds since 1970, now.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Seconds as a number, or RFC 3339.
pub(super) fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and is cut to what there is")]
        let milliseconds = (seconds.trunc() * 1e3 + (seconds.fract() * 1e3).round()) as i64;
        return Ok(milliseconds.clamp(MIN_MS, MAX_MS));
    }
    match text {
        MIN_TIME => return Ok(MIN_MS),
        MAX_TIME => return Ok(MAX_MS),
        _ => {}
    }
    let zoned = text.len() >= 20 && text.as_bytes()[10] == b'T' && has_zone(text);
    let nanos = zoned.then(|| arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text).ok());
    nanos
        .flatten()
        .map(|nanos| nanos.div_euclid(1_000_000))
        .ok_or_else(|| format!("cannot parse \"{text}\" to a valid timestamp"))
}

fn has_zone(text: &str) -> bool {
    let end = text.len();
    text.ends_with('Z') || matches!(text.as_bytes().get(end.saturating_sub(6)), Some(b'+' | b'-'))
}

/// Seconds as a number, or Prometheus' durations such as `1h30m`.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>()
        && !seconds.is_nan()
    {
        // In nanoseconds, as Prometheus has them.
        if seconds.abs() * 1e9 > 9.2e18 {
            return Err(format!("cannot parse \"{text}\" to a valid duration. It overflows int64"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "was compared")]
        return Ok((seconds * 1e3).round() as i64);
    }
    units(text).ok_or_else(|| format!("cannot parse \"{text}\" to a valid duration"))
}

/// Numbers with units, from the longest to the shortest, each at most once.
fn units(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let (mut rest, mut from, mut sum) = (text, 0, 0_i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let unit = &unit[..unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len())];
        let place = UNITS.iter().position(|(known, _)| *known == unit).filter(|place| *place >= from)?;
        sum = sum.checked_add(number.checked_mul(UNITS[place].1)?)?;
        from = place + 1;
        rest = &rest[digits + unit.len()..];
    }
    (!text.is_empty()).then_some(sum)
}
