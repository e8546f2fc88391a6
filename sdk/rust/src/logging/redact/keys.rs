/// Words of names that hide their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Vec<String>>);

impl Keys {
    /// Adds a key. False if there is no word in it.
    pub(super) fn add(&mut self, key: &str) -> bool {
        let words: Vec<_> = words(key).map(str::to_lowercase).collect();
        let some = !words.is_empty();
        if some && !self.0.contains(&words) {
            self.0.push(words);
        }
        some
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the words of one key are in the name, one after the other.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|key| {
            let mut rest = words(name);
            loop {
                let mut here = rest.clone();
                if key.iter().all(|word| here.next().is_some_and(|own| own.eq_ignore_ascii_case(word))) {
                    return true;
                }
                if rest.next().is_none() {
                    return false;
                }
            }
        })
    }
}

/// The words of a name: parted by what is no letter or digit, between letters and digits, and where a
/// capital follows a small letter or begins the last word of several capitals (`APIKey`).
fn words(name: &str) -> Words<'_> {
    Words(name)
}

#[derive(Clone)]
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches(|c: char| !c.is_alphanumeric());
        let mut chars = text.char_indices().peekable();
        let (_, mut before) = chars.next()?;
        let mut end = text.len();
        while let Some((at, c)) = chars.next() {
            let small_next = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            let capital = c.is_uppercase() && (!before.is_uppercase() || small_next);
            if !c.is_alphanumeric() || capital || c.is_numeric() != before.is_numeric() {
                end = at;
                break;
            }
            before = c;
        }
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        Some(word)
    }
}
