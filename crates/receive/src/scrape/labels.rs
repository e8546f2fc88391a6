//! Labels while they are made: of targets, and of series.

/// Labels by name, ascending; one without a value is none, as in Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Labels(Vec<(String, String)>);

impl Labels {
    /// The value of a label; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).ok().and_then(|at| self.0.get(at)).map_or("", |(_, value)| value)
    }

    /// Sets a label, or removes it where the value is empty.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match (self.find(name), value.is_empty()) {
            (Ok(at), true) => drop(self.0.remove(at)),
            (Ok(at), false) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = value;
                }
            }
            (Err(_), true) => {}
            (Err(at), false) => self.0.insert(at, (name.to_owned(), value)),
        }
    }

    /// Sets a label that is not there.
    pub(crate) fn default_to(&mut self, name: &str, value: &str) {
        if self.get(name).is_empty() {
            self.set(name, value);
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// All of them in one piece that is compared and kept cheaply; [`parts`] reads it.
    pub(crate) fn flat(&self) -> Box<[u8]> {
        let mut out =
            Vec::with_capacity(self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            out.extend_from_slice(text.as_bytes());
            out.push(END);
        }
        out.into()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

/// No byte of UTF-8.
const END: u8 = 0xff;

/// Names and values of [`Labels::flat`].
pub(crate) fn parts(flat: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut texts = flat.split(|byte| *byte == END);
    std::iter::from_fn(move || Some((texts.next().filter(|name| !name.is_empty())?, texts.next()?)))
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::default();
        pairs.into_iter().for_each(|(name, value)| labels.set(&name.into(), value));
        labels
    }
}
