//! The query string, read once and checked: a name that nobody knows or a value that is none is
//! answered, not ignored.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::clock;
use crate::problem::Problem;
use crate::queries::TimeRange;

/// Parameters of a query string; a name may come several times.
pub(crate) struct Parameters(BTreeMap<String, Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or(""))
    }
}

impl Parameters {
    /// From the text after the `?`, or from a form.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            parameters.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Ok(Self(parameters))
    }

    /// Refuses names that are not in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Problem::bad_request(format!("unknown parameter `{name}`"))
                .hint(format!("there are: {}", known.join(", ")))),
        }
    }

    /// The value of a name that comes at most once; an empty one counts as missing.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(name).map(Vec::as_slice) {
            None => Ok(None),
            Some([value]) => Ok(Some(value.as_str()).filter(|value| !value.is_empty())),
            Some(_) => Err(Problem::bad_request(format!("parameter `{name}` may come only once"))),
        }
    }

    /// The values of a name that may come several times.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The text of [`Parameters::one`], owned.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        Ok(self.one(name)?.map(Into::into))
    }

    /// A number within bounds.
    pub(crate) fn number(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::bad_request(format!(
                "`{name}` must be a number from {min} to {max}, got `{text}`"
            ))),
        }
    }

    /// `limit`, from 1 to `max`.
    pub(crate) fn limit(&self, default: u32, max: u32) -> Result<u32, Problem> {
        let limit = self.number("limit", 1, i64::from(max))?;
        Ok(limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(default))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                Err(Problem::bad_request(format!("`{name}` must be true or false, got `{other}`")))
            }
        }
    }

    /// `from` and `to`.
    pub(crate) fn range(&self) -> Result<TimeRange, Problem> {
        clock::range(self.one("from")?, self.one("to")?)
    }

    /// `key:value` pairs. The first colon separates, unless it is escaped as `\:`.
    pub(crate) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, Problem> {
        let pair = |text: &String| {
            let mut escaped = false;
            for (index, byte) in text.bytes().enumerate() {
                match byte {
                    b'\\' if !escaped => escaped = true,
                    b':' if !escaped && index > 0 => {
                        return Ok((text[..index].replace("\\:", ":"), text[index + 1..].to_owned()));
                    }
                    _ => escaped = false,
                }
            }
            Err(Problem::bad_request(format!("`{name}` must be key:value, got `{text}`")))
        };
        self.all(name).iter().map(pair).collect()
    }

    /// A trace's id, 32 hex digits.
    pub(crate) fn trace_id(&self, name: &str) -> Result<Option<[u8; 16]>, Problem> {
        self.one(name)?.map(parse_trace_id).transpose()
    }
}

/// 32 hex digits in any case.
pub(crate) fn parse_trace_id(text: &str) -> Result<[u8; 16], Problem> {
    let well_formed = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = well_formed.then(|| u128::from_str_radix(text, 16).ok()).flatten();
    number
        .map(u128::to_be_bytes)
        .ok_or_else(|| Problem::bad_request(format!("a trace id has 32 hex digits, got `{text}`")))
}
