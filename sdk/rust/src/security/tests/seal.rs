//! Encryption at rest.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::config::Secret;
use crate::security::seal::{
    EnvironmentKeys, FileKeys, KeySource, SealError, Sealer, SealerOptions, SourceError,
};
use crate::time_of_day::TimeOfDay;

#[derive(Clone, Default)]
struct Hand(Arc<Mutex<Duration>>);

impl Hand {
    fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl TimeOfDay for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + *self.0.lock()
    }
}

/// Keys that the test sets: each is a byte, 32 times. None at all is a failure.
#[derive(Clone)]
struct Set(Arc<Mutex<Vec<u8>>>);

impl Set {
    fn new(keys: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(keys.to_vec())))
    }

    fn becomes(&self, keys: &[u8]) {
        *self.0.lock() = keys.to_vec();
    }
}

impl KeySource for Set {
    fn keys(&self) -> Result<Vec<Secret<[u8; 32]>>, SourceError> {
        let keys = self.0.lock();
        if keys.is_empty() {
            return Err(SourceError { from: "the test".into(), problem: "away".into() });
        }
        Ok(keys.iter().map(|byte| Secret::new([*byte; 32])).collect())
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn sealer(keys: &Set, clock: &Hand) -> Sealer {
    Sealer::with_clock(keys.clone(), SealerOptions::default(), clock.clone()).unwrap()
}

#[test]
fn what_was_sealed_opens_only_as_it_was_and_for_the_same() {
    let sealer = sealer(&Set::new(&[1]), &Hand::default());
    for plain in [&b""[..], b"x", &[7; 10_000]] {
        let sealed = sealer.seal(plain, "row 1").unwrap();
        assert_ne!(sealed, sealer.seal(plain, "row 1").unwrap(), "each has its own nonce");
        assert_eq!(sealer.open(&sealed, "row 1").as_deref(), Ok(plain));
        assert_eq!(sealer.open(&sealed, "row 2"), Err(SealError::Damaged));
        assert!(plain.len() < 2 || !sealed.windows(plain.len()).any(|part| part == plain));
    }
    let sealed = sealer.seal(b"secret", "").unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(sealer.open(&changed, "").is_err(), "byte {at}");
        assert!(sealer.open(&sealed[..at], "").is_err(), "cut off at {at}");
    }
    assert_eq!(sealer.open(b"not sealed at all", ""), Err(SealError::NotSealed));
}

#[test]
fn a_new_key_seals_and_old_ones_open_for_the_retention() {
    let (keys, clock) = (Set::new(&[1]), Hand::default());
    let own = sealer(&keys, &clock);
    let old = own.seal(b"old", "").unwrap();
    keys.becomes(&[2]);
    clock.advance(DAY - HOUR);
    let still = own.seal(b"x", "").unwrap();
    assert_eq!(still[..12], old[..12], "the source is asked once a day");
    clock.advance(HOUR);
    let new = own.seal(b"new", "").unwrap();
    assert_ne!(new[..12], old[..12]);
    assert_eq!(own.open(&old, "").as_deref(), Ok(&b"old"[..]));
    clock.advance(7 * DAY - HOUR);
    assert_eq!(own.open(&old, "").as_deref(), Ok(&b"old"[..]));
    clock.advance(2 * HOUR);
    assert_eq!(own.open(&old, ""), Err(SealError::UnknownKey));
    assert_eq!(own.open(&new, "").as_deref(), Ok(&b"new"[..]));

    // What the source still gives opens for good, and another process finds it.
    keys.becomes(&[3, 1]);
    let other = sealer(&keys, &clock);
    assert_eq!(other.open(&old, "").as_deref(), Ok(&b"old"[..]));
    assert_eq!(other.open(&new, ""), Err(SealError::UnknownKey));
    // A key that came to the source meanwhile is found before the day is over, but not at once.
    let newest = other.seal(b"newest", "").unwrap();
    assert_eq!(own.open(&newest, ""), Err(SealError::UnknownKey));
    clock.advance(Duration::from_secs(60));
    assert_eq!(own.open(&newest, "").as_deref(), Ok(&b"newest"[..]));
}

#[test]
fn a_source_that_fails_leaves_the_keys_there_were() {
    let (keys, clock) = (Set::new(&[1]), Hand::default());
    let sealer = sealer(&keys, &clock);
    let sealed = sealer.seal(b"x", "").unwrap();
    keys.becomes(&[]);
    clock.advance(30 * DAY);
    assert_eq!(sealer.open(&sealed, "").as_deref(), Ok(&b"x"[..]));
    assert_eq!(sealer.seal(b"y", "").unwrap()[..12], sealed[..12]);
    keys.becomes(&[2]);
    assert_eq!(sealer.seal(b"y", "").unwrap()[..12], sealed[..12], "it is not asked all the time");
    clock.advance(Duration::from_secs(60));
    assert_ne!(sealer.seal(b"y", "").unwrap()[..12], sealed[..12], "it is asked again after a minute");
    assert!(matches!(Sealer::new(Set::new(&[]), SealerOptions::default()), Err(SealError::Source(_))));
}

#[test]
fn keys_come_from_files_and_variables_and_are_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let one = "jHgnGQxZWfcSBrGwN1MXWZGpsvA6IGBYLDZJiyNv4gw=";
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    std::fs::write(&path, format!("{one}\n{other}\n")).unwrap();
    let keys = FileKeys::new(&path).keys().unwrap();
    assert_eq!((keys.len(), keys[1].expose()), (2, &[0; 32]));
    assert!(!format!("{keys:?}").contains('1'), "{keys:?}");
    for (text, problem) in [
        (format!("{one}\n{}", &other[4..]), "key 2 is not 32 bytes in base64"),
        (format!("{one} no-base64"), "key 2 is not 32 bytes in base64"),
        (String::new(), "there are 0, not 1 to 100"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = FileKeys::new(&path).keys().unwrap_err();
        assert_eq!(error.problem, problem);
        assert!(!error.to_string().contains(one));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(Sealer::new(FileKeys::new(&path), SealerOptions::default()).is_err());
    // Every process has the path; it is no key.
    assert!(EnvironmentKeys::new("PATH").keys().is_err());
    assert!(EnvironmentKeys::new("FRESNEL_NO_SUCH_KEY").keys().is_err());
}
