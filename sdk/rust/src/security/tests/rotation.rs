//! Keys that an issuer publishes: taken anew, given up, and asked for no more than is right.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

use super::signer::{Hand, Signer, claims, jwks};
use super::tokens::{options, run};
use crate::security::jwt::{BoxFuture, FetchError, FetchKeys, Jwks, JwksOptions, TokenError, Validator};

#[derive(Clone)]
struct Issuer {
    published: Arc<Mutex<Result<String, FetchError>>>,
    fetches: Arc<AtomicU32>,
}

impl FetchKeys for Issuer {
    fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            self.fetches.fetch_add(1, Ordering::Relaxed);
            self.published.lock().clone()
        })
    }
}

impl Issuer {
    fn publish(&self, signers: &[(&str, &Signer)]) {
        let keys: Vec<_> = signers.iter().map(|(id, signer)| signer.jwk(id)).collect();
        *self.published.lock() = Ok(jwks(&keys));
    }

    fn fail(&self) {
        *self.published.lock() = Err(FetchError("the issuer is away".into()));
    }

    fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::Relaxed)
    }
}

fn setup() -> (Issuer, Validator, Hand) {
    let published = Arc::new(Mutex::new(Err(FetchError("nothing yet".into()))));
    let issuer = Issuer { published, fetches: Arc::default() };
    let hand = Hand::new();
    let jwks = Jwks::new(issuer.clone(), JwksOptions::default());
    (issuer, Validator::fetching(jwks, options()).clock(hand.clone()), hand)
}

fn token(id: &str, signer: &Signer) -> String {
    let mut claims = claims();
    claims["exp"] = json!(Hand::NOW + 1_000_000);
    signer.sign(&json!({"alg": "EdDSA", "kid": id}), &claims)
}

#[test]
fn a_new_key_is_fetched_and_an_old_one_given_up() {
    let (issuer, validator, hand) = setup();
    let (old, new) = (Signer::ed(), Signer::ed());
    issuer.publish(&[("old", &old)]);
    let ask = |token: &str| run(validator.validate(token)).map(|_| ());
    assert_eq!(ask(&token("old", &old)), Ok(()));
    assert_eq!(issuer.fetches(), 1);
    issuer.publish(&[("new", &new)]);
    assert_eq!(ask(&token("new", &new)), Ok(()), "an unknown key is looked for");
    assert_eq!(issuer.fetches(), 2);
    assert_eq!(ask(&token("old", &old)), Err(TokenError::UnknownKey), "though it was remembered");
    // Keys are fetched again when they are old, without anybody's key being unknown.
    hand.advance(3600);
    assert_eq!(ask(&token("new", &new)), Ok(()));
    assert_eq!(issuer.fetches(), 3);
}

#[test]
fn strangers_cannot_make_it_ask_often() {
    let (issuer, validator, hand) = setup();
    let (ours, theirs) = (Signer::ed(), Signer::ed());
    issuer.publish(&[("k", &ours)]);
    for n in 0..100 {
        let token = token(&format!("guess-{n}"), &theirs);
        assert_eq!(run(validator.validate(&token)).err(), Some(TokenError::UnknownKey));
    }
    assert_eq!(issuer.fetches(), 2, "once for the first token, once for an unknown key");
    hand.advance(30);
    assert!(run(validator.validate(&token("guess", &theirs))).is_err());
    assert_eq!(issuer.fetches(), 3);
    // A wrong signature with a known key causes none.
    assert_eq!(run(validator.validate(&token("k", &theirs))).err(), Some(TokenError::BadSignature));
    assert_eq!(issuer.fetches(), 3);
}

#[test]
fn many_at_once_ask_once() {
    let (issuer, validator, _) = setup();
    let signer = Signer::ed();
    issuer.publish(&[("k", &signer)]);
    let token = token("k", &signer);
    let answers = run(futures::future::join_all((0..20).map(|_| validator.validate(&token))));
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches(), 1);
}

/// An issuer that answers once, and then hangs.
struct Hanging(Issuer);

impl FetchKeys for Hanging {
    fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
        match self.0.fetches() {
            0 => self.0.fetch(),
            _ => Box::pin(std::future::pending()),
        }
    }
}

#[test]
fn while_one_fetches_the_others_go_on_with_what_there_is() {
    let (issuer, _, hand) = setup();
    let signer = Signer::ed();
    issuer.publish(&[("k", &signer)]);
    let jwks = Jwks::new(Hanging(issuer), JwksOptions::default());
    let validator = Validator::fetching(jwks, options()).clock(hand.clone());
    let token = token("k", &signer);
    run(async {
        assert!(validator.validate(&token).await.is_ok());
        hand.advance(3600);
        let mut first = Box::pin(validator.validate(&token));
        assert!(futures::poll!(&mut first).is_pending(), "this one asks the issuer");
        assert!(validator.validate(&token).await.is_ok(), "this one does not wait for it");
    });
}

#[test]
fn after_a_failure_it_waits_and_the_last_good_keys_stay_for_a_day() {
    let (issuer, validator, hand) = setup();
    let signer = Signer::ed();
    let token = token("k", &signer);
    let ask = || run(validator.validate(&token)).map(|_| ());
    assert_eq!(ask(), Err(TokenError::KeysUnavailable));
    assert_eq!(ask(), Err(TokenError::KeysUnavailable));
    assert_eq!(issuer.fetches(), 1, "not again at once");
    issuer.publish(&[("k", &signer)]);
    hand.advance(1);
    assert_eq!(ask(), Ok(()));
    issuer.fail();
    let before = issuer.fetches();
    // An hour of requests, one a second, while the issuer is away.
    hand.advance(3600);
    for _ in 0..3600 {
        assert_eq!(ask(), Ok(()));
        hand.advance(1);
    }
    let asked = issuer.fetches() - before;
    assert!((10..40).contains(&asked), "a pause that grows to five minutes: {asked}");
    hand.advance(24 * 3600);
    assert_eq!(ask(), Err(TokenError::KeysUnavailable));
}

#[test]
fn what_is_published_is_bounded_and_checked() {
    let (issuer, validator, hand) = setup();
    let signer = Signer::ed();
    issuer.publish(&[("k", &signer)]);
    let token = token("k", &signer);
    assert!(run(validator.validate(&token)).is_ok());
    for wrong in ["<html>".to_owned(), r#"{"keys": []}"#.to_owned(), " ".repeat(2 << 20)] {
        *issuer.published.lock() = Ok(wrong);
        hand.advance(2 * 3600);
        assert!(run(validator.validate(&token)).is_ok(), "the last good keys stay");
    }
    let jwks = Jwks::new(issuer, JwksOptions { refresh_after: Duration::ZERO, ..JwksOptions::default() });
    assert_eq!(jwks.failure(), None);
}

/// An issuer that answers when it is let.
#[derive(Clone)]
struct Held(Issuer, Arc<tokio::sync::Semaphore>);

impl FetchKeys for Held {
    fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
        Box::pin(async {
            let permit = self.1.acquire().await.map_err(|error| FetchError(error.to_string()))?;
            permit.forget();
            self.0.fetch().await
        })
    }
}

#[test]
fn a_client_that_goes_away_cancels_no_fetch() {
    let (issuer, _, hand) = setup();
    let (old, new) = (Signer::ed(), Signer::ed());
    issuer.publish(&[("old", &old)]);
    let held = Held(issuer.clone(), Arc::new(tokio::sync::Semaphore::new(0)));
    let jwks = Jwks::new(held.clone(), JwksOptions::default());
    let validator = Validator::fetching(jwks, options()).clock(hand.clone());
    let (of_old, of_new) = (token("old", &old), token("new", &new));
    run(async {
        // The very first request goes away while the keys are fetched.
        let mut first = Box::pin(validator.validate(&of_old));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        held.1.add_permits(1);
        assert!(validator.validate(&of_old).await.is_ok());
        assert_eq!(issuer.fetches(), 1, "it was that of the first");
        // So does the first that has a token of the new key.
        issuer.publish(&[("new", &new)]);
        let mut first = Box::pin(validator.validate(&of_new));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        held.1.add_permits(1);
        assert_eq!(validator.validate(&of_new).await.map(|_| ()), Ok(()));
        assert_eq!(issuer.fetches(), 2);
    });
}

/// An issuer whose client panics.
struct Panics;

impl FetchKeys for Panics {
    fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
        Box::pin(async { panic!("on purpose") })
    }
}

#[test]
fn a_fetcher_that_panics_has_failed() {
    let jwks = Jwks::new(Panics, JwksOptions::default());
    let validator = Validator::fetching(jwks, options()).clock(Hand::new());
    let answer = run(validator.validate(&token("k", &Signer::ed())));
    assert_eq!(answer.err(), Some(TokenError::KeysUnavailable));
}
