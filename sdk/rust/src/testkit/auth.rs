use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::time::ManualTime;
use crate::security::jwt::{Claims, KeySet, Validator, ValidatorOptions};
use crate::time_of_day::TimeOfDay;

/// The id of its only key.
const KEY_ID: &str = "test";

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestUser {
    /// By which they log in, and the `sub` of their tokens.
    pub email: &'static str,
    /// With what.
    pub password: &'static str,
    /// The `roles` of their tokens.
    pub roles: &'static [&'static str],
    /// The `permissions` of their tokens: `*` is all.
    pub permissions: &'static [&'static str],
}

/// The users of every [`TestIssuer`].
const USERS: [TestUser; 2] = [
    TestUser { email: "admin@test.com", password: "password123", roles: &["admin"], permissions: &["*"] },
    TestUser {
        email: "user@test.com",
        password: "password123",
        roles: &["user"],
        permissions: &["read:own", "write:own"],
    },
];

/// What a log-in gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    /// For requests.
    pub access_token: String,
    /// How long it is valid, in seconds: 3600.
    pub expires_in: u64,
    /// `Bearer`.
    pub token_type: &'static str,
}

/// Why a log-in gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoginError {
    /// `INVALID_CREDENTIALS`.
    pub code: &'static str,
    /// A sentence.
    pub message: &'static str,
}

/// Issues tokens as a real issuer does, signed with a key that is made for it (EdDSA), by a clock of the
/// test.
///
/// ```
/// use fresnel_sdk::testkit::{ManualTime, TestIssuer};
///
/// let issuer = TestIssuer::new(ManualTime::default());
/// let tokens = issuer.login("user@test.com", "password123")?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let claims = issuer.validator().validate(&tokens.access_token).await?;
/// assert!(TestIssuer::allows(&claims, "read:own") && !TestIssuer::allows(&claims, "delete:any"));
/// # Ok::<(), fresnel_sdk::security::jwt::TokenError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestIssuer {
    pair: Ed25519KeyPair,
    time: ManualTime,
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer").field("time", &self.time).finish_non_exhaustive()
    }
}

impl TestIssuer {
    /// The `iss` of its tokens.
    pub const ISSUER: &'static str = "https://issuer.test";
    /// The `aud` of its tokens.
    pub const AUDIENCE: &'static str = "test";
    /// How long its tokens are valid.
    pub const VALID_FOR: Duration = Duration::from_secs(3600);

    /// With a fresh key.
    ///
    /// # Panics
    /// The system has no randomness.
    pub fn new(time: ManualTime) -> Self {
        Self { pair: Ed25519KeyPair::generate().expect("the system has randomness"), time }
    }

    /// Who can log in.
    pub const fn users() -> &'static [TestUser] {
        &USERS
    }

    /// Its keys as it would publish them.
    pub fn jwks(&self) -> String {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": KEY_ID, "use": "sig" }] })
            .to_string()
    }

    /// What takes its tokens, by the same clock.
    ///
    /// # Panics
    /// Never: its key is one.
    pub fn validator(&self) -> Validator {
        let keys = KeySet::from_jwks(&self.jwks()).expect("its own key is one");
        Validator::new(keys, ValidatorOptions::new(Self::ISSUER, Self::AUDIENCE)).clock(self.time.clone())
    }

    /// Logs a user in.
    ///
    /// # Errors
    /// There is none with this address and password.
    pub fn login(&self, email: &str, password: &str) -> Result<TokenSet, LoginError> {
        let user = USERS.iter().find(|user| user.email == email && user.password == password);
        let user = user.ok_or(LoginError {
            code: "INVALID_CREDENTIALS",
            message: "there is no user with this address and password",
        })?;
        let claims = json!({ "sub": user.email, "roles": user.roles, "permissions": user.permissions });
        let expires_in = Self::VALID_FOR.as_secs();
        Ok(TokenSet { access_token: self.token(claims), expires_in, token_type: "Bearer" })
    }

    /// A token with these claims; those that every token has are added where they are missing, so that a
    /// test can set wrong ones, or null to leave one out.
    pub fn token(&self, claims: Value) -> String {
        let now = self.time.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut all = json!({
            "iss": Self::ISSUER, "aud": Self::AUDIENCE, "iat": now, "exp": now + Self::VALID_FOR.as_secs(),
        });
        if let (Value::Object(all), Value::Object(claims)) = (&mut all, claims) {
            all.extend(claims);
            all.retain(|_, value| !value.is_null());
        }
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": KEY_ID }).to_string();
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(header), encode(all.to_string()));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// Whether the permissions in a token allow this: it is among them, or `*` is.
    pub fn allows(claims: &Claims, permission: &str) -> bool {
        claims.permissions.iter().any(|own| own == "*" || own == permission)
    }
}
