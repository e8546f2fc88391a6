//! The encoding that identities are hashes of: the same thing has the same bytes, whichever protocol
//! brought it and in whatever order.
//!
//! A text is its length (32 bits, little-endian) and its bytes; no value is a length of all ones;
//! attributes are their number, then key and value of each, sorted by key.

use xxhash_rust::xxh3::xxh3_128;

use crate::columns::Id;

/// Bytes to be hashed.
#[derive(Default)]
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    /// Begins again.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Continues what another identity is the beginning of.
    #[inline(always)]
    pub(crate) fn restart(&mut self, above: &Id<16>) {
        self.0.clear();
        self.0.extend_from_slice(above);
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    #[inline(always)]
    fn length(&mut self, length: usize) {
        // No text of a request is longer; see `BODY_BYTES_MAX`.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.length(text.len());
        self.0.extend_from_slice(text);
    }

    #[inline(always)]
    fn value(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.text(value),
            None => self.length(usize::MAX),
        }
    }

    /// Attributes in any order.
    pub(crate) fn attributes<'a>(&mut self, entries: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) {
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        self.sorted_attributes(entries.len(), entries.into_iter());
    }

    /// Attributes that are sorted by key.
    #[inline(always)]
    pub(crate) fn sorted_attributes<'a>(
        &mut self,
        count: usize,
        entries: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) {
        self.length(count);
        for (key, value) in entries {
            self.text(key);
            self.value(value);
        }
    }

    /// The hash, its highest byte first.
    #[inline(always)]
    pub(crate) fn id(&self) -> Id<16> {
        xxh3_128(&self.0).to_be_bytes()
    }
}

/// The identity of what has these two, one after the other.
#[inline(always)]
pub(crate) fn join(above: &Id<16>, below: &Id<16>) -> Id<16> {
    xxh3_128([*above, *below].as_flattened()).to_be_bytes()
}
