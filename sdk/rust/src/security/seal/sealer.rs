use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;

use super::keys::{KeySource, SourceError};
use crate::config::Secret;
use crate::time_of_day::{SystemTimeOfDay, TimeOfDay};

/// What sealed bytes begin with: the name and the version of the form. The id of the key and the nonce
/// follow, then what is sealed with its tag.
const MAGIC: &[u8; 4] = b"FRS1";
const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = MAGIC.len() + ID_BYTES;
/// After a failure, or for a key that nobody knows, the source is not asked again for so long.
const PAUSE: Duration = Duration::from_secs(60);
/// With random nonces one key seals no more than this, by NIST SP 800-38D.
const SEALS_MAX: u64 = 1 << 32;

/// How keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealerOptions {
    /// How often the source is asked for its keys; 24 h.
    pub rotation: Duration,
    /// How long a key that the source does not give any more still opens; 7 d.
    pub retention: Duration,
}

impl Default for SealerOptions {
    fn default() -> Self {
        Self { rotation: Duration::from_secs(24 * 3600), retention: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// Why something is not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There are no keys.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The bytes were not sealed here.
    #[error("the bytes are not sealed")]
    NotSealed,
    /// The key is not there, or not any more.
    #[error("the key that sealed it is not there any more")]
    UnknownKey,
    /// It was changed, or sealed for another purpose.
    #[error("it is not as it was sealed, or was sealed for another purpose")]
    Damaged,
    /// The first key of the source has sealed as much as one may.
    #[error("the key has sealed as much as one may; the source must give a new one")]
    WornOut,
}

/// Seals and opens bytes. Clones are the same.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    source: Box<dyn KeySource>,
    options: SealerOptions,
    clock: Box<dyn TimeOfDay>,
    ring: Mutex<Ring>,
}

/// The first one seals.
struct Ring {
    keys: Vec<Held>,
    seals: u64,
    asked_at: SystemTime,
    ask_at: SystemTime,
}

#[derive(Clone)]
struct Held {
    id: [u8; ID_BYTES],
    key: Arc<RandomizedNonceKey>,
    /// Since when the source does not give it any more.
    retired_at: Option<SystemTime>,
}

impl Held {
    fn new(key: &Secret<[u8; 32]>) -> Result<Self, SealError> {
        let hash = digest(&SHA256, key.expose());
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash.as_ref()[..ID_BYTES]);
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| SealError::UnknownKey)?;
        Ok(Self { id, key: Arc::new(key), retired_at: None })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.0.ring.lock().keys.len()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// With the keys of this source.
    ///
    /// # Errors
    /// It has none.
    pub fn new(source: impl KeySource, options: SealerOptions) -> Result<Self, SealError> {
        Self::with_clock(source, options, SystemTimeOfDay)
    }

    /// By a clock of one's own.
    ///
    /// # Errors
    /// As for [`Sealer::new`].
    pub fn with_clock(
        source: impl KeySource,
        options: SealerOptions,
        clock: impl TimeOfDay,
    ) -> Result<Self, SealError> {
        let now = clock.now();
        let ring = Ring { keys: Vec::new(), seals: 0, asked_at: now, ask_at: now };
        let (source, clock) = (Box::new(source), Box::new(clock));
        let sealer = Self(Arc::new(Inner { source, options, clock, ring: Mutex::new(ring) }));
        sealer.0.ask(&mut sealer.0.ring.lock(), now)?;
        Ok(sealer)
    }

    /// Seals bytes for a purpose, such as the name of a column and the id of the row: they open only for the
    /// same. It is not part of what is sealed.
    ///
    /// # Errors
    /// [`SealError::WornOut`], or [`SealError::Damaged`] if the system has no randomness.
    pub fn seal(&self, plain: &[u8], purpose: &str) -> Result<Vec<u8>, SealError> {
        let held = {
            let mut ring = self.0.ring.lock();
            self.0.turn(&mut ring);
            ring.seals += 1;
            if ring.seals > SEALS_MAX {
                return Err(SealError::WornOut);
            }
            ring.keys.first().cloned().ok_or(SealError::UnknownKey)?
        };
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&held.id);
        let mut sealed = plain.to_vec();
        let nonce = held
            .key
            .seal_in_place_append_tag(Aad::from(bound(&header, purpose)), &mut sealed)
            .map_err(|_| SealError::Damaged)?;
        let nonce: &[u8; NONCE_BYTES] = nonce.as_ref();
        header.extend_from_slice(nonce);
        header.extend_from_slice(&sealed);
        Ok(header)
    }

    /// Opens what was sealed for this purpose.
    ///
    /// # Errors
    /// All but [`SealError::Source`] and [`SealError::WornOut`].
    pub fn open(&self, sealed: &[u8], purpose: &str) -> Result<Vec<u8>, SealError> {
        let (header, rest) = sealed.split_at_checked(HEADER_BYTES).ok_or(SealError::NotSealed)?;
        let id = header.strip_prefix(MAGIC).ok_or(SealError::NotSealed)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Damaged)?;
        let held = self.0.held(id).ok_or(SealError::UnknownKey)?;
        let mut plain = text.to_vec();
        let aad = Aad::from(bound(header, purpose));
        let opened = held.key.open_in_place(Nonce::from(nonce), aad, &mut plain);
        let length = opened.map_err(|_| SealError::Damaged)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// What sealed bytes are bound to without having it inside.
fn bound(header: &[u8], purpose: &str) -> Vec<u8> {
    [header, purpose.as_bytes()].concat()
}

impl Inner {
    /// The key of this id. One that is not known may be new at the source.
    fn held(&self, id: &[u8]) -> Option<Held> {
        let mut ring = self.ring.lock();
        self.turn(&mut ring);
        let find = |ring: &Ring| ring.keys.iter().find(|held| held.id == id).cloned();
        let now = self.clock.now();
        let rested = now.duration_since(ring.asked_at).is_ok_and(|passed| passed >= PAUSE);
        if find(&ring).is_none() && rested {
            self.ask_or_tell(&mut ring, now);
        }
        find(&ring)
    }

    /// Asks the source if it is time, and forgets keys that were kept long enough.
    fn turn(&self, ring: &mut Ring) {
        let now = self.clock.now();
        if now >= ring.ask_at {
            self.ask_or_tell(ring, now);
        }
        let kept = |since: SystemTime| now.duration_since(since).unwrap_or_default() < self.options.retention;
        ring.keys.retain(|held| held.retired_at.is_none_or(kept));
    }

    fn ask_or_tell(&self, ring: &mut Ring, now: SystemTime) {
        if let Err(error) = self.ask(ring, now) {
            tracing::warn!(%error, "keys are not renewed, those that there are go on");
        }
    }

    fn ask(&self, ring: &mut Ring, now: SystemTime) -> Result<(), SealError> {
        (ring.asked_at, ring.ask_at) = (now, now + PAUSE.min(self.options.rotation));
        let given = self.source.keys()?;
        let mut keys = given.iter().map(Held::new).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            let (from, problem) = ("the source".to_owned(), "it gave none".to_owned());
            return Err(SourceError { from, problem }.into());
        }
        if ring.keys.first().map(|held| held.id) != keys.first().map(|held| held.id) {
            ring.seals = 0;
        }
        for mut old in ring.keys.drain(..) {
            if keys.iter().all(|held| held.id != old.id) {
                old.retired_at.get_or_insert(now);
                keys.push(old);
            }
        }
        (ring.keys, ring.ask_at) = (keys, now + self.options.rotation);
        Ok(())
    }
}
