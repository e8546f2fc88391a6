use std::fmt;

use jsonwebtoken::DecodingKey;
use serde_json::Value;

use crate::config::Secret;

/// More keys are refused.
const KEYS_MAX: usize = 100;
/// Shorter secrets can be guessed; what RFC 7518 asks for.
const SECRET_BYTES_MIN: usize = 32;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// RSA, PSS, SHA-384.
    Ps384,
    /// RSA, PSS, SHA-512.
    Ps512,
    /// ECDSA over P-256, SHA-256.
    Es256,
    /// ECDSA over P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256: whoever can check a token can also make one.
    Hs256,
}

impl Algorithm {
    /// As in a header: `RS256`. Nothing for what is not known, `none` among it.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            "HS256" => Self::Hs256,
            _ => return None,
        })
    }

    pub(super) const fn inner(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Rs512 => jsonwebtoken::Algorithm::RS512,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Ps384 => jsonwebtoken::Algorithm::PS384,
            Self::Ps512 => jsonwebtoken::Algorithm::PS512,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

/// Why a key cannot be used. None of it quotes the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("the key cannot be read as one for {algorithm:?}")]
    Malformed {
        /// What it should be for.
        algorithm: Algorithm,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The secret is too short.
    #[error("a secret needs {SECRET_BYTES_MIN} bytes, this one has {0}")]
    ShortSecret(usize),
    /// HMAC has no public key.
    #[error("HS256 has a secret, not a public key")]
    NoPublicKey,
    /// It is no JSON Web Key Set.
    #[error("no JSON Web Key Set: {0}")]
    NoKeySet(String),
    /// None of the keys can be used.
    #[error("there is no key that can check a signature")]
    Empty,
    /// There are more than 100.
    #[error("there are {0} keys, at most {KEYS_MAX} are taken")]
    TooMany(usize),
}

/// A key that signatures are checked with. It knows its algorithm, so that no token chooses.
#[derive(Clone)]
pub struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) inner: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A public key as PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// It is none for this algorithm.
    pub fn from_pem(id: Option<&str>, algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        let bytes = pem.as_bytes();
        let inner = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => DecodingKey::from_ec_pem(bytes),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(bytes),
            Algorithm::Hs256 => return Err(KeyError::NoPublicKey),
            _ => DecodingKey::from_rsa_pem(bytes),
        };
        let inner = inner.map_err(|error| KeyError::Malformed { algorithm, source: error.into() })?;
        Ok(Self { id: id.map(str::to_owned), algorithm, inner })
    }

    /// A secret that is shared with whoever makes the tokens, for [`Algorithm::Hs256`]. Prefer a
    /// public key: with a secret, everybody who checks can also make tokens.
    ///
    /// # Errors
    /// It has fewer than 32 bytes.
    pub fn hmac_sha256(id: Option<&str>, secret: &Secret) -> Result<Self, KeyError> {
        let bytes = secret.expose().as_bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret(bytes.len()));
        }
        let inner = DecodingKey::from_secret(bytes);
        Ok(Self { id: id.map(str::to_owned), algorithm: Algorithm::Hs256, inner })
    }

    /// A JSON Web Key that checks signatures. Nothing for other kinds and uses, secrets among them:
    /// a secret that is fetched is none.
    fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let is_for_signatures = text("use").is_none_or(|usage| usage == "sig");
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        let may_verify = operations.is_none_or(|it| it.iter().any(|operation| operation == "verify"));
        if !is_for_signatures || !may_verify {
            return None;
        }
        let algorithm = match (text("kty")?, text("crv"), text("alg")) {
            ("RSA", _, None) => Algorithm::Rs256,
            ("RSA", _, Some(name)) => Algorithm::parse(name).filter(|it| it.inner_is_rsa())?,
            ("EC", Some("P-256"), None | Some("ES256")) => Algorithm::Es256,
            ("EC", Some("P-384"), None | Some("ES384")) => Algorithm::Es384,
            ("OKP", Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => Algorithm::EdDsa,
            _ => return None,
        };
        let inner = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => DecodingKey::from_ec_components(text("x")?, text("y")?),
            Algorithm::EdDsa => DecodingKey::from_ed_components(text("x")?),
            _ => DecodingKey::from_rsa_components(text("n")?, text("e")?),
        };
        Some(Self { id: text("kid").map(str::to_owned), algorithm, inner: inner.ok()? })
    }
}

impl Algorithm {
    fn inner_is_rsa(self) -> bool {
        use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        matches!(self, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
    }
}

/// All keys that tokens may be signed with now.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// These keys, at least one and at most 100.
    ///
    /// # Errors
    /// There are none or too many.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyError> {
        let keys: Vec<_> = keys.into_iter().collect();
        match keys.len() {
            0 => Err(KeyError::Empty),
            1..=KEYS_MAX => Ok(Self { keys }),
            more => Err(KeyError::TooMany(more)),
        }
    }

    /// A JSON Web Key Set by RFC 7517. Keys that cannot check signatures are left out; an RSA key
    /// without `alg` is for `RS256`.
    ///
    /// # Errors
    /// It is none, or no key is left.
    pub fn from_jwks(text: &str) -> Result<Self, KeyError> {
        let root: Value =
            serde_json::from_str(text).map_err(|error| KeyError::NoKeySet(error.to_string()))?;
        let keys = root.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| KeyError::NoKeySet("there is no list `keys`".into()))?;
        if keys.len() > KEYS_MAX {
            return Err(KeyError::TooMany(keys.len()));
        }
        Self::new(keys.iter().filter_map(Key::from_jwk))
    }

    /// Keys that a token with this header may be signed with: of its algorithm, and of its id if it
    /// names one.
    pub(super) fn candidates<'a>(
        &'a self,
        id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| {
            key.algorithm == algorithm && id.is_none_or(|id| key.id.as_deref().is_none_or(|own| own == id))
        })
    }
}
