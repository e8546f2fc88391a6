use std::fmt;
use std::sync::Arc;

use super::{Extractor, percent};

/// Facts that go along with a request to everybody who works on it: W3C Baggage. Clones are cheap.
///
/// It is sent to whoever is called, and comes from whoever calls: no secrets, and no trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baggage(Option<Arc<[BaggageEntry]>>);

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaggageEntry {
    /// Its name, an HTTP token.
    pub name: String,
    /// Its value, decoded.
    pub value: String,
    /// What is said about it, such as `ttl=30`, as it is sent; may be empty.
    pub metadata: String,
}

/// Entries, as the recommendation has it. More are left out.
const ENTRIES_MAX: usize = 64;
/// Bytes of the header, as the recommendation has it. What comes beyond is left out.
const BYTES_MAX: usize = 8192;

impl Baggage {
    pub(super) fn extract(headers: &(impl Extractor + ?Sized)) -> Self {
        Self::parse(&headers.all("baggage").join(","))
    }

    /// Reads the header. An entry that is not well-formed is left out; of two with one name the later
    /// holds.
    pub fn parse(header: &str) -> Self {
        let mut entries: Vec<BaggageEntry> = Vec::new();
        for entry in header.split(',').filter_map(BaggageEntry::parse) {
            put(&mut entries, entry);
        }
        Self::of(entries)
    }

    fn of(entries: Vec<BaggageEntry>) -> Self {
        Self((!entries.is_empty()).then(|| entries.into()))
    }

    /// The entries, in their order.
    pub fn entries(&self) -> &[BaggageEntry] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries().iter().find(|entry| entry.name == name).map(|entry| &*entry.value)
    }

    /// With this entry, over the one of the same name; unchanged when the name is no token or when
    /// there is no room.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        if !is_token(name) {
            return self.clone();
        }
        let mut entries = self.entries().to_vec();
        put(&mut entries, BaggageEntry { name: name.into(), value: value.into(), metadata: String::new() });
        Self::of(entries)
    }

    /// Without the entry of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        Self::of(self.entries().iter().filter(|entry| entry.name != name).cloned().collect())
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// The header.
impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries().iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{}=", entry.name)?;
            percent::encode(&entry.value, f)?;
            if !entry.metadata.is_empty() {
                write!(f, ";{}", entry.metadata)?;
            }
        }
        Ok(())
    }
}

/// Puts an entry in, over one of the same name, if there is room.
fn put(entries: &mut Vec<BaggageEntry>, entry: BaggageEntry) {
    let others = entries.iter().filter(|other| other.name != entry.name);
    let (count, bytes) = others.fold((0, 0), |(count, bytes), other| (count + 1, bytes + other.size() + 1));
    if count < ENTRIES_MAX && bytes + entry.size() <= BYTES_MAX {
        entries.retain(|other| other.name != entry.name);
        entries.push(entry);
    }
}

impl BaggageEntry {
    fn parse(text: &str) -> Option<Self> {
        let (member, metadata) = text.split_once(';').unwrap_or((text, ""));
        let (name, value) = member.split_once('=')?;
        let (name, value, metadata) = (name.trim(), value.trim(), metadata.trim());
        let legal = |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b));
        let well_formed = is_token(name) && legal(metadata) && !value.contains(['"', '\\', ' ']);
        well_formed.then(|| Self {
            name: name.into(),
            value: percent::decode(value),
            metadata: metadata.into(),
        })
    }

    /// How many bytes it takes in the header.
    fn size(&self) -> usize {
        let mut value = String::new();
        // Writing into a text does not fail.
        let _ = percent::encode(&self.value, &mut value);
        let metadata = if self.metadata.is_empty() { 0 } else { self.metadata.len() + 1 };
        self.name.len() + 1 + value.len() + metadata
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
