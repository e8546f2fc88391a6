use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::validator::TokenError;

/// What a valid token says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// Whom it is about (`sub`).
    pub subject: Option<String>,
    /// Who made it (`iss`).
    pub issuer: String,
    /// Whom it is for (`aud`).
    pub audience: Vec<String>,
    /// Until when it is valid (`exp`), in seconds since 1970.
    pub expires_at: u64,
    /// Since when (`nbf`), in seconds since 1970.
    pub not_before: Option<u64>,
    /// When it was made (`iat`), in seconds since 1970.
    pub issued_at: Option<u64>,
    /// Its own id (`jti`).
    pub id: Option<String>,
    /// What it allows: `scope` at its blanks, or a list.
    pub scope: Vec<String>,
    /// `roles`.
    pub roles: Vec<String>,
    /// `permissions`.
    pub permissions: Vec<String>,
    /// Everything else.
    pub custom: Map<String, Value>,
}

impl Claims {
    /// How long it is valid yet; nothing once it has expired.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        let end = UNIX_EPOCH + Duration::from_secs(self.expires_at);
        end.duration_since(now).unwrap_or_default()
    }

    /// Whether all of these are in its scope.
    pub fn has_scope(&self, scopes: &[&str]) -> bool {
        scopes.iter().all(|scope| self.scope.iter().any(|own| own == scope))
    }

    /// Reads claims whose signature was checked. Fails if one that every token has is missing, or one is
    /// of a type that it must not be.
    pub(super) fn read(mut claims: Map<String, Value>) -> Result<Self, TokenError> {
        Ok(Self {
            issuer: text(&mut claims, "iss")?.ok_or(TokenError::MissingClaim("iss"))?,
            subject: text(&mut claims, "sub")?,
            audience: texts(&mut claims, "aud", false)?,
            expires_at: time(&mut claims, "exp")?.ok_or(TokenError::MissingClaim("exp"))?,
            not_before: time(&mut claims, "nbf")?,
            issued_at: time(&mut claims, "iat")?,
            id: text(&mut claims, "jti")?,
            scope: texts(&mut claims, "scope", true)?,
            roles: texts(&mut claims, "roles", false)?,
            permissions: texts(&mut claims, "permissions", false)?,
            custom: claims,
        })
    }
}

fn text(claims: &mut Map<String, Value>, name: &str) -> Result<Option<String>, TokenError> {
    match claims.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Malformed),
    }
}

/// One text or a list of texts; `split` says whether one text is a list with blanks between.
fn texts(claims: &mut Map<String, Value>, name: &str, split: bool) -> Result<Vec<String>, TokenError> {
    match claims.remove(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if split => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(TokenError::Malformed),
            })
            .collect(),
        Some(_) => Err(TokenError::Malformed),
    }
}

/// Later times, in seconds, do not fit into every clock.
const TIME_MAX: u64 = 1_000_000_000_000_000;

/// Seconds since 1970, which may have a fraction.
fn time(claims: &mut Map<String, Value>, name: &str) -> Result<Option<u64>, TokenError> {
    match claims.remove(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) if seconds < TIME_MAX => Ok(Some(seconds)),
            (None, Some(seconds)) if (0.0..TIME_MAX as f64).contains(&seconds) => Ok(Some(seconds as u64)),
            _ => Err(TokenError::Malformed),
        },
        Some(_) => Err(TokenError::Malformed),
    }
}
