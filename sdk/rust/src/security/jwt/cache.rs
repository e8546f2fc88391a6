use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::claims::Claims;

/// Tokens that were valid a moment ago, in two generations: when the young one is half of the limit,
/// it becomes the old one, and what was not asked for since then is gone. Every step is constant.
pub(super) struct Cache {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
    limit: usize,
    /// Of which keys these tokens are.
    generation: u64,
}

struct Entry {
    claims: Arc<Claims>,
    until: SystemTime,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), limit, generation: 0 }
    }

    /// A token that was valid with the keys of this generation.
    pub(super) fn get(&mut self, token: &str, generation: u64, now: SystemTime) -> Option<Arc<Claims>> {
        self.renew(generation);
        if let Some((token, entry)) = self.old.remove_entry(token) {
            self.put(token, entry);
        }
        let entry = self.young.get(token)?;
        (now < entry.until).then(|| entry.claims.clone())
    }

    pub(super) fn insert(&mut self, token: &str, claims: Arc<Claims>, until: SystemTime, generation: u64) {
        self.renew(generation);
        self.put(token.into(), Entry { claims, until });
    }

    fn put(&mut self, token: Box<str>, entry: Entry) {
        if self.limit < 2 {
            return;
        }
        if self.young.len() >= self.limit / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, entry);
    }

    /// Other keys: a token of a key that is gone must be checked again.
    fn renew(&mut self, generation: u64) {
        if self.generation < generation {
            self.young.clear();
            self.old.clear();
            self.generation = generation;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
