use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::BoxFuture;
use super::cache::Cache;
use super::claims::Claims;
use super::jwks::{Fetched, Jwks};
use super::key::{Algorithm, KeySet};
use crate::time_of_day::{SystemTimeOfDay, TimeOfDay};

/// Longer ids of keys are none.
const KEY_ID_BYTES_MAX: usize = 256;
/// Signatures that are tried for a token that names no key.
const CANDIDATES_MAX: usize = 8;

/// Why a token is refused. None of it quotes the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than allowed.
    #[error("the token is too long")]
    TooLong,
    /// It is no signed token, or a claim is of a type that it must not be.
    #[error("the token cannot be read")]
    Malformed,
    /// Its header asks for something that is not understood (`crit`).
    #[error("the token asks for an extension that is not known")]
    CriticalHeader,
    /// Signed in a way that is not allowed here, or not at all.
    #[error("the algorithm of the token is not allowed")]
    AlgorithmNotAllowed,
    /// It is of another type (`typ`) than is taken here.
    #[error("the token is of another type")]
    WrongType,
    /// There is no key with its id and algorithm.
    #[error("the key of the token is not known")]
    UnknownKey,
    /// The signature is not right.
    #[error("the signature of the token is wrong")]
    BadSignature,
    /// A claim that every token must have is missing.
    #[error("the token has no `{0}`")]
    MissingClaim(&'static str),
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come, or it was made in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Made by somebody else.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// Made for somebody else.
    #[error("the token is for somebody else")]
    WrongAudience,
    /// Taken back.
    #[error("the token was revoked")]
    Revoked,
    /// There are no keys to check it with, now.
    #[error("the keys of the issuer cannot be had")]
    KeysUnavailable,
    /// Nobody can say whether it was taken back, now.
    #[error("it cannot be told whether the token was revoked")]
    RevocationUnavailable,
}

impl TokenError {
    /// Whether the same token may be valid later: the fault is not the sender's.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::RevocationUnavailable)
    }
}

/// Why nobody can say whether a token was revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RevocationError(pub String);

/// Knows which tokens were taken back before their time. Asked for every token, each time.
pub trait Revocation: Send + Sync + 'static {
    /// Whether this one was.
    ///
    /// # Errors
    /// Nobody can say; the token is refused.
    fn is_revoked<'a>(&'a self, claims: &'a Claims) -> BoxFuture<'a, Result<bool, RevocationError>>;
}

/// Which tokens are taken.
#[derive(Clone, Debug)]
pub struct ValidatorOptions {
    /// Who may have made them (`iss`): one of these, to the letter.
    pub issuers: Vec<String>,
    /// Whom they may be for (`aud`): at least one of these. The own name of the service for access
    /// tokens, the client's id for ID tokens.
    pub audiences: Vec<String>,
    /// How they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Of which type they must be (`typ`): `at+jwt` for access tokens by RFC 9068, so that no ID
    /// token passes for one. Compared without case and without `application/`. None: any.
    pub token_type: Option<String>,
    /// How much clocks may differ; half a minute.
    pub leeway: Duration,
    /// Longer tokens are refused; 8 KiB.
    pub bytes_max: usize,
    /// How many valid tokens are remembered; 1,000. None are for 0.
    pub cache_entries: usize,
    /// How long they are, at most until they expire; a minute.
    pub cache_ttl: Duration,
}

impl ValidatorOptions {
    /// Tokens of one issuer for one audience, signed with a key that is not shared.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuers: vec![issuer.into()],
            audiences: vec![audience.into()],
            algorithms: vec![
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
                Algorithm::Es256,
                Algorithm::Es384,
                Algorithm::EdDsa,
            ],
            token_type: None,
            leeway: Duration::from_secs(30),
            bytes_max: 8 << 10,
            cache_entries: 1000,
            cache_ttl: Duration::from_secs(60),
        }
    }
}

/// Validates tokens. Share one: it remembers.
pub struct Validator {
    keys: Keys,
    options: ValidatorOptions,
    revocation: Option<Box<dyn Revocation>>,
    clock: Box<dyn TimeOfDay>,
    cache: Mutex<Cache>,
}

enum Keys {
    Fixed(Arc<KeySet>),
    Fetched(Box<Jwks>),
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").field("options", &self.options).finish_non_exhaustive()
    }
}

struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Validator {
    /// With keys that never change. Secrets among them are only used if the options allow
    /// [`Algorithm::Hs256`].
    pub fn new(keys: KeySet, options: ValidatorOptions) -> Self {
        Self::with(Keys::Fixed(Arc::new(keys)), options)
    }

    /// With keys that are fetched.
    pub fn fetching(keys: Jwks, options: ValidatorOptions) -> Self {
        Self::with(Keys::Fetched(Box::new(keys)), options)
    }

    fn with(keys: Keys, options: ValidatorOptions) -> Self {
        let cache = Mutex::new(Cache::new(options.cache_entries));
        Self { keys, options, revocation: None, clock: Box::new(SystemTimeOfDay), cache }
    }

    /// Asking whether tokens were revoked.
    #[must_use]
    pub fn revocation(mut self, revocation: impl Revocation) -> Self {
        self.revocation = Some(Box::new(revocation));
        self
    }

    /// With another clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl TimeOfDay) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// What a token says, if every check holds.
    ///
    /// # Errors
    /// The first check that does not.
    pub async fn validate(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > self.options.bytes_max {
            return Err(TokenError::TooLong);
        }
        let now = self.clock.now();
        let header = self.header(token)?;
        let keys = self.current(now).await?;
        let known = self.cache.lock().get(token, keys.generation, now);
        let claims = match known {
            Some(claims) => claims,
            None => {
                let (claims, generation) = self.check(token, &header, keys, now).await?;
                let claims = Arc::new(claims);
                let end = UNIX_EPOCH + Duration::from_secs(claims.expires_at);
                let until = end.min(now + self.options.cache_ttl);
                self.cache.lock().insert(token, claims.clone(), until, generation);
                claims
            }
        };
        self.check_revocation(&claims).await?;
        Ok(claims)
    }

    async fn current(&self, now: SystemTime) -> Result<View, TokenError> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(View { keys: keys.clone(), generation: 0 }),
            Keys::Fetched(jwks) => jwks.keys(now).await.map(View::from).ok_or(TokenError::KeysUnavailable),
        }
    }

    /// What the header asks for. Everything else in it is not looked at: keys and addresses of keys
    /// among it.
    fn header(&self, token: &str) -> Result<Header, TokenError> {
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let header: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(TokenError::CriticalHeader);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        let algorithm = algorithm.filter(|algorithm| self.options.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(TokenError::AlgorithmNotAllowed)?;
        if let Some(wanted) = &self.options.token_type {
            let plain = |name: &str| {
                let name = name.to_ascii_lowercase();
                name.strip_prefix("application/").map(str::to_owned).unwrap_or(name)
            };
            if header.get("typ").and_then(Value::as_str).map(plain) != Some(plain(wanted)) {
                return Err(TokenError::WrongType);
            }
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= KEY_ID_BYTES_MAX => Some(id.clone()),
            Some(_) => return Err(TokenError::Malformed),
        };
        Ok(Header { algorithm, key_id })
    }

    /// The claims, and of which keys.
    async fn check(
        &self,
        token: &str,
        header: &Header,
        keys: View,
        now: SystemTime,
    ) -> Result<(Claims, u64), TokenError> {
        let mut generation = keys.generation;
        let mut outcome = verify(token, header, &keys.keys);
        // The issuer may have taken a new key since: by its id, or none is named and none fits.
        let may_be_newer = matches!(&outcome, Err(TokenError::UnknownKey))
            || (header.key_id.is_none() && matches!(&outcome, Err(TokenError::BadSignature)));
        if let (true, Keys::Fetched(jwks)) = (may_be_newer, &self.keys)
            && let Some(newer) = jwks.newer(generation, now).await
        {
            generation = newer.generation;
            outcome = verify(token, header, &newer.keys);
        }
        let claims = Claims::read(outcome?)?;
        self.check_claims(&claims, now)?;
        Ok((claims, generation))
    }

    fn check_claims(&self, claims: &Claims, now: SystemTime) -> Result<(), TokenError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let leeway = self.options.leeway.as_secs();
        if now >= claims.expires_at.saturating_add(leeway) {
            return Err(TokenError::Expired);
        }
        let begins = claims.not_before.max(claims.issued_at).unwrap_or(0);
        if begins > now.saturating_add(leeway) {
            return Err(TokenError::NotYetValid);
        }
        if !self.options.issuers.contains(&claims.issuer) {
            return Err(TokenError::WrongIssuer);
        }
        if !claims.audience.iter().any(|audience| self.options.audiences.contains(audience)) {
            return Err(TokenError::WrongAudience);
        }
        Ok(())
    }

    async fn check_revocation(&self, claims: &Claims) -> Result<(), TokenError> {
        let Some(revocation) = &self.revocation else { return Ok(()) };
        match revocation.is_revoked(claims).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(TokenError::Revoked),
            Err(error) => {
                tracing::warn!(%error, "revocation of tokens cannot be asked for");
                Err(TokenError::RevocationUnavailable)
            }
        }
    }

    #[cfg(test)]
    pub(in crate::security) fn cached(&self) -> usize {
        self.cache.lock().len()
    }
}

struct View {
    keys: Arc<KeySet>,
    generation: u64,
}

impl From<Fetched> for View {
    fn from(fetched: Fetched) -> Self {
        Self { keys: fetched.keys, generation: fetched.generation }
    }
}

/// The claims of a token whose signature is right with one of the keys. Only the signature is
/// checked here: the rest goes by our clock.
fn verify(token: &str, header: &Header, keys: &KeySet) -> Result<Map<String, Value>, TokenError> {
    let mut validation = Validation::new(header.algorithm.inner());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let mut outcome = Err(TokenError::UnknownKey);
    for key in keys.candidates(header.key_id.as_deref(), header.algorithm).take(CANDIDATES_MAX) {
        use jsonwebtoken::errors::ErrorKind;
        outcome = match jsonwebtoken::decode::<Map<String, Value>>(token, &key.inner, &validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) => match error.kind() {
                ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
                    Err(TokenError::Malformed)
                }
                _ => Err(TokenError::BadSignature),
            },
        };
    }
    outcome
}
