use std::fmt;

/// Where a value is in the configuration: `receive.otlp.listen`, `hosts[2].name`.
///
/// A list's index is a segment of its own (`[2]`), so that prefixes match by whole segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyPath(Vec<String>);

impl KeyPath {
    pub(crate) fn parse(text: &str) -> Self {
        let mut segments = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (key, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            segments.extend((!key.is_empty()).then(|| key.to_owned()));
            segments.extend(indices.split_inclusive(']').map(str::to_owned));
        }
        Self(segments)
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        let mut longer = self.clone();
        longer.0.push(key.to_owned());
        longer
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.key(&format!("[{index}]"))
    }

    pub(crate) fn join(&self, tail: &Self) -> Self {
        Self(self.0.iter().chain(&tail.0).cloned().collect())
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, head) = self.0.split_last()?;
        Some(Self(head.to_vec()))
    }

    pub(crate) fn segments(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is `other` or one of its ancestors.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Whether one is in the other.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The last key with its indices: what a reader sees at the place in a file.
    pub(crate) fn name(&self) -> Self {
        let start = self.0.iter().rposition(|segment| !segment.starts_with('[')).unwrap_or(0);
        Self(self.0[start..].to_vec())
    }
}

/// The index that a segment such as `[2]` stands for.
pub(crate) fn index_of(segment: &str) -> Option<usize> {
    segment.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            if i > 0 && !segment.starts_with('[') {
                f.write_str(".")?;
            }
            f.write_str(segment)?;
        }
        Ok(())
    }
}
