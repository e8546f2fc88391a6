//! Encryption at rest: AES-256-GCM by keys that change.
//!
//! What enters: a [`KeySource`], and bytes. What leaves: sealed bytes that say by which key, and the bytes
//! again, or a [`SealError`].
//!
//! What must hold: what was changed, cut off, or sealed for another purpose is never opened; a key is
//! never printed; a source that fails leaves the keys there were.
//!
//! ```
//! use fresnel_sdk::security::seal::{FileKeys, Sealer, SealerOptions};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("keys");
//! // As `openssl rand -base64 32` makes one; the first line seals, all open.
//! std::fs::write(&path, "jHgnGQxZWfcSBrGwN1MXWZGpsvA6IGBYLDZJiyNv4gw=\n")?;
//! let sealer = Sealer::new(FileKeys::new(&path), SealerOptions::default())?;
//! let sealed = sealer.seal(b"4929 1234 5678", "card of ann")?;
//! assert_eq!(sealer.open(&sealed, "card of ann")?, b"4929 1234 5678");
//! assert!(sealer.open(&sealed, "card of bert").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod keys;
mod sealer;

pub use self::keys::{EnvironmentKeys, FileKeys, KeySource, SourceError};
pub use self::sealer::{SealError, Sealer, SealerOptions};
