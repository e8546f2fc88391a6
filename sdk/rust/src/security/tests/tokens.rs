//! Attacks on tokens, one test each kind.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::signer::{Hand, Signer, claims, encode, jwks};
use crate::config::Loader;
use crate::security::jwt::{
    Algorithm, BoxFuture, Claims, JwtConfig, Key, KeyError, KeySet, Revocation, RevocationError, TokenError,
    Validator, ValidatorOptions,
};
use crate::time_of_day::TimeOfDay;

pub(super) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) fn options() -> ValidatorOptions {
    ValidatorOptions::new("https://login.example", "shop")
}

fn validator(keys: &[Value], options: ValidatorOptions) -> (Validator, Hand) {
    let hand = Hand::new();
    let keys = KeySet::from_jwks(&jwks(keys)).unwrap();
    (Validator::new(keys, options).clock(hand.clone()), hand)
}

fn ask(validator: &Validator, token: &str) -> Result<Arc<Claims>, TokenError> {
    run(validator.validate(token))
}

#[test]
fn tokens_of_every_algorithm_are_taken() {
    let signers = [
        ("RS256", Signer::rsa(), None),
        ("PS256", Signer::rsa(), Some("PS256")),
        ("ES256", Signer::ec256(), None),
        ("ES384", Signer::ec384(), None),
        ("EdDSA", Signer::ed(), None),
    ];
    let jwk = |(name, signer, alg): &(&str, Signer, Option<&str>)| {
        let mut jwk = signer.jwk(name);
        if let Some(alg) = alg {
            jwk["alg"] = json!(alg);
        }
        jwk
    };
    let keys: Vec<_> = signers.iter().map(jwk).collect();
    let (validator, hand) = validator(&keys, options());
    for (name, signer, _) in &signers {
        let token = signer.sign(&json!({"alg": name, "kid": name}), &claims());
        let claims = ask(&validator, &token).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(claims.subject.as_deref(), Some("ann"));
        assert_eq!(claims.audience, ["shop"]);
        assert!(claims.has_scope(&["read", "write"]) && !claims.has_scope(&["read", "delete"]));
        assert_eq!(
            (&claims.roles[..], &claims.permissions[..]),
            (&["admin".into()][..], &["all".into()][..])
        );
        assert_eq!(claims.custom["tenant"], "t1");
        assert_eq!(claims.remaining(hand.now()), Duration::from_secs(300));
        assert_eq!(claims.remaining(UNIX_EPOCH + Duration::from_secs(Hand::NOW + 301)), Duration::ZERO);
    }
}

#[test]
fn an_unsigned_token_is_none() {
    let (validator, _) = validator(&[Signer::rsa().jwk("k")], options());
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "RS1", "ES256K"] {
        let token = format!(
            "{}.{}.",
            encode(json!({"alg": alg, "kid": "k"}).to_string()),
            encode(claims().to_string())
        );
        assert_eq!(ask(&validator, &token), Err(TokenError::AlgorithmNotAllowed), "{alg}");
    }
    let empty = format!(
        "{}.{}.",
        encode(json!({"alg": "RS256", "kid": "k"}).to_string()),
        encode(claims().to_string())
    );
    assert_eq!(ask(&validator, &empty), Err(TokenError::BadSignature));
}

/// The public key as the secret of an HMAC: what everybody knows would sign.
#[test]
fn a_public_key_is_no_secret() {
    use aws_lc_rs::hmac;
    let rsa = Signer::rsa();
    let jwk = rsa.jwk("k");
    let message = format!(
        "{}.{}",
        encode(json!({"alg": "HS256", "kid": "k"}).to_string()),
        encode(claims().to_string())
    );
    let forged = |secret: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", encode(tag))
    };
    // Even where HS256 is allowed, for a secret of another key.
    let secret = "s".repeat(32);
    let keys = [Key::hmac_sha256(Some("own"), &secret.as_str().to_owned().into()).unwrap()];
    let allowed = ValidatorOptions { algorithms: vec![Algorithm::Rs256, Algorithm::Hs256], ..options() };
    let (rsa_only, _) = validator(std::slice::from_ref(&jwk), allowed.clone());
    for material in [jwk["n"].as_str().unwrap().as_bytes(), jwk.to_string().as_bytes()] {
        assert_eq!(ask(&rsa_only, &forged(material)), Err(TokenError::UnknownKey));
    }
    let mixed = Validator::new(KeySet::new(keys).unwrap(), allowed).clock(Hand::new());
    assert_eq!(ask(&mixed, &forged(secret.as_bytes())), Err(TokenError::UnknownKey), "of another id");
    let own = format!(
        "{}.{}",
        encode(json!({"alg": "HS256", "kid": "own"}).to_string()),
        encode(claims().to_string())
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), own.as_bytes());
    assert!(ask(&mixed, &format!("{own}.{}", encode(tag))).is_ok());
}

#[test]
fn a_key_signs_only_in_its_own_way() {
    let rsa = Signer::rsa();
    let mut jwk = rsa.jwk("k");
    jwk["alg"] = json!("RS256");
    let (validator, _) = validator(&[jwk], options());
    let pss = rsa.sign(&json!({"alg": "PS256", "kid": "k"}), &claims());
    assert_eq!(ask(&validator, &pss), Err(TokenError::UnknownKey));
    let confused = rsa.sign(&json!({"alg": "ES256", "kid": "k"}), &claims());
    assert_eq!(ask(&validator, &confused), Err(TokenError::UnknownKey));
}

#[test]
fn the_id_of_a_key_is_only_compared() {
    let (ours, theirs) = (Signer::ed(), Signer::ed());
    let (validator, _) = validator(&[ours.jwk("k")], options());
    for id in ["../../dev/null", "' OR 1=1 --", "http://evil.example/key", "K", "k\0", ""] {
        let token = theirs.sign(&json!({"alg": "EdDSA", "kid": id}), &claims());
        assert_eq!(ask(&validator, &token), Err(TokenError::UnknownKey), "{id}");
    }
    for id in [json!(1), json!(["k"]), json!("x".repeat(300)), json!(null)] {
        let token = ours.sign(&json!({"alg": "EdDSA", "kid": id}), &claims());
        assert_eq!(ask(&validator, &token), Err(TokenError::Malformed), "{id}");
    }
    // Without an id, every key of the algorithm is tried.
    assert!(ask(&validator, &ours.sign(&json!({"alg": "EdDSA"}), &claims())).is_ok());
    assert_eq!(
        ask(&validator, &theirs.sign(&json!({"alg": "EdDSA"}), &claims())),
        Err(TokenError::BadSignature)
    );
}

#[test]
fn keys_that_a_token_brings_are_not_used() {
    let (ours, theirs) = (Signer::ec256(), Signer::ec256());
    let (validator, _) = validator(&[ours.jwk("k")], options());
    let header = json!({"alg": "ES256", "kid": "k", "jwk": theirs.jwk("k"), "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x", "x5c": ["AAAA"]});
    assert_eq!(ask(&validator, &theirs.sign(&header, &claims())), Err(TokenError::BadSignature));
    let critical = ours.sign(&json!({"alg": "ES256", "kid": "k", "crit": ["exp"], "exp": 1}), &claims());
    assert_eq!(ask(&validator, &critical), Err(TokenError::CriticalHeader));
}

#[test]
fn a_changed_token_is_refused() {
    let signer = Signer::ed();
    let (validator, _) = validator(&[signer.jwk("k")], options());
    let token = signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &claims());
    let parts: Vec<_> = token.split('.').collect();
    let mut other = claims();
    other["sub"] = json!("root");
    let forged = format!("{}.{}.{}", parts[0], encode(other.to_string()), parts[2]);
    assert_eq!(ask(&validator, &forged), Err(TokenError::BadSignature));
    for broken in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", &token[1..], &format!("{token}."), "e30.e30.e30"]
    {
        let error = ask(&validator, broken).unwrap_err();
        assert!(
            matches!(error, TokenError::Malformed | TokenError::AlgorithmNotAllowed),
            "{broken}: {error}"
        );
    }
    assert_eq!(ask(&validator, &"a".repeat(9000)), Err(TokenError::TooLong));
    assert!(ask(&validator, &token).is_ok());
}

#[test]
fn times_hold_with_some_leeway() {
    let signer = Signer::ed();
    let (validator, hand) = validator(&[signer.jwk("k")], ValidatorOptions { cache_entries: 0, ..options() });
    let token = |changes: Value| {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &claims)
    };
    let now = Hand::NOW;
    let cases = [
        (json!({"exp": now - 29}), None),
        (json!({"exp": now - 30}), Some(TokenError::Expired)),
        (json!({"exp": now as f64 + 0.5}), None),
        (json!({"exp": null}), Some(TokenError::MissingClaim("exp"))),
        (json!({"exp": "never"}), Some(TokenError::Malformed)),
        (json!({"exp": -1}), Some(TokenError::Malformed)),
        (json!({"exp": 1e300}), Some(TokenError::Malformed)),
        (json!({"exp": u64::MAX}), Some(TokenError::Malformed)),
        (json!({"exp": 999_999_999_999_999_u64}), None),
        (json!({"nbf": now + 30}), None),
        (json!({"nbf": now + 31}), Some(TokenError::NotYetValid)),
        (json!({"iat": now + 31}), Some(TokenError::NotYetValid)),
        (json!({"iss": null}), Some(TokenError::MissingClaim("iss"))),
        (json!({"iss": "https://login.example/"}), Some(TokenError::WrongIssuer)),
        (json!({"aud": "other"}), Some(TokenError::WrongAudience)),
        (json!({"aud": ["other", "shop"]}), None),
        (json!({"aud": []}), Some(TokenError::WrongAudience)),
        (json!({"aud": null}), Some(TokenError::WrongAudience)),
        (json!({"aud": {"shop": 1}}), Some(TokenError::Malformed)),
        (json!({"roles": "admin"}), None),
        (json!({"roles": [1]}), Some(TokenError::Malformed)),
    ];
    for (changes, error) in cases {
        assert_eq!(ask(&validator, &token(changes.clone())).err(), error, "{changes}");
    }
    hand.advance(330);
    assert_eq!(ask(&validator, &token(json!({}))), Err(TokenError::Expired));
}

#[test]
fn an_id_token_is_no_access_token() {
    let signer = Signer::ed();
    let wanted = ValidatorOptions { token_type: Some("at+jwt".into()), ..options() };
    let (validator, _) = validator(&[signer.jwk("k")], wanted);
    let ask_type = |header: Value| ask(&validator, &signer.sign(&header, &claims())).err();
    assert_eq!(ask_type(json!({"alg": "EdDSA", "typ": "JWT"})), Some(TokenError::WrongType));
    assert_eq!(ask_type(json!({"alg": "EdDSA"})), Some(TokenError::WrongType));
    assert_eq!(ask_type(json!({"alg": "EdDSA", "typ": "application/AT+JWT"})), None);
}

#[test]
fn a_valid_token_is_remembered_until_it_expires_and_not_longer() {
    let signer = Signer::ed();
    let (validator, hand) =
        validator(&[signer.jwk("k")], ValidatorOptions { leeway: Duration::ZERO, ..options() });
    let mut short = claims();
    short["exp"] = json!(Hand::NOW + 10);
    let token = signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &short);
    let first = ask(&validator, &token).unwrap();
    let again = ask(&validator, &token).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "the second time it is the same");
    hand.advance(10);
    assert_eq!(ask(&validator, &token), Err(TokenError::Expired));
}

#[test]
fn no_more_tokens_are_remembered_than_said() {
    let signer = Signer::ed();
    let (validator, _) = validator(&[signer.jwk("k")], ValidatorOptions { cache_entries: 10, ..options() });
    for id in 0..50 {
        let mut claims = claims();
        claims["jti"] = json!(format!("t-{id}"));
        ask(&validator, &signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &claims)).unwrap();
        assert!(validator.cached() <= 10);
    }
    assert!(validator.cached() >= 5);
}

/// 0: knows nothing of it, 1: revoked, 2: cannot say.
struct Scripted(Arc<AtomicU8>);

impl Revocation for Scripted {
    fn is_revoked<'a>(&'a self, claims: &'a Claims) -> BoxFuture<'a, Result<bool, RevocationError>> {
        assert_eq!(claims.id.as_deref(), Some("t-1"));
        let answer = match self.0.load(Ordering::Relaxed) {
            2 => Err(RevocationError("the list cannot be read".into())),
            revoked => Ok(revoked == 1),
        };
        Box::pin(std::future::ready(answer))
    }
}

#[test]
fn a_remembered_token_can_be_revoked() {
    let signer = Signer::ed();
    let state = Arc::new(AtomicU8::new(0));
    let (validator, _) = validator(&[signer.jwk("k")], options());
    let validator = validator.revocation(Scripted(state.clone()));
    let token = signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &claims());
    assert!(ask(&validator, &token).is_ok());
    state.store(1, Ordering::Relaxed);
    assert_eq!(ask(&validator, &token), Err(TokenError::Revoked));
    state.store(2, Ordering::Relaxed);
    let error = ask(&validator, &token).unwrap_err();
    assert!(error == TokenError::RevocationUnavailable && error.retryable());
}

#[test]
fn keys_that_cannot_check_are_left_out_and_weak_secrets_refused() {
    let rsa = Signer::rsa().jwk("k");
    let with = |name: &str, value: Value| {
        let mut jwk = rsa.clone();
        jwk[name] = value;
        jwk
    };
    for jwk in [
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("HS256")),
        with("alg", json!("RSA-OAEP")),
        with("kty", json!("oct")),
        with("n", json!("not base64!")),
        json!({"kty": "oct", "k": encode([7; 32]), "alg": "HS256"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!("key"),
    ] {
        assert!(
            matches!(KeySet::from_jwks(&jwks(std::slice::from_ref(&jwk))), Err(KeyError::Empty)),
            "{jwk}"
        );
    }
    assert!(matches!(KeySet::from_jwks("{}"), Err(KeyError::NoKeySet(_))));
    assert!(matches!(KeySet::from_jwks(&jwks(&vec![rsa; 101])), Err(KeyError::TooMany(101))));
    let short = |secret: &str| Key::hmac_sha256(None, &secret.to_owned().into());
    assert!(matches!(short(""), Err(KeyError::ShortSecret(0))) && short(&"s".repeat(31)).is_err());
    assert!(short(&"s".repeat(32)).is_ok());
    assert!(matches!(Key::from_pem(None, Algorithm::Hs256, ""), Err(KeyError::NoPublicKey)));
    assert!(matches!(Key::from_pem(None, Algorithm::Rs256, "-----"), Err(KeyError::Malformed { .. })));
}

fn configured(text: &str) -> Result<JwtConfig, String> {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let loaded = Loader::<JwtConfig>::new().file(file.path()).load();
    loaded.map(|it| JwtConfig::clone(&it.value)).map_err(|error| error.to_string())
}

#[test]
fn a_configuration_says_which_tokens_are_taken() {
    let (ours, signer) = ("issuers = ['https://login.example']\naudiences = ['shop']\n", Signer::ec256());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jwks(&[signer.jwk("k")])).unwrap();
    let by_file = format!("{ours}keys.file = '{}'\n", file.path().display());
    let header = json!({"alg": "ES256", "kid": "k"});
    let token = signer.sign(&header, &claims());
    let asked = |text: &str, token: &str| {
        let validator = configured(text).unwrap().validator().unwrap().clock(Hand::new());
        ask(&validator, token).map(|claims| claims.subject.clone())
    };
    assert_eq!(asked(&by_file, &token), Ok(Some("ann".into())));
    let others = by_file.replace("['shop']", "['bank']");
    assert_eq!(asked(&others, &token), Err(TokenError::WrongAudience));
    let of_others = by_file.replace("https://login.example", "https://login.bank");
    assert_eq!(asked(&of_others, &token), Err(TokenError::WrongIssuer));
    let typed = format!("token_type = 'at+jwt'\n{by_file}");
    assert_eq!(asked(&typed, &token), Err(TokenError::WrongType));
    // With a secret no other algorithm passes, and none without one.
    let by_secret = format!("{ours}keys.secret = 'an example of a secret with 32 bytes'\n");
    assert_eq!(asked(&by_secret, &token), Err(TokenError::AlgorithmNotAllowed));
    let shown = format!("{:?}", configured(&by_secret).unwrap());
    assert!(!shown.contains("an example"), "{shown}");
}

#[test]
fn a_configuration_of_tokens_that_would_take_too_much_or_nothing_is_refused() {
    let keys = "keys.secret = 'an example of a secret with 32 bytes'";
    for (text, why) in [
        (format!("issuers = []\naudiences = ['shop']\n{keys}"), "`issuers` must have at least one"),
        (format!("issuers = ['x']\naudiences = ['']\n{keys}"), "`audiences` must have at least one"),
        (keys.to_owned(), "`audiences` must have at least one"),
        ("issuers = ['x']\naudiences = ['y']".into(), "no keys of tokens are named"),
        (
            "issuers = ['x']\naudiences = ['y']\nkeys.secret = 'short'".into(),
            "a secret needs 32 bytes, this one has 5",
        ),
        ("issuers = ['x']\naudiences = ['y']\nkeys.file = '/no/such/file'".into(), "No such file"),
        (
            "issuers = ['x']\naudiences = ['y']\nkeys.url = 'http://login.example/jwks'".into(),
            "`keys` cannot be used",
        ),
        ("issuers = ['x']\naudiences = ['y']\nkeys.none = true".into(), "none"),
    ] {
        let error = configured(&text).unwrap_err();
        assert!(error.contains(why) && !error.contains("'short'"), "{text}: {error}");
    }
}
