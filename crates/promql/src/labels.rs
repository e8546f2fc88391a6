//! The labels of a series, sorted by name.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Names and values, sorted by name, no name twice, no empty value. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// From pairs that are sorted by name already, without an empty value.
    pub fn from_sorted(pairs: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let pairs: Arc<[_]> = pairs.into_iter().collect();
        debug_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0), "sorted by name");
        Self(pairs)
    }

    /// Empty when there is no such label.
    pub fn get(&self, name: &str) -> &str {
        let place = self.0.binary_search_by(|(label, _)| (**label).cmp(name));
        place.map_or("", |place| &self.0[place].1)
    }

    /// Names and values in ascending order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// As [`Self::iter`], shareable without a copy of the texts.
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// A series without any label, not even a name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many labels, the metric's name among them.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// By the pairs, as they come. Texts that are shared are not compared: among the series of a metric these
/// are nearly all.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        let text = |a: &Arc<str>, b: &Arc<str>| if Arc::ptr_eq(a, b) { Ordering::Equal } else { a.cmp(b) };
        for (own, other) in self.0.iter().zip(&*other.0) {
            let order = text(&own.0, &other.0).then_with(|| text(&own.1, &other.1));
            if order.is_ne() {
                return order;
            }
        }
        self.len().cmp(&other.len())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As Prometheus writes them in messages: `{__name__="x", job="y"}`.
impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (number, (name, value)) in self.iter().enumerate() {
            if number > 0 {
                formatter.write_str(", ")?;
            }
            let first = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            if first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                formatter.write_str(name)?;
            } else {
                formatter.write_str(&crate::parse::quote(name))?;
            }
            write!(formatter, "={}", crate::parse::quote(value))?;
        }
        formatter.write_str("}")
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }
}

/// Changes labels one by one.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder(Vec<(Arc<str>, Arc<str>)>);

impl LabelsBuilder {
    /// Begins with the labels of `base`, which stays as it is.
    pub fn new(base: &Labels) -> Self {
        Self(base.0.to_vec())
    }

    /// An empty value removes the label.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.0.binary_search_by(|(label, _)| (**label).cmp(name)) {
            Ok(place) if value.is_empty() => {
                self.0.remove(place);
            }
            Ok(place) => self.0[place].1 = value.into(),
            Err(_) if value.is_empty() => {}
            Err(place) => self.0.insert(place, (name.into(), value.into())),
        }
        self
    }

    /// Does nothing where there is no such label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    /// Drops the labels for which `keep` (given name and value) says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) -> &mut Self {
        self.0.retain(|(name, value)| keep(name, value));
        self
    }

    /// The labels, sorted, without empty values.
    pub fn build(self) -> Labels {
        Labels(self.0.into())
    }
}
