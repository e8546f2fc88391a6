use std::collections::{BTreeMap, HashMap};

/// Headers that can be read. Names are asked for in lower case, and compared without it.
pub trait Extractor {
    /// The first header of this name, if it is text.
    fn get(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// All headers of this name that are text, in their order.
    fn all(&self, name: &str) -> Vec<&str>;
}

/// Headers that can be written.
pub trait Injector {
    /// Sets a header, over those of the same name. The value is visible ASCII.
    fn set(&mut self, name: &'static str, value: String);
}

impl Extractor for HashMap<String, String> {
    fn all(&self, name: &str) -> Vec<&str> {
        named(self.iter(), name)
    }
}

impl Injector for HashMap<String, String> {
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|other, _| !other.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value);
    }
}

impl Extractor for BTreeMap<String, String> {
    fn all(&self, name: &str) -> Vec<&str> {
        named(self.iter(), name)
    }
}

impl Injector for BTreeMap<String, String> {
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|other, _| !other.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value);
    }
}

/// Headers that may be there several times.
impl Extractor for [(String, String)] {
    fn all(&self, name: &str) -> Vec<&str> {
        named(self.iter().map(|(name, value)| (name, value)), name)
    }
}

/// Headers that may be there several times.
impl Extractor for Vec<(String, String)> {
    fn all(&self, name: &str) -> Vec<&str> {
        self.as_slice().all(name)
    }
}

impl Injector for Vec<(String, String)> {
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.push((name.to_owned(), value));
    }
}

fn named<'a>(headers: impl Iterator<Item = (&'a String, &'a String)>, name: &str) -> Vec<&'a str> {
    headers.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| &**value).collect()
}

#[cfg(any(feature = "tower", feature = "axum"))]
impl Extractor for http::HeaderMap {
    fn get(&self, name: &str) -> Option<&str> {
        http::HeaderMap::get(self, name)?.to_str().ok()
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }
}

#[cfg(any(feature = "tower", feature = "axum"))]
impl Injector for http::HeaderMap {
    fn set(&mut self, name: &'static str, value: String) {
        if let Ok(value) = http::HeaderValue::try_from(value) {
            self.insert(name, value);
        }
    }
}
