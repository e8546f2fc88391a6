//! JSON Web Tokens of others, validated: RS, PS, ES and EdDSA, and HS with a secret of one's own.
//!
//! What enters: a token as a stranger sent it. What leaves: [`Claims`], or a [`TokenError`] that says
//! which check failed; there is no way to get claims of a token that failed one.
//!
//! What must hold: a key has one algorithm, and a token is only checked with a key of the
//! algorithm in its header, so that no token chooses how it is checked; a key that a token brings
//! or points to (`jwk`, `jku`, `x5c`, `x5u`) is never used; an unknown `crit` is a refusal; every
//! token must expire; a token out of the cache is asked for revocation like any other. By RFC 7515,
//! 7519, 8725 and 9068.
//!
//! ```
//! use fresnel_sdk::security::jwt::{Key, KeySet, TokenError, Validator, ValidatorOptions};
//!
//! let secret = "an example of a secret with 32 bytes".to_owned().into();
//! let keys = KeySet::new([Key::hmac_sha256(None, &secret)?])?;
//! let options = ValidatorOptions::new("https://login.example.com", "shop");
//! let validator = Validator::new(keys, options);
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! // `{"alg":"none"}` and no signature.
//! let forged = validator.validate("eyJhbGciOiJub25lIn0.e30.").await;
//! assert!(matches!(forged, Err(TokenError::AlgorithmNotAllowed)));
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod claims;
mod config;
#[cfg(feature = "reqwest")]
mod http;
mod jwks;
mod key;
mod validator;

pub use self::claims::Claims;
pub use self::config::{JwtConfig, JwtConfigError, JwtKeys};
#[cfg(feature = "reqwest")]
pub use self::http::HttpKeys;
pub use self::jwks::{FetchError, FetchKeys, Jwks, JwksOptions};
pub use self::key::{Algorithm, Key, KeyError, KeySet};
pub use self::validator::{Revocation, RevocationError, TokenError, Validator, ValidatorOptions};

use std::future::Future;
use std::pin::Pin;

/// A future in a box, as traits of this module give it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
