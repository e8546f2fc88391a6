use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jwks::FetchError;
use super::key::{Algorithm, Key, KeyError, KeySet};
use super::validator::{Validator, ValidatorOptions};
use crate::config::{Duration, Report, Secret, Validate};

/// Which tokens a service takes, as it stands in a configuration. There is no usual one: issuers,
/// audiences and keys must be said.
///
/// ```
/// use fresnel_sdk::config::Loader;
/// use fresnel_sdk::security::jwt::JwtConfig;
///
/// let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
/// std::fs::write(file.path(), r#"
/// issuers = ["https://login.example.com"]
/// audiences = ["shop"]
/// [keys]
/// secret = "an example of a secret with 32 bytes"
/// "#)?;
/// let config = Loader::<JwtConfig>::new().file(file.path()).load()?;
/// let validator = config.value.validator()?;
/// # let _ = validator;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwtConfig {
    /// Who may have made them (`iss`): one of these, to the letter.
    pub issuers: Vec<String>,
    /// Whom they may be for (`aud`), at least one of these: the name of the service.
    pub audiences: Vec<String>,
    /// What they are checked with.
    pub keys: Option<JwtKeys>,
    /// Of which type they must be (`typ`), such as `at+jwt`; any unless said.
    pub token_type: Option<String>,
    /// How much clocks may differ.
    pub leeway: Duration,
    /// How long a valid token is remembered, at most until it expires.
    pub cache_ttl: Duration,
}

/// What tokens are checked with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JwtKeys {
    /// Where the issuer publishes its keys, a JSON Web Key Set: `https://`, or `http://` on this machine.
    /// They are fetched when the first token comes, and follow a rotation. Needs the feature `reqwest`.
    Url(String),
    /// A file with such a set, which is read at the start.
    File(PathBuf),
    /// A secret of 32 bytes or more that is shared with the issuer, for HS256 and nothing else. Whoever
    /// can check such a token can make one: prefer the others.
    Secret(Secret),
}

/// Why there is no validator.
#[derive(Debug, thiserror::Error)]
pub enum JwtConfigError {
    /// There are none.
    #[error("no keys of tokens are named")]
    NoKeys,
    /// The file cannot be read.
    #[error("cannot read the keys in {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// There is no key in it that can check a token.
    #[error("the keys of tokens cannot be used")]
    Keys(#[from] KeyError),
    /// The address is none.
    #[error("the keys of tokens cannot be fetched")]
    Fetch(#[from] FetchError),
}

impl Default for JwtConfig {
    fn default() -> Self {
        let usual = ValidatorOptions::new("", "");
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            keys: None,
            token_type: None,
            leeway: Duration::from(usual.leeway),
            cache_ttl: Duration::from(usual.cache_ttl),
        }
    }
}

impl JwtConfig {
    /// A validator of these tokens. Share one: it remembers.
    ///
    /// # Errors
    /// There are no keys.
    pub fn validator(&self) -> Result<Validator, JwtConfigError> {
        let mut options = ValidatorOptions {
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            token_type: self.token_type.clone(),
            leeway: self.leeway.get(),
            cache_ttl: self.cache_ttl.get(),
            ..ValidatorOptions::new("", "")
        };
        match self.keys.as_ref().ok_or(JwtConfigError::NoKeys)? {
            JwtKeys::Url(url) => fetching(url, options),
            JwtKeys::File(path) => {
                let io = |source| JwtConfigError::Io { path: path.clone(), source };
                let keys = KeySet::from_jwks(&std::fs::read_to_string(path).map_err(io)?)?;
                Ok(Validator::new(keys, options))
            }
            JwtKeys::Secret(secret) => {
                // Nobody may pass a public key for it.
                options.algorithms = vec![Algorithm::Hs256];
                Ok(Validator::new(KeySet::new([Key::hmac_sha256(None, secret)?])?, options))
            }
        }
    }
}

#[cfg(feature = "reqwest")]
fn fetching(url: &str, options: ValidatorOptions) -> Result<Validator, JwtConfigError> {
    let jwks = super::Jwks::new(super::HttpKeys::new(url)?, super::JwksOptions::default());
    Ok(Validator::fetching(jwks, options))
}

#[cfg(not(feature = "reqwest"))]
fn fetching(url: &str, _: ValidatorOptions) -> Result<Validator, JwtConfigError> {
    let why = format!("`{url}`: fetching keys is not in this build, it needs the feature `reqwest`");
    Err(FetchError(why).into())
}

impl Validate for JwtConfig {
    fn validate(&self, report: &mut Report) {
        let needed = "must have at least one: without it, tokens of others would be taken";
        for (path, list) in [("issuers", &self.issuers), ("audiences", &self.audiences)] {
            if list.is_empty() || list.iter().any(String::is_empty) {
                report.error(path, needed);
            }
        }
        if let Err(error) = self.validator() {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |it| it.source());
            let causes: Vec<_> = causes.map(ToString::to_string).collect();
            report.error("keys", format!("cannot be used: {}", causes.join(": ")));
        }
    }
}
